"""Errors and their kinds: each error is a class with a sentence and a hint; only the gateway knows status codes."""

import re
import string
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Any, ClassVar, Self


class Kind(StrEnum):
    """The kinds of failure: every error has one, and each interface maps it to its own status."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    """A concurrent change interfered: the same call may succeed after reading again."""
    EXISTS = "exists"
    """What would be created already exists: the same call cannot succeed while it does."""
    PRECONDITION = "precondition"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    INTERNAL = "internal"

    @property
    def transient(self) -> bool:
        """Whether the failure may pass by itself, so that the same call may succeed a moment later."""
        return self in (Kind.EXHAUSTED, Kind.UNAVAILABLE, Kind.DEADLINE)


def such_as(**arguments: Any) -> Mapping[str, Any]:
    """Returns realistic arguments of an error, for its `example`."""
    return MappingProxyType(arguments)


REPORT = "Report it with the correlation id; the details are in the server log."
"""The hint of an internal error whose cause is logged."""


LONGEST_TEXT, LONGEST_FIELD = 2_000, 300
"""How many characters the sentence and the hint of an error have at most, and the name of its field."""


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """Returns a text without its middle if it is too long: what callers send may be part of what an error says."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 1]}…{text[-end:]}"


class OvasabiError(Exception):
    """An unexpected internal error.

    A subclass sets `kind`, `code` (stable, snake case) and `message` (a sentence with `{name}` placeholders that the
    keyword arguments fill; {type} and {parent} are types of entities, which are written in words). `hint` says what to
    do; `field` names the invalid input, if there is one. `example` gives realistic values for the placeholders, which
    the documentation shows; a class with placeholders must have one.
    """

    kind: Kind = Kind.INTERNAL
    code: str = "internal"
    message: ClassVar[str] = "An internal error occurred."
    hint: str | None = None
    example: ClassVar[Mapping[str, Any]] = such_as()

    def __init__(self, *, field: str | None = None, hint: str | None = None, **values: Any) -> None:
        self.values = values
        self.field = field and shortened(field, LONGEST_FIELD)
        if hint is None and self.hint is not None:
            hint = self.hint.format(**_in_words(values))
        if hint is not None:
            self.hint = shortened(hint)
        super().__init__(shortened(self.message.format(**_in_words(values))))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, is_allowed, text in _RULES:
            if not is_allowed(getattr(cls, name)):
                raise TypeError(f"The {name} of {cls.__name__} is {getattr(cls, name)!r}, which must be {text}")
        if "message" in vars(cls) and "code" not in vars(cls):
            raise TypeError(f"{cls.__name__} has a message but no code of its own")
        if unnamed := {name for name in cls.placeholders() if not name.isidentifier()}:
            raise TypeError(f"{cls.__name__} has the placeholder {{{unnamed.pop()}}}, which is not a name")
        if cls.placeholders() != set(cls.example) - {"field", "hint"}:
            expected = ", ".join(sorted(cls.placeholders())) or "none"
            raise TypeError(f"The example of {cls.__name__} does not match its placeholders: {expected}")

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed a moment later; by default, this depends on the kind alone."""
        return self.kind.transient

    @classmethod
    def placeholders(cls) -> set[str]:
        """Returns the names of the placeholders in the message and the hint."""
        hint = "" if "hint" in cls.example else cls.hint or ""
        return {
            name for text in (cls.message, hint) for _, name, _, _ in string.Formatter().parse(text) if name is not None
        }

    @classmethod
    def received(cls, text: str, *, field: str | None, hint: str | None, values: Mapping[str, Any]) -> Self:
        """Builds an error that another process reported: its sentence and hint are taken as they are."""
        error = cls.__new__(cls, text)
        Exception.__init__(error, text)
        error.values, error.field, error.hint = dict(values), field, hint
        return error


_TYPES = ("type", "parent")
"""The placeholders for types of entities: gift_card is a gift card in a sentence."""


def _in_words(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value).replace("_", " ") if name in _TYPES else value for name, value in values.items()}


_RULES: tuple[tuple[str, Callable[[Any], object], str], ...] = (
    ("kind", lambda value: isinstance(value, Kind), "a Kind"),
    ("code", lambda value: isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value), "a name in snake case"),
    ("message", lambda value: isinstance(value, str), "a sentence"),
    ("hint", lambda value: isinstance(value, str | NoneType), "a sentence, or None"),
    ("example", lambda value: isinstance(value, Mapping), "made with such_as(…)"),
)
"""What each attribute of an error class must be."""


class SettingsError(OvasabiError):
    """A setting is unknown or not valid."""

    kind = Kind.INVALID
    code = "setting_invalid"
    message = "{problem}"
    example = such_as(
        problem="OVASABI_PROT, found in the environment, is not a setting.", hint="Did you mean OVASABI_PORT?"
    )


class DeclarationError(OvasabiError, TypeError):
    """A declaration of an entity, a method or a service is not valid. Nothing starts until it is corrected."""

    kind = Kind.INVALID
    code = "declaration_invalid"
    message = "{problem}"
    example = such_as(
        problem="The field deleted_at of gift_card has a name that the platform uses itself.",
        hint="Rename the field.",
    )

    def __init__(self, problem: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(problem=problem, field=field, hint=hint)


class StartError(OvasabiError):
    """The platform, or a component that it needs, cannot start."""

    kind = Kind.UNAVAILABLE
    code = "start_failed"
    message = "{problem}"
    example = such_as(problem="The database schema is not up to date.", hint="Run: ovasabi migrate")


class DatabaseUnavailable(OvasabiError):
    """PostgreSQL cannot be reached, or the connection was lost before it responded."""

    kind = Kind.UNAVAILABLE
    code = "database_unavailable"
    message = "The database is unavailable: {reason}."
    hint = "Try again shortly. A create with an Idempotency-Key can safely be repeated."
    example = such_as(reason="the connection was lost or refused")


class DeadlineExceeded(OvasabiError):
    """The call did not finish before its deadline."""

    kind = Kind.DEADLINE
    code = "deadline_exceeded"
    message = "The call did not finish before its deadline."
    hint = "Request less at a time, or set a longer deadline."
