"""Reads the lines of a file to import, JSON Lines or CSV, one at a time, so memory does not grow with the file."""

import csv
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as

MAX_LINE = 16 * 1024 * 1024
MAX_RECORD_LINES = 100_000
EXCERPT_BYTES = 1_000
"""How much of a line that is too long is retained for the reject file."""
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class NotImportable(OvasabiError):
    """The import cannot start: the file, its header or an option is invalid."""

    kind = Kind.INVALID
    code = "not_importable"
    message = "{problem}"
    example = such_as(problem="The CSV header contains title twice.")


class Line(msgspec.Struct, frozen=True):
    """A line of JSON Lines, or a CSV record, which may span several lines.

    `number` is the number of its first line, and `end` the byte offset at which it ends.
    """

    number: int
    raw: bytes
    end: int
    problem: str | None = None
    cells: list[str] | None = None


def json_lines(file: BinaryIO) -> Iterator[Line]:
    """Yields the lines that are not blank."""
    first = True
    for line in _lines(file):
        if line.raw.isspace() or not line.raw:
            continue
        if first and line.raw.startswith(b"["):
            raise NotImportable(
                problem="The file is a JSON array, not JSON Lines.", hint="Write one object per line: jq -c '.[]' FILE"
            )
        first = False
        yield line


def csv_records(file: BinaryIO) -> Iterator[Line]:
    """Yields the records that are not blank, the header first. After an invalid one, resumes at the next line."""
    csv.field_size_limit(MAX_LINE)
    source, lines = _lines(file), list[Line]()

    def feed() -> Iterator[str]:
        for line in source:
            lines.append(line)
            if len(lines) > MAX_RECORD_LINES:
                raise csv.Error(f"a record has more than {MAX_RECORD_LINES} lines, so a quote is probably not closed")
            yield line.raw.decode(errors="replace")

    reader = csv.reader(feed(), strict=True)
    while True:
        lines.clear()
        problem, cells = None, None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"The CSV is not valid: {error}."
            reader = csv.reader(feed(), strict=True)
        if cells is not None and not any(cell.strip() for cell in cells):
            continue  # spreadsheets often write blank records at the end
        raw = b"".join(line.raw for line in lines)
        problem = next((line.problem for line in lines if line.problem), problem or not_utf8(raw))
        yield Line(lines[0].number, raw, lines[-1].end, problem, cells)


def not_utf8(raw: bytes) -> str | None:
    """Returns a description of the problem if the line is not valid UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"The line is not valid UTF-8: its byte {error.start + 1} is {raw[error.start]:#04x}."
    return None


def _lines(file: BinaryIO) -> Iterator[Line]:
    end = number = 0
    while raw := file.readline(MAX_LINE + 1):
        number, end, problem = number + 1, end + len(raw), None
        if len(raw) > MAX_LINE:
            problem = f"The line is longer than {MAX_LINE // 1024 // 1024} MiB."
            end += 0 if raw.endswith(b"\n") else _skip_line(file)
            raw = raw[:EXCERPT_BYTES]
        if number == 1:
            if raw.startswith(_UTF_16):
                raise NotImportable(
                    problem="The file is UTF-16; it must be UTF-8.",
                    hint="Convert it: iconv -f UTF-16 -t UTF-8 FILE",
                )
            raw = raw.removeprefix(_BOM)
        yield Line(number, raw, end, problem)


def _skip_line(file: BinaryIO) -> int:
    """Skips the rest of the line; returns the number of bytes skipped."""
    skipped = 0
    while rest := file.readline(1024 * 1024):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped
