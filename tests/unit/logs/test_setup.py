"""Everything that a process writes to its log has the format: all loggers, warnings, threads, what nobody handles."""

import json
import os
import re
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, importlib, logging, pkgutil, sys, threading, warnings
import ovasabi
from ovasabi.cli import listen, telling
from ovasabi.settings import Settings
for module in pkgutil.walk_packages(ovasabi.__path__, "ovasabi."):
    if module.name != "ovasabi.__main__":
        importlib.import_module(module.name)

class Fails:
    def __del__(self):
        raise ValueError("unraisable\\nforged")

def fail(text):
    raise ValueError(text)

async def work():
    warnings.warn("a warning\\nforged")
    for name in sorted(logging.Logger.manager.loggerDict):
        for level in ("warning", "error", "critical"):
            getattr(logging.getLogger(name), level)("of %s\\nforged %s", name, "hunter2-hunter2")
    Fails()
    thread = threading.Thread(target=fail, args=("of a thread\\nforged",))
    thread.start()
    thread.join()
    telling.saying(lambda: True)("said\\nforged")
    telling.tell_failure("problem\\nforged", "hint") if sys.argv[1] == "json" else None

settings = Settings(log_format=sys.argv[1], log_level=sys.argv[2], key="hunter2-hunter2")
listen.run_until_stopped(work(), settings, asyncio.Event())
print(" ".join(sorted(logging.Logger.manager.loggerDict)))
fail("at the end\\nforged")
"""
TEXT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) ([\w.]+) \[[^\]]+\] (.*)"
)
OTHERS = ("of a thread", "unraisable", "a warning", "said", "at the end")
QUIET = {"uvicorn.error", "asyncio", "asyncpg.pool"}
"""Loggers whose records our own errors repeat."""


def logged(format: str, level: str) -> tuple[set[str], str]:
    """The loggers of a process in which each of them has written something, and its log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, format, level], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 1, done.stderr
    return set(done.stdout.split()), done.stderr


@pytest.mark.parametrize("level", ["error", "debug"])
def test_each_line_of_json_is_an_object_whoever_wrote_it(level: str) -> None:
    loggers, written = logged("json", level)
    records = [json.loads(line) for line in written.splitlines()]
    assert {
        name for name in loggers - QUIET if f"of {name}\\nforged ***" not in [r["message"] for r in records]
    } == set()
    assert loggers > {"asyncpg", "grpc", "uvicorn", "ovasabi.gateway"}
    assert all(other in written for other in OTHERS if (level, other) != ("error", "said"))
    assert "problem\\\\nforged hint" in written
    assert "hunter2" not in written
    assert all(r["message"].isprintable() for r in records)


def test_each_line_of_text_has_a_time_or_is_indented_whoever_wrote_it() -> None:
    loggers, written = logged("text", "info")
    lines = written.splitlines()
    assert [line for line in lines if not line.startswith("  ") and not TEXT.fullmatch(line)] == []
    assert {name for name in loggers - QUIET if not any(f"of {name}\\nforged ***" in line for line in lines)} == set()
    assert all(other in written for other in OTHERS)
    assert "hunter2" not in written
