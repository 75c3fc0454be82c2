"""What is wrong with input that cannot be decoded, in plain English instead of the words of msgspec."""

import ast
import re
from collections.abc import Callable

import msgspec

from ovasabi.errors import shortened

_KINDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
    "datetime": "a timestamp",
    "date": "a date",
    "time": "a time",
    "duration": "a duration",
    "timedelta": "a duration",
    "uuid": "a UUID",
    "decimal": "a decimal number",
    "bytes": "a base64 string",
}
"""What each type is called."""
_FOUND = {"bool": "a boolean", "float": "a number with a fraction or exponent", "bytes": "a string of bytes"}
"""What a value that was found is called, where that differs."""
_UNITS = {"str": "character", "bytes": "byte", "array": "item", "object": "entry"}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "greater than", "<": "less than"}
_PATH = re.compile(r" ?- at (`key` in )?`\$\.?([^`]*)`$")
_FIELD = re.compile(r"Object (missing required|contains unknown) field `([^`]*)`")
_END = r"(?!\n)"
_DAY, _TIME = "2026-11-21", "08:00:00"


class InputError(msgspec.Struct, frozen=True):
    """The path of what is wrong, and a predicate for it: `must be a string, not an integer`."""

    path: str
    problem: str
    missing: str | None = None
    """The name of a required field of the object at the path that is missing."""
    unknown: str | None = None
    """The name of a field that the object at the path does not have."""

    def sentence(self, whole: str) -> str:
        """Returns the sentence; `whole` is what the input is called, such as `the body`."""
        return f"{self.path or whole[:1].upper() + whole[1:]} {self.problem}."


def explained(error: Exception, *, of_text: bool = False) -> InputError:
    """Returns what an error of msgspec says. `of_text`: of input that consists of strings, such as that of a query."""
    text = shortened(str(error))
    text = text.replace(", got `str`", "") if of_text else text
    at = _PATH.search(text)
    path, text = (at[2], text[: at.start()]) if at is not None else ("", text)
    if (field := _FIELD.fullmatch(text)) is not None:
        names = {"missing": field[2]} if field[1].startswith("missing") else {"unknown": field[2]}
        return InputError(path, f"has a wrong field, {field[2]}", **names)
    if not isinstance(error, msgspec.ValidationError):
        return InputError(path, f"is not valid JSON: {_malformed(text)}")
    problem = _problem(text)
    return InputError(path, f"has a key that {problem}" if at is not None and at[1] else problem)


def _malformed(text: str) -> str:
    return "it ends too early" if "truncated" in text else text.removeprefix("JSON is malformed: ").rstrip(".")


def _problem(text: str) -> str:
    for pattern, form in _FORMS.items():
        if (match := re.fullmatch(pattern, text, re.DOTALL)) is not None:
            return form if isinstance(form, str) else form(match)
    return "is not valid"


def _count(number: str, unit: str) -> str:
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s".replace("entrys", "entries")


def _kinds(text: str) -> str:
    names = [_KINDS.get(name, name) for name in text.split(" | ")]
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _types(match: re.Match[str]) -> str:
    expected, found = match[1], match[2]
    if set(expected.split(" | ")) == {"int", "float"}:
        expected = "float"
    return f"must be {_kinds(expected)}, not {_FOUND.get(found, _KINDS.get(found, found))}"


def _number(match: re.Match[str]) -> str:
    return f"must be {_BOUNDS[match[2]]} {_plain(match[3])}"


def _plain(number: str) -> str:
    return number.removesuffix(".0")


def _pattern(match: re.Match[str]) -> str:
    """Returns the pattern as it was declared: msgspec escapes it, and Python's `$` also matches before a line break."""
    pattern: str = ast.literal_eval(match[1])
    return f"must match the pattern {pattern.removesuffix(_END)}"


def _length(match: re.Match[str]) -> str:
    return f"must have {_BOUNDS[match[2]]} {_count(match[3], _UNITS[match[1]])}"


_FORMS: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"Expected `([^`]+)`, got `([^`]+)`": _types,
    r"Expected `(str|bytes|array|object)` of length (>=|<=) (\d+)": _length,
    r"Expected `array` of length (\d+)(?:, got \d+)?": lambda match: f"must have exactly {_count(match[1], 'item')}",
    r"Expected `array` of length (\d+) to (\d+)(?:, got \d+)?": lambda m: f"must have {m[1]} to {m[2]} items",
    r"Expected `array` of at (least|most) length (\d+)(?:, got \d+)?": (
        lambda match: f"must have at {match[1]} {_count(match[2], 'item')}"
    ),
    r"Expected `(int|float|decimal)` (>=|<=|>|<) (\S+)": _number,
    r"Expected `(?:int|float|decimal)` that's a multiple of (\S+)": lambda m: f"must be a multiple of {_plain(m[1])}",
    r"Expected `str` matching regex (.+)": _pattern,
    r"Expected `(\w+)` with a timezone component": "must have a time zone",
    r"Expected `(\w+)` with no timezone component": "must not have a time zone",
    r"Expected `([^`]+)`": lambda match: f"must be {_kinds(match[1])}",
    r"Invalid (?:enum )?value (.+)": lambda match: f"has the value {match[1]}, which is not allowed",
    r"Invalid RFC3339 encoded datetime": f"must be a timestamp in the form {_DAY}T{_TIME}Z",
    r"Invalid RFC3339 encoded date": f"must be a date in the form {_DAY}",
    r"Invalid RFC3339 encoded time": f"must be a time in the form {_TIME}",
    r"Invalid ISO8601 duration": "must be a duration in the form PT1H30M",
    r"Invalid UUID(?: bytes)?": "must be a UUID",
    r"Invalid decimal string": "must be a decimal number",
    r"Invalid base64 encoded string": "must be a base64 string",
    r"(?:Timestamp is out of range|Invalid epoch timestamp) ?": "must be a timestamp between the years 1 and 9999",
    r"Duration is out of range": "must be a shorter duration",
    r"(?:Integer value|Number) out of range": "must be closer to zero",
}
"""The forms of msgspec's messages, and what they mean."""


def plain(error: Exception) -> str:
    """Returns what any error says is wrong, as a clause, for messages that name the input themselves."""
    if not isinstance(error, msgspec.MsgspecError):
        return str(error).rstrip(".")
    found = explained(error)
    if found.missing or found.unknown:
        return f"{found.path or 'it'} {'lacks' if found.missing else 'has'} the field {found.missing or found.unknown}"
    return f"{found.path or 'it'} {found.problem}"
