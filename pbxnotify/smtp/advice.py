"""Advice on what commonly goes wrong with a relay: what happened, and what to write in the ini file instead."""

from __future__ import annotations

import re
import socket
import ssl

from pbxnotify.smtp.replies import Concern

CERTIFICATE_FAULTS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    **dict.fromkeys((19, 20, 21), "is signed by an authority unknown here"),
    62: "is for another name",
    64: "is for another address",
    66: "has too weak a key",
    67: "is signed with too weak a key",
    68: "is signed with too weak a digest",
}
"""What OpenSSL's verify codes mean."""

UNVERIFIED = "with verify_certificate = no anybody could impersonate the relay"
WEAK = "it should be updated: verify_certificate = no accepts it, but then anybody could impersonate the relay"
ADVICE = (
    ("^connect .* DNS gave no answer", "check the DNS servers of this machine, in /etc/resolv.conf"),
    ("^connect .* cannot be found", "check host, and the DNS of this machine"),
    ("^connect .* refused", "nothing listens there: the usual ports are 465 with ssl://, 587 with use_tls, else 25"),
    (
        "^connect .* (Permission denied|not permitted)",
        "this machine forbids it: look at SELinux with  ausearch -m avc -ts recent  and at its firewall",
    ),
    (
        "^connect .* No route to host",
        "check host; a firewall on the way or on the relay, such as firewalld, rejects it",
    ),
    ("^connect .* unreachable", "this machine has no way there: check its network, and its firewall"),
    ("^(connect|TLS) .* no answer", "check host and port; a firewall or the provider may block the port"),
    (
        "^TLS tls .* (WRONG_VERSION|RECORD_LAYER)",
        "that port does not start with TLS: write host = {host}:587 without ssl://, and use_tls = yes",
    ),
    ("^greeting (none|starttls) .* no answer", "that port may start with TLS: write host = ssl://{host}:{port}"),
    (" certificate .* (expired|yet)", f"it must be renewed, unless the clock here is wrong; {UNVERIFIED}"),
    (" certificate .* another", f"write host as it stands in the certificate; {UNVERIFIED}"),
    (" certificate .* too weak", WEAK),
    (
        " certificate .*(local issuer|first certificate)",
        "name a file with the certificate of its authority as ca_file, or of the intermediate one that it should send;"
        f" {UNVERIFIED}",
    ),
    (" certificate ", f"name a file with the certificate of its authority as ca_file; {UNVERIFIED}"),
    (
        r" (\w*CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE)",
        "the relay requires a client certificate, which pbxnotify does not have: use another port or relay",
    ),
    (
        "^(TLS|STARTTLS|greeting tls|EHLO starttls) .*(EOF|closed the connection|broke the connection)",
        "if it hung up as soon as TLS began, it may require a client certificate, which pbxnotify does not have, or not"
        " accept this machine",
    ),
    (r" (UNSUPPORTED_PROTOCOL|\w*PROTOCOL_VERSION)", "the relay does not support TLS 1.2 or later"),
    (
        r" (\w*KEY_TOO_SMALL|\w*MD_TOO_WEAK|\w*KEY_TOO_WEAK|LEGACY_SIGALG|UNSAFE_LEGACY_RENEGOTIATION|BAD_SIGNATURE)",
        WEAK,
    ),
    (
        r" (\w*HANDSHAKE_FAILURE|\w*NO_SHARED_CIPHER)",
        "its ciphers are too old for this machine, which verify_certificate = no accepts (but anybody could impersonate"
        " the relay), or it requires a client certificate",
    ),
    ("^STARTTLS .* not offer", "write host = ssl://{host} if it starts with TLS, usually on port 465"),
    (
        r"^EHLO .*with (421|501|504|550)\b",
        "it may not accept the name that we greet it with: write helo = the full name of this host as DNS has it",
    ),
    (
        r"^\w+ .* basic authentication is (not|disabled)",
        "Microsoft no longer accepts passwords: run  pbxnotify setup  and choose OAuth 2, see docs/oauth2.md",
    ),
    (
        "^AUTH .* SmtpClientAuth",
        "Microsoft: an administrator must allow authenticated SMTP, for the mailbox or for all (Manage email apps)",
    ),
    (
        r"^AUTH none .*with (538\b|.*STARTTLS|.*encryption)",
        "the relay requires encryption: write use_tls = yes, or host = ssl://{host}",
    ),
    (
        "^AUTH .* AUTH (XOAUTH2|OAUTHBEARER) .*wants the scope",
        "the token lacks the scope that the relay wants: correct scope in [oauth2], and log in again with"
        "  pbxnotify oauth login",
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
)
"""The advice for each case: stage, security, port and what happened, whatever the case of letters. The first counts."""

LOGIN_WANTED = "the relay requires login and password"
SENDER = "sender must be an address that the login may send from, usually the account's own"
CONCERNS = {
    Concern.SENDER: (SENDER, "write sender = an address that the relay knows, or login and password"),
    Concern.LOGIN: (
        "the relay does not pass mail on for this login: ask its admin, or use another relay",
        f"{LOGIN_WANTED} before it accepts mail for other domains",
    ),
    Concern.HOST: (
        "write helo = the full name of this host as DNS has it; else ask the admin of the relay",
        "write helo = the full name of this host as DNS has it; else use a relay with login and password",
    ),
    Concern.BLOCK: (
        "a limit or a block of the provider: mail is kept, and tried once an hour",
        "a limit or a block of the relay: mail is kept, and tried once an hour",
    ),
}
"""The advice for a refusal of a mail by what it is about, with a login and without."""


def advice_for(case: str, concern: Concern, *, has_login: bool) -> str:
    """Return the advice for a case, with ``{host}`` and ``{port}`` to be filled in; empty if there is none."""
    advice = next((advice for pattern, advice in ADVICE if re.search(pattern, case, re.IGNORECASE)), "")
    if not advice and concern in CONCERNS:
        advice = CONCERNS[concern][0 if has_login else 1]
    is_unclear = not advice and concern == Concern.UNKNOWN
    if is_unclear and re.match("MAIL .* 55[0-4] ", case):
        advice = SENDER
    elif is_unclear and not has_login and re.match(r"RCPT .* 5\.7\.\d|MAIL .* 530 ", case):
        advice = f"it may be that {LOGIN_WANTED} before it accepts mail for other domains"
    return f" ({advice})" if advice else ""


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
