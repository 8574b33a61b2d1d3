"""Many calls at once on one Asterisk, each with a dialplan, phones and employees of its own: cases, and their mails.

The numbers and contexts of a case are made its own by plain substitution: in case 17 the extension 101 is 1701,
``_1XX`` is ``_17XX``, ``[from-internal]`` is ``[from-internal-17]``. So a case reads as an administrator writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import NamedTuple

import sip_phone
from lab import CALLERS, PHONES, SERVER, Asterisk
from office import INI, Mail, Office
from sip_phone import Behaviour, CallOver, OutgoingCall, Phones

NOBODY = (SERVER, 0)
AT_ONCE = 15  # calls; most of the time a phone rings
FIRST = 2  # the number of the first case: 101 and the like are phones of the lab
ENDPOINTS = ("101", "102", "104", "105")
MAILBOXES = ("101", "102", "104", "105", "108")

MODULES = (
    *("app_followme", "app_chanisavail", "app_confbridge", "app_page", "app_directed_pickup"),
    *("res_pjsip_refer", "func_lock", "res_parking", "res_ael_share", "pbx_ael", "pbx_lua", "pbx_spool"),
)
PJSIP = """\
[{number}]
type=endpoint
transport=transport-udp
disallow=all
allow=ulaw,alaw
direct_media=no
media_address=127.0.0.1
bind_rtp_to_media_address=yes
rtp_symmetric=yes
context=from-internal-{case}
dtmf_mode=info
trust_id_inbound=yes
callerid="Phone {number}" <{number}>
aors={number}
call_group={group}
pickup_group={group}
[{number}]
type=aor
max_contacts=1
"""
CONTACT = "contact=sip:{number}@{host}:{port}\n"
CARDS = """\
[[{case}01]]
name = Ivan
email = ivan-{case}@example.com
[[{case}02]]
name = Anna
email = anna-{case}@example.com
"""


class Expected(NamedTuple):
    """One mail, as written before the run; None is not compared."""

    who: str  # ivan, anna, another name of a card in the case, or common
    to: str | None = None
    cause: str | None = None
    seconds: str | int | None = "rang"
    """``rang``: as long as the phone of ``to`` rang, as it measured itself."""
    caller: str | None = "5551212"
    box: str | None = None  # then it is a voicemail
    recording: bool = True


class Case(NamedTuple):
    """One call, the phones it meets, and who is to be mailed."""

    name: str
    dialplan: str
    phones: Mapping[str, Behaviour]
    caller: Callable[[OutgoingCall], None]
    expected: Sequence[Expected]
    versions: Sequence[int] = (16, 22)
    queues: str = ""
    cards: str = ""
    files: Mapping[str, str] = {}  # of Asterisk's configuration, with what is added
    options: Mapping[str, object] = {}  # of the call: caller_number, caller_name, headers
    also: Callable[[Phones, Asterisk, str], None] | None = None  # what somebody else does meanwhile
    then: Callable[[Phones], None] | None = None  # what somebody does after the call


def own(text: str, case: int, contexts: Iterable[str] = ()) -> str:
    """Return the text of a case with numbers and contexts of its own."""
    text = re.sub(r"(?<![\w.])1(0[1-9])(?![\d.])", rf"{case}\1", text)
    text = re.sub(r"_(\*?)1XX", rf"_\g<1>{case}XX", text)
    text = re.sub(r"(?<![\w.])600(?!\d)", f"{case}60", text).replace("@CASE@", str(case))
    for context in sorted(contexts, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(context)}(?![\w-])", f"{context}-{case}", text)
        if context.startswith("macro-"):  # Macro(ring) and Dial(,,M(ring)) run it
            text = re.sub(rf"\b(Macro|M)\({re.escape(context[6:])}\b", rf"\g<0>-{case}", text)
    return text


def own_dialplan(case: Case, number: int) -> str:
    """Return the dialplan of a case; its call begins at ``go`` in from-trunk."""
    text = own(case.dialplan, number, _sections_of(case))
    pickup = f"[from-internal-{number}]\nexten => pick{number},1,PickupChan(PJSIP/{number}01,p)\n"
    return f"; {case.name}\n{text}\n{pickup}"


def _sections_of(case: Case) -> set[str]:
    """Return the names of its contexts and queues."""
    return {
        *re.findall(r"^\[([\w-]+)\]", f"{case.dialplan}\n{case.queues}", re.MULTILINE),
        "from-internal",
        "from-trunk",
    }


class CaseRun(NamedTuple):
    """What came of a case."""

    mails: list[Mail]
    rang: Mapping[str, list[sip_phone.Ringing]]
    fault: str  # why it could not be played; empty if it was
    number: int = 0


class Cases:
    """All cases of one Asterisk, for a with statement."""

    def __init__(self, cases: Sequence[Case], version: int) -> None:
        self.numbered = {number: case for number, case in enumerate(cases, FIRST) if version in case.versions}
        self._opened = ExitStack()

    def __enter__(self) -> Cases:
        """Open the phones, each at a port that is theirs from now on: Asterisk learns of it before it starts."""
        self._callers = self._opened.enter_context(Phones((CALLERS, 0), NOBODY))
        self._phones = {
            number: self._opened.enter_context(
                Phones(
                    (PHONES, 0),
                    NOBODY,
                    {own(phone, number): does for phone, does in case.phones.items()},
                    partial(own, case=number),
                )
            )
            for number, case in self.numbered.items()
        }
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def configure(self, asterisk: Asterisk) -> None:
        """Write the files of Asterisk, before its start."""
        files: dict[str, list[str]] = {}
        for number, case in self.numbered.items():
            sections = _sections_of(case)
            for phone in (*ENDPOINTS, "103"):
                name = own(phone, number)
                text = PJSIP.format(number=name, case=number, group=number)
                contact = (
                    CONTACT.format(number=name, host=PHONES, port=self._phones[number].port) if phone != "103" else ""
                )
                files.setdefault("pjsip_more.conf", []).append(text + contact)
            boxes = "".join(f"{own(box, number)} => 1234,Box {own(box, number)}\n" for box in MAILBOXES)
            files.setdefault("voicemail_more.conf", ["[default]\n"]).append(boxes)
            files.setdefault("queues_more.conf", []).append(own(case.queues, number, sections))
            for name, text in case.files.items():
                files.setdefault(name, []).append(own(text, number, sections))
        modules = "".join(f"load = {name}.so\n" for name in MODULES if _has_module(asterisk, name))
        files["modules_more.conf"] = [modules]  # within the one section: a second one of the name would be ignored
        for name, texts in files.items():
            (asterisk.etc / name).write_text("\n".join(texts))

    def dialplan(self) -> str:
        """Return the dialplan of all cases."""
        entries = "".join(f"exten => go{number},1,Goto(from-trunk-{number},go,1)\n" for number in self.numbered)
        texts = [own_dialplan(case, number) for number, case in self.numbered.items()]
        return "\n".join(
            ["[general]", "[globals]", '#include "extensions_pbxnotify.conf"', "[from-trunk]", entries, *texts]
        )

    def ini(self, port: int) -> str:
        """Return the ini file with the cards of all cases."""
        cards = {number: CARDS.format(case=number) + own(case.cards, number) for number, case in self.numbered.items()}
        groups = [text.partition("[groups]")[2] for text in cards.values() if "[groups]" in text]
        employees = [text.partition("[groups]")[0] for text in cards.values()]
        base = INI.format(port=port, enabled="yes").partition("[employees]")[0]
        return f"{base}[groups]\n{''.join(groups)}[employees]\n{''.join(employees)}"

    def run(self, office: Office) -> dict[int, CaseRun]:
        """Place all calls, and sort the mails that came by case."""
        asterisk = office.asterisk
        for phones in (self._callers, *self._phones.values()):
            phones.server = (SERVER, asterisk.port)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            faults = dict(zip(self.numbered, threads.map(lambda number: self._play(number, asterisk), self.numbered)))
        asterisk.wait_until_idle()
        office.wait_for_deliveries()
        office.wait_until(lambda: not office.queue())
        rang: dict[str, list[sip_phone.Ringing]] = {}
        for call in (call for one in self._phones.values() for call in one.incoming):
            rang.setdefault(call.number, []).append(call.ringing())
        return {
            number: CaseRun(
                [mail for mail in office.caught() if _case_of(mail) == number],
                {phone: rang.get(own(phone, number), []) for phone in ENDPOINTS},
                faults[number],
            )
            for number in self.numbered
        }

    def _play(self, number: int, asterisk: Asterisk) -> str:
        """Place the call of a case; returns why that could not be done, empty if it could."""
        case = self.numbered[number]
        options = {"caller_number": "5551212", "caller_name": "Alice Smith", **case.options}
        call = self._callers.call(f"go{number}", **options)  # type: ignore[arg-type]
        try:
            if case.also:
                case.also(self._phones[number], asterisk, str(number))
            case.caller(call)
            if not call.wait_for_end():
                return "the call did not end"
            if case.then:
                case.then(self._phones[number])
            return ""
        except (CallOver, StopIteration) as error:
            return f"{type(error).__name__} {error}"
        finally:
            call.hang_up()


def _case_of(mail: Mail) -> int:
    """Return the case that a mail belongs to: by its address, or by what a common address was mailed about."""
    number = mail.fields.get("called") or mail.fields.get("mailbox", "")
    found = re.search(r"-(\d+)@", mail.to) or re.match(r"(\d+)\d\d\b", number)
    return int(found[1]) if found else 0


def _has_module(asterisk: Asterisk, name: str) -> bool:
    from lab import fetch

    return any(fetch(asterisk.version).glob(f"usr/lib/**/asterisk/modules/{name}.so"))


# ---- callers


def waits(call: OutgoingCall) -> None:
    """Wait until Asterisk ends the call."""


def gives_up(after: float) -> Callable[[OutgoingCall], None]:
    """Hang up so many seconds after the first sign of ringing, or after somebody picked up."""

    def caller(call: OutgoingCall) -> None:
        call.wait_for("(18[03]|200) INVITE")
        if not call.wait_for_end(after):
            if call.wait_for("200 INVITE", 0.01):
                call.hang_up()
            else:
                call.cancel()

    return caller


def speaks(seconds: float = 2.5, *, key: str = "") -> Callable[[OutgoingCall], None]:
    """Leave a message after the beep, then hang up, or press a key and wait."""

    def caller(call: OutgoingCall) -> None:
        call.wait_until_answered()
        with suppress(CallOver):
            call.wait_for_quiet()
            call.speak(500, seconds)
            if key:
                call.press(key)
            else:
                call.hang_up()

    return caller
