"""What can go wrong, by kind: every error is one class, one sentence and a hint; only the doors know status codes."""

from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """The closed list of ways in which a call can fail."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    INTERNAL = "internal"


class OvasabiError(Exception):
    """Base of every error that a caller may see.

    A subclass sets `kind`, `code` (stable, snake case) and `message` (a sentence with `{name}` places that the
    keyword arguments fill). `hint` says what to do; `field` names the input at fault, if one is.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: ClassVar[str] = "internal"
    message: ClassVar[str] = "Something failed that should not have."
    hint: str | None = None

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


class SettingsError(OvasabiError):
    """A setting is unknown or malformed."""

    kind = Kind.INVALID
    code = "setting_invalid"
    message = "{problem}"


class StartError(OvasabiError):
    """The platform, or a part that it needs, does not start."""

    kind = Kind.UNAVAILABLE
    code = "start_failed"
    message = "{problem}"


class DatabaseUnavailable(OvasabiError):
    """PostgreSQL cannot be reached, or the connection was lost before the answer came."""

    kind = Kind.UNAVAILABLE
    code = "database_unavailable"
    message = "The database did not answer: {reason}."
    hint = "Try again shortly; a create with an Idempotency-Key can be sent again safely."


class DeadlineExceeded(OvasabiError):
    """The time that the caller gave is used up."""

    kind = Kind.DEADLINE
    code = "deadline_exceeded"
    message = "The call took longer than its deadline allows."
    hint = "Ask for less at a time, or give the call more time."
