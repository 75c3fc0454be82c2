"""The lines of the log: times, correlation, exceptions; nothing that a caller sends forges a line or shows a secret."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from ovasabi.kernel.call.context import Context, Principal, Role, acting, note_campaign, trace
from ovasabi.logs.escaping import LONGEST, hiding
from ovasabi.logs.lines import Json, Text

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+ \[[^\]]+\] (.*)")
KEY = "ovk_abcdefghijkl_" + "S" * 43
EVIL = [
    "a\nb", "a\rb", "a\r\nb", "a\x1b[2Jb", "a\0b", "a\x7fb", "a\x85b", "a\u2028b", "a\u2029b", "a\u202eb", "a\ud800b",
    "\t",
    "x\n2026-11-30T07:00:00.000Z INFO ovasabi [-] forged", '"}\n{"forged": true}', "x\n  File \"forged.py\", line 1",
]  # fmt: skip


def record(message: Any, *arguments: Any, level: int = logging.WARNING, **options: Any) -> logging.LogRecord:
    """A record of a logger."""
    return logging.LogRecord(
        "ovasabi.test", level, "a.py", 1, message, arguments, options.pop("error", None), **options
    )


def raised(error: BaseException) -> Any:
    """What a logger has of an exception that is being handled."""
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def text(*arguments: Any, secrets: tuple[str, ...] = (), **options: Any) -> list[str]:
    """The lines of a record as text, as a program splits them."""
    return Text(hiding(secrets)).format(record(*arguments, **options)).splitlines()


def as_json(*arguments: Any, secrets: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    """A record as JSON, which is one line."""
    (line,) = Json(hiding(secrets)).format(record(*arguments, **options)).splitlines()
    return dict(json.loads(line))


@contextmanager
def called(campaign: int | None, correlation: str) -> Iterator[None]:
    """A call of a campaign."""
    with acting(Context(Principal("key:a", 0, Role.ADMIN), campaign, None, correlation)):
        yield


def test_a_line_has_its_time_level_logger_and_message() -> None:
    (line,) = text("%d of %s", 3, "five")
    found = LINE.fullmatch(line)
    assert found is not None
    assert (found[1], found[2]) == ("WARNING", "3 of five")
    assert " ovasabi.test [-] " in line
    told = as_json("%(a)s", {"a": 1})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "warning", "logger": "ovasabi.test", "message": "1", "correlation_id": None, "campaign": None,
        "exception": None,
    }  # fmt: skip


async def test_the_correlation_and_the_campaign_are_those_of_the_call_or_of_its_request() -> None:
    with called(7, "c-7"):
        assert " [c-7, campaign 7] " in text("x")[0]
        told = as_json("x")
    assert (told["correlation_id"], told["campaign"]) == ("c-7", 7)
    trace("r-1")
    assert " [r-1] " in text("x")[0]
    note_campaign(8)
    assert (as_json("x")["correlation_id"], as_json("x")["campaign"]) == ("r-1", 8)
    with called(9, "c-9"):
        assert (as_json("x")["correlation_id"], as_json("x")["campaign"]) == ("c-9", 9)


@pytest.mark.parametrize("evil", EVIL, ids=ascii)
def test_no_text_forges_a_line_wherever_it_is(evil: str) -> None:
    for options in ({}, {"error": raised(ValueError(evil))}):
        for arguments in ((evil,), ("%s", evil), ("%(a)s", {"a": evil}), ("%s", ValueError(evil))):
            first, *rest = text(*arguments, **options)
            assert LINE.fullmatch(first)
            assert all(line.startswith("  ") for line in rest)
            assert "forged" not in "".join(line for line in rest if line.startswith("    File"))
            told = as_json(*arguments, **options)
            assert told["message"].isprintable()
            stack = told["exception"]["stack"].split("\n") if options else ["  "]
            assert all(line.isprintable() for line in stack)
            assert sum("forged" in line and line.lstrip().startswith("File") for line in stack) == 0
    with called(1, evil):
        assert len(text("x")) == 1
        assert as_json("x")["correlation_id"].isprintable()


def test_an_exception_has_its_type_its_stack_and_its_causes() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise RuntimeError("second") from first
    except RuntimeError:
        info = sys.exc_info()
    told = as_json("failed", error=info)["exception"]
    assert told["type"] == "RuntimeError"
    lines = told["stack"].split("\n")
    assert [line for line in lines if not line.startswith(" ")] == [
        "Traceback (most recent call last):",
        "KeyError: 'first'",
        "The above exception was the direct cause of the following exception:",
        "Traceback (most recent call last):",
        "RuntimeError: second",
    ]
    assert sum("test_lines.py" in line for line in lines) == 2
    assert [line.removeprefix("  ") for line in text("failed", error=info)[1:]] == lines


def test_odd_exceptions_are_shown_and_bounded() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    def recurse(left: int) -> None:
        return again(left - 1) if left else _fail()

    def again(left: int) -> None:
        return recurse(left)

    def _fail() -> None:
        raise ExceptionGroup("several", [ValueError("one"), Mute()])

    try:
        recurse(300)
    except ExceptionGroup:
        told = as_json("x", error=sys.exc_info())["exception"]
    assert told["type"] == "ExceptionGroup"
    assert "  | ValueError: one" in told["stack"]
    assert "its text cannot be read" in told["stack"]
    assert told["stack"].count("\n") < 320
    first = loop = ValueError("x")
    loop.__cause__ = RuntimeError("y")
    loop.__cause__.__cause__ = first
    assert "RuntimeError: y" in "".join(text("x", error=(ValueError, loop, None)))


def test_a_message_is_bounded_and_a_wrong_one_is_shown_nevertheless() -> None:
    assert len(as_json("%s", "x" * 1_000_000)["message"]) == LONGEST
    assert as_json("%d of %s", "no number")["message"] == "'%d of %s' ('no number',)"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (KEY, "ovk_abcdefghijkl_***"),
        (f"Authorization: Bearer {KEY}", "Authorization: Bearer ***"),
        ("{'authorization': 'bearer abc.def'}", "{'authorization': 'bearer ***'}"),
        ("postgresql://me:p@ss:w@host/d", "postgresql://me:***@host/d"),
        ("of hunter2-hunter2!", "of ***!"),
    ],
)
def test_secrets_are_not_in_the_log_wherever_they_come_from(said: str, shown: str) -> None:
    secrets = ("hunter2-hunter2", "", "no")
    with called(1, "c"):
        for told in (as_json(said, secrets=secrets), as_json("%s", said, secrets=secrets)):
            assert told["message"] == shown
        lines = text("x", error=raised(ValueError(said)), secrets=secrets)
        assert lines[-1] == f"  ValueError: {shown}"
    assert as_json("nothing", secrets=secrets)["message"] == "nothing"


def test_the_rows_that_errors_of_the_database_quote_are_not_in_the_log() -> None:
    error = asyncpg.CheckViolationError("refused")
    error.detail = "Failing row contains (me@example.org, $argon2id$)."
    assert "example.org" in str(error)
    for told in (as_json("%s", error), as_json("%(a)s", {"a": error}), as_json("x", error=raised(error))):
        assert "example.org" not in str(told)
        assert "refused" in str(told)
