"""Keeps a process's connection to the relay from one mail to the next."""

from __future__ import annotations

from pbxnotify.namedtuple import TYPE_CHECKING

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp
    from pbxnotify.smtp.client import Relay


class KeptConnection:
    """The connection of a process, opened when there is a mail to send."""

    def __init__(self) -> None:
        self._settings: Smtp | None = None
        self._relay: Relay | None = None

    def relay(self, settings: Smtp) -> Relay:
        """Return the relay of these settings, connected before or now. Raises as ``Relay.open``."""
        if self._relay is None or self._settings != settings:
            from pbxnotify.smtp.client import Relay  # smtplib and ssl, of which a run with nothing due has no need

            self.close()
            relay = Relay(settings)
            relay.open()
            self._settings, self._relay = settings, relay
        return self._relay

    def close(self) -> None:
        """End the connection, if there is one."""
        relay, self._relay = self._relay, None
        if relay:
            relay.close()
