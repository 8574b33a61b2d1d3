"""The table of real calls."""

from __future__ import annotations

from call_cases import callers, elsewhere, groups, mailboxes, plain, queues, screening, talked

TABLE = [
    *plain.PLAIN,
    *groups.GROUPS,
    *queues.QUEUES,
    *screening.SCREENED,
    *talked.TALKED,
    *elsewhere.ELSEWHERE,
    *mailboxes.MAILBOXES,
    *callers.CALLERS,
]
