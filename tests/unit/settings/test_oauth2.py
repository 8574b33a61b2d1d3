"""The section [oauth2]: what is known of each provider, and what must be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pbxnotify.delivery import settings_watch
from pbxnotify.errors import SettingsError
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.oauth2 import PROVIDERS, OAuth2
from pbxnotify.spool.store import Spool

SMTP = "[smtp]\nhost = ssl://mx.example.com\nauth = oauth2\nlogin = a@example.com\n"


@pytest.mark.parametrize("provider", ["google", "microsoft", "yandex"])
def test_a_provider_is_filled_in(provider: str) -> None:
    filled = OAuth2(provider=provider, client_id="a", client_secret="s").filled()  # noqa: S106 - nobody's
    addresses = (filled.authorization_url, filled.token_url, filled.device_url, filled.revocation_url)
    assert all(address.startswith("https://") for address in addresses if address)
    assert all((filled.authorization_url or filled.device_url, filled.token_url, filled.scope))
    assert list(filled.lacks()) == []


@pytest.mark.parametrize(("tenant", "place"), [("", "common"), ("consumers", "consumers"), ("a.onmicrosoft.com",) * 2])
def test_the_tenant_is_part_of_microsofts_addresses(tenant: str, place: str) -> None:
    filled = OAuth2(provider="microsoft", tenant=tenant).filled()
    assert filled.token_url == f"https://login.microsoftonline.com/{place}/oauth2/v2.0/token"
    assert filled.device_url == f"https://login.microsoftonline.com/{place}/oauth2/v2.0/devicecode"


def test_an_address_is_one_as_dns_knows_it(write_ini: Callable[[str], Path]) -> None:
    ini = write_ini(
        f"{SMTP}[oauth2]\nprovider = microsoft\nclient_id = a\ntoken_url = https://b\u00fccher.test:1/t?a=b\n"
    )
    assert load_settings(ini).smtp.oauth2.token_url == "https://xn--bcher-kva.test:1/t?a=b"  # noqa: S105 - an address


def test_what_is_written_goes_before_what_is_known() -> None:
    own = OAuth2(provider="google", token_url="https://a.example/t", scope="mine")  # noqa: S106 - an address
    assert (own.filled().token_url, own.filled().scope) == ("https://a.example/t", "mine")
    assert own.filled().revocation_url == PROVIDERS["google"].revocation_url


@pytest.mark.parametrize(
    ("section", "problems"),
    [
        pytest.param(
            "",
            [
                "1: [oauth2] provider: there is none, but [smtp] auth = oauth2; write google, microsoft, yandex or"
                " custom"
            ],
            id="nothing",
        ),
        pytest.param(
            "[oauth2]\nprovider = yandex\n",
            ["5: [oauth2] client_id: there is none; write the id of the application that you have registered"],
            id="no application",
        ),
        pytest.param(
            "[oauth2]\nprovider = google\nclient_id = a\n",
            ["5: [oauth2] client_secret: there is none; write the one of the application, in quotes"],
            id="Google wants the secret of an application on somebody's own machine too",
        ),
        pytest.param(
            "[oauth2]\nprovider = custom\nclient_id = a\n",
            [
                "5: [oauth2] authorization_url: there is none, nor a device_url; write at least one of them",
                "5: [oauth2] token_url: there is none; write where tokens come from, as this provider is custom",
            ],
            id="custom, and nothing known",
        ),
        pytest.param(
            "[oauth2]\nprovider = gogle\n",
            [
                "6: [oauth2] provider: 'gogle' is none of google, microsoft, yandex, custom (did you mean google?);"
                " write google, microsoft, yandex or custom"
            ],
            id="mistyped: that alone is said",
        ),
        pytest.param(
            "[oauth2]\nprovider = gmail\n",
            [
                "6: [oauth2] provider: 'gmail' is none of google, microsoft, yandex, custom (did you mean google?);"
                " write google, microsoft, yandex or custom"
            ],
            id="the name of the mail",
        ),
        pytest.param("[oauth2]\nprovider = microsoft\nclient_id = a\n", [], id="enough"),
        pytest.param(
            "[oauth2]\nprovider = custom\nclient_id = a\ntoken_url = https://a/t\ndevice_url = https://a/d\n",
            [],
            id="custom, enough",
        ),
    ],
)
def test_what_must_be_written(write_ini: Callable[[str], Path], section: str, problems: list[str]) -> None:
    assert mistakes(write_ini(SMTP + section)) == problems


def mistakes(path: Path) -> list[str]:
    """Return what is wrong with an ini file, without its name."""
    try:
        load_settings(path)
    except SettingsError as error:
        return sorted(problem[len(f"{path}:") :] for problem in error.problems)
    return []


@pytest.mark.parametrize(
    ("smtp", "problem"),
    [
        pytest.param(
            "host = ssl://a\nauth = oauth2\n",
            "3: [smtp] auth: there is no login; write the whole address of the account as login",
            id="no login",
        ),
        pytest.param(
            "host = ssl://a\nlogin = a@example.com\n",
            "3: [smtp] login: there is no password; write auth = oauth2, or password",
            id="auth is not oauth2, but the section is filled",
        ),
        pytest.param(
            "host = mx.example.com\nauth = oauth2\nlogin = a@example.com\n",
            "4: [smtp] login: it would cross the network unencrypted; write use_tls = yes, or ssl:// before the host",
            id="in the clear",
        ),
    ],
)
def test_a_login_with_a_token_is_a_login(write_ini: Callable[[str], Path], smtp: str, problem: str) -> None:
    ini = write_ini(f"[smtp]\n{smtp}[oauth2]\nprovider = microsoft\nclient_id = a\n")
    assert mistakes(ini) == [problem]


def test_a_helper_that_prints_tokens_needs_nothing_else(write_ini: Callable[[str], Path]) -> None:
    configured = load_settings(write_ini(f"{SMTP}password_command = oama access a@example.com\n"))
    assert (configured.smtp.auth, configured.smtp.wants_token) == ("oauth2", False)


def test_a_password_wants_nothing_of_the_section(write_ini: Callable[[str], Path]) -> None:
    configured = load_settings(write_ini("[oauth2]\nprovider = google\n"))
    assert configured.smtp.wants_token is False


def test_no_repr_shows_the_secret() -> None:
    assert "s3cret" not in repr(OAuth2(provider="google", client_id="a", client_secret="s3cret"))  # noqa: S106


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        pytest.param("https://localhost:99999/token", "is no number from 1 to 65535", id="port"),
        pytest.param("https://../token", "holds no valid domain name", id="host"),
        pytest.param(f"https://{'a' * 64}.test/token", "holds no valid domain name", id="long label"),
        pytest.param("https://me:s3cret@a.test/token", "is no address that begins with https://", id="a login in it"),
        pytest.param("https://a.test", "is no address that begins with https://", id="no path"),
        pytest.param("https://a.test/ключ", "is no address that begins with https://", id="Cyrillic"),
    ],
)
def test_an_address_that_is_none(write_ini: Callable[[str], Path], address: str, problem: str) -> None:
    (mistake,) = mistakes(write_ini(f"[oauth2]\ntoken_url = {address}\n"))
    assert mistake.startswith("2: [oauth2] token_url: ")
    assert problem in mistake
    assert "s3cret" not in mistake


@pytest.mark.parametrize(
    "change", ["client_secret = new", "scope = new", "tenant = new", "token_url = https://a.test/t"]
)
def test_a_change_of_the_application_is_news(write_ini: Callable[[str], Path], spool: Spool, change: str) -> None:
    section = "[oauth2]\nprovider = microsoft\nclient_id = a\n"
    before = load_settings(write_ini(SMTP + section))
    settings_watch.note(before)
    after = load_settings(write_ini(f"{SMTP}{section}{change}\n"))
    assert (settings_watch.is_news(before, None), settings_watch.is_news(after, None)) == (False, True)
