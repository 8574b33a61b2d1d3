"""The message waiting lamp of a phone, as Asterisk switches it (NOTIFY, RFC 3842)."""

from __future__ import annotations

import re
import socket
import threading
import time

from lab import PATIENCE, PHONES, Asterisk


class Lamp:
    """A phone for a with statement that does nothing but watch its lamp."""

    def __init__(self, asterisk: Asterisk, number: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((PHONES, asterisk.port + number))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._changed = threading.Condition()
        self._seen: list[tuple[str, str]] = []

    def __enter__(self) -> Lamp:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())  # wakes the listener
        self._thread.join()
        self._socket.close()

    def wait_for(self, waiting: str, messages: str, timeout: float = PATIENCE) -> None:
        """Wait until it was told ``Messages-Waiting: yes`` or ``no`` and new/old messages, in this order."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while (waiting, messages) not in self._seen:
                came = self._changed.wait(max(deadline - time.monotonic(), 0))
                assert came, f"the lamp was told {self._seen}, not {(waiting, messages)}"
            del self._seen[: self._seen.index((waiting, messages)) + 1]

    def _listen(self) -> None:
        while True:
            packet, sender = self._socket.recvfrom(65536)
            if not packet:
                return
            text = packet.decode()
            headers = re.findall(r"^((?:Via|From|To|Call-ID|CSeq):.*)\r$", text, re.MULTILINE)
            answer = "\r\n".join(["SIP/2.0 200 OK", *headers, "Content-Length: 0", "", ""])
            self._socket.sendto(answer.encode(), sender)
            told = re.search(r"Messages-Waiting: (\w+)\r\nVoice-Message: (\d+/\d+)", text)
            if told:
                with self._changed:
                    self._seen.append((told[1], told[2]))
                    self._changed.notify_all()
