"""How an import reads a file: lines, CSV records, new entities and their keys, and bounded batches."""

import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ovasabi.discovery import discover
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.errors import InvalidValue, KeyReused
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.transfer import lines
from ovasabi.kernel.transfer.batches import BATCH_BYTES, Batch, Format, read_batches
from ovasabi.kernel.transfer.importer import type_named
from ovasabi.kernel.transfer.line_decoder import MAX_KEY, LineDecoder
from ovasabi.kernel.transfer.lines import Line, NotImportable, csv_records, json_lines
from ovasabi.kernel.transfer.reject_file import Rejects

discover()


def batches(
    text: str | bytes, plural: str = "contents", format: Format = "jsonl", key: str | None = None
) -> list[Batch]:
    """The batches of a file with this text."""
    raw = text if isinstance(text, bytes) else text.encode()
    return list(read_batches(io.BytesIO(raw), LineDecoder(declared[type_named(plural)], key), format))


def only(text: str | bytes, **options: Any) -> Batch:
    """The one batch of a file."""
    (batch,) = batches(text, **options)
    return batch


def keys(text: str | bytes, **options: Any) -> list[str]:
    """The keys of the lines that are right."""
    return [str(row.draft.key) for row in only(text, **options).rows]


def values(text: str, **options: Any) -> dict[str, Any]:
    """The values of the only line."""
    (row,) = only(text, **options).rows
    return dict(row.draft.values)


def refusal(text: str | bytes, **options: Any) -> OvasabiError:
    """Why the only line is refused."""
    batch = only(text, **options)
    assert batch.rows == []
    ((_, error),) = batch.refused
    return error


def json_of(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_lines_carry_their_number_and_the_bytes_read_so_far_and_blank_ones_count() -> None:
    read = list(json_lines(io.BytesIO(b'{"a": 1}\n\n  \r\n{"b": 2}')))
    assert [(line.number, line.raw, line.end) for line in read] == [(1, b'{"a": 1}\n', 9), (4, b'{"b": 2}', 22)]


def test_a_byte_order_mark_is_left_out() -> None:
    assert values(b"\xef\xbb\xbf".decode() + '{"title": "x"}')["title"] == "x"


def test_a_line_that_is_too_long_is_refused_alone_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 2_000)
    text = json_of([{"title": "a"}, {"title": "b" * 2_100_000}, {"title": "c"}])
    batch = only(text)
    assert [row.draft.values["title"] for row in batch.rows] == ["a", "c"]
    assert batch.refused[0][0].number == 2
    assert len(batch.refused[0][0].raw) == lines.EXCERPT_BYTES
    assert batch.end == len(text)


@pytest.mark.parametrize("text", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_one_error(text: bytes) -> None:
    for format in ("jsonl", "csv"):
        with pytest.raises(NotImportable, match="The file is empty"):
            batches(text, format=format)  # type: ignore[arg-type]


def test_a_csv_without_records_is_one_error() -> None:
    with pytest.raises(NotImportable, match="The file is empty"):
        batches("title,body\n", format="csv")


def test_a_json_array_and_utf_16_are_told_apart_from_json_lines() -> None:
    with pytest.raises(NotImportable, match="a JSON array"):
        batches('[{"title": "x"}]')
    with pytest.raises(NotImportable, match="UTF-16"):
        batches('{"title": "x"}'.encode("utf-16"))


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ('{"titel": "x"}', "titel", "titel: not a field of content. Did you mean title?"),
        ('{"body": "x"}', "title", "title: the field is required."),
        ('{"title": 3}', "title", "title must be a string, not an integer."),
        ('{"title": "x", "tags": ["a", 1]}', "tags[1]", "tags[1] must be a string"),
        (
            '{"title": "x", "state": "published"}',
            "state",
            "The field 'state' is set by the verbs publish, unpublish",
        ),
        ('{"title": "x", "kind": "poem"}', "kind", "kind has the value 'poem', which is not allowed."),
        ('["x"]', None, "The line must be an object, not a list."),
        ('{"title": "x"', None, "The line is not valid JSON"),
        (b'{"title": "\xff"}', None, "The line is not valid UTF-8: its byte 12 is 0xff."),
        ('{"title": "\\ud800"}', None, "The line is not valid JSON"),
    ],
)
def test_a_line_that_is_wrong_names_the_field(line: str | bytes, field: str | None, words: str) -> None:
    first = b'{"title": "first"}\n' if line == '["x"]' else b""
    raw = line if isinstance(line, bytes) else line.encode()
    ((_, error),) = only(first + raw).refused
    assert isinstance(error, InvalidValue)
    assert error.field == field
    assert words in str(error)


def test_decimals_keep_every_digit() -> None:
    line = '{"product_id": 1, "sku": "a", "name": "n", "price": 12345678901234.5678, "currency": "EUR"}'
    assert values(line, plural="variants")["price"] == Decimal("12345678901234.5678")
    assert values(line, plural="variants", key="sku")["price"] == Decimal("12345678901234.5678")


def test_equal_lines_have_different_keys_and_a_second_run_has_the_same() -> None:
    text = json_of([{"title": "a"}, {"title": "b"}, {"title": "a"}])
    first = keys(text)
    assert len(set(first)) == 3
    assert keys(text) == first
    assert all(key.startswith("import:content:") and len(key) <= MAX_KEY for key in first)


def test_a_key_depends_on_what_a_line_says_and_not_on_how_or_where() -> None:
    one = keys('{"title": "a", "tags": ["x"], "metadata": {"tags": 1, "features": 2}}')
    other = keys('{"nonsense": 1}\n{ "metadata": {"features": 2, "tags": 1}, "tags": ["x"], "title": "a", "body": "" }')
    table = keys("tags,title\nx,a\n", format="csv")
    assert one == other
    assert table == keys('{"title": "a", "tags": ["x"]}')
    assert one != table


def test_a_password_is_no_part_of_a_key() -> None:
    user = {"username": "ada", "email": "ada@example.org"}
    assert keys(json_of([user | {"password": "Analytical-1"}]), plural="users") == keys(json_of([user]), plural="users")


def test_a_given_key_is_a_field_or_an_extra_one() -> None:
    assert keys('{"title": "a", "slug": "s"}', key="slug") == ["import:content:s"]
    assert keys('{"title": "a", "number": 7}', key="number") == ["import:content:7"]
    assert "number" not in values('{"title": "a", "number": 7}', key="number")
    assert keys("title,ext.id\na,7\n", format="csv", key="ext.id") == ["import:content:7"]
    (long,) = keys(json_of([{"title": "a", "k": "x" * 500}]), key="k")
    assert len(long) <= MAX_KEY
    for line in ('{"title": "a"}', '{"title": "a", "k": ""}', '{"title": "a", "k": null}', '{"title": "a", "k": [1]}'):
        assert refusal(line, key="k").field == "k"


def test_csv_cells_become_what_their_columns_are() -> None:
    header = "title,tags,author_id,metadata.service_specific.content.section,metadata.features,slug"
    row = '"A ""quoted"", one\nof two lines",red; blue,17,news,x,'
    got = values(f"{header}\r\n{row}\r\n", format="csv")
    assert got["title"] == 'A "quoted", one\nof two lines'
    assert got["tags"] == ["red", "blue"]
    assert got["author_id"] == 17
    assert got["metadata"] == {"service_specific": {"content": {"section": "news"}}, "features": "x"}
    assert got["slug"] is None
    assert values('title,tags\na,"[""x;y"", ""z""]"\n', format="csv")["tags"] == ["x;y", "z"]
    variant = "product_id,sku,name,price,currency,attributes.color\n1,a,n,9.90,EUR,red\n"
    got = values(variant, plural="variants", format="csv")
    assert (got["price"], got["attributes"]) == (Decimal("9.90"), {"color": "red"})
    campaign = "slug,title,dedicated,starts_at\nabc,ABC,true,2030-01-01T00:00:00Z\n"
    got = values(campaign, plural="campaigns", format="csv")
    assert (got["dedicated"], got["starts_at"]) == (True, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("title,bodi", "column bodi"),
        ("title,state", "column state"),
        ("title,title", "twice"),
        ("title,", "Column 2"),
        ("title,tags.a", "tags has no parts"),
        ("title,metadata,metadata.a", "a part of it"),
    ],
)
def test_a_header_that_is_wrong_is_one_error(header: str, words: str) -> None:
    with pytest.raises(NotImportable, match=words):
        batches(f"{header}\na,b,c\n", format="csv")


def test_a_header_suggests_what_was_meant_and_misses_the_key() -> None:
    with pytest.raises(NotImportable) as caught:
        batches("titel\na\n", format="csv")
    assert caught.value.hint == "Did you mean title?"
    with pytest.raises(NotImportable, match="no column sku"):
        batches("title\na\n", format="csv", key="sku")


def test_a_record_that_is_wrong_does_not_take_the_next_ones_with_it() -> None:
    text = 'title,body\na,b\n"c"d,e\nf\n"g,h",i\nj,\xff\n'.encode("latin-1")
    batch = only(text, format="csv")
    assert [row.draft.values["title"] for row in batch.rows] == ["a", "g,h"]
    assert [line.number for line, _ in batch.refused] == [3, 4, 6]
    assert "1 cells" in str(batch.refused[1][1])
    assert "not valid UTF-8" in str(batch.refused[2][1])


def test_records_carry_the_number_of_their_first_line() -> None:
    read = list(csv_records(io.BytesIO(b'title\n"a\nb"\n\nc\n')))
    assert [(line.number, line.cells) for line in read] == [(1, ["title"]), (2, ["a\nb"]), (5, ["c"])]


def test_batches_are_bounded_in_rows_and_in_bytes() -> None:
    many = batches(json_of({"title": f"t{n}"} if n % 3 else {"titel": n} for n in range(1_234)))
    assert [len(batch.rows) + len(batch.refused) for batch in many] == [500, 500, 234]
    large = batches(json_of({"title": "x", "body": "y" * 300_000} for _ in range(9)))
    assert max(batch.size for batch in large) < BATCH_BYTES + 300_100
    assert len(large) == 3


def test_a_type_is_named_in_the_plural() -> None:
    assert type_named("contents") == "content"
    with pytest.raises(NotImportable) as caught:
        type_named("content")
    assert caught.value.hint == "Did you mean contents?"
    with pytest.raises(NotImportable) as caught:
        type_named("zzz")
    assert "contents" in str(caught.value.hint)


def test_rejects_are_written_at_once_to_a_file_that_is_its_owners(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "r.jsonl")
    assert not rejects.path.exists()
    rejects.write(Line(7, b"\xffraw\r\n", 9), InvalidValue(field="title", problem="It is wrong."))
    written = msgspec.json.decode(rejects.path.read_bytes())
    assert written == {"line": 7, "reason": "It is wrong.", "field": "title", "raw": "\\xffraw"}
    assert rejects.path.stat().st_mode & 0o777 == 0o600
    rejects.write(Line(8, b"x", 10), KeyReused(field="Idempotency-Key"))
    assert "had different values" in rejects.path.read_text().splitlines()[1]
    rejects.close()
    with pytest.raises(NotImportable, match="cannot be written"):
        Rejects(tmp_path / "none" / "r.jsonl").write(Line(1, b"", 1), InvalidValue(problem="x"))


def test_a_quote_that_is_not_closed_ends_after_a_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_RECORD_LINES", 10)
    batch = only("title,body\na,b\nc,d\n" + '"e,f\n' + "g,h\n" * 10 + "i,j\n", format="csv")
    assert [row.draft.values["title"] for row in batch.rows] == ["a", "c", "i"]
    ((line, error),) = batch.refused
    assert (line.number, line.raw.count(b"\n")) == (4, 11)
    assert "more than 10 lines, so a quote is probably not closed" in str(error)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (",".join(f"c{number}" for number in range(1_001)), "The CSV has 1001 columns; it can have at most 1000."),
        ("title,metadata" + ".a" * 1_000_000, "has more than 20 parts."),
        ("title," + "x" * 1_000_000, "is not a field of content"),
        ("title,metadata.labels,metadata.labels.a", "contains metadata.labels and a part of it."),
        ("title,metadata.labels.a.b,metadata.labels", "contains metadata.labels and a part of it."),
        ("title,body,title", "contains title twice."),
    ],
)
def test_a_header_is_bounded_in_its_columns_their_names_and_parts(header: str, problem: str) -> None:
    with pytest.raises(NotImportable) as caught:
        batches(f"{header}\na\n", format="csv")
    assert problem in str(caught.value)
    assert len(str(caught.value)) <= 2_000


MANY = "[" + "[]," * 100_000 + "[]]"


@pytest.mark.parametrize(
    ("text", "format", "problem"),
    [
        ('{"title": "x", "metadata": {"labels": ' + MANY + "}}", "jsonl", "The line has more than 100000 values."),
        (f'title,metadata\nx,"{MANY}"', "csv", "metadata: the cell has more than 100000 values."),
        (f'title,tags\nx,"{MANY}"', "csv", "tags: the cell has more than 100000 values."),
    ],
)
def test_a_line_is_bounded_in_its_values(text: str, format: Format, problem: str) -> None:
    assert str(refusal(text, format=format)) == problem
