"""Judges what a relay's refusal is about: us, a recipient, or a mail.

The table makes it quick where the words are known. Those of an unknown provider are judged by what happens next: see
``delivery.outcome``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from pbxnotify.errors import RelayError
from pbxnotify.namedtuple import NamedTuple

TRANSACTION = ("MAIL", "RCPT", "DATA", "message")
"""The stages of one mail, where a refusal may be about that mail; before them, it is about every mail."""


class Concern(Enum):
    """What a relay's refusal is about, as far as its reply says."""

    SENDER = "sender"
    LOGIN = "login"  # it wants one, or another one, before it passes mail on
    HOST = "host"  # ours: its name, its address
    BLOCK = "block"  # we have sent too much, or are distrusted
    RECIPIENT = "recipient"
    SIZE = "size"
    UNKNOWN = "unknown"  # the next mail will show it

    @property
    def is_us(self) -> bool:
        """Return whether the next mail would meet it as well, whoever it is for."""
        return self in (Concern.SENDER, Concern.LOGIN, Concern.HOST, Concern.BLOCK)


class Row(NamedTuple):
    """What replies with these words are about."""

    words: str  # a regular expression, whatever the case
    concern: Concern
    source: str  # who says so


CODES = (
    (r"1\.([13]|10)|2\.[12]|6\.7|7\.(2|1[789]|12\d|13[0-8])", Concern.RECIPIENT),
    (r"2\.3|3\.4|7\.16", Concern.SIZE),
    (r"1\.[78]|2\.25[24]|7\.(2[0-46-79]|60|509)", Concern.SENDER),
    (r"7\.([89]|1[0-5]|57|64|139)", Concern.LOGIN),
    (r"7\.25", Concern.HOST),
    (r"1\.90|4\.5|7\.(28|[5-7]\d\d)", Concern.BLOCK),
)
"""Enhanced codes that have one meaning (RFC 3463 and its registry at IANA; X.1.90, X.7.57, X.7.60, X.7.64 and those of
three digits are Microsoft's). X.7.0 and X.7.1 are said of everything: of a recipient, of a virus, and of us."""

WORDS = (
    Row(
        r"RESOLVER\.RST|restricted (group|recipient)|account that you tried"
        r"|recipient address rejected: (need fully|unverif)",
        Concern.RECIPIENT,
        "Exchange: a group that takes no strangers; Gmail's own mailboxes; Postfix: reject_non_fqdn_recipient",
    ),
    Row(
        r"too (big|large|long)\b|message (length|size)|(size|length) (limit|exceed)|exceed\w* .*\bsize|\bSIZE=",
        Concern.SIZE,
        "Courier: 534 SIZE=Message too big.; Exim: 550 Message too big; Postfix; Exchange",
    ),
    Row(
        r"(hour|day|daily|hourly|monthly|sending|outgoing|outbound|relay\w*|submission|smtp|e?mails?|messages?|recipients|rcpts?)"
        r"\W+(\w+\W+)?(quota|limit)|(quota|limit)s?\b.{0,60}\b(second|minute|hour|day|month|24)",
        Concern.BLOCK,
        "Gmail: Daily user sending limit; hosters: relay quota; Postfix policy services: limit of N rcpts per 24 hours",
    ),
    Row(
        r"(too (many|much)|max\w*|exceed\w*|number of)\b.{0,40}\b(e?-?mails?|messages|recipients|rcpts|connections)\b"
        r"|ratelimit|(rate|throttl|flood)\w*.{0,20}(limit|exceed|detect)|thread limit|unusual (sending|rate|activity)",
        Concern.BLOCK,
        "OVH: too many emails (#5.7.1); Zoho; cPanel: exceeded the max emails per hour; Mailcow: Ratelimit; Exchange",
    ),
    Row(
        r"suspicion of spam|black.?list|block.?list|spamhaus|spamcop|dnsbl|\brbl\b|reputation"
        r"|(?<!not )\blisted (at|on)\b"
        r"|(your|sending|sender|client)\W+(\S+\W+)?(ip|account|domain|server|host|mail)\b.{0,40}"
        r"(block|bann|suspend|disabl|lock|list)",
        Concern.BLOCK,
        "Yandex: 554 5.7.1 under suspicion of SPAM; Brevo, SendGrid: account suspended; sendmail, Exim: listed at",
    ),
    Row(
        r"\b(sender|envelope.from|mail from|from (address|header)|return.path)\b.{0,80}"
        r"\b(reject|denied|refused|not|unknown|invalid|must|required|verif|does)|invalid sender|sender verif"
        r"|required for sender|(valid|verifiable) sender",
        Concern.SENDER,
        "Postfix: Sender address rejected; Exim: sender verify failed; sendmail: Domain of sender; Yandex",
    ),
    Row(
        r"send[- ]?(as|on behalf)|not owned by|not (allowed|authori[sz]ed|permitted) to (send|use)|local sender"
        r"|\b(not|un)\W?(been )?(verified|validated|confirmed)|verified sender|verify your|\b(spf|dkim|dmarc)\b",
        Concern.SENDER,
        "Microsoft 365: SendAsDenied; Mail.ru: not local sender over smtp; SES: not verified; SendGrid",
    ),
    Row(
        r"(helo|ehlo) (command|name|host)|client host|reverse (dns|host)|\bptr\b",
        Concern.HOST,
        "Postfix: Helo command rejected, Client host rejected; Mail.ru, Yahoo: reverse DNS",
    ),
    Row(
        r"relay\w*\b.{0,30}\b(denied|not|prohibited|refused|disabled|rejected)|\bto relay\b|cannot deliver mail for"
        r"|\bnot? relay|rcpthosts|authenti(cat|fi)\w*|\bauth\b|\blog(ged)? ?in\b|credentials|pop.before.smtp|starttls"
        r"|encryption",
        Concern.LOGIN,
        "Exim: relay not permitted; sendmail, Courier, qmail, Postfix: Relaying denied; Haraka; cPanel; Exchange",
    ),
    Row(
        r"fully.qualified",
        Concern.SENDER,
        "Postfix: need fully-qualified address",
    ),
    Row(
        r"virus|malware|infected|attach|content|file type",
        Concern.UNKNOWN,
        "Gmail: 552 5.7.0 because its content presents; Postfix: message content rejected; amavis: INFECTED",
    ),
    Row(
        r"(no such|unknown|inactive) (user|recipient|mailbox|account|address|person|local)|unrouteable|over ?quota"
        r"|\b(user|recipient|mailbox|account|address|person|inbox)\b.{0,60}(unknown|unavail|disabled|inactive|full\b|quota"
        r"|\b(not? (found|exist|valid|here|available|longer)|does ?n[o']t exist))",
        Concern.RECIPIENT,
        "Exim: Unrouteable address; Postfix: User unknown; Dovecot: Quota exceeded (mailbox for user is full)",
    ),
)
"""The first row that fits counts."""

OTHER_CODES = ((r"1\.[2-6]|2\.4|4\.[1-47]", Concern.RECIPIENT),)
"""Enhanced codes of which some have made their own use: Exchange Online denies relaying with X.4.1."""


def concern_of(error: RelayError) -> Concern:
    """Return what a refusal is about, as far as that is known."""
    return judge(error.stage, error.reply)


def judge(stage: str, reply: str) -> Concern:
    """Return what a reply at a stage is about; before MAIL that is every mail, and nothing to be judged."""
    if stage not in TRANSACTION:
        return Concern.UNKNOWN
    return _by_code(CODES, reply) or _by_words(reply) or _by_code(OTHER_CODES, reply) or Concern.UNKNOWN


def enhanced_code(reply: str) -> str:
    """Return the enhanced status code (RFC 3463), wherever it stands, as in qmail's ``(#5.7.1)``; "" if none does."""
    found = re.search(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)", reply)
    return found[0] if found else ""


def answer_of(error: RelayError) -> str:
    """Return what two refusals have in common that mean the same; the words may name a recipient, a time, a server."""
    return f"{error.stage} {error.code} {enhanced_code(error.reply)}".rstrip()


def _by_code(codes: Iterable[tuple[str, Concern]], reply: str) -> Concern | None:
    without_class = enhanced_code(reply)[2:]
    return next((concern for code, concern in codes if re.fullmatch(code, without_class)), None)


def _by_words(reply: str) -> Concern | None:
    return next((row.concern for row in WORDS if re.search(row.words, reply, re.IGNORECASE)), None)
