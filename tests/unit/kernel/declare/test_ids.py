"""Ids carry their time, UUIDs carry their id, and a reference is one or the other."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovasabi.kernel.declare.ids import EPOCH, MAX_ID, id_time, parse_reference, time_id, uuid_id

LAST = id_time(MAX_ID)
ids = st.integers(0, MAX_ID)
times = st.datetimes(
    min_value=datetime(2020, 1, 1), max_value=LAST.replace(tzinfo=None), timezones=st.just(UTC)
)  # fmt: skip
MILLISECOND = timedelta(milliseconds=1)


def uuid_of(id: int, tail: int = 0) -> uuid.UUID:
    """A version 7 UUID of an id, put together from RFC 9562's own layout."""
    unix_ms = (id >> 12) + int(EPOCH.timestamp() * 1000)
    return uuid.UUID(int=unix_ms << 80 | 7 << 76 | (id & 0xFFF) << 64 | 0b10 << 62 | tail)


@given(times)
def test_a_time_survives_its_id_to_the_millisecond(at) -> None:
    back = id_time(time_id(at))
    assert timedelta(0) <= at - back < MILLISECOND


@given(ids)
def test_the_time_of_an_id_gives_the_smallest_id_of_that_millisecond(id) -> None:
    assert time_id(id_time(id)) == id & ~0xFFF
    assert id_time(id) == id_time(id | 0xFFF)


@given(ids, ids)
def test_ids_are_ordered_as_their_times(one, other) -> None:
    low, high = sorted((one, other))
    assert id_time(low) <= id_time(high)


@given(times, st.integers(-14 * 60, 14 * 60))
def test_the_time_zone_of_a_moment_does_not_matter(at, minutes) -> None:
    elsewhere = at.astimezone(timezone(timedelta(minutes=minutes)))
    assert time_id(elsewhere) == time_id(at)


def test_the_first_id_is_the_epoch_and_the_last_is_in_2089() -> None:
    assert id_time(0) == EPOCH
    assert LAST.year == 2089
    assert MAX_ID == 2**53 - 1
    assert float(MAX_ID) == MAX_ID
    assert float(2**53 + 1) != 2**53 + 1, "one more bit, and JavaScript would round"


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        time_id(datetime(2024, 5, 1))


@given(ids, st.integers(0, 2**62 - 1))
def test_a_uuid_of_ours_gives_its_id_back_whatever_its_random_part(id, tail) -> None:
    assert uuid_id(uuid_of(id, tail)) == id


@given(st.uuids())
def test_any_other_uuid_gives_no_id_or_one_in_bounds(reference) -> None:
    id = uuid_id(reference)
    assert id is None or (reference.version in (7, None) and 0 <= id <= MAX_ID)


def test_uuids_before_the_epoch_and_beyond_53_bits_carry_no_id() -> None:
    before = int(EPOCH.timestamp() * 1000) - 1
    beyond = before + 2 + (MAX_ID >> 12)
    for unix_ms in (0, before, beyond, 2**48 - 1):
        assert uuid_id(uuid.UUID(int=unix_ms << 80 | 7 << 76 | 0b10 << 62)) is None
    assert uuid_id(uuid_of(0)) == 0
    assert uuid_id(uuid_of(MAX_ID)) == MAX_ID


def test_only_version_7_carries_an_id() -> None:
    ours = uuid_of(123 << 12)
    for version in set(range(16)) - {7}:
        assert uuid_id(uuid.UUID(int=ours.int & ~(0xF << 76) | version << 76)) is None


@given(ids)
def test_a_reference_in_digits_is_the_id_alone(id) -> None:
    assert parse_reference(str(id)) == (id, None)


@given(ids, st.integers(0, 2**62 - 1), st.booleans())
def test_a_reference_in_uuid_form_is_both_in_either_case(id, tail, upper) -> None:
    reference = uuid_of(id, tail)
    text = str(reference).upper() if upper else str(reference)
    assert parse_reference(text) == (id, reference)


@given(st.text())
def test_any_text_is_a_reference_in_canonical_form_or_none(text) -> None:
    parsed = parse_reference(text)
    if parsed is not None:
        id, reference = parsed
        assert 0 <= id <= MAX_ID
        assert text.lower() == str(reference) if reference else text == str(id)


_OURS = uuid_of(77 << 12 | 5, 9)


@pytest.mark.parametrize(
    "text",
    [
        "", " 1", "+1", "-1", "1.0", "1_0", "01", "00", "١٢", "²", "0x10", str(MAX_ID + 1), "9" * 400,
        _OURS.hex, "{" + str(_OURS) + "}", "urn:uuid:" + str(_OURS), str(_OURS)[:-1], str(_OURS) + "0",
        "----" + _OURS.hex, _OURS.hex + "----", str(uuid.UUID(int=0)), str(_OURS).replace("0", "٠"),
        " " + str(_OURS)[1:], str(_OURS)[:-1] + " ",
    ],
)  # fmt: skip
def test_what_is_neither_digits_nor_a_canonical_uuid_is_no_reference(text) -> None:
    assert parse_reference(text) is None
