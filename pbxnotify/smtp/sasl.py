"""Logs in: chooses a mechanism (RFC 4954), and answers its challenges.

A mechanism is tried once: each failure brings the account nearer to being locked. Only CRAM-MD5 is followed by another
one, as many relays offer it that do not have the passwords in the form that it needs.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.connection import Connection

PASSWORD = ("PLAIN", "LOGIN", "CRAM-MD5")
PASSWORD_WITHOUT_TLS = ("CRAM-MD5", "PLAIN", "LOGIN")
"""In order of preference; where others could listen, the one that does not show the password comes first."""
TOKEN = ("OAUTHBEARER", "XOAUTH2")
"""The standard one (RFC 7628) first; Microsoft and Yandex have Google's older one only."""
AT_ONCE = ("PLAIN", *TOKEN)  # the client begins, so its first response goes with the command (RFC 4954 section 4)
LONGEST_COMMAND = 512 - len("\r\n")
"""Octets (RFC 5321 section 4.5.3.1.4); a longer initial response follows the command instead (RFC 4954 section 4)."""
END_OF_FAILURE = {"OAUTHBEARER": "AQ==", "XOAUTH2": ""}
"""The answer to a relay that refuses a token and says why, so that it ends the exchange (RFC 7628 section 3.2.3)."""
LONGEST_STATUS, LONGEST_SCOPE = 40, 80  # characters of the reason that are shown


class Answer(NamedTuple):
    """The relay's last answer to a login, and the command that it answers."""

    code: int
    reply: bytes
    asked: str


def choose(relay: Smtp, offered: Collection[str]) -> list[str]:
    """Return the mechanisms to try of those offered, one as a rule; none where none can be used."""
    by_password = PASSWORD_WITHOUT_TLS if relay.security == "none" else PASSWORD
    usable: Collection[str] = TOKEN if relay.auth == "oauth2" else by_password
    usable = [mechanism for mechanism in usable if mechanism in offered]
    return usable[: 2 if usable[:1] == ["CRAM-MD5"] else 1]


def log_in(connection: Connection, mechanisms: Sequence[str], relay: Smtp, secret: str) -> Answer:
    """Log in with a password or token, by the next mechanism where one is refused. Raises OSError."""
    first, *others = mechanisms
    answer = _log_in_by(connection, first, relay, secret)
    for mechanism in others:
        if answer.code < 400 or answer.code == 421:
            break
        with suppress(OSError):  # a relay that hangs up on a second try has refused the first
            answer = _log_in_by(connection, mechanism, relay, secret)
    return answer


def _log_in_by(connection: Connection, mechanism: str, relay: Smtp, secret: str) -> Answer:
    responses = _responses(mechanism, relay, secret)
    connection.hide(secret)
    asked = f"AUTH {mechanism}"
    first = responses[0](b"") if mechanism in AT_ONCE else None
    if first is not None and len(asked) + 1 + (len(first) + 2) // 3 * 4 <= LONGEST_COMMAND:
        del responses[0]
        code, reply = connection.ask_secretly(first, f"{asked} ")
    else:
        code, reply = connection.docmd(asked)
    while code == 334 and responses:
        code, reply = connection.ask_secretly(responses.pop(0)(reply))
    if code == 334 and mechanism in END_OF_FAILURE:
        asked += _reason_in(reply, connection, relay.oauth2.scope if relay.wants_token else "")
        code, reply = connection.docmd(END_OF_FAILURE[mechanism])
    return Answer(code, reply, asked)


def _responses(mechanism: str, relay: Smtp, secret: str) -> list[Callable[[bytes], bytes]]:
    """Return what answers each challenge of a mechanism (RFC 4616, 2195, 7628; LOGIN and XOAUTH2 have no RFC).

    In UTF-8, which smtplib's own login refuses.
    """
    login, password = relay.login.encode(), secret.encode()

    def digest(challenge: bytes) -> bytes:
        try:
            return login + b" " + hmac.new(password, b64decode(challenge), "md5").hexdigest().encode()
        except ValueError:
            raise ConnectionError("sent a challenge that cannot be answered") from None

    name = login.replace(b"=", b"=3D").replace(b",", b"=2C")  # RFC 5801 section 4
    place = f"\1host={relay.host}\1port={relay.port}".encode()
    bearer = b"\1auth=Bearer " + password + b"\1\1"
    return {
        "PLAIN": [lambda challenge: b"\0" + login + b"\0" + password],
        "LOGIN": [lambda challenge: login, lambda challenge: password],
        "CRAM-MD5": [digest],
        "OAUTHBEARER": [lambda challenge: b"n,a=" + name + b"," + place + bearer],
        "XOAUTH2": [lambda challenge: b"user=" + login + bearer],
    }[mechanism]


def _reason_in(reply: bytes, connection: Connection, scope: str) -> str:
    """Return the reason in a relay's refusal of a token, for a sentence; "" if it gives none.

    The scope that the relay wants (RFC 7628 section 3.2.2) is a reason if the token's, where we know it, is another.
    """
    try:
        failure = json.loads(b64decode(reply))
        status, wanted = str(failure["status"]), str(failure.get("scope", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""

    def shown(text: str, longest: int) -> str:
        return connection.words(text.encode("utf-8", "replace"))[:longest]

    is_another = wanted and scope and set(wanted.split()).isdisjoint(scope.split())
    wants = f", wants the scope {shown(wanted, LONGEST_SCOPE)}" if is_another else ""
    return f" (status {shown(status, LONGEST_STATUS)}{wants})"
