"""The mail providers that admins name."""

from __future__ import annotations

import pytest

from pbxnotify.settings import validators
from pbxnotify.settings.providers import PROVIDERS, Provider, provider_at
from pbxnotify.settings.smtp import PORTS, Smtp


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.key)
def test_the_relay_of_a_provider_is_encrypted_at_its_usual_port(provider: Provider) -> None:
    relay = Smtp(host=validators.relay(provider.host)).connection()
    assert relay.security in ("tls", "starttls")
    assert relay.port == PORTS[relay.security]


@pytest.mark.parametrize(
    ("host", "key"),
    [
        pytest.param("ssl://smtp.gmail.com", "gmail", id="as written"),
        pytest.param("SMTP.Yandex.ru:465", "yandex", id="capitals and port"),
        pytest.param("smtp.mail.ru", "mail.ru", id="bare"),
    ],
)
def test_at(host: str, key: str) -> None:
    found = provider_at(host)
    assert found
    assert found.key == key


def test_no_provider() -> None:
    assert provider_at("mail.example.com") is None
