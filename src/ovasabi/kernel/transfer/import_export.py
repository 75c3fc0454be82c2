"""The long methods of every entity's service: importing and exporting entities."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
from msgspec import Meta

from ovasabi.decimals import to_json
from ovasabi.errors import DeadlineExceeded, OvasabiError
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.declare.entity import Entity, EntityType, type_of
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.declare.methods import long
from ovasabi.kernel.store.filters import MAX_LENGTH
from ovasabi.kernel.store.listing import ListRequest, Page
from ovasabi.kernel.transfer.batches import Batch, Format, read_batches
from ovasabi.kernel.transfer.importer import EntityCreator, Importer, Tally
from ovasabi.kernel.transfer.line_decoder import LineDecoder
from ovasabi.kernel.transfer.lines import Line, csv_records, json_lines
from ovasabi.kernel.work.long_methods import Progress

LINES, ROWS = 500, 200
"""The maximum number of lines that an import sends, and of entities that an export reads, in one statement."""
OUTPUT_BYTES = 512 * 1024
"""The approximate amount that an export reads and writes at a time."""
SHOWN_REJECTS, SHOWN_REASON = 100, 300


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines to import."""

    data: Annotated[str, Meta(min_length=1, description="The lines, as in a file for `ovasabi import`.")]
    format: Format = "jsonl"
    key: Annotated[
        Annotated[str, Meta(max_length=200)] | None,
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

    filter: Annotated[
        str, Meta(max_length=MAX_LENGTH, description="A filter, as in a list; all entities by default.")
    ] = ""
    format: Literal["jsonl"] = "jsonl"
    whole: Annotated[
        bool,
        Meta(description="Whether to include ids, versions, states and other fields that an import does not accept."),
    ] = False


class ExportResult(msgspec.Struct, frozen=True):
    """The result of an export; read the lines with the `download` method of the operation."""

    entities: int = 0
    bytes: int = 0


class Collection(EntityCreator, Protocol):
    """The part of a service that imports and exports need: creating and listing entities of one type."""

    entity: ClassVar[type[Entity]]

    async def list(self, request: ListRequest) -> Page[Any]:
        """Returns a page of the entities."""


@long(role=None)
async def import_entities(service: Collection, request: ImportRequest, progress: Progress) -> ImportResult:
    """Creates entities from lines of JSON or CSV. Reports invalid lines; creates all others, each exactly once."""
    return await _import(service, request, progress)


@long()
async def export_entities(service: Collection, request: ExportRequest, progress: Progress) -> ExportResult:
    """Writes the entities that exist when it is called, oldest first, as lines of JSON that `import` accepts."""
    return await _export(service, request, progress)


class _Rejects:
    """Collects the first lines that were rejected."""

    def __init__(self, previous: list[Reject]) -> None:
        self.first = list(previous)

    def write(self, line: Line, refusal: OvasabiError) -> None:
        reason = (
            "An earlier line with this key had different values." if isinstance(refusal, KeyReused) else str(refusal)
        )
        if len(self.first) < SHOWN_REJECTS:
            reason = reason[:SHOWN_REASON].replace("\0", "\N{REPLACEMENT CHARACTER}")  # jsonb cannot contain NUL
            self.first.append(Reject(line.number, reason, refusal.field and refusal.field.replace("\0", "")))

    def close(self) -> None:
        """Does nothing, since no file is open."""


async def _import(service: Collection, request: ImportRequest, progress: Progress) -> ImportResult:
    data, previous = request.data.encode(), msgspec.convert(progress.so_far or {}, ImportResult)
    total, rejects = await asyncio.to_thread(_count_lines, data, request.format), _Rejects(previous.rejects)
    end = int(progress.marker or 0)

    def result(tally: Tally) -> ImportResult:
        return ImportResult(tally.created, tally.present, tally.rejected, rejects.first)

    async def after_batch(tally: Tally) -> None:
        await progress.step(tally.lines, total, marker=tally.end, so_far=result(tally))

    importer = Importer(
        service,
        rejects,
        explicit_keys=request.key is not None,
        in_flight=1,  # each statement locks the operation's lease, which can only be renewed between two statements
        since=progress.operation_id,
        after_batch=after_batch,
    )
    importer.tally = Tally(previous.created, previous.present, previous.rejected, end)
    decoder = LineDecoder(type_of(service.entity), request.key)
    batches = read_batches(io.BytesIO(data), decoder, request.format, LINES, after=end)
    return result(await importer.run_async(_in_threads(batches)))


def _count_lines(data: bytes, format: Format) -> int:
    """Returns the number of lines to import."""
    file = io.BytesIO(data)
    if format == "jsonl":
        return sum(1 for _ in json_lines(file))
    return max(0, sum(1 for _ in csv_records(file)) - 1)


async def _in_threads(batches: Iterator[Batch]) -> AsyncIterator[Batch]:
    """Yields the batches; each is decoded in a thread when it is requested."""
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        yield batch


class _Checkpoint(msgspec.Struct, frozen=True):
    """The checkpoint of an export: the token and size of the next page, the total, and whether the export is done."""

    token: str = ""
    rows: int = 50
    total: int | None = None
    over: bool = False


async def _export(service: Collection, request: ExportRequest, progress: Progress) -> ExportResult:
    result = msgspec.convert(progress.so_far or {}, ExportResult)
    checkpoint = msgspec.convert(progress.marker or {}, _Checkpoint)
    fields = None if request.whole else _importable_fields(type_of(service.entity))
    while not checkpoint.over:
        page, total = await _page(service, request, checkpoint)
        # Entities that are created while the export runs have greater ids than the operation and are left out.
        entities = [entity for entity in page.items if entity.id <= progress.operation_id]
        over = len(entities) < len(page.items) or not page.next_page_token
        output = _output(entities, fields) or ([""] if over and not result.entities else [])
        size = sum(len(text.encode()) for text in output)
        result = ExportResult(result.entities + len(entities), result.bytes + size)
        rows = max(1, min(ROWS, 2 * checkpoint.rows, OUTPUT_BYTES * len(entities) // max(1, size)))
        checkpoint = _Checkpoint(page.next_page_token, rows, total, over)
        await progress.step(result.entities, total, marker=checkpoint, so_far=result, output=output)
    return result


async def _page(service: Collection, request: ExportRequest, checkpoint: _Checkpoint) -> tuple[Page[Any], int | None]:
    """Returns the next page, and the total number of entities if it could be counted in time."""
    next_page = ListRequest(
        page_size=checkpoint.rows, page_token=checkpoint.token, filter=request.filter, order_by="created_at"
    )
    if not checkpoint.token:
        try:
            page = await service.list(msgspec.structs.replace(next_page, include_total=True))
            return page, page.total_size
        except DeadlineExceeded:
            pass
    return await service.list(next_page), checkpoint.total


def _importable_fields(of: EntityType) -> list[str]:
    """Returns the fields that an import accepts, except for secrets, which cannot be read."""
    secrets = {field.name for field in of.stored if field.has(Secret)}
    return [name for name in of.draft.__struct_fields__ if name not in secrets]


def _output(entities: list[Entity], fields: list[str] | None) -> list[str]:
    """Returns the entities as lines of JSON, in pieces of a size that suits a download."""
    pieces: list[list[str]] = [[]]
    size = 0
    for entity in entities:
        value = entity if fields is None else {name: getattr(entity, name) for name in fields}
        line = to_json(value).decode() + "\n"
        if size and size + len(line) > 2 * OUTPUT_BYTES:
            pieces.append([])
            size = 0
        pieces[-1].append(line)
        size += len(line)
    return ["".join(piece) for piece in pieces if piece]
