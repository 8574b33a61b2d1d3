"""What makes a connection safe: whom we trust to be the relay, or who gives us tokens."""

from __future__ import annotations

import os
import ssl

from pbxnotify.namedtuple import TYPE_CHECKING

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp


def relay_context(settings: Smtp) -> ssl.SSLContext:
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


def web_context(relay: Smtp) -> ssl.SSLContext:
    """Return what TLS with whoever gives us tokens begins with; raises OSError for a ``ca_file`` that is none.

    Always verified: who poses as them could send mail in our name for as long as they like. The relay's own authority
    is trusted too, for an office that runs both.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_system_authorities(trusting)
    if relay.ca_file:
        trusting.load_verify_locations(relay.ca_file)
    return trusting
