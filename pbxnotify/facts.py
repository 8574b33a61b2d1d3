"""What a mail can tell one recipient of an event: who called, for whom, when, and where to look it up."""

from __future__ import annotations

import socket
from datetime import datetime, timezone, tzinfo
from urllib.parse import quote

from pbxnotify import caller, language
from pbxnotify.caller import Caller, grouped
from pbxnotify.events import UNKNOWN_LENGTH, Alert, Event, Voicemail
from pbxnotify.frozen import NamedTuple
from pbxnotify.language import Language
from pbxnotify.recipients import Recipient
from pbxnotify.settings import Settings


class Facts(NamedTuple):
    """The facts of an event, in the language of a recipient."""

    language: Language
    caller: Caller
    called: tuple[tuple[str, str], ...]
    """Extension and name of those this recipient is told about; the name is empty where no card has one."""
    when: datetime
    pbx_name: str
    history_url: str
    """The address of this call in the call history; empty if there is none."""

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
        whole = (f"{name} ({grouped(number)})" if name else grouped(number) for number, name in self.called)
        return ", ".join(whole) or self.language.nobody


def of(event: Event, recipient: Recipient, settings: Settings) -> Facts:
    """Return what a recipient is told of an event."""
    words = language.load(recipient.language)
    called = recipient.extensions
    if not called and isinstance(event, Voicemail) and event.mailbox:
        called = (event.mailbox,)
    return Facts(
        language=words,
        caller=Caller("", "") if isinstance(event, Alert) else caller.of(event, words, settings),
        called=tuple((extension, caller.name_on_card(extension, settings)) for extension in called),
        when=moment(event.time, settings),
        pbx_name=pbx_name(settings),
        history_url=_history_url(event, settings),
    )


def moment(epoch: float, settings: Settings) -> datetime:
    """Return a moment in the admin's time zone."""
    return datetime.fromtimestamp(epoch, timezone.utc).astimezone(_zone(settings))


def length(seconds: int) -> str:
    """Return the length of a message as Asterisk writes it, ``1:05``; empty if it is not known."""
    return "" if seconds == UNKNOWN_LENGTH else f"{seconds // 60}:{seconds % 60:02}"


def pbx_name(settings: Settings) -> str:
    """Return the name of this PBX: the admin's, else the host's (without asking DNS)."""
    return settings.notifications.pbx_name or socket.gethostname()


def _zone(settings: Settings) -> tzinfo | None:
    """Return the admin's time zone; None is the system's."""
    if not settings.notifications.timezone:
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(settings.notifications.timezone)


def _history_url(event: Event, settings: Settings) -> str:
    url = settings.notifications.history_url
    if not url or isinstance(event, Alert):
        return ""
    from pbxnotify.filling import Filling

    ids = {"LINKEDID": event.linked_id, "UNIQUEID": event.unique_id}
    if any(name in url and not value for name, value in ids.items()):
        return ""  # an address without the call's id leads nowhere
    return Filling({name: quote(value, safe="") for name, value in ids.items()}).into(url)
