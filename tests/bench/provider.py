"""A provider: a real Postfix that wants TLS and a login, and passes the mails on to the relay of all contenders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stamping_relay import FarEnd, Way

# stamping_relay has put tests/ on the path
from postfix import Postfix, PostfixError, missing  # isort: skip

LOGIN = ("pbx@office.test", "s3cret-w0rd")


@contextmanager
def running(far_end: FarEnd) -> Iterator[list[Way]]:
    """Run it as long as the context lasts; yields the ways to it. Raises PostfixError."""
    if missing():
        raise PostfixError(missing())
    ca_file = far_end.ways["tls"].ca_file
    with Postfix(far_end.ways["plain"].port, LOGIN, far_end.certificate) as postfix:
        ports = {"starttls": postfix.starttls_port, "tls": postfix.tls_port}
        yield [Way(mode, port, ca_file, *LOGIN) for mode, port in ports.items()]
