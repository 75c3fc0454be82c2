"""The rows that every system holds and is sent: made-up words, the same each time."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ovasabi.kernel.declare.ids import EPOCH

WORDS = 5_000
BODY_WORDS = 70  # about 500 characters
EVENT = "content:create:v1:success"
_COLUMNS = {
    "master": "id, uuid, campaign_id, type, name, created_at, updated_at",
    "service_content_main": "campaign_id, created_at, master_id, title, body, slug, tags, metadata, updated_at",
    "service_event": "stream, occurred_at, id, campaign_id, master_id, event_type, version, actor, payload",
}


def vocabulary() -> list[str]:
    """Words of two to four syllables, each once."""
    chosen = random.Random(1)
    syllables = [a + b for a in "bdfgklmnprstv" for b in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(chosen.choices(syllables, k=chosen.randint(2, 4)))] = None
    return list(words)


def pairs(count: int) -> list[tuple[str, str]]:
    """Different pairs of words, whichever comes first."""
    words, chosen = vocabulary(), random.Random(2)
    found: dict[tuple[str, str], None] = {}
    while len(found) < count:
        first, second = sorted(chosen.sample(words, k=2))
        found[first, second] = None
    return list(found)


def drafts(count: int, prefix: str) -> Iterator[dict[str, Any]]:
    """Contents as a client sends them: a title of five words, a body, two tags, and a slug of its own."""
    words, chosen = vocabulary(), random.Random(prefix)
    for number in range(count):
        yield {
            "title": " ".join(chosen.choices(words, k=5)),
            "body": " ".join(chosen.choices(words, k=BODY_WORDS)),
            "tags": chosen.sample(words, k=2),
            "slug": f"{prefix}-{number}",
        }


class Table:
    """A set of rows on its way into the three tables by COPY; `id` numbers them, a millisecond apart."""

    def __init__(self, count: int, campaign: int, id: Callable[[int], int]) -> None:
        self.count, self.campaign, self.id = count, campaign, id
        # They end a second ago: an id of now could meet one of them.
        self.start = int((datetime.now(UTC) - EPOCH).total_seconds() * 1000) - count - 1000

    @classmethod
    def of_ovasabi(cls, count: int, campaign: int) -> "Table":
        """With ids that carry their time, in order: the n-th is `(start + n) << 12`."""
        table = cls(count, campaign, lambda number: (table.start + number) << 12)
        return table

    @property
    def ids(self) -> list[int]:
        """The ids of all rows."""
        return [self.id(number) for number in range(self.count)]

    def at(self, number: int) -> str:
        """When a row was made, as PostgreSQL reads it."""
        return datetime.fromtimestamp((EPOCH.timestamp() * 1000 + self.start + number) / 1000, UTC).isoformat()

    def write(self, folder: Path, values: Iterable[dict[str, Any]]) -> Path:
        """Writes the files and a script for psql that copies them in one transaction."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {name: (folder / f"{name}.copy").open("w") for name in _COLUMNS}
        for number, draft in enumerate(values):
            for file, row in zip(files.values(), self._rows(number, draft), strict=True):
                file.write("\t".join(map(str, row)) + "\n")
        script = folder / "copy.sql"
        lines = [f"\\copy {name} ({columns}) FROM '{files[name].name}'" for name, columns in _COLUMNS.items()]
        script.write_text("\n".join(["BEGIN;", *lines, "COMMIT;", ""]))
        for file in files.values():
            file.close()
        return script

    def _rows(self, number: int, draft: dict[str, Any]) -> list[list[Any]]:
        id, at, campaign, title = self.id(number), self.at(number), self.campaign, draft["title"]
        tags = "{" + ",".join(draft["tags"]) + "}"
        milliseconds = int(EPOCH.timestamp()) * 1000 + self.start + number
        uuid = f"{milliseconds:012x}7000{0x8000_0000_0000_0000 + number:016x}"
        return [
            [id, uuid, campaign, "content", title, at, at],
            [campaign, at, id, title, draft["body"], draft["slug"], tags, "{}", at],
            ["operational", at, id, campaign, id, EVENT, 1, "key:bench", json.dumps(draft)],
        ]
