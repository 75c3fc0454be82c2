"""The number of values in a JSON text is known before it is decoded, and marks in its strings do not count."""

import msgspec
import pytest

from ovasabi.kernel.call.json_values import MAX_VALUES, has_too_many_values

MANY = MAX_VALUES + 1


@pytest.mark.parametrize("value", ["[]", "{}", "1", '""', "null", '{"a": 1}', '"\\""', '"\\\\"'])
def test_values_are_counted_whatever_they_are(value: str) -> None:
    text = f'{{"metadata": {{"a": [{",".join([value] * MANY)}]}}}}'
    assert msgspec.json.decode(text)
    assert has_too_many_values(text)
    assert has_too_many_values(text.encode())


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"b":'])
def test_values_are_counted_however_deep_they_are(opening: str) -> None:
    assert has_too_many_values(opening.encode() * MANY)


def test_fields_are_counted() -> None:
    assert has_too_many_values(msgspec.json.encode({str(number): number for number in range(MANY)}))


@pytest.mark.parametrize("marks", [",", "[", "{", '\\",', "\\\\,", '{{\\\\\\"[['])
def test_marks_in_strings_are_not_counted(marks: str) -> None:
    text = f'{{"data": "{marks * MANY}", "format": "csv"}}'
    assert msgspec.json.decode(text)
    assert not has_too_many_values(text)
    assert has_too_many_values(text[:-1] + f', "more": [{"1," * MANY}1]}}')


@pytest.mark.parametrize("text", ["", '"', '"a\\', "[1, 2]", '"' * MANY, "\\" * MANY, " " * MANY])
def test_what_has_few_values_is_taken_though_it_is_long_or_invalid(text: str) -> None:
    assert not has_too_many_values(text)
