"""What a relay refuses, in the words of relays and providers, is about us, about one recipient, or not clear yet.

To add what another one says, add a line to ``TABLE``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from calls import CALL, ONE_EMPLOYEE, queue, waiting
from relay import ScriptedRelay

from pbxnotify.delivery.runner import run_queue
from pbxnotify.spool.store import Spool

US, RECIPIENT, DOUBT = "us", "recipient", "doubt"
"""Everything waits, and is tried again in an hour; this recipient's mail has failed; theirs waits, others leave."""
TABLE = [
    # Blocks and quotas
    (
        "Yandex, blocked for spam",
        "message",
        "554 5.7.1 [2] Message rejected under suspicion of SPAM; https://ya.cc/1Ir",
        US,
    ),
    ("Gmail, daily limit", "message", "550 5.4.5 Daily user sending limit exceeded. For more information g-smtp", US),
    ("Gmail, daily limit at MAIL", "MAIL", "550 5.4.5 Daily SMTP relay sending limit exceeded for customer.", US),
    (
        "a hoster, recipients a day",
        "DATA",
        "554 5.7.1 <DATA>: Data command rejected: limit of 400 rcpts per 24 hours",
        US,
    ),
    ("a hoster, relay quota", "message", "552 Relay quota exceeded for user pbx@example.com", US),
    ("OVH, too many", "RCPT", "550 sorry, too many emails (#5.7.1)", US),
    ("Zoho, unusual activity", "message", "550 5.4.6 Unusual sending activity detected. <a href=https://zoho>", US),
    ("a Chinese provider, hour limit", "message", "550 send spam mail rejected: exceeded hour limit", US),
    (
        "cPanel, hourly limit",
        "RCPT",
        "550 Domain example.com has exceeded the max emails per hour (51/50 (102%)) allowed",
        US,
    ),
    ("MailerSend, quota", "message", "550 Your account reached its email quota limit. Contact support #MS42204", US),
    ("Mailcow, rate limit", "RCPT", "554 5.7.1 <a@example.com>: Recipient address rejected: Ratelimit exceeded", US),
    ("Exchange Online, tenant", "message", "550 5.7.705 Access denied, tenant has exceeded threshold", US),
    ("Microsoft 365, recipients a day", "message", "554 5.2.0 5.1.90 daily message limit for recipients", US),
    ("IONOS, blocked address", "RCPT", "550 5.7.1 Your IP 192.0.2.1 is listed at Spamhaus", US),
    (
        "a mail gateway",
        "message",
        "550 5.7.1 Service unavailable; client [192.0.2.1] blocked using dnsbl.sorbs.net",
        US,
    ),
    ("sendmail, a listed address", "RCPT", "550 5.7.1 <a@example.com>... Rejected: 192.0.2.1 listed at bl.example", US),
    ("Exim, a listed address", "RCPT", "550 192.0.2.1 is listed at bl.example (127.0.0.2: see https://bl.example)", US),
    (
        "Mailu, too fast",
        "RCPT",
        "550 5.7.1 <a>: SASL login name rejected: You are sending too many emails too fast.",
        US,
    ),
    # The sender
    (
        "Microsoft 365, Send As",
        "message",
        "554 5.2.252 SendAsDenied; office@example.com not allowed to send as pbx@",
        US,
    ),
    ("Exchange, Send As", "message", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", US),
    ("Exchange before 2016", "message", "550 5.7.1 Client does not have permissions to send as this sender", US),
    (
        "SES, sandbox",
        "message",
        "554 Message rejected: Email address is not verified. The following identities failed",
        US,
    ),
    (
        "SendGrid, identity",
        "message",
        "550 The from address does not match a verified Sender Identity. Mail cannot be",
        US,
    ),
    ("Exim, sender verify", "RCPT", "550 Sender verify failed", US),
    (
        "Postfix, unlisted sender",
        "RCPT",
        "550 5.1.0 <pbx@example.com>: Sender address rejected: User unknown in local",
        US,
    ),
    ("Postfix, sender's domain", "RCPT", "550 5.1.8 <pbx@example.com>: Sender address rejected: Domain not found", US),
    ("Postfix, sender's form", "RCPT", "504 5.5.2 <asterisk@pbx>: Sender address rejected: need fully-qualified", US),
    (
        "Postfix, another's address",
        "RCPT",
        "553 5.7.1 <pbx@example.com>: Sender address rejected: not owned by user",
        US,
    ),
    (
        "sendmail, a sender at localhost",
        "RCPT",
        "553 5.5.4 <a@example.com>... Real domain name required for sender",
        US,
    ),
    ("Exim, a sender in the header", "message", "550 No verifiable sender address in message headers", US),
    ("sendmail, sender's domain", "RCPT", "553 5.1.8 <pbx@x.invalid>... Domain of sender address does not exist", US),
    ("Courier, sender's form", "MAIL", "517 <asterisk@pbx> Sender's domain is not valid.", US),
    ("Mail.ru, another's address", "message", "550 not local sender over smtp", US),
    ("Fastmail, another's address", "message", "551 5.7.1 Not authorised to send from this header address", US),
    ("Yandex, another's address", "MAIL", "553 5.7.1 Sender address rejected: not owned by auth user.", US),
    ("DMARC", "message", "550 5.7.26 Unauthenticated email from example.com is not accepted due to DMARC policy", US),
    # A login is wanted
    ("Exim", "RCPT", "550 relay not permitted", US),
    (
        "cPanel",
        "RCPT",
        "550-Please turn on SMTP Authentication in your mail client.\r\n550 is not permitted to relay",
        US,
    ),
    ("sendmail", "RCPT", "550 5.7.1 <a@example.com>... Relaying denied. Proper authentication required.", US),
    ("Courier", "RCPT", "513 Relaying denied.", US),
    ("qpsmtpd", "RCPT", "550 Relaying denied (#5.7.1)", US),
    ("qmail", "RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", US),
    ("Postfix", "RCPT", "554 5.7.1 <a@example.com>: Relay access denied", US),
    ("Postfix, not logged in", "RCPT", "553 5.7.1 <pbx@example.com>: Sender address rejected: not logged in", US),
    ("Dovecot submission", "RCPT", "550 5.0.0 <a@example.com>: relay not permitted", US),
    ("Haraka", "RCPT", "550 I cannot deliver mail for <a@example.com>", US),
    ("Exchange", "RCPT", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", US),
    ("Exchange Online", "RCPT", "550 5.4.1 [a@example.com]: Relay Access Denied [DB5EUR03.eop-EUR03]", US),
    ("Microsoft 365", "MAIL", "530 5.7.57 Client not authenticated to send mail.", US),
    ("Mailgun", "DATA", "550 5.7.1 Relaying denied", US),
    # One recipient
    (
        "Postfix, unknown",
        "RCPT",
        "550 5.1.1 <a@example.com>: Recipient address rejected: User unknown in virtual",
        RECIPIENT,
    ),
    (
        "Postfix, a recipient without a domain",
        "RCPT",
        "504 5.5.2 <a@office>: Recipient address rejected: need fully-qualified address",
        RECIPIENT,
    ),
    ("Exim, unknown", "RCPT", "550 Unrouteable address", RECIPIENT),
    ("qmail, unknown", "RCPT", "550 sorry, no mailbox here by that name (#5.1.1)", RECIPIENT),
    ("Gmail, unknown", "RCPT", "550 5.1.1 The email account that you tried to reach does not exist.", RECIPIENT),
    ("Gmail, full", "RCPT", "552 5.2.2 The email account that you tried to reach is over quota.", RECIPIENT),
    ("Dovecot, full", "message", "552 5.2.2 <a@example.com> Quota exceeded (mailbox for user is full)", RECIPIENT),
    ("Yandex, unknown", "RCPT", "550 5.7.1 No such user!", RECIPIENT),
    (
        "Mail.ru, unknown",
        "RCPT",
        "550 Message was not accepted -- invalid mailbox. Local mailbox is unavailable",
        RECIPIENT,
    ),
    (
        "Exchange Online, unknown",
        "RCPT",
        "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
        RECIPIENT,
    ),
    ("Exchange, a closed group", "RCPT", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", RECIPIENT),
    ("Exim, too big", "message", "550 Message too big", RECIPIENT),
    ("a null MX", "RCPT", "556 5.1.10 Recipient address has null MX", RECIPIENT),
    # Not clear
    ("OpenSMTPD, unknown or a login", "RCPT", "550 Invalid recipient", DOUBT),
    ("GMX, policy", "message", "554-Transaction failed\r\n554 Reject due to policy restrictions.", DOUBT),
    ("IONOS, header", "message", "554 For explanation visit https://www.ionos.com/help/index.php?id=2425", DOUBT),
    ("policy of one, or against us", "RCPT", "550 5.7.1 Access denied", DOUBT),
    ("a virus scanner", "message", "554 5.7.1 Message contains a virus (INFECTED)", DOUBT),
    ("words nobody has seen", "DATA", "554 wibble", DOUBT),
]


@pytest.mark.parametrize(("stage", "reply", "judgement"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_it_is_judged(write_ini: Callable[[str], object], spool: Spool, stage: str, reply: str, judgement: str) -> None:
    """Two calls wait, for two people; the relay refuses the first mail."""
    faults: dict[str, Any] = {stage: [reply, ScriptedRelay.REPLIES[stage]]}
    with ScriptedRelay(**faults) as relay:
        write_ini(ONE_EMPLOYEE.format(port=relay.port) + "[[102]]\nemail = anna@example.com\n")
        for number in ("101", "102"):
            queue(spool, CALL._replace(linked_id=f"{number}.1").only([number]))
        run_queue(spool)
        accepted, connections = len(relay.messages) - (stage == "message"), relay.connections
    wait, failed = len(waiting(spool)), len(spool.identifiers("failed"))
    expected = {US: (2, 0, 0), RECIPIENT: (0, 1, 2), DOUBT: (1, 0, 2)}[judgement]  # 2: the other call, and an alert
    assert ((wait, failed, accepted), connections) == (expected, 1)
