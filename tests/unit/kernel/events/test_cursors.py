"""A cursor has one spelling: the one that the feed issued."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.events.cursors import cursor_of, parse_cursor

OTHER_SPELLINGS = [
    "007-1", "7-01", "00-0", "+7-1", "-7-1", "7-+1", "7--1", " 7-1", "7-1 ", "7 -1", "7-1\n", "7_0-1", "7-1_0", "0x7-1",
    "7e1-1", "٧-1", "7-¹", "７-1", "7–1", "7", "7-", "-1", "7-1-1", "NOW", "Now", "18446744073709551616-1",
    "7-9007199254740992",
]  # fmt: skip


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 53) - 1))
def test_a_cursor_that_was_issued_is_parsed(transaction: int, id: int) -> None:
    assert parse_cursor(cursor_of((transaction, id))) == (transaction, id)


@pytest.mark.parametrize("cursor", OTHER_SPELLINGS)
def test_another_spelling_of_a_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_cursor(cursor)
    assert refused.value.field == "after"


@given(st.text(max_size=40))
def test_whatever_is_parsed_is_spelled_as_it_was_issued(text: str) -> None:
    try:
        position = parse_cursor(text)
    except InvalidValue:
        return
    assert not text or cursor_of(position) == text
