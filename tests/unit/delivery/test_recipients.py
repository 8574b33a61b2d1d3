"""Who is notified of a missed call, of a voicemail and of an alert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from golden import Golden

from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.events import Alert, MissedCall, Ring, Voicemail
from pbxnotify.settings.load import load_settings

INI = """\
[notifications]
admin_email = admin@example.com, second@example.com
[missed_calls]
email = common@example.com
[employees]
[[101]]
email = ivan@example.com, ivan@example.org
language = ru
[[102]]
email = anna@example.com
mobile = "+7 (916) 123-45-67", 84951112233
[[103]]
name = No Mail
[[104]]
email = quiet@example.com
missed_calls = no
[[105]]
email = Anna@example.com
"""


@pytest.fixture
def notified(write_ini: Callable[[str], Path]) -> Callable[..., list[tuple[str, tuple[str, ...]]]]:
    """Return who is notified of a call to these extensions: address and extensions."""

    def notified(
        *extensions: str, ini: str = INI, dial_status: str = "NOANSWER", caller_number: str = ""
    ) -> list[tuple[str, tuple[str, ...]]]:
        event = MissedCall(extensions=extensions, dial_status=dial_status, caller_number=caller_number)
        recipients = recipients_of(event, load_settings(write_ini(ini))).recipients
        return [(recipient.address, recipient.extensions) for recipient in recipients]

    return notified


IVAN = [("ivan@example.com", ("101",)), ("ivan@example.org", ("101",))]


@pytest.mark.parametrize(
    ("extensions", "recipients"),
    [
        pytest.param(["101"], IVAN, id="each of several addresses"),
        pytest.param(["9161234567"], [("anna@example.com", ("9161234567",))], id="mobile without prefix"),
        pytest.param(["89161234567"], [("anna@example.com", ("89161234567",))], id="mobile with trunk prefix"),
        pytest.param(["+79161234567"], [("anna@example.com", ("+79161234567",))], id="mobile with country code"),
        pytest.param(["74951112233"], [("anna@example.com", ("74951112233",))], id="second mobile"),
        pytest.param(["1234567"], [("common@example.com", ("1234567",))], id="the end of a mobile number is none"),
        pytest.param(["999"], [("common@example.com", ("999",))], id="no card"),
        pytest.param(["103"], [("common@example.com", ("103",))], id="no e-mail"),
        pytest.param(["998", "999", "103"], [("common@example.com", ("998", "999", "103"))], id="one common mail"),
        pytest.param(["104"], [], id="opted out: nobody"),
        pytest.param(["104", "999"], [("common@example.com", ("999",))], id="one opted out, one unknown"),
        pytest.param(["102", "105"], [("anna@example.com", ("102", "105"))], id="never the same address twice"),
        pytest.param([], [("common@example.com", ())], id="nobody known was rung"),
    ],
)
def test_missed(notified, extensions: list[str], recipients: list[object]) -> None:
    assert notified(*extensions) == recipients


def test_languages(write_ini: Callable[[str], Path]) -> None:
    found = recipients_of(MissedCall(extensions=("101", "999")), load_settings(write_ini(INI)))
    assert {recipient.address: recipient.language for recipient in found.recipients} == {
        "ivan@example.com": "ru",
        "ivan@example.org": "ru",
        "common@example.com": "en",
    }


@pytest.mark.parametrize(
    "ini",
    [
        pytest.param("[notifications]\nenabled = no\n", id="the one switch"),
        pytest.param("[missed_calls]\nenabled = no\n", id="missed calls"),
        pytest.param("[missed_calls]\ncauses = BUSY\n", id="causes"),
        pytest.param("", id="no address"),
    ],
)
def test_nobody(write_ini: Callable[[str], Path], ini: str, golden: Golden) -> None:
    found = recipients_of(MissedCall(extensions=("101",), dial_status="NOANSWER"), load_settings(write_ini(ini)))
    assert found.recipients == ()
    golden(found.reason)


@pytest.mark.parametrize("status", ["TIMEOUT", "ABANDONED", ""], ids=["queue", "abandoned queue", "could not say"])
def test_causes_do_not_choose_among_queues(notified, status: str) -> None:
    assert notified("101", ini=INI.replace("[employees]", "causes = BUSY\n[employees]"), dial_status=status) == IVAN


@pytest.mark.parametrize(
    ("caller", "recipients"),
    [
        pytest.param("102", [], id="a colleague"),
        pytest.param("9161234567", [], id="a colleague's mobile"),
        pytest.param("5551212", IVAN, id="from outside"),
        pytest.param("", IVAN, id="no number"),
    ],
)
def test_internal_calls_switched_off(notified, caller: str, recipients: list[object]) -> None:
    ini = INI.replace("[missed_calls]", "[missed_calls]\ninternal_calls = no")
    assert notified("101", ini=ini, caller_number=caller) == recipients


def test_an_alert_goes_to_the_administrator(write_ini: Callable[[str], Path]) -> None:
    found = recipients_of(Alert(), load_settings(write_ini(INI)))
    assert [recipient.address for recipient in found.recipients] == ["admin@example.com", "second@example.com"]


def test_an_alert_without_an_administrator(write_ini: Callable[[str], Path], golden: Golden) -> None:
    found = recipients_of(Alert(), load_settings(write_ini("")))
    assert found.recipients == ()
    golden(found.reason)


# ---- voicemail

VOICEMAIL = f"{INI}voicemail = no\n[voicemail]\nemail = voicemail@example.com, anna@example.com\n"
ALWAYS = "voicemail@example.com"


@pytest.mark.parametrize(
    ("extensions", "recipients"),
    [
        pytest.param(["101"], [*IVAN, (ALWAYS, ("101",)), ("anna@example.com", ("101",))], id="employee and common"),
        pytest.param(["102"], [("anna@example.com", ("102",)), (ALWAYS, ("102",))], id="the common address is theirs"),
        pytest.param(["103"], [(ALWAYS, ("103",)), ("anna@example.com", ("103",))], id="no e-mail"),
        pytest.param(["999"], [(ALWAYS, ("999",)), ("anna@example.com", ("999",))], id="no card"),
        pytest.param(
            ["105"], [(ALWAYS, ("105",)), ("anna@example.com", ("105",))], id="opted out, common all the same"
        ),
        pytest.param(
            ["101", "103"],
            [*IVAN, (ALWAYS, ("101", "103")), ("anna@example.com", ("101", "103"))],
            id="the common address hears of all",
        ),
        pytest.param([], [(ALWAYS, ()), ("anna@example.com", ())], id="nobody known missed it"),
    ],
)
def test_voicemail(write_ini: Callable[[str], Path], extensions: list[str], recipients: list[object]) -> None:
    found = recipients_of(Voicemail(extensions=tuple(extensions)), load_settings(write_ini(VOICEMAIL)))
    assert [(recipient.address, recipient.extensions) for recipient in found.recipients] == recipients


def test_a_voicemail_that_would_reach_nobody(write_ini: Callable[[str], Path]) -> None:
    found = recipients_of(Voicemail(extensions=("500",)), load_settings(write_ini(INI)))
    assert [recipient.address for recipient in found.recipients] == ["common@example.com"]


@pytest.mark.parametrize(
    ("ini", "switched_off"),
    [
        pytest.param("[notifications]\nenabled = no\n", True, id="the one switch"),
        pytest.param("[voicemail]\nenabled = no\n", True, id="voicemail"),
        pytest.param("[notifications]\nadmin_email = admin@example.com\n", False, id="no address"),
        pytest.param("", True, id="not set up"),
    ],
)
def test_nobody_hears_of_a_voicemail(
    write_ini: Callable[[str], Path], ini: str, switched_off: bool, golden: Golden
) -> None:
    found = recipients_of(Voicemail(extensions=("101",)), load_settings(write_ini(ini)))
    assert (found.recipients, found.switched_off) == ((), switched_off)
    golden(found.reason)


COMMON = "[missed_calls]\nemail = common@example.com\n"
A_VOICEMAIL_ADDRESS = "[voicemail]\nemail = voicemail@example.com\n"


@pytest.mark.parametrize(
    ("ini", "addresses"),
    [
        pytest.param(f"{COMMON}{A_VOICEMAIL_ADDRESS}", [], id="the voicemail mail says it all"),
        pytest.param(f"{COMMON}after_voicemail = yes\n", ["common@example.com"], id="the admin wants both"),
        pytest.param(COMMON, [], id="the voicemail mail goes to the common address for missed calls"),
        pytest.param(
            f"{COMMON}[voicemail]\nenabled = no\n", ["common@example.com"], id="voicemail mails are switched off"
        ),
    ],
)
def test_a_missed_call_with_a_voicemail(write_ini: Callable[[str], Path], ini: str, addresses: list[str]) -> None:
    call = MissedCall(extensions=("101",), dial_status="NOANSWER", voicemail=True)
    found = recipients_of(call, load_settings(write_ini(ini)))
    assert [recipient.address for recipient in found.recipients] == addresses


# ---- groups, and mailboxes in several contexts

GROUP = INI.replace("[employees]", "[groups]\n[[600]]\nemail = sales@example.com\nmembers = 102, 103, 104\n[employees]")
ANNA, SALES, COMMON = (f"{name}@example.com" for name in ("anna", "sales", "common"))


@pytest.mark.parametrize(
    ("extensions", "ini", "recipients"),
    [
        pytest.param(["600"], GROUP, [(SALES, ("600",)), (ANNA, ("600",))], id="its address and its members'"),
        pytest.param(["600", "102"], GROUP, [(SALES, ("600",)), (ANNA, ("600", "102"))], id="a member by itself too"),
        pytest.param(
            ["600"],
            GROUP.replace("email = sales@example.com\nmembers = 102, 103, 104", "members = 103, 999"),
            [(COMMON, ("600",))],
            id="nobody with an address",
        ),
        pytest.param(
            ["600"],
            GROUP.replace("email = sales@example.com\nmembers = 102, 103, 104", "members = 104"),
            [],
            id="the only member opted out",
        ),
    ],
)
def test_a_group(notified, extensions: list[str], ini: str, recipients: list[object]) -> None:
    assert notified(*extensions, ini=ini) == recipients


def test_only_phones_with_a_wanted_cause(write_ini: Callable[[str], Path]) -> None:
    rings = (Ring("101", 1.0, 0, "BUSY"), Ring("102", 1.0, 5, "NOANSWER"))
    event = MissedCall(1.0, 5, ("101", "102"), dial_status="NOANSWER", rings=rings)
    found = recipients_of(event, load_settings(write_ini(INI.replace("[employees]", "causes = NOANSWER\n[employees]"))))
    assert [recipient.address for recipient in found.recipients] == [ANNA]


CONTEXTS = "[general]\nformat=wav\n[company-a]\n101 => 1,Ivan\n102 => 1,Anna\n[company-b]\n101 => 1,Berta\n"


@pytest.mark.parametrize(
    ("owner", "cards", "addresses"),
    [
        pytest.param("101@default", "", ["ivan@example.com", "ivan@example.org"], id="the default context"),
        pytest.param("101@company-b", "", [], id="the number is in two contexts, and the card says not of which"),
        pytest.param("101@company-b", "[[101@company-b]]\nemail = b@example.com\n", ["b@example.com"], id="its card"),
        pytest.param("102@company-a", "", [ANNA], id="a number that is in one context"),
    ],
)
def test_the_owner_of_a_mailbox(
    write_ini: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: str,
    cards: str,
    addresses: list[str],
) -> None:
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    (tmp_path / "voicemail.conf").write_text(CONTEXTS)
    found = recipients_of(Voicemail(owners=(owner,)), load_settings(write_ini(INI + cards)))
    assert [one.address for one in found.recipients if one.address != COMMON] == addresses


def test_the_common_address_has_it_already(write_ini: Callable[[str], Path]) -> None:
    event = Voicemail(extensions=("102",), common=False)
    found = recipients_of(event, load_settings(write_ini(f"{INI}[voicemail]\nemail = voicemail@example.com\n")))
    assert [recipient.address for recipient in found.recipients] == [ANNA]
