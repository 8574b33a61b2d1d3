"""Who called: name and number, as people read them and as a phone dials them."""

from __future__ import annotations

import re
import syslog
from functools import lru_cache

from pbxnotify import log
from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.languages.language import Language
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.phone_number import grouped, international, national
from pbxnotify.settings.sections import Settings

WITHHELD = ("anonymous", "private", "restricted", "withheld")
UNKNOWN = ("unavailable", "unknown", "unknown caller", "unknown name", "out of area", "wireless caller", "no name")
"""What trunks send in place of a number or a name, in upper or lower case."""
LONGEST_NAME = 100  # characters
LONGEST_IN_SUBJECT = 60  # characters of a name in a subject: the number that comes after it is to be seen in a list
SHORTEST_DIALABLE = 7  # digits. A colleague's 101, 112 or 911, dialled from a mobile phone, reaches the fire brigade.


class Caller(NamedTuple):
    """Who called; ``name`` is "" if it says no more than the number."""

    name: str
    number: str  # as it came, or words that say why it is not shown
    is_shown: bool = True  # whether ``number`` is a number: one was sent, and not withheld
    known: str = ""  # the name on the card or in the phone book, if ``name`` has the one of the caller ID beside it
    country: str = ""  # the code of the office's, which a number without + belongs to; empty if it is not known

    @property
    def readable(self) -> str:
        """Return the number in groups of digits."""
        return grouped(self.number, self.country)

    @property
    def in_one_line(self) -> str:
        """Return name and number."""
        return f"{self.name}, {self.readable}" if self.name else self.readable

    @property
    def in_subject(self) -> Caller:
        """Return the caller as a subject names them: a long name must not push the number out of it."""
        if len(self.name) <= LONGEST_IN_SUBJECT:
            return self
        name = self.known or self.name
        return self._replace(
            name=name if len(name) <= LONGEST_IN_SUBJECT else f"{name[: LONGEST_IN_SUBJECT - 1].rstrip()}…"
        )

    @property
    def telephone(self) -> str:
        """Return what a phone dials to call back (RFC 3966), "" where it would reach somebody else."""
        digits = re.sub(r"[ ()./-]", "", self.number) if self.is_shown else ""
        digits = international(digits, self.country)
        return digits if re.fullmatch(rf"\+?[0-9]{{{SHORTEST_DIALABLE},20}}", digits) else ""


def caller_in(call: MissedCall | Voicemail, language: Language, settings: Settings) -> Caller:
    """Return who called: the name on the employee's card, else in the phone book; with that of the caller ID beside it.

    The one of the caller ID stands alone where there is no other, and is left out where it says nothing more.
    """
    sent = call.caller_number.casefold()
    if sent in WITHHELD or (call.private and not settings.notifications.show_private_numbers):
        return Caller("", language.private, is_shown=False)
    number = "" if sent in UNKNOWN else call.caller_number
    sent_name, known = _own_name(call), ""
    if number:
        known = name_on_card(number, settings) or _in_phone_book(settings.notifications.phone_book, number)
    both = f"{known} ({sent_name})"
    if known and len(both) <= LONGEST_NAME and "\ufffd" not in sent_name and not _words(sent_name) <= _words(known):
        return Caller(both, number, known=known, country=settings.country)
    name = known or (sent_name if _is_legible(sent_name) else "")
    return Caller(name[:LONGEST_NAME], number or language.unknown, bool(number), country=settings.country)


def _words(name: str) -> set[str]:
    """Return what two names have in common that are written in another order or case."""
    return set(re.findall(r"\w+", name.casefold().replace("ё", "е")))


def _is_legible(name: str) -> bool:
    """Return whether a name can be guessed: Asterisk 20 and later put U+FFFD for what is not UTF-8."""
    missing = name.count("\ufffd")
    return not missing or sum(map(str.isalnum, name)) > 2 * missing


def name_on_card(number: str, settings: Settings) -> str:
    """Return the name on the card of the group or employee with this extension or mobile number."""
    card = settings.card(number)
    return card.name if card else ""


def _own_name(call: MissedCall | Voicemail) -> str:
    """Return the name in the caller ID; many trunks send the number once more in its place."""
    name, number = call.caller_name, call.caller_number
    digits, sent = national(number), name.casefold().replace("-", " ")
    is_number = digits and re.fullmatch(r"[\d +()./-]+", name) and national(name) == digits
    return "" if is_number or sent in (*WITHHELD, *UNKNOWN, number.casefold()) else name


@lru_cache(maxsize=1)  # one call has several recipients
def _in_phone_book(path: str, number: str) -> str:
    """Return the name in the phone book; one that cannot be read costs the name, not the mail."""
    if not path:
        return ""
    from pbxnotify.errors import PhoneBookError
    from pbxnotify.mail.phone_book import name_in_phone_book

    try:
        return name_in_phone_book(path, number)
    except PhoneBookError as error:
        log.write(syslog.LOG_WARNING, str(error))
        return ""
