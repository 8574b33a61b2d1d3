"""What is known about an event, for one recipient: who called, for whom, when, and where to look it up."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from pbxnotify.events import Alert, Event, Voicemail
from pbxnotify.languages.language import Language, load_language
from pbxnotify.mail.caller import Caller, caller_in, name_on_card
from pbxnotify.mail.templates.placeholders import Placeholders
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.phone_number import grouped
from pbxnotify.settings.sections import Settings


class Recipient(NamedTuple):
    """One address, which gets one mail of its own."""

    address: str
    language: str
    extensions: tuple[str, ...] = ()  # the extensions that this recipient is notified about


class Context(NamedTuple):
    """What is known about an event, in the language of a recipient."""

    language: Language
    caller: Caller
    called: tuple[tuple[str, str], ...]
    """Extension and name of those this recipient is notified about; the name is "" where no card has one."""
    when: datetime
    pbx_name: str
    country: str  # the code of the office's, "" if it is not known
    history_url: str  # the address of this call in the call history, "" without one

    @property
    def extensions(self) -> str:
        """Return the extensions that were called."""
        return ", ".join(extension for extension, _ in self.called) or self.language.nobody

    @property
    def names(self) -> str:
        """Return the names of those who were called, the extension where there is no name."""
        return ", ".join(name or extension for extension, name in self.called) or self.language.nobody

    @property
    def whom(self) -> str:
        """Return names and extensions of those who were called; a mobile number may be one."""
        called = ((grouped(number, self.country), name) for number, name in self.called)
        whole = (f"{name} ({number})" if name else number for number, name in called)
        return ", ".join(whole) or self.language.nobody


def context_of(event: Event, recipient: Recipient, settings: Settings) -> Context:
    """Return what is known about an event, for a recipient."""
    words = load_language(recipient.language)
    called = recipient.extensions
    if not called and isinstance(event, Voicemail) and event.mailbox:
        called = (event.mailbox,)
    return Context(
        language=words,
        caller=Caller("", "") if isinstance(event, Alert) else caller_in(event, words, settings),
        called=tuple((extension.partition("@")[0], name_on_card(extension, settings)) for extension in called),
        when=settings.moment(event.time),
        pbx_name=settings.pbx_name,
        country=settings.country,
        history_url=_history_url(event, settings),
    )


def message_length(seconds: int | None) -> str:
    """Return the length of a message as Asterisk writes it, ``1:05``; empty if it is not known."""
    return "" if seconds is None else f"{seconds // 60}:{seconds % 60:02}"


def _history_url(event: Event, settings: Settings) -> str:
    url = settings.notifications.history_url
    if not url or isinstance(event, Alert):
        return ""
    ids = {"LINKEDID": event.linked_id, "UNIQUEID": event.unique_id}
    if any(name in url and not value for name, value in ids.items()):
        return ""  # an address without the call's id leads nowhere
    return Placeholders({name: quote(value, safe="") for name, value in ids.items()}).fill(url)
