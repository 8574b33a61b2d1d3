"""Advice on what commonly goes wrong with a relay."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from pbxnotify.smtp.addresses import Unreachable
from pbxnotify.smtp.advice import advice_for, network_error
from pbxnotify.smtp.replies import Concern


def of(error: int) -> OSError:
    """Return a system error."""
    return OSError(error, os.strerror(error))


@pytest.mark.parametrize(
    ("case", "word"),
    [
        pytest.param(f"connect none 25 {network_error(of(errno.EACCES))}", "SELinux", id="SELinux"),
        pytest.param(f"connect none 25 {network_error(of(errno.EPERM))}", "firewall", id="iptables"),
        pytest.param(f"connect none 25 {network_error(of(errno.EHOSTUNREACH))}", "firewalld", id="firewalld"),
        pytest.param(f"connect none 25 {network_error(of(errno.ENETUNREACH))}", "network", id="no network"),
        pytest.param(
            "STARTTLS starttls 587 failed to agree on TLS: DH_KEY_TOO_SMALL at STARTTLS", "renewed", id="weak DH"
        ),
        pytest.param("TLS tls 465 failed to agree on TLS: EE_KEY_TOO_SMALL", "renewed", id="a weak key"),
        pytest.param("TLS tls 465 failed to agree on TLS: CA_MD_TOO_WEAK", "renewed", id="a weak signature"),
        pytest.param("TLS tls 465 failed to agree on TLS: TLSV1_ALERT_PROTOCOL_VERSION", "TLS 1.2", id="old TLS"),
        pytest.param("TLS tls 465 failed to agree on TLS: UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "renewed", id="old"),
        pytest.param(
            "TLS tls 465 has a certificate that is signed by an authority unknown here (unable to verify the first"
            " certificate)",
            "in between",
            id="an intermediate that is not sent",
        ),
        pytest.param(
            "EHLO starttls 587 failed to agree on TLS: TLSV13_ALERT_CERTIFICATE_REQUIRED at EHLO", "client", id="client"
        ),
        pytest.param("greeting tls 465 failed to agree on TLS: EOF occurred in violation", "client", id="client, EOF"),
        pytest.param("EHLO none 25 answered EHLO with 421 4.7.0 Try again later", "helo =", id="Gmail's relay, EHLO"),
        pytest.param("EHLO none 25 answered EHLO with 501 5.5.2 Invalid HELO", "helo =", id="EHLO, 501"),
        pytest.param("EHLO none 25 answered EHLO with 504 need fully-qualified hostname", "helo =", id="EHLO, 504"),
        pytest.param("EHLO none 25 answered EHLO with 550 5.7.1 who are you", "helo =", id="EHLO, 550"),
        pytest.param(
            "AUTH starttls 587 answered AUTH PLAIN with 535 5.7.139 BASIC AUTHENTICATION IS DISABLED",
            "OAuth",
            id="capitals",
        ),
    ],
)
def test_advice(case: str, word: str) -> None:
    assert word in advice_for(case, Concern.UNKNOWN, has_login=True)


@pytest.mark.parametrize(
    "concern", [Concern.SENDER, Concern.LOGIN, Concern.HOST, Concern.BLOCK], ids=lambda one: one.value
)
def test_advice_knows_whether_there_is_a_login(concern: Concern) -> None:
    with_login, without = (advice_for("RCPT none 25 wibble", concern, has_login=has) for has in (True, False))
    assert with_login != without
    assert "requires login" not in with_login


@pytest.mark.parametrize("concern", [Concern.RECIPIENT, Concern.SIZE, Concern.UNKNOWN], ids=lambda one: one.value)
def test_no_advice_for_what_is_about_one_mail(concern: Concern) -> None:
    assert advice_for("RCPT none 25 550 5.1.1 no such user", concern, has_login=False) == ""


def test_a_quota_at_mail_is_not_taken_for_a_sender() -> None:
    case = "MAIL none 25 answered MAIL FROM:<a@example.com> with 550 5.4.5 Daily user sending limit exceeded"
    assert "limit" in advice_for(case, Concern.BLOCK, has_login=True)


def test_the_address_that_says_most() -> None:
    unreachable = Unreachable([("2001:db8::1", of(errno.ENETUNREACH)), ("192.0.2.1", of(errno.ECONNREFUSED))])
    assert network_error(unreachable) == network_error(of(errno.ECONNREFUSED))
    assert [address for address, _ in unreachable.tried] == ["192.0.2.1", "2001:db8::1"]


def test_a_certificate_that_is_too_weak() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 66, "EE certificate key too weak"
    assert "too weak" in network_error(error)
