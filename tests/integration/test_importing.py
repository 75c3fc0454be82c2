"""Imports through the command, on a real database: complete, single, interruptible, in bounded memory."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import ovasabi
from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.kernel.call.context import Context, acting
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.lifecycle import migrations, partitions
from tests.command_line import run_async
from tests.conftest import eventually, new_campaign

pytestmark = pytest.mark.versions(
    "18"
)  # the statements of an import are those of creates, which are tested on all versions
SOURCE = str(Path(ovasabi.__file__).parents[1])
COMMAND = [sys.executable, "-c", "from ovasabi.cli import main; main()"]
MEASURED = """
import re, sys
from ovasabi.cli import main
try:
    main()
finally:
    print(re.search(r'VmHWM:\\s*([0-9]+) kB', open('/proc/self/status').read())[1], file=sys.stderr)
"""
SUMMARY = re.compile(r"([\d,]+) created, ([\d,]+) already there, ([\d,]+) rejected")

Import = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


def settings_of(database_url: str, home: Path) -> dict[str, str]:
    """The environment of a command on a database, with no settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVASABI_")}
    return kept | {"OVASABI_DATABASE_URL": database_url, "OVASABI_HOME": str(home), "PYTHONPATH": SOURCE}


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a command on the shared database."""
    return settings_of(database_url, tmp_path / "home")


@pytest.fixture
def import_(environment: dict[str, str], tmp_path: Path) -> Import:
    """Runs `ovasabi import` to its end."""

    async def run(*arguments: object, given: bytes = b"") -> subprocess.CompletedProcess[str]:
        return await run_async("import", *map(str, arguments), env=environment, cwd=tmp_path, text=given.decode())

    return run


def tally(answer: subprocess.CompletedProcess[str]) -> tuple[int, ...]:
    """Created, already there, rejected."""
    match = SUMMARY.search(answer.stdout + answer.stderr)
    assert match is not None, answer.stdout + answer.stderr
    return tuple(int(number.replace(",", "")) for number in match.groups())


def json_lines(rows: Any) -> str:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


async def count(registry: ServiceRegistry, context: Context, type: str = "content") -> int:
    """How many there are in the campaign."""
    with acting(context):
        page = await registry.named(type).list(ListRequest(page_size=1, include_total=True))
    assert page.total_size is not None
    return page.total_size


async def last_words(process: asyncio.subprocess.Process) -> bytes:
    """What a process says until it ends, while its standard input stays open."""
    assert process.stderr is not None
    said = await asyncio.wait_for(process.stderr.read(), 30)
    await asyncio.wait_for(process.wait(), 30)
    return said


async def test_good_lines_go_in_and_bad_ones_to_the_reject_file(
    import_: Import, registry: ServiceRegistry, campaign: int, context: Context, tmp_path: Path
) -> None:
    rows: list[Any] = [{"title": f"Title {n}", "slug": f"slug-{n}", "tags": ["x"]} for n in range(3_000)]
    rows[100] = {"titel": "x"}
    rows[700] = {"title": "t", "slug": "slug-1"}
    rows[1_500] = {"title": "t", "author_id": 12_345}
    rows[2_200] = {"title": "t", "body": "\0"}
    rows[2_999] = "no object"
    file = tmp_path / "contents.jsonl"
    file.write_text(json_lines(rows))
    answer = await import_("contents", file, "--campaign", campaign)
    assert answer.returncode == 1
    assert tally(answer) == (2_995, 0, 5)
    rejects = [json.loads(line) for line in Path(f"{file}.rejects.jsonl").read_text().splitlines()]
    assert [(entry["line"], entry["field"]) for entry in rejects] == [
        (101, "titel"),
        (701, "slug"),
        (1_501, "author_id"),
        (2_201, "body"),
        (3_000, None),
    ]
    assert json.loads(rejects[1]["raw"]) == rows[700]
    assert await count(registry, context) == 2_995
    again = await import_("contents", file, "--campaign", campaign)
    assert tally(again) == (0, 2_995, 5)
    assert await count(registry, context) == 2_995


async def test_all_in_is_exit_code_zero_and_leaves_no_reject_file(
    import_: Import, registry: ServiceRegistry, campaign: int, context: Context, tmp_path: Path
) -> None:
    file = tmp_path / "contents.jsonl"
    file.write_text(json_lines([{"title": "same"}, {"title": "same"}, {"title": "other"}]))
    answer = await import_("contents", file, "--campaign", campaign)
    assert (answer.returncode, tally(answer)) == (0, (3, 0, 0))
    assert list(tmp_path.glob("*rejects*")) == []
    assert await count(registry, context) == 3


async def test_a_row_that_the_table_refuses_does_not_take_its_batch_with_it(
    import_: Import, registry: ServiceRegistry, campaign: int, context: Context, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [{"title": f"t{n}"} for n in range(50)]
    rows[20]["author_id"] = 2**70  # beyond bigint: the statement fails as a whole
    file = tmp_path / "contents.jsonl"
    file.write_text(json_lines(rows))
    answer = await import_("contents", file, "--campaign", campaign)
    assert (answer.returncode, tally(answer)) == (1, (49, 0, 1))
    assert await count(registry, context) == 49


async def test_csv_goes_in_with_lists_and_metadata(
    import_: Import, registry: ServiceRegistry, campaign: int, context: Context, tmp_path: Path
) -> None:
    file = tmp_path / "contents.csv"
    rows = "".join(f'"Title, {n}",s-{n},red;blue,news\r\n' for n in range(1_200))
    file.write_text(f"title,slug,tags,metadata.service_specific.content.section\r\n{rows}too,few\r\n")
    answer = await import_("contents", file, "--campaign", campaign, "--key", "slug", "--batch", 100)
    assert tally(answer) == (1_200, 0, 1)
    with acting(context):
        page = await registry.named("content").list(ListRequest(filter='slug = "s-7"'))
    assert page.items[0].title == "Title, 7"
    assert page.items[0].tags == ["red", "blue"]
    assert page.items[0].section == "news"
    changed = file.read_text().replace("Title, 7,", "Title, 7!,").replace('"Title, 8"', '"Title, eight"')
    file.write_text(changed)
    again = await import_("contents", file, "--campaign", campaign, "--key", "slug")
    assert tally(again) == (0, 1_199, 2)
    assert "had different values" in Path(f"{file}.rejects.jsonl").read_text()


async def test_standard_input_is_a_file_too(
    import_: Import, registry: ServiceRegistry, campaign: int, context: Context, tmp_path: Path
) -> None:
    given = json_lines([{"title": f"t{n}"} for n in range(700)]) + "{bad\n"
    answer = await import_("contents", "-", "--campaign", campaign, given=given.encode())
    assert (answer.returncode, tally(answer)) == (1, (700, 0, 1))
    assert (tmp_path / "import.rejects.jsonl").exists()
    assert await count(registry, context) == 700


async def test_global_types_need_no_campaign(import_: Import, campaign: int, tmp_path: Path) -> None:
    name = f"u{campaign}x"
    file = tmp_path / "users.jsonl"
    file.write_text(
        json_lines(
            {"username": f"{name}{n}", "email": f"{name}{n}@example.org", "password": "Str0ng!words"} for n in "ab"
        )
    )
    answer = await import_("users", file)
    assert (answer.returncode, tally(answer)) == (0, (2, 0, 0))
    assert tally(await import_("users", file)) == (0, 2, 0)
    refused = await import_("users", file, "--campaign", campaign)
    assert refused.returncode == 2
    assert "do not belong to a campaign" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["ctrl-c", "term", "kill-9"])
async def test_an_import_that_was_broken_off_is_run_again_without_duplicates(
    number: signal.Signals,
    environment: dict[str, str],
    import_: Import,
    registry: ServiceRegistry,
    campaign: int,
    context: Context,
    tmp_path: Path,
) -> None:
    rows = [{"title": f"Title {n % 900}"} for n in range(2_000)]  # many are equal, and all are wanted
    file = tmp_path / "contents.jsonl"
    file.write_text(json_lines(rows))
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "import", "contents", "-", "--campaign", str(campaign), "--batch", "50",
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json_lines(rows[:1_020]).encode())
    await process.stdin.drain()
    async with asyncio.timeout(30):
        while await count(registry, context) < 300:  # noqa: ASYNC110  (processes set no event)
            await asyncio.sleep(0.02)
    process.send_signal(number)  # standard input stays open: it waits for more
    err = await last_words(process)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + number
        assert b"Run the command again to resume." in err
        assert SUMMARY.search(err.decode()) is not None
    before = await count(registry, context)
    assert 300 <= before < 2_000
    answer = await import_("contents", file, "--campaign", campaign)
    created, present, rejected = tally(answer)
    assert (answer.returncode, created + present, rejected) == (0, 2_000, 0)
    # What a killed process had sent, PostgreSQL may finish after it.
    assert present == before if number != signal.SIGKILL else present >= before
    assert await count(registry, context) == 2_000


async def test_memory_does_not_grow_with_the_file(environment: dict[str, str], campaign: int, tmp_path: Path) -> None:
    peaks = []
    for rows in (3_000, 9_000):
        file = tmp_path / f"{rows}.jsonl"
        with file.open("w") as lines:
            for n in range(rows):
                lines.write(json.dumps({"title": f"{rows}-{n}", "body": ("x" * 1_500 + " ") * 2}) + "\n")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MEASURED, "import", "contents", str(file), "--campaign", str(campaign),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, err.decode()
        assert f"{rows:,} created" in out.decode()
        peaks.append(int(err.split()[-1]) / 1024)
    # The larger file is 18 MB larger; both fill all the batches that are in memory at a time.
    assert peaks[1] - peaks[0] < 8, peaks


async def some_contents(url: str) -> bool:
    """Whether the import has begun to write: before that it would not wait for a server."""
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM master WHERE type = 'content')"))
    finally:
        await connection.close()


async def test_a_restart_of_the_database_goes_by_unnoticed(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ovasabi-test-") as folder:
        async with EmbeddedServer(Path(folder) / "postgres") as server:
            await migrations.upgrade(server.url())
            database = await Database(server.url(), readers=1, writers=1).open()
            await partitions.ensure(database, 1)
            campaign = await new_campaign(ServiceRegistry(database))
            await database.close()
            process = await asyncio.create_subprocess_exec(
                *COMMAND, "import", "contents", "-", "--campaign", str(campaign), "--batch", "20",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=settings_of(server.url(), tmp_path), cwd=tmp_path,
            )  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(json_lines({"title": f"a{n}"} for n in range(200)).encode())
            await process.stdin.drain()
            await eventually(partial(some_contents, server.url()), 60)
            await server.stop()
            process.stdin.write(json_lines({"title": f"b{n}"} for n in range(200)).encode())
            await process.stdin.drain()
            await asyncio.sleep(1)
            await server.start()
            process.stdin.close()
            out, err = await asyncio.wait_for(process.communicate(), 60)
            # On a slow machine it tells now and then how far it is.
            said = [line for line in err.decode().splitlines() if not line.endswith(" rows/s")]
            assert (process.returncode, said) == (0, [])
            created, present, rejected = tally(subprocess.CompletedProcess([], 0, out.decode(), ""))
            assert (created + present, rejected) == (400, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["content", "FILE", "--campaign", "CAMPAIGN"], "Did you mean contents?"),
        (["contents", "FILE", "--campaign", "no-such-campaign"], "The campaign 'no-such-campaign' was not found."),
        (["contents", "FILE"], "requires a campaign"),
        (["contents", "missing.jsonl", "--campaign", "CAMPAIGN"], "missing.jsonl cannot be read: No such file"),
        (["contents", ".", "--campaign", "CAMPAIGN"], "cannot be read: Is a directory"),
        (["contents", "/dev/null", "--campaign", "CAMPAIGN"], "The file is empty"),
        (["contents", "FILE", "--campaign", "CAMPAIGN", "--rejects", "FILE"], "the same as the imported file"),
        (["contents", "FILE", "--campaign", "CAMPAIGN", "--format", "csv"], "column {"),
        (["contents", "FILE", "--campaign", "CAMPAIGN", "--batch", "0"], "--batch"),
    ],
)
async def test_what_cannot_begin_is_one_sentence_and_exit_code_two(
    arguments: list[str], words: str, import_: Import, campaign: int, tmp_path: Path
) -> None:
    file = tmp_path / "contents.jsonl"
    file.write_text('{"title": "x"}\n{bad\n')
    places = {"FILE": str(file), "CAMPAIGN": str(campaign)}
    answer = await import_(*[places.get(argument, argument) for argument in arguments])
    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
