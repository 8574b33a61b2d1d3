"""All errors under one root, each with its exit status as in sysexits.h: cron and systemd can tell them apart."""

from __future__ import annotations

import os


class PbxnotifyError(Exception):
    """The root of all errors: the text is a sentence for the administrator, without secrets."""

    exit_status = os.EX_SOFTWARE


class UsageError(PbxnotifyError):
    """A command was given something that it cannot use."""

    exit_status = os.EX_USAGE


class SettingsError(PbxnotifyError):
    """The ini file cannot be used; ``problems`` has a sentence for each mistake."""

    exit_status = os.EX_CONFIG

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UserError(PbxnotifyError):
    """Root cannot become Asterisk's user, and must not go on as root."""

    exit_status = os.EX_CONFIG


class SpoolError(PbxnotifyError):
    """The spool cannot take, read or change an item."""

    exit_status = os.EX_IOERR


class NewerItem(PbxnotifyError):
    """A queue file has a format that only a newer version knows; the file stays untouched."""

    exit_status = os.EX_DATAERR


class LanguageError(PbxnotifyError):
    """The file of a language cannot be used."""

    exit_status = os.EX_CONFIG


class AsteriskUnavailable(PbxnotifyError):
    """Asterisk's command line does not answer."""

    exit_status = os.EX_UNAVAILABLE


class AsteriskMissing(AsteriskUnavailable):
    """Asterisk's command line is not on this host, or this user may not run it."""


class DialplanError(PbxnotifyError):
    """Asterisk's dialplan drops calls at our lines, or will."""

    exit_status = os.EX_CONFIG


class ExpungeError(PbxnotifyError):
    """A message cannot be removed from its mailbox, or not safely beside a running Asterisk."""


class MailboxError(PbxnotifyError):
    """A file of the mailbox cannot be used."""

    exit_status = os.EX_NOINPUT


class PhoneBookError(PbxnotifyError):
    """The phone book cannot be used; mails are sent without its names."""

    exit_status = os.EX_CONFIG

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the phone book {path} {why}; fix it, or empty phone_book in [notifications]")


class ChannelGone(PbxnotifyError):
    """Asterisk no longer answers on this channel; what was read before is still valid."""

    exit_status = os.EX_UNAVAILABLE


class LoginError(PbxnotifyError):
    """There is nothing to log in to the relay with: no token, because of its file, its lock or the provider."""


class LoginUnavailable(LoginError):
    """Not now: the provider, the lock or the disk may be back soon. Temporary."""

    exit_status = os.EX_TEMPFAIL


class LoginRefused(LoginError):
    """Not until the admin logs in at the provider, or corrects something."""

    exit_status = os.EX_CONFIG


class GrantRefused(LoginRefused):
    """The provider refuses a token; ``error`` is its error code (RFC 6749 section 5.2, RFC 8628 section 3.5)."""

    def __init__(self, sentence: str, *, error: str = "") -> None:
        super().__init__(sentence)
        self.error = error


class TokenFileDamaged(LoginRefused):
    """The token file holds something that we did not write."""


class RelayError(PbxnotifyError):
    """The relay did not take a mail.

    ``stage`` is the step of the conversation (``connect``, ``TLS``, ``greeting``, ``EHLO``, ``STARTTLS``, ``AUTH``,
    ``MAIL``, ``RCPT``, ``DATA``, ``message``); ``code`` is the relay's reply code, 0 where it gave none.
    """

    exit_status = os.EX_TEMPFAIL

    def __init__(self, sentence: str, *, stage: str, code: int = 0, reply: str = "") -> None:
        super().__init__(sentence)
        self.stage = stage
        self.code = code
        self.reply = reply

    def become(self, kind: type[RelayError], enhanced: str = "") -> RelayError:
        """Return it as another error, behind an enhanced code: what came before or after shows what it is about."""
        return kind(str(self), stage=self.stage, code=self.code, reply=f"{enhanced} {self.reply}".lstrip())


class RelayUnavailable(RelayError):
    """No mail can leave now, whoever it is for: DNS, refused, timeout, TLS, 421, or 4xx about us. Temporary."""


class RelayMisconfigured(RelayError):
    """No mail can leave until the admin changes something, or the provider ends a block: login, sender, quota."""

    exit_status = os.EX_CONFIG


class MailDeferred(RelayError):
    """This recipient's mail was refused for now (4xx). Temporary."""


class MailRefused(RelayError):
    """This recipient's mail was refused for good (5xx)."""

    exit_status = os.EX_UNAVAILABLE


class OutcomeUnknown(RelayError):
    """The connection ended between the final dot and the relay's answer: the relay may have the mail."""
