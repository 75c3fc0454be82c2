"""What PostgreSQL's texts cannot have is named with its place."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.call.unfit import fault_of
from ovasabi.kernel.store.row_codec import encoded


@pytest.mark.parametrize(
    ("values", "field", "character"),
    [
        ({"title": "a\0"}, "title", "U+0000 at position 2"),
        ({"title": "\\u0000", "body": "\ud800"}, "body", "U+D800 at position 1"),
        ({"tags": ["x", "yy\udfff"]}, "tags[1]", "U+DFFF at position 3"),
        ({"metadata": {"a": {"b": "🐘\0"}}}, "metadata.a.b", "U+0000 at position 2"),
        ({"metadata": {"k\0": 1}}, "metadata.k\\x00", "U+0000 at position 2"),
    ],
)
def test_a_value_with_such_a_character_is_refused_by_its_name(values: dict, field: str, character: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        encoded(values)
    assert refused.value.field == field
    assert f"{field} contains the character {character}" in str(refused.value)
    str(refused.value).encode()


@given(st.text())
def test_json_in_utf8_has_no_such_fault(text: str) -> None:
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert fault_of(msgspec.json.encode(text)) is None


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0xD800, 0xDFFF))
def test_a_lone_surrogate_is_found_where_it_is(before: str, code: int) -> None:
    json = msgspec.json.encode(before)[:-1]
    assert f"\\u{code:04x} at its byte {len(json) + 1} " in (fault_of(json + rb"\u%04x" % code + b' "') or "")
