"""How long a search takes: every kind of query, in a campaign of 100,000 contents beside another of as many.

    .venv/bin/python benchmarks/search.py --version 15 --months 12 --dedicated

One client asks one query after the other, through the kernel, as the application: row-level security is on. The server
is made for the run and removed after it. Autovacuum is off, so that «before ANALYZE» is the state right after loading.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import asyncpg

from ovasabi.database.connection import Database
from ovasabi.database.embedded import EmbeddedServer
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import acting, on_platform, system_context
from ovasabi.kernel.search.full_text import search
from ovasabi.kernel.store.repository import Repository
from ovasabi.lifecycle import migrations, partitions
from ovasabi.system.campaign.entity import Campaign

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
VOCABULARY, COMMON, RARE = 20_000, 30, 5_000
"""How many words there are; up to which rank a word is common, and from which on rare."""
SYLLABLES = "b c d f g h k l m n p r s t v w br ch st tr"
BATCH = 1_000
GOAL_MS = 10.0

# Straight into the tables: creates through the kernel would be of this month only.
LOAD = """
WITH made AS MATERIALIZED (
  SELECT time_id(at) | (nextval('id_sequence') & 4095) AS id, title, body
  FROM unnest($2::timestamptz[], $3::text[], $4::text[]) AS t (at, title, body)),
registered AS (
  INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
  SELECT id, id_uuid(id), $1, 'content', title, id_time(id), id_time(id) FROM made RETURNING id)
INSERT INTO service_content_main (campaign_id, created_at, master_id, title, body, updated_at)
SELECT $1, id_time(id), id, title, body, id_time(id) FROM registered JOIN made USING (id)"""
TOGETHER = """
SELECT EXISTS (SELECT 1 FROM service_content_main
               WHERE search_vector @@ format('%L & %L & %L', $2::text, $3::text, ' ' || $1::int)::tsquery)"""


class Texts:
    """Texts of a vocabulary in which the word of rank r comes 1/r times as often as the first, the same at each run."""

    def __init__(self) -> None:
        chance = random.Random(1)
        syllables = [start + end for start in SYLLABLES.split() for end in "aeiou"]
        words: dict[str, None] = {}
        while len(words) < VOCABULARY:
            # The more often a word is used, the shorter it is.
            count = 1 + (len(words) > 60) + (len(words) > 2_500) + chance.choice((0, 0, 1))
            words["".join(chance.choices(syllables, k=count)) + chance.choice(("", "n", "s", "r"))] = None
        self.words = list(words)
        self._weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))

    def some(self, chance: random.Random, count: int) -> list[str]:
        """Words by frequency."""
        return chance.choices(self.words, cum_weights=self._weights, k=count)

    def content(self, number: int) -> tuple[str, str]:
        """Title and body of a content."""
        chance = random.Random(number)
        return " ".join(self.some(chance, 5)), " ".join(self.some(chance, chance.randint(40, 120)))


class Kinds:
    """The kinds of queries; each call makes another query of its kind."""

    def __init__(self, texts: Texts, rows: int, connection: asyncpg.Connection, campaign: int) -> None:
        self.texts, self.rows, self.connection, self.campaign = texts, rows, connection, campaign
        self.chance = random.Random(7)

    async def all(self, count: int) -> dict[str, list[str]]:
        """So many queries of each kind."""
        return {
            "one word, by frequency": [self._word() for _ in range(count)],
            "one word, common": [self._common() for _ in range(count)],
            "one word, rare": [self._rare() for _ in range(count)],
            "one word, absent": [f"{self._rare()}zq" for _ in range(count)],
            "two words, adjacent": [" ".join(self._adjacent(2)) for _ in range(count)],
            "two words, any": [f"{self._word()} {self._word()}" for _ in range(count)],
            "two words that never meet": [await self._apart() for _ in range(count)],
            "three common words": [f"{self._common()} {self._common()} {self._common()}" for _ in range(count)],
            "phrase of two words": [f'"{" ".join(self._adjacent(2))}"' for _ in range(count)],
            "phrase of three words": [f'"{" ".join(self._adjacent(3))}"' for _ in range(count)],
            "prefix, 1 letter": [self._word()[:1] for _ in range(count)],
            "prefix, 2 letters": [self._word()[:2] for _ in range(count)],
            "prefix, 3 letters or more": [self._start() for _ in range(count)],
            "word and prefix": [f"{self._word()} {self._start()}" for _ in range(count)],
            "exclusion": [f"{self._word()} -{self._other()}" for _ in range(count)],
            "exclusion of a common word": [f"{self._rare()} -{self._common()}" for _ in range(count)],
            "OR": [f"{self._word()} OR {self._word()}" for _ in range(count)],
            "typing error": [self._mistyped() for _ in range(count)],
            "typing error, two words": [f"{self._word()} {self._mistyped()}" for _ in range(count)],
            "title": [self._title() for _ in range(count)],
        }

    def _word(self) -> str:
        return self.texts.some(self.chance, 1)[0]

    def _common(self) -> str:
        return self.chance.choice(self.texts.words[:COMMON])

    def _rare(self) -> str:
        return self.chance.choice(self.texts.words[RARE:])

    def _other(self) -> str:
        """A word by frequency, but none that nearly all texts have."""
        return next(word for word in iter(self._word, "") if word not in self.texts.words[:5])

    def _title(self) -> str:
        return self.texts.content(self.chance.randrange(self.rows))[0]

    def _adjacent(self, count: int) -> list[str]:
        words = self.texts.content(self.chance.randrange(self.rows))[1].split()
        place = self.chance.randrange(len(words) - count)
        return words[place : place + count]

    def _long(self, letters: int) -> str:
        return next(word for word in iter(self._word, "") if len(word) >= letters)

    def _start(self) -> str:
        word = self._long(4)
        return word[: self.chance.randint(3, len(word) - 1)]

    def _mistyped(self) -> str:
        """A word with a letter that no word has in place of one of its own."""
        word = self._long(4)
        place = self.chance.randrange(1, len(word))
        return f"{word[:place]}q{word[place + 1 :]}"

    async def _apart(self) -> str:
        while True:
            pair = self._word(), self._rare()
            if not await self.connection.fetchval(TOGETHER, self.campaign, *pair):
                return " ".join(pair)


def batches(texts: Texts, offset: int, rows: int, months: int) -> Iterator[tuple[list[datetime], list[str], list[str]]]:
    """Contents in order of time: over so many months back from now, or over the last hour."""
    now = datetime.now(UTC)
    first = now - (timedelta(hours=1) if months == 1 else timedelta(days=30.4 * (months - 1)))
    for start in range(0, rows, BATCH):
        numbers = range(start, min(start + BATCH, rows))
        titles, bodies = zip(*(texts.content(offset + number) for number in numbers), strict=True)
        yield [first + (now - first) * (number / rows) for number in numbers], list(titles), list(bodies)


async def load(connection: asyncpg.Connection, texts: Texts, campaigns: list[int], rows: int, months: int) -> None:
    """As many contents into each campaign, by turns; those of the first have the numbers from 0 on."""
    began = time.perf_counter()
    turns = zip(*(batches(texts, rows * at, rows, months) for at in range(len(campaigns))), strict=True)
    for done, turn in enumerate(turns, 1):
        for campaign, batch in zip(campaigns, turn, strict=True):
            await connection.execute(LOAD, campaign, *batch)
        print(f"\rloading: {done * BATCH * len(campaigns):,} contents", end="", flush=True)
    print(f" in {time.perf_counter() - began:.0f} s")


async def make_campaigns(database: Database, connection: asyncpg.Connection, months: int, dedicated: bool) -> list[int]:
    """Two campaigns, the first in partitions of its own if so wished, with their months."""
    campaigns = []
    for name in ("measured", "other"):
        with acting(system_context("benchmark")), on_platform("a benchmark makes campaigns"):
            slug = f"{name}-{uuid.uuid4().hex[:8]}"
            campaigns.append((await Repository(database, Campaign).create({"slug": slug, "title": name})).campaign_id)
    if dedicated:
        await partitions.dedicate(database, campaigns[0], 0)
    for back in range(1, months):
        month = (datetime.now(UTC) - timedelta(days=30.4 * back)).date()
        for parent in ["service_content_main_pool", f"service_content_main_c{campaigns[0]}"][: 1 + dedicated]:
            await connection.execute("SELECT create_month($1, $2)", parent, month)
    return campaigns


async def measure(
    database: Database, campaign: int, kinds: dict[str, list[str]], repetitions: int, types: list[str] | None
) -> dict[str, tuple[float, ...]]:
    """p50, p95 and p99 of each kind and of all together in ms: of several repetitions the one with the best p95."""
    answers, together = {}, []
    with acting(system_context("benchmark", campaign)):
        for kind, queries in kinds.items():
            print(f"\rmeasuring: {kind:40}", end="", flush=True)
            runs = [sorted([await _timed(database, query, types) for query in queries]) for _ in range(repetitions)]
            best = min(runs, key=lambda times: _percentiles(times)[1])
            answers[kind] = _percentiles(best)
            together += best
    answers["all of these"] = _percentiles(sorted(together))
    print(f"\r{'':60}\r", end="")
    return answers


def _percentiles(times: list[float]) -> tuple[float, ...]:
    return tuple(times[int(len(times) * part)] * 1000 for part in (0.50, 0.95, 0.99))


async def _timed(database: Database, query: str, types: list[str] | None) -> float:
    began = time.perf_counter()
    await search(database, query, types=types)
    return time.perf_counter() - began


def show(heading: str, answers: dict[str, tuple[float, ...]]) -> None:
    """The table."""
    print(f"{heading} (load average {os.getloadavg()[0]:.1f})\n{'ms':28} {'p50':>7} {'p95':>7} {'p99':>7}")
    for kind, times in answers.items():
        mark = "" if times[1] < GOAL_MS else f"  over {GOAL_MS:.0f} ms"
        print(f"{kind:28} {times[0]:7.1f} {times[1]:7.1f} {times[2]:7.1f}{mark}")


async def run(options: argparse.Namespace, server: EmbeddedServer) -> None:
    """Loads, measures, analyses and measures again."""
    await migrations.upgrade(server.url())
    database = await Database(server.url(), readers=1, writers=2).open()
    connection = await asyncpg.connect(server.url(), server_settings={"enable_seqscan": "off"})
    try:
        await partitions.ensure(database, 0)
        campaigns = await make_campaigns(database, connection, options.months, options.dedicated)
        texts = Texts()
        await load(connection, texts, campaigns, options.rows, options.months)
        kinds = await Kinds(texts, options.rows, connection, campaigns[0]).all(options.queries)
        types = options.types.split(",") if options.types else None
        for heading in ("before ANALYZE", "after ANALYZE"):
            if heading == "after ANALYZE":
                await connection.execute("VACUUM ANALYZE" if options.vacuum else "ANALYZE")
            answers = await measure(database, campaigns[0], kinds, options.repetitions, types)
            show(f"\nPostgreSQL {options.version}, {heading}", answers)
    finally:
        await connection.close()
        await database.close()


async def main(options: argparse.Namespace) -> None:
    """Runs on a server of its own."""
    discover()
    binaries = DEBIAN_15 if options.version == 15 else None
    with tempfile.TemporaryDirectory(prefix="ovasabi-search-") as folder:
        path = Path(folder) / "postgres"
        settings = {"autovacuum": "off"}
        async with EmbeddedServer(path, version=options.version, binaries=binaries, options=settings) as server:
            await run(options, server)


def arguments() -> argparse.ArgumentParser:
    """What can be chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="contents of each of the two campaigns")
    parser.add_argument("--version", type=int, choices=(15, 18), default=18, help="of PostgreSQL; 15 is Debian's")
    parser.add_argument("--months", type=int, default=1, help="over how many months the contents are spread")
    parser.add_argument("--dedicated", action="store_true", help="partitions of its own for the measured campaign")
    parser.add_argument("--types", help="types to search, by commas; all of them by default")
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    parser.add_argument("--repetitions", type=int, default=3, help="the one with the best p95 is shown")
    parser.add_argument("--vacuum", action="store_true", help="VACUUM ANALYZE in place of ANALYZE")
    return parser


if __name__ == "__main__":
    asyncio.run(main(arguments().parse_args()))
