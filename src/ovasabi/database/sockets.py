"""The sockets of connections: a peer that is gone is noticed by the operating system, also while nothing is sent."""

import os
import socket
import sys
from contextlib import suppress
from typing import Any

import asyncpg

GONE_SECONDS = 10
"""How long a server that must answer does not, before its connection counts as lost."""
_OPTIONS = {
    "TCP_KEEPIDLE": GONE_SECONDS,
    "TCP_KEEPINTVL": 3,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": GONE_SECONDS * 1000,
}
"""Not every operating system has all of these."""


def watch_over(connection: asyncpg.Connection) -> None:
    """Lets the operating system tell when the server of a connection is gone."""
    # The driver has no setting for it, and the event loop's socket no setsockopt.
    transport: Any = getattr(connection, "_transport", None)
    used = transport.get_extra_info("socket") if transport is not None else None
    if used is None or used.family not in (socket.AF_INET, socket.AF_INET6) or sys.platform == "win32":
        return
    with suppress(OSError), socket.socket(fileno=os.dup(used.fileno())) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS.items():
            if hasattr(socket, name):
                own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
