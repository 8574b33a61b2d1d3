"""Advice on what commonly goes wrong with a relay: what happened, and what to write in the ini file instead."""

from __future__ import annotations

import re
import socket
import ssl

CERTIFICATE_FAULTS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    **dict.fromkeys((19, 20, 21), "is signed by an authority unknown here"),
    62: "is for another name",
    64: "is for another address",
}
"""What OpenSSL's verify codes mean."""

UNVERIFIED = "with verify_certificate = no anybody could impersonate the relay"
ADVICE = (
    ("^connect .* cannot be found", "check host, and the DNS of this machine"),
    ("^connect .* refused", "nothing listens there: the usual ports are 465 with ssl://, 587 with use_tls, else 25"),
    ("^(connect|TLS) .* no answer", "check host and port; a firewall or the provider may block the port"),
    (
        "^TLS tls .* (WRONG_VERSION|RECORD_LAYER)",
        "that port does not start with TLS: write host = {host}:587 without ssl://, and use_tls = yes",
    ),
    ("^greeting (none|starttls) .* no answer", "that port may start with TLS: write host = ssl://{host}:{port}"),
    (" certificate .* (expired|yet)", f"it must be renewed, unless the clock here is wrong; {UNVERIFIED}"),
    (" certificate .* another", f"write host as it stands in the certificate; {UNVERIFIED}"),
    (" certificate ", f"name a file with the certificate of its authority as ca_file; {UNVERIFIED}"),
    (r" (UNSUPPORTED_PROTOCOL|\w*PROTOCOL_VERSION)", "the relay does not support TLS 1.2 or later"),
    ("^STARTTLS .* not offer", "write host = ssl://{host} if it starts with TLS, usually on port 465"),
    (
        r"^\w+ .* [Bb]asic authentication is (not|disabled)",
        "Microsoft no longer accepts passwords: run  pbxnotify setup  and choose OAuth 2, see docs/oauth2.md",
    ),
    (
        "^AUTH .* SmtpClientAuth",
        "Microsoft: an administrator must allow authenticated SMTP, for the mailbox or for all (Manage email apps)",
    ),
    (
        r"^AUTH none .*with (538\b|.*STARTTLS|.*[Ee]ncryption)",
        "the relay requires encryption: write use_tls = yes, or host = ssl://{host}",
    ),
    (
        r"^AUTH .* AUTH (XOAUTH2|OAUTHBEARER) .*with 53[045]\b",
        "the token is for another account or was withdrawn: log in again as the account in login, with"
        "  pbxnotify oauth login  or setup, or correct what password_command prints; Microsoft: authenticated SMTP must"
        " be allowed for the mailbox, and security defaults must be off",
    ),
    (
        r"^AUTH .* 5\.7\.139 .*(security defaults|criteria)",
        "Microsoft: a policy forbids it: switch security defaults off, or use OAuth 2",
    ),
    (
        r"^AUTH .* (5\.7\.139|5\.7\.3)\b",
        "check login and password; Microsoft: an administrator must allow authenticated SMTP and passwords, or use"
        " OAuth 2",
    ),
    (r"^AUTH .* 53[45]\b", "check login and password; Gmail, Yandex and Mail.ru require an app password"),
    ("^AUTH .* in the clear", "write host = ssl://{host} or use_tls = yes, or else allow_plaintext_login = yes"),
    (
        "^AUTH .* offers no login with a token",
        "check that host belongs to the provider in [oauth2], or write auth = password",
    ),
    ("^AUTH none .* offers no login", "it may require use_tls = yes first; leave login empty if it needs none"),
    ("^AUTH .* offers no login", "leave login empty if it needs none"),
    ("^MAIL none .* 530 .*TLS", "write use_tls = yes"),
    ("^MAIL .* 530 ", "the relay requires login and password"),
    ("^MAIL .* 55[0-4] ", "sender must be an address that the login may send from, usually the account's own"),
    ("^RCPT .*([Ss]ender address|not owned by)", "sender must be an address that the login may send from"),
    (
        r"^RCPT .* 5\.7\.\d|^RCPT .*relay(ing)? (access )?(is )?(denied|not)",
        "it may require login and password before it accepts mail for other domains",
    ),
)
"""The advice for each case: stage, security, port and what happened. The first that fits counts."""


def advice_for(case: str) -> str:
    """Return the advice for a case, with ``{host}`` and ``{port}`` to be filled in; empty if there is none."""
    return next((f" ({advice})" for pattern, advice in ADVICE if re.search(pattern, case)), "")


def network_error(error: OSError) -> str:
    """Return what happened to a connection, to follow the name of the host in a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = CERTIFICATE_FAULTS.get(error.verify_code, "cannot be verified")
        return f"has a certificate that {fault} ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"failed to agree on TLS: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"cannot be found: {error.strerror}"
    if isinstance(error, socket.timeout):
        return "gave no answer in time"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "broke the connection"
    return f"cannot be reached: {error.strerror}" if error.strerror else str(error)
