"""What makes a conversation safe: whom we trust to be the relay, and how we show it who we are."""

from __future__ import annotations

import hmac
import os
import ssl
from base64 import b64decode
from collections.abc import Callable

from pbxnotify.frozen import TYPE_CHECKING

if TYPE_CHECKING:
    from pbxnotify.settings import Smtp

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
MECHANISMS_WITHOUT_TLS = ("CRAM-MD5", "PLAIN", "LOGIN")
"""In the order in which we choose; where others could listen, the one that does not show the password comes first."""


def context(settings: Smtp) -> ssl.SSLContext:
    """Return what TLS with the relay begins with, 1.2 or later; raises OSError for a ``ca_file`` that is none.

    Certificates are verified unless the admin says otherwise.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify_certificate:
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
    elif settings.ca_file:
        trusting.load_verify_locations(settings.ca_file)
    else:
        _load_system_authorities(trusting)
    return trusting


def _load_system_authorities(trusting: ssl.SSLContext) -> None:
    """Trust whom this system trusts: from the hashed directory in 0.1 ms, the bundle takes 30."""
    hashed = ssl.get_default_verify_paths().capath
    if hashed and "SSL_CERT_FILE" not in os.environ and any(name.endswith(".0") for name in os.listdir(hashed)):
        trusting.load_verify_locations(capath=hashed)
    else:
        trusting.load_default_certs()


def answers(mechanism: str, login: bytes, secret: bytes) -> list[Callable[[bytes], bytes]]:
    """Return what answers each challenge of a mechanism (RFC 4616, RFC 2195; LOGIN has no RFC)."""

    def digest(challenge: bytes) -> bytes:
        try:
            return login + b" " + hmac.new(secret, b64decode(challenge), "md5").hexdigest().encode()
        except ValueError:
            raise ConnectionError("sent a challenge that cannot be answered") from None

    return {
        "PLAIN": [lambda challenge: b"\0" + login + b"\0" + secret],
        "LOGIN": [lambda challenge: login, lambda challenge: secret],
        "CRAM-MD5": [digest],
    }[mechanism]
