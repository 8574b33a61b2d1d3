"""TLS contexts: which certificates we trust of the relay, and of the authorization server."""

from __future__ import annotations

import os
import ssl

from pbxnotify.namedtuple import TYPE_CHECKING

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp


def relay_context(settings: Smtp) -> ssl.SSLContext:
    """Return the context for TLS 1.2 or later with the relay; raises OSError for an unusable ``ca_file``.

    Certificates are verified unless the admin says otherwise.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca_file:
        context.load_verify_locations(settings.ca_file)
    else:
        _load_system_authorities(context)
    return context


def _load_system_authorities(context: ssl.SSLContext) -> None:
    """Trust the authorities of this system: the hashed directory takes 0.1 ms, the bundle 30."""
    hashed = ssl.get_default_verify_paths().capath
    if hashed and "SSL_CERT_FILE" not in os.environ and any(name.endswith(".0") for name in os.listdir(hashed)):
        context.load_verify_locations(capath=hashed)
    else:
        context.load_default_certs()


def web_context(relay: Smtp) -> ssl.SSLContext:
    """Return the context for TLS with the authorization server; raises OSError for an unusable ``ca_file``.

    Always verified: an impostor could send mail in our name for as long as it likes. The relay's own authority is
    trusted too, for an office that runs both.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_system_authorities(context)
    if relay.ca_file:
        context.load_verify_locations(relay.ca_file)
    return context
