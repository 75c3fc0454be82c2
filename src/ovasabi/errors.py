"""What can go wrong, by kind: every error is one class, one sentence and a hint; only the doors know status codes."""

import string
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Self


class Kind(StrEnum):
    """The closed list of ways in which a call can fail."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    """Others got in between: the same call may succeed when it has read again."""
    EXISTS = "exists"
    """What was to be new is taken: the same call never succeeds as long as it is."""
    PRECONDITION = "precondition"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    INTERNAL = "internal"

    @property
    def transient(self) -> bool:
        """Whether time alone may mend it: the same call may succeed a moment later."""
        return self in (Kind.EXHAUSTED, Kind.UNAVAILABLE, Kind.DEADLINE)


def such_as(**arguments: Any) -> Mapping[str, Any]:
    """The arguments of an error as they may be in life."""
    return MappingProxyType(arguments)


class OvasabiError(Exception):
    """Something failed that should not have, and is the platform's own to mend.

    A subclass sets `kind`, `code` (stable, snake case) and `message` (a sentence with `{name}` places that the
    keyword arguments fill). `hint` says what to do; `field` names the input at fault, if one is. `example` fills
    the places as they may be filled in life: documentation shows it, and a class with places is refused without.
    """

    kind: Kind = Kind.INTERNAL
    code: str = "internal"
    message: ClassVar[str] = "Something failed that should not have."
    hint: str | None = None
    example: ClassVar[Mapping[str, Any]] = such_as()

    def __init__(self, *, field: str | None = None, hint: str | None = None, **values: Any) -> None:
        self.values = values
        self.field = field
        if hint is not None:
            self.hint = hint
        elif self.hint is not None:
            self.hint = self.hint.format(**values)
        super().__init__(self.message.format(**values))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "message" in vars(cls) and "code" not in vars(cls):
            raise TypeError(f"{cls.__name__} has a message but no code of its own")
        if cls.places() != set(cls.example) - {"field", "hint"}:
            wanted = ", ".join(sorted(cls.places())) or "nothing"
            raise TypeError(f"{cls.__name__} has an example that does not fill its places: {wanted}")

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed a moment later, which its kind says unless the class knows better."""
        return self.kind.transient

    @classmethod
    def places(cls) -> set[str]:
        """The names of the values that the sentence and the hint hold."""
        hint = "" if "hint" in cls.example else cls.hint or ""
        return {name for text in (cls.message, hint) for _, name, _, _ in string.Formatter().parse(text) if name}

    @classmethod
    def retold(cls, text: str, *, field: str | None, hint: str | None, values: Mapping[str, Any]) -> Self:
        """The error as it was told elsewhere: its sentence and hint are taken as they are."""
        error = cls.__new__(cls, text)
        Exception.__init__(error, text)
        error.values, error.field, error.hint = dict(values), field, hint
        return error


class SettingsError(OvasabiError):
    """A setting is unknown or malformed."""

    kind = Kind.INVALID
    code = "setting_invalid"
    message = "{problem}"
    example = such_as(
        problem="OVASABI_PROT, given in the environment, is not a setting.", hint="Did you mean OVASABI_PORT?"
    )


class StartError(OvasabiError):
    """The platform, or a part that it needs, does not start."""

    kind = Kind.UNAVAILABLE
    code = "start_failed"
    message = "{problem}"
    example = such_as(problem="The database is not at the newest migration.", hint="Run: ovasabi migrate")


class DatabaseUnavailable(OvasabiError):
    """PostgreSQL cannot be reached, or the connection was lost before the answer came."""

    kind = Kind.UNAVAILABLE
    code = "database_unavailable"
    message = "The database did not answer: {reason}."
    hint = "Try again shortly; a create with an Idempotency-Key can be sent again safely."
    example = such_as(reason="the connection was lost or refused")


class DeadlineExceeded(OvasabiError):
    """The time that the caller gave is used up."""

    kind = Kind.DEADLINE
    code = "deadline_exceeded"
    message = "The call took longer than its deadline allows."
    hint = "Ask for less at a time, or give the call more time."
