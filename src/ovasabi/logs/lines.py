"""The lines of the log: one for each record, as text or as JSON, with its time, level, correlation and campaign."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from ovasabi.kernel.call.context import traced
from ovasabi.logs.escaping import fit
from ovasabi.logs.stacks import stack_of, text_of, type_of

Hide = Callable[[str], str]


class Text(logging.Formatter):
    """`2026-11-30T07:00:00.123Z WARNING ovasabi.gateway [correlation id, campaign 7] message`.

    The stack of an exception follows in lines that are indented, as no other line is.
    """

    def __init__(self, hide: Hide) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """Returns the lines of a record."""
        correlation, campaign = traced()
        about = fit(correlation or "-", self._hide) + (f", campaign {campaign}" if campaign else "")
        first = f"{_time(record)} {record.levelname} {record.name} [{about}] {_message(record, self._hide)}"
        return "\n  ".join([first, *_stack(record, self._hide)])


class Json(logging.Formatter):
    """One object for each record; what it does not have is null. `exception` has a type and a stack."""

    def __init__(self, hide: Hide) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        correlation, campaign = traced()
        error = _error(record)
        stack = "\n".join(_stack(record, self._hide))
        shown = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record, self._hide),
            "correlation_id": correlation and fit(correlation, self._hide),
            "campaign": campaign,
            "exception": {"type": error and type_of(error), "stack": stack} if stack else None,
        }
        return msgspec.json.encode(shown).decode()


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _message(record: logging.LogRecord, hide: Hide) -> str:
    try:
        text = str(record.msg)
        if record.args:
            text %= _plain(record.args)
    except Exception:  # a wrong call of the logger must not lose what it has to tell
        text = f"{record.msg!r} {record.args!r}"
    return fit(text, hide)


def _plain(arguments: Any) -> Any:
    """Returns the arguments of a message, with exceptions as the log shows them."""
    if isinstance(arguments, tuple):
        return tuple(map(_shown, arguments))
    return {name: _shown(value) for name, value in arguments.items()}


def _shown(value: Any) -> Any:
    return text_of(value) if isinstance(value, BaseException) else value


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if isinstance(record.exc_info, tuple) else None


def _stack(record: logging.LogRecord, hide: Hide) -> list[str]:
    """Returns the lines of a record's stack: that of its exception, or the one that it was asked to show."""
    error = _error(record)
    lines = [] if error is None else list(stack_of(error))
    if record.stack_info:
        lines += record.stack_info.split("\n")
    return [fit(line, hide) for line in lines]
