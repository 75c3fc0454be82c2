"""A row that PostgreSQL refuses, with whichever SQLSTATE, has its own error, and its neighbours have their answers."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.database.retry import Policy
from ovasabi.errors import OvasabiError
from ovasabi.gateway.exception_mapping import public_error
from ovasabi.kernel.batching import locked_rows
from ovasabi.kernel.call.errors import SQLSTATES
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.rows import Change, NewEntity
from ovasabi.kernel.transfer import importer
from ovasabi.kernel.transfer.batches import Batch, Row
from ovasabi.kernel.transfer.importer import Importer
from ovasabi.kernel.transfer.lines import Line
from ovasabi.services.content.entity import Content
from tests.conftest import fresh
from tests.integration.kernel.fixtures import contents, make_campaign, pools, within
from tests.integration.kernel.merging_fixtures import called, caller, written
from tests.integration.services.calls import call

# A text `fault:<SQLSTATE>` raises this error: in the body when a row is created, in the title when it is changed, and
# in the slug when it is read.
FAULTS = """
CREATE FUNCTION fault(p text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF p LIKE 'fault:%' THEN RAISE EXCEPTION 'a fault of this row' USING ERRCODE = split_part(p, ':', 2); END IF;
  RETURN true;
END $$;
CREATE FUNCTION fault_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fault(CASE TG_OP WHEN 'INSERT' THEN NEW.body ELSE NEW.title END);
  RETURN NEW;
END $$;
CREATE TRIGGER fault BEFORE INSERT OR UPDATE ON service_content_main FOR EACH ROW EXECUTE FUNCTION fault_of_row();
CREATE POLICY fault ON service_content_main AS RESTRICTIVE FOR SELECT USING (fault(slug));
GRANT EXECUTE ON FUNCTION fault(text), fault_of_row() TO PUBLIC;
"""
SLOW = ("40001", "40P01", "55P03", "57014")
"""The states after which rows are tried by themselves, because a statement that meets them has waited."""


def sqlstates() -> Iterator[str]:
    """All SQLSTATEs of PostgreSQL's list."""

    def below(cls: Any) -> Iterator[Any]:
        for each in cls.__subclasses__():
            yield each
            yield from below(each)

    for cls in below(asyncpg.PostgresError):
        if len(getattr(cls, "sqlstate", None) or "") == 5:
            yield cls.sqlstate


BY_CLASS: dict[str, list[str]] = defaultdict(list)
for _sqlstate in sqlstates():
    if _sqlstate not in SLOW:
        BY_CLASS[_sqlstate[:2]].append(_sqlstate)
OF_THE_SERVER = ("08003", "08P01", "25006", "57P01", "57P03", "57P05", "58P01", "OV002")
"""States that usually tell of the server, the connection or a lease, and here of a row."""
QUICK = sorted({*(min(states) for states in BY_CLASS.values()), *OF_THE_SERVER})
"""One state of each class, and those."""


class Faulty:
    """A database with faults, its contents, and two campaigns: one whose rows have faults, and its neighbour."""

    def __init__(self, database: Database, url: str, home: int, neighbour: int) -> None:
        self.database, self.url, self.home, self.neighbour = database, url, home, neighbour
        self.contents = contents(database)
        self.service: Any = ServiceRegistry(database).named("content")

    async def make(self, titles: list[str]) -> tuple[list[Content], list[Content]]:
        """Contents with these titles, and as many of the neighbour's."""
        made = []
        for campaign, own in ((self.home, titles), (self.neighbour, ["good"] * len(titles))):
            with within(campaign):
                made.append(await self.contents.create_many([NewEntity({"title": title}) for title in own]))
        return made[0], made[1]

    async def spoil(self, column: str, states: list[str], made: list[Content]) -> None:
        """Puts faults into a column of contents, past the triggers."""
        connection = await asyncpg.connect(self.url)
        await connection.execute("SET session_replication_role = replica")
        for state, content in zip(states, made, strict=True):
            await connection.execute(
                f"UPDATE service_content_main SET {column} = $1 WHERE campaign_id = $2 AND master_id = $3",
                f"fault:{state}", self.home, content.id,
            )  # fmt: skip
        await connection.close()


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is always locked is not waited for as long as usual."""
    monkeypatch.setattr(locked_rows, "LOCK_SECONDS", 0.5)


@pytest_asyncio.fixture(scope="module")
async def faulty(server: EmbeddedServer) -> AsyncIterator[Faulty]:
    """A database of the module's own, in which rows can be made to fail."""
    async with fresh(server, "ovasabi") as url, pools(url, readers=2, writers=2) as database:
        connection = await asyncpg.connect(url)
        await connection.execute(FAULTS)
        await connection.close()
        yield Faulty(database, url, await make_campaign(database), await make_campaign(database))


Operation = Callable[[Faulty, Content], Awaitable[Any]]
CHANGES: dict[str, Operation] = {
    "update": lambda of, content: of.contents.update(content.id, {"body": "changed"}),
    "adjust": lambda of, content: of.contents.adjust(content.id, {"comment_count": 1}, verb="discuss"),
    "delete": lambda of, content: of.contents.delete(content.id),
    "move": lambda of, content: call(of.service, "publish", content.id),
}


def told(state: str, answer: Any) -> str:
    """The code of an answer, which must be an error that came from the state."""
    assert isinstance(answer, Exception), state
    return public_error(answer, "a test").code


def check(states: list[str], faults: list[Any], neighbours: list[Any]) -> None:
    """Each fault is told as what it is, and each of the neighbours has what it asked for."""
    assert [answer for answer in neighbours if not isinstance(answer, Content)] == []
    for state, answer in zip(states, faults, strict=True):
        code = told(state, answer)
        if state not in SQLSTATES and state[:2] not in ("22", "53", "54", "57", "58") and state != "25006":
            assert code == "internal", state
        else:
            assert code not in ("internal", "overloaded"), state


async def beside(of: Faulty, faults: list[Content], neighbours: list[Content], run: Operation) -> tuple[list, list]:
    """The answers of concurrent calls for faulty contents and their neighbours, in turn."""
    calls = []
    for n, (fault, good) in enumerate(zip(faults, neighbours, strict=True)):
        calls.append(called(caller(of.home, n), lambda one=fault: run(of, one)))
        calls.append(called(caller(of.neighbour, n), lambda one=good: run(of, one)))
    answers = await asyncio.gather(*calls)
    return answers[::2], answers[1::2]


def test_every_class_of_postgresql_is_among_them() -> None:
    assert len(QUICK) >= 35
    assert {"08", "0A", "21", "22", "23", "42", "53", "54", "55", "57", "58", "P0", "XX"} <= set(BY_CLASS)


@pytest.mark.parametrize("states", [QUICK, list(SLOW)], ids=["quick", "slow"])
@pytest.mark.parametrize("operation", CHANGES)
async def test_a_change_that_is_refused_fails_alone(faulty: Faulty, operation: str, states: list[str]) -> None:
    faults, good = await faulty.make([f"fault:{state}" for state in states])
    check(states, *await beside(faulty, faults, good, CHANGES[operation]))
    with within(faulty.home):
        left = await faulty.contents.get_many([content.id for content in faults])
    assert [left[content.id] for content in faults] == faults, "a refused change changes nothing"


@pytest.mark.parametrize("states", [QUICK, list(SLOW)], ids=["quick", "slow"])
async def test_a_restore_that_is_refused_fails_alone(faulty: Faulty, states: list[str]) -> None:
    faults, good = await faulty.make(["fine"] * len(states))
    for campaign, made in ((faulty.home, faults), (faulty.neighbour, good)):
        with within(campaign):
            for content in made:
                await faulty.contents.delete(content.id)
    await faulty.spoil("title", states, faults)
    check(states, *await beside(faulty, faults, good, lambda of, content: of.contents.restore(content.id)))


@pytest.mark.parametrize("keyed", [False, True], ids=["without key", "with key"])
@pytest.mark.parametrize("states", [QUICK, list(SLOW)], ids=["quick", "slow"])
async def test_a_create_that_is_refused_fails_alone(faulty: Faulty, states: list[str], keyed: bool) -> None:
    def create(campaign: int, n: int, body: str) -> Awaitable[Any]:
        values, key = {"title": f"{n}", "body": body}, f"key {n}" if keyed else None
        return called(caller(campaign, n), lambda: faulty.contents.create(values, key=key))

    home, neighbour = await make_campaign(faulty.database), await make_campaign(faulty.database)
    calls = []
    for n, state in enumerate(states):
        calls += [create(home, n, f"fault:{state}"), create(neighbour, n, "")]
    answers = await asyncio.gather(*calls)
    check(states, answers[::2], answers[1::2])
    assert await written(faulty.url, home) == {}
    assert await written(faulty.url, neighbour) == {content.id: content.title for content in answers[1::2]}
    if keyed:
        again = await asyncio.gather(*(create(neighbour, n, "") for n in range(len(states))))
        assert again == answers[1::2], "the same keys have the same answers"


async def test_a_get_that_is_refused_fails_alone(faulty: Faulty) -> None:
    states = [*QUICK, *SLOW]
    faults, good = await faulty.make(["fine"] * len(states))
    await faulty.spoil("slug", states, faults)
    check(states, *await beside(faulty, faults, good, lambda of, content: of.contents.get(content.id)))


async def test_the_rows_of_one_caller_fail_alone_too(faulty: Faulty) -> None:
    faults, _ = await faulty.make([f"fault:{state}" for state in QUICK])
    with within(faulty.home):
        drafts = [NewEntity({"title": "t", "body": f"fault:{state}"}) for state in QUICK]
        rows = [row for draft in drafts for row in (draft, NewEntity({"title": "t"}))]
        created = await faulty.contents.create_many(rows)
        check(QUICK, created[::2], created[1::2])
        ids = [id for bad, fine in zip(faults, created[1::2], strict=True) for id in (bad.id, fine.id)]
        changed = await faulty.contents.update_many([Change(id, {"body": "changed"}) for id in ids])
        check(QUICK, changed[::2], changed[1::2])


class Rejects:
    """Keeps the rejected lines."""

    def __init__(self) -> None:
        self.refused: list[tuple[int, OvasabiError]] = []

    def write(self, line: Line, refusal: OvasabiError) -> None:
        """Keeps one."""
        self.refused.append((line.number, refusal))

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_line_that_is_refused_is_rejected_and_the_others_are_imported(faulty: Faulty, size: int) -> None:
    # Such a server is waited for, and an import without its lease ends.
    lasting = [state for state in QUICK if state[:2] not in ("53", "57", "58") and state not in ("25006", "OV002")]
    if size == 1:  # a row by itself may not be at fault for a missing grant, say: the import ends
        lasting = [state for state in lasting if state[:2] not in ("42", "XX")]
    texts = [text for state in lasting for text in (f"fault:{state}", "")]
    rows = [
        Row(Line(n, b"", n), NewEntity({"title": f"{size} {n}", "body": text}, key=f"import {size} {n}"))
        for n, text in enumerate(texts, 1)
    ]
    batches = [Batch(rows[at : at + size], [], at + size) for at in range(0, len(rows), size)]
    rejects = Rejects()
    with within(faulty.neighbour):
        tally = await Importer(faulty.service, rejects).run(iter(batches))
    assert (tally.created, tally.rejected) == (len(lasting), len(lasting))
    assert [number for number, _ in rejects.refused] == [row.line.number for row in rows[::2]]


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_line_that_is_rolled_back_again_and_again_is_rejected_alone(
    faulty: Faulty, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PATIENCE", Policy(attempts=3, first=0.01, longest=0.02))
    texts = [f"fault:{state}" if n in (7, 8, 30) else "" for n in range(40)]
    rows = [
        Row(Line(n, b"", n), NewEntity({"title": f"{state} {n}", "body": text}, key=f"rolled back {state} {n}"))
        for n, text in enumerate(texts)
    ]
    rejects = Rejects()
    with within(faulty.home):
        tally = await Importer(faulty.service, rejects).run(iter([Batch(rows, [], 40)]))
    assert (tally.created, [number for number, _ in rejects.refused]) == (37, [7, 8, 30])
    assert {error.code for _, error in rejects.refused} == {"contended"}


@pytest.mark.parametrize("size", [1, 9])
async def test_an_import_that_no_row_can_pass_ends_with_the_error(faulty: Faulty, size: int) -> None:
    drafts = [NewEntity({"title": "t", "body": "fault:XX000"}, key=f"none {n}") for n in range(size)]
    rows = [Row(Line(n, b"", n), draft) for n, draft in enumerate(drafts)]
    with within(faulty.home), pytest.raises(asyncpg.PostgresError) as caught:
        await Importer(faulty.service, Rejects()).run(iter([Batch(rows, [], size)]))
    assert caught.value.sqlstate == "XX000"
