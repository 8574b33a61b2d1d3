"""The section [oauth2]: what is known of each provider, and what must be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from golden import Golden

from pbxnotify.delivery import settings_watch
from pbxnotify.errors import SettingsError
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.oauth2 import TOKEN_PROVIDERS, OAuth2
from pbxnotify.spool.store import Spool

SMTP = "[smtp]\nhost = ssl://mx.example.com\nauth = oauth2\nlogin = a@example.com\n"


@pytest.mark.parametrize("provider", ["google", "microsoft", "yandex"])
def test_a_provider_is_filled_in(provider: str) -> None:
    complete = OAuth2(provider=provider, client_id="a", client_secret="s").with_defaults()  # noqa: S106 - nobody's
    addresses = (complete.authorization_url, complete.token_url, complete.device_url, complete.revocation_url)
    assert all(address.startswith("https://") for address in addresses if address)
    assert all((complete.authorization_url or complete.device_url, complete.token_url, complete.scope))
    assert list(complete.conflicts()) == []


@pytest.mark.parametrize(("tenant", "place"), [("", "common"), ("consumers", "consumers"), ("a.onmicrosoft.com",) * 2])
def test_the_tenant_is_part_of_microsofts_addresses(tenant: str, place: str) -> None:
    complete = OAuth2(provider="microsoft", tenant=tenant).with_defaults()
    assert complete.token_url == f"https://login.microsoftonline.com/{place}/oauth2/v2.0/token"
    assert complete.device_url == f"https://login.microsoftonline.com/{place}/oauth2/v2.0/devicecode"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        pytest.param("https://b\u00fccher.test:1/t?a=b", "https://xn--bcher-kva.test:1/t?a=b", id="Latin"),
        pytest.param("https://[2001:DB8::0:1]:8443/t", "https://[2001:db8::1]:8443/t", id="IPv6"),
        pytest.param("https://[::1]/", "https://[::1]/", id="IPv6, no port"),
        pytest.param("https://192.0.2.1/t", "https://192.0.2.1/t", id="IPv4"),
    ],
)
def test_an_address_is_one_as_dns_knows_it(write_ini: Callable[[str], Path], written: str, address: str) -> None:
    ini = write_ini(f"{SMTP}[oauth2]\nprovider = microsoft\nclient_id = a\ntoken_url = {written}\n")
    assert load_settings(ini).smtp.oauth2.token_url == address


def test_what_is_written_goes_before_what_is_known() -> None:
    own = OAuth2(provider="google", token_url="https://a.example/t", scope="mine")  # noqa: S106 - an address
    assert (own.with_defaults().token_url, own.with_defaults().scope) == ("https://a.example/t", "mine")
    assert own.with_defaults().revocation_url == TOKEN_PROVIDERS["google"].revocation_url


@pytest.mark.parametrize(
    ("section", "places"),
    [
        pytest.param("", ["1: [oauth2] provider"], id="nothing"),
        pytest.param("[oauth2]\nprovider = yandex\n", ["5: [oauth2] client_id"], id="no application"),
        pytest.param(
            "[oauth2]\nprovider = google\nclient_id = a\n",
            ["5: [oauth2] client_secret"],
            id="Google wants the secret of an application on somebody's own machine too",
        ),
        pytest.param(
            "[oauth2]\nprovider = custom\nclient_id = a\n",
            ["5: [oauth2] authorization_url", "5: [oauth2] scope", "5: [oauth2] token_url"],
            id="custom, and nothing known",
        ),
        pytest.param("[oauth2]\nprovider = gogle\n", ["6: [oauth2] provider"], id="mistyped: that alone is said"),
        pytest.param("[oauth2]\nprovider = gmail\n", ["6: [oauth2] provider"], id="the name of the mail"),
        pytest.param("[oauth2]\nprovider = microsoft\nclient_id = a\n", [], id="enough"),
        pytest.param(
            "[oauth2]\nprovider = custom\nclient_id = a\nscope = mail\ntoken_url = https://a/t\n"
            "device_url = https://a/d\n",
            [],
            id="custom, enough",
        ),
    ],
)
def test_what_must_be_written(
    write_ini: Callable[[str], Path], golden: Golden, section: str, places: list[str]
) -> None:
    found = mistakes(write_ini(SMTP + section))
    assert [": ".join(mistake.split(": ")[:2]) for mistake in found] == places
    if found:
        golden("\n".join(found))


def mistakes(path: Path) -> list[str]:
    """Return what is wrong with an ini file, without its name."""
    try:
        load_settings(path)
    except SettingsError as error:
        return sorted(problem[len(f"{path}:") :] for problem in error.problems)
    return []


@pytest.mark.parametrize(
    ("smtp", "place"),
    [
        pytest.param("host = ssl://a\nauth = oauth2\n", "3: [smtp] auth", id="no login"),
        pytest.param(
            "host = ssl://a\nlogin = a@example.com\n",
            "3: [smtp] login",
            id="auth is not oauth2, but the section is filled",
        ),
        pytest.param(
            "host = mx.example.com\nauth = oauth2\nlogin = a@example.com\n", "4: [smtp] login", id="in the clear"
        ),
    ],
)
def test_a_login_with_a_token_is_a_login(
    write_ini: Callable[[str], Path], golden: Golden, smtp: str, place: str
) -> None:
    (mistake,) = mistakes(write_ini(f"[smtp]\n{smtp}[oauth2]\nprovider = microsoft\nclient_id = a\n"))
    assert mistake.startswith(f"{place}: ")
    golden(mistake)


def test_a_helper_that_prints_tokens_needs_nothing_else(write_ini: Callable[[str], Path]) -> None:
    settings = load_settings(write_ini(f"{SMTP}password_command = oama access a@example.com\n"))
    assert (settings.smtp.auth, settings.smtp.wants_token) == ("oauth2", False)


def test_a_password_wants_nothing_of_the_section(write_ini: Callable[[str], Path]) -> None:
    settings = load_settings(write_ini("[oauth2]\nprovider = google\n"))
    assert settings.smtp.wants_token is False


def test_no_repr_shows_the_secret() -> None:
    assert "s3cret" not in repr(OAuth2(provider="google", client_id="a", client_secret="s3cret"))  # noqa: S106


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("https://localhost:99999/token", id="port"),
        pytest.param("https://../token", id="host"),
        pytest.param(f"https://{'a' * 64}.test/token", id="long label"),
        pytest.param("https://me:s3cret@a.test/token", id="a login in it"),
        pytest.param("https://a.test", id="no path"),
        pytest.param("https://a.test:8443", id="no path after a port"),
        pytest.param("https://a.test?a=b", id="no path before a query"),
        pytest.param("https://[::1]", id="no path after an IPv6 address"),
        pytest.param("https://[::g]/token", id="no IPv6 address"),
        pytest.param("https://::1/token", id="an IPv6 address without brackets"),
        pytest.param("http://a.test/token", id="http"),
        pytest.param("a.test/token", id="no scheme"),
        pytest.param("https://a.test/ключ", id="Cyrillic"),
    ],
)
def test_an_address_that_is_none(write_ini: Callable[[str], Path], golden: Golden, address: str) -> None:
    (mistake,) = mistakes(write_ini(f"[oauth2]\ntoken_url = {address}\n"))
    assert mistake.startswith("2: [oauth2] token_url: ")
    assert "s3cret" not in mistake
    golden(mistake)


@pytest.mark.parametrize(
    "change", ["client_secret = new", "scope = new", "tenant = new", "token_url = https://a.test/t"]
)
def test_a_change_of_the_application_is_news(write_ini: Callable[[str], Path], spool: Spool, change: str) -> None:
    section = "[oauth2]\nprovider = microsoft\nclient_id = a\n"
    before = load_settings(write_ini(SMTP + section))
    settings_watch.note(before)
    after = load_settings(write_ini(f"{SMTP}{section}{change}\n"))
    assert (settings_watch.is_news(before, None), settings_watch.is_news(after, None)) == (False, True)
