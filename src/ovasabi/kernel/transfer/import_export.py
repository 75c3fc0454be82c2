"""What every entity's service can do with all of its entities, at length: take them in, and give them out."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
from msgspec import Meta

from ovasabi.errors import DeadlineExceeded, OvasabiError
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.declare.entity import Entity, EntityType, type_of
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.declare.methods import long
from ovasabi.kernel.store.listing import ListRequest, Page
from ovasabi.kernel.transfer.batches import Batch, Format, read_batches
from ovasabi.kernel.transfer.importer import Creating, Importer, Tally
from ovasabi.kernel.transfer.line_decoder import LineDecoder
from ovasabi.kernel.transfer.lines import Line, csv_records, json_lines
from ovasabi.kernel.work.long_methods import Progress

LINES, ROWS = 500, 200
"""Lines that an import sends, and entities that an export reads, in one statement, at most."""
OUTPUT_BYTES = 512 * 1024
"""About how much an export reads, and puts out, at a time."""
SHOWN_REJECTS, SHOWN_REASON = 100, 300


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines to import."""

    data: Annotated[str, Meta(min_length=1, description="The lines, as in a file for `ovasabi import`.")]
    format: Format = "jsonl"
    key: Annotated[
        str | None,
        Meta(description="The field, or an extra field, that identifies a line; by default, the whole line."),
    ] = None


class Reject(msgspec.Struct, frozen=True):
    """A line that was rejected."""

    line: int
    reason: str
    field: str | None = None


class ImportResult(msgspec.Struct, frozen=True):
    """The result of an import."""

    created: int = 0
    present: Annotated[int, Meta(description="The number of lines that were already imported.")] = 0
    rejected: int = 0
    rejects: Annotated[list[Reject], Meta(description="The first 100 rejected lines.")] = []


class ExportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The entities to export."""

    filter: Annotated[str, Meta(description="A filter, as in a list; all entities by default.")] = ""
    format: Literal["jsonl"] = "jsonl"
    whole: Annotated[
        bool,
        Meta(description="Whether to include ids, versions, states and other fields that an import does not accept."),
    ] = False


class ExportResult(msgspec.Struct, frozen=True):
    """The result of an export; read the lines with the `download` method of the operation."""

    entities: int = 0
    bytes: int = 0


class Collection(Creating, Protocol):
    """What imports and exports need of a service: entities of one type, created and listed."""

    entity: ClassVar[type[Entity]]

    async def list(self, request: ListRequest) -> Page[Any]:
        """Returns a page of the entities."""


@long(role=None)
async def import_entities(service: Collection, request: ImportRequest, progress: Progress) -> ImportResult:
    """Creates entities from lines of JSON or CSV. Reports invalid lines; creates all others, each exactly once."""
    return await _imported(service, request, progress)


@long()
async def export_entities(service: Collection, request: ExportRequest, progress: Progress) -> ExportResult:
    """Writes the entities that exist when it is called, oldest first, as lines of JSON that `import` accepts."""
    return await _exported(service, request, progress)


class _Rejects:
    """Keeps the first of the lines that were refused."""

    def __init__(self, before: list[Reject]) -> None:
        self.kept = list(before)

    def write(self, line: Line, refusal: OvasabiError) -> None:
        reason = (
            "An earlier line with this key had different values." if isinstance(refusal, KeyReused) else str(refusal)
        )
        if len(self.kept) < SHOWN_REJECTS:
            reason = reason[:SHOWN_REASON].replace("\0", "\N{REPLACEMENT CHARACTER}")  # which no jsonb can hold
            self.kept.append(Reject(line.number, reason, refusal.field and refusal.field.replace("\0", "")))

    def close(self) -> None:
        """Nothing is open."""


async def _imported(service: Collection, request: ImportRequest, progress: Progress) -> ImportResult:
    data, before = request.data.encode(), msgspec.convert(progress.so_far or {}, ImportResult)
    total, rejects = await asyncio.to_thread(_lines, data, request.format), _Rejects(before.rejects)
    end = int(progress.marker or 0)

    def result(tally: Tally) -> ImportResult:
        return ImportResult(tally.created, tally.present, tally.rejected, rejects.kept)

    async def settled(tally: Tally) -> None:
        await progress.step(tally.lines, total, marker=tally.end, so_far=result(tally))

    importer = Importer(
        service,
        rejects,
        given_keys=request.key is not None,
        in_flight=1,  # each statement locks the lease that it is written under: between two of them it is renewed
        since=progress.operation_id,
        settled=settled,
    )
    importer.tally = Tally(before.created, before.present, before.rejected, end)
    drafts = LineDecoder(type_of(service.entity), request.key)
    batches = read_batches(io.BytesIO(data), drafts, request.format, LINES, after=end)
    return result(await importer.run_through(_one_by_one(batches)))


def _lines(data: bytes, format: Format) -> int:
    """How many lines there are to import."""
    file = io.BytesIO(data)
    if format == "jsonl":
        return sum(1 for _ in json_lines(file))
    return max(0, sum(1 for _ in csv_records(file)) - 1)


async def _one_by_one(batches: Iterator[Batch]) -> AsyncIterator[Batch]:
    """Batches, each decoded in a thread when it is wanted."""
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        yield batch


class _Place(msgspec.Struct, frozen=True):
    """Where an export is: the next page, how many entities it has, how many there are in all; whether it is over."""

    token: str = ""
    rows: int = 50
    total: int | None = None
    over: bool = False


async def _exported(service: Collection, request: ExportRequest, progress: Progress) -> ExportResult:
    result = msgspec.convert(progress.so_far or {}, ExportResult)
    place = msgspec.convert(progress.marker or {}, _Place)
    fields = None if request.whole else _drafted(type_of(service.entity))
    while not place.over:
        page, total = await _page(service, request, place)
        # What is created while it runs has a greater id than the operation: an export ends.
        there = [entity for entity in page.items if entity.id <= progress.operation_id]
        over = len(there) < len(page.items) or not page.next_page_token
        output = _output(there, fields) or ([""] if over and not result.entities else [])
        size = sum(len(text.encode()) for text in output)
        result = ExportResult(result.entities + len(there), result.bytes + size)
        rows = max(1, min(ROWS, 2 * place.rows, OUTPUT_BYTES * len(there) // max(1, size)))
        place = _Place(page.next_page_token, rows, total, over)
        await progress.step(result.entities, total, marker=place, so_far=result, output=output)
    return result


async def _page(service: Collection, request: ExportRequest, place: _Place) -> tuple[Page[Any], int | None]:
    """The next page, and how many there are, if that could be counted in time."""
    asked = ListRequest(page_size=place.rows, page_token=place.token, filter=request.filter, order_by="created_at")
    if not place.token:
        try:
            counted = await service.list(msgspec.structs.replace(asked, include_total=True))
            return counted, counted.total_size
        except DeadlineExceeded:
            pass
    return await service.list(asked), place.total


def _drafted(of: EntityType) -> list[str]:
    """The fields that a draft has, but for secrets, which nobody reads."""
    secrets = {field.name for field in of.stored if field.has(Secret)}
    return [name for name in of.draft.__struct_fields__ if name not in secrets]


def _output(entities: list[Entity], fields: list[str] | None) -> list[str]:
    """Lines of JSON, in pieces of about the size that one wants to download at a time."""
    pieces: list[list[str]] = [[]]
    size = 0
    for entity in entities:
        value = entity if fields is None else {name: getattr(entity, name) for name in fields}
        line = msgspec.json.encode(value).decode() + "\n"
        if size and size + len(line) > 2 * OUTPUT_BYTES:
            pieces.append([])
            size = 0
        pieces[-1].append(line)
        size += len(line)
    return ["".join(piece) for piece in pieces if piece]
