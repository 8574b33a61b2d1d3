"""Advice on what relays answer and what TLS says: each case as somebody has met it, and the option that it names."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from pbxnotify.errors import MailRefused
from pbxnotify.smtp import advice as advice_of
from pbxnotify.smtp.advice import network_error
from pbxnotify.smtp.replies import concern_of

STRANGER, KNOWN = False, True


def advice_for(stage: str, security: str, has_login: bool, what: str) -> str:
    """Return the advice for what happened; a reply stands at its end, behind ``with`` and its code."""
    reply = what.partition(" with ")[2][4:]
    concern = concern_of(MailRefused(what, stage=stage, reply=reply))
    return advice_of.advice_for(f"{stage} {security} 587 {what}", concern, has_login=has_login)


@pytest.mark.parametrize(
    ("stage", "security", "has_login", "what", "named"),
    [
        # The name in EHLO
        pytest.param(
            "EHLO", "starttls", STRANGER, "421 4.7.0 Try again later, closing connection. (EHLO)", "helo =", id="Google"
        ),
        pytest.param("EHLO", "none", STRANGER, "501 Syntactically invalid EHLO argument(s)", "helo =", id="Exim, EHLO"),
        pytest.param(
            "EHLO", "none", STRANGER, "504 5.5.2 <x>: need fully-qualified hostname", "helo =", id="504 at EHLO"
        ),
        pytest.param(
            "EHLO", "tls", KNOWN, "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", "helo =", id="cPanel"
        ),
        pytest.param(
            "RCPT",
            "none",
            STRANGER,
            "504 5.5.2 <[127.0.0.1]>: Helo command rejected: need fully-qualified hostname",
            "helo =",
            id="Postfix, delayed",
        ),
        pytest.param(
            "RCPT",
            "none",
            KNOWN,
            "550 5.7.1 <[10.0.0.1]>: HELO command rejected: Invalid name",
            "helo =",
            id="any case",
        ),
        # A login that is wanted, or one that is not enough
        pytest.param(
            "RCPT",
            "none",
            STRANGER,
            "553 5.7.1 <a@x>: Sender address rejected: not logged in",
            "login",
            id="not logged in",
        ),
        pytest.param(
            "RCPT",
            "none",
            KNOWN,
            "553 5.7.1 <a@x>: Sender address rejected: not logged in",
            "sender",
            id="logged in as another",
        ),
        pytest.param("MAIL", "tls", STRANGER, "530 5.7.0 Authentication Required", "login", id="530"),
        pytest.param(
            "MAIL", "tls", STRANGER, "530 5.7.57 Client not authenticated to send mail.", "login", id="Exchange"
        ),
        pytest.param(
            "RCPT",
            "none",
            STRANGER,
            "550 SMTP AUTH is required for message submission on port 587",
            "login",
            id="cPanel, AUTH",
        ),
        pytest.param("RCPT", "none", STRANGER, "550 Relaying denied (#5.7.1)", "login", id="qpsmtpd"),
        pytest.param("RCPT", "none", STRANGER, "550 relay not permitted", "login", id="Exim, relay"),
        pytest.param(
            "RCPT",
            "none",
            STRANGER,
            "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "login",
            id="Exchange, relay",
        ),
        pytest.param(
            "RCPT", "tls", KNOWN, "554 5.7.1 <b@y>: Relay access denied", "this login", id="a login that may not relay"
        ),
        # The sender
        pytest.param(
            "RCPT",
            "none",
            STRANGER,
            "504 5.5.2 <asterisk@pbx>: Sender address rejected: need fully-qualified address",
            "sender =",
            id="no domain",
        ),
        pytest.param(
            "RCPT",
            "none",
            STRANGER,
            "553 5.1.8 <a@pbx.lan>... Domain of sender address a@pbx.lan does not exist",
            "sender =",
            id="sendmail",
        ),
        pytest.param(
            "MAIL",
            "tls",
            KNOWN,
            "553 5.7.1 SENDER ADDRESS REJECTED: NOT OWNED BY AUTH USER",
            "sender",
            id="Yandex, shouting",
        ),
        pytest.param(
            "message",
            "starttls",
            KNOWN,
            "554 5.2.252 SendAsDenied; a@x not allowed to send as b@x",
            "sender",
            id="Microsoft 365",
        ),
        pytest.param(
            "message", "starttls", KNOWN, "554 Message rejected: Email address is not verified.", "sender", id="SES"
        ),
        pytest.param(
            "DATA",
            "tls",
            KNOWN,
            "550 The from address does not match a verified Sender Identity.",
            "sender",
            id="SendGrid",
        ),
        # Quotas are not about the sender
        pytest.param("MAIL", "tls", KNOWN, "550 5.4.5 Daily user sending limit exceeded.", "limit", id="Gmail's limit"),
        pytest.param(
            "DATA",
            "tls",
            KNOWN,
            "554 5.7.1 limit of 300 recipients per 24 hours reached",
            "limit",
            id="a hoster's limit",
        ),
        pytest.param("MAIL", "tls", KNOWN, "552 5.3.4 Message too big", "", id="a size is not about the sender"),
        # Nothing to say
        pytest.param("RCPT", "tls", KNOWN, "550 5.1.1 no such user", "", id="an unknown recipient"),
        pytest.param("RCPT", "tls", KNOWN, "550 5.7.1 blocked by Spamhaus", "block", id="a block list"),
    ],
)
def test_an_answer(stage: str, security: str, has_login: bool, what: str, named: str) -> None:
    """The address is there as well: what the relay says counts, not who is written to."""
    advice = advice_for(stage, security, has_login, f"answered RCPT TO:<helo.sender.relay-not@auth.test> with {what}")
    assert named in advice if named else not advice


@pytest.mark.parametrize(
    ("stage", "security", "reason", "named"),
    [
        pytest.param(
            "STARTTLS", "starttls", "DH_KEY_TOO_SMALL", "verify_certificate = no", id="Diffie-Hellman of 1024 bits"
        ),
        pytest.param("TLS", "tls", "EE_KEY_TOO_SMALL", "verify_certificate = no", id="its key"),
        pytest.param("TLS", "tls", "CA_MD_TOO_WEAK", "verify_certificate = no", id="SHA-1"),
        pytest.param(
            "TLS",
            "tls",
            "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
            "verify_certificate = no",
            id="SHA-1 in the handshake",
        ),
        pytest.param("TLS", "tls", "UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "verify_certificate = no", id="RFC 5746"),
        pytest.param("TLS", "tls", "UNSUPPORTED_PROTOCOL", "TLS 1.2", id="TLS 1.0"),
        pytest.param("TLS", "tls", "TLSV1_ALERT_PROTOCOL_VERSION", "TLS 1.2", id="TLS 1.0, said by the relay"),
        pytest.param("TLS", "tls", "SSLV3_ALERT_HANDSHAKE_FAILURE", "ciphers", id="no common cipher"),
        pytest.param("greeting", "tls", "TLSV13_ALERT_CERTIFICATE_REQUIRED", "client certificate", id="TLS 1.3"),
        pytest.param(
            "EHLO", "starttls", "EOF occurred in violation of protocol (_ssl.c:2580)", "client certificate", id="EOF"
        ),
        pytest.param("TLS", "tls", "WRONG_VERSION_NUMBER", "587", id="no TLS"),
    ],
)
def test_a_reason_of_tls(stage: str, security: str, reason: str, named: str) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason  # as OpenSSL's table of errors has it
    at = "" if stage == "TLS" else f" at {stage}"
    assert named in advice_for(stage, security, True, f"{network_error(error)}{at}")


@pytest.mark.parametrize(
    ("code", "message", "named"),
    [
        pytest.param(20, "unable to get local issuer certificate", "intermediate", id="20"),
        pytest.param(21, "unable to verify the first certificate", "intermediate", id="21"),
        pytest.param(66, "EE certificate key too weak", "verify_certificate = no", id="66"),
        pytest.param(67, "CA certificate key too weak", "verify_certificate = no", id="67"),
        pytest.param(68, "CA signature digest algorithm too weak", "verify_certificate = no", id="68"),
        pytest.param(10, "certificate has expired", "renewed", id="10"),
        pytest.param(62, "Hostname mismatch", "host", id="62"),
        pytest.param(18, "self-signed certificate", "ca_file", id="18"),
    ],
)
def test_a_certificate(code: int, message: str, named: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    assert named in advice_for("STARTTLS", "starttls", True, f"{network_error(error)} at STARTTLS")


@pytest.mark.parametrize(
    ("error", "named"),
    [
        pytest.param(OSError(errno.EACCES, os.strerror(errno.EACCES)), "SELinux", id="EACCES"),
        pytest.param(OSError(errno.EPERM, os.strerror(errno.EPERM)), "firewall", id="EPERM"),
        pytest.param(OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), "firewalld", id="EHOSTUNREACH"),
        pytest.param(OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)), "network", id="ENETUNREACH"),
        pytest.param(OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)), "465", id="ECONNREFUSED"),
        pytest.param(socket.timeout("timed out"), "firewall", id="no answer"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "DNS gave no answer in 30 seconds"), "DNS", id="a dead DNS"),
    ],
)
def test_a_connection(error: OSError, named: str) -> None:
    assert named in advice_for("connect", "tls", False, network_error(error))


@pytest.mark.parametrize(
    "reply", ["550 5.7.1 sender denied", "550 5.7.1 relaying denied", "550 helo name", "550 daily sending limit"]
)
def test_it_knows_whether_there_is_a_login(reply: str) -> None:
    with_login, without = (advice_for("RCPT", "tls", has, f"answered RCPT with {reply}") for has in (True, False))
    assert with_login != without
    assert "requires login" not in with_login
