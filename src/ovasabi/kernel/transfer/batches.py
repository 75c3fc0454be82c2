"""Decodes the lines of a file to import into batches that are bounded in rows and in bytes."""

from collections.abc import Iterator
from typing import BinaryIO, Literal

import msgspec

from ovasabi.errors import OvasabiError
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.kernel.transfer.line_decoder import LineDecoder
from ovasabi.kernel.transfer.lines import Line, NotImportable, csv_records, json_lines

Format = Literal["jsonl", "csv"]
BATCH_ROWS = 500
BATCH_BYTES = 1024 * 1024


class Row(msgspec.Struct, frozen=True):
    """A line and the new entity decoded from it."""

    line: Line
    draft: NewEntity


class Batch(msgspec.Struct):
    """Rows that are sent together, the invalid lines among them, and the byte offset at which the last line ends."""

    rows: list[Row] = []
    refused: list[tuple[Line, OvasabiError]] = []
    size: int = 0
    end: int = 0

    def add(self, line: Line, draft: NewEntity | OvasabiError) -> None:
        """Adds a line with its new entity, or with the error that refused it."""
        if isinstance(draft, OvasabiError):
            self.refused.append((line, draft))
        else:
            self.rows.append(Row(line, draft))
        self.size += len(line.raw)
        self.end = line.end


def read_batches(
    file: BinaryIO, decoder: LineDecoder, format: Format, rows: int = BATCH_ROWS, *, after: int = 0
) -> Iterator[Batch]:
    """Yields the batches of a file; raises `NotImportable` if the file is empty or invalid as a whole.

    Lines that end within the first `after` bytes are decoded too, since the keys of equal lines depend on their order,
    but they are left out of the batches.
    """
    lines = json_lines(file) if format == "jsonl" else csv_records(file)
    if format == "csv" and (header := next(lines, None)) is not None:
        decoder.read_header(header)
    decode = decoder.from_json if format == "jsonl" else decoder.from_csv
    batch, empty = Batch(), True
    for line in lines:
        empty = False
        try:
            draft: NewEntity | OvasabiError = decode(line)
        except OvasabiError as error:
            draft = error
        if line.end > after:
            batch.add(line, draft)
        if len(batch.rows) + len(batch.refused) >= rows or batch.size >= BATCH_BYTES:
            yield batch
            batch = Batch()
    if batch.size:
        yield batch
    if empty:
        raise NotImportable(problem="The file is empty.")
