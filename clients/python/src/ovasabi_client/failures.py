"""What can go wrong with a call: the base of all errors, and those that the client itself finds."""

from typing import ClassVar

import msgspec


class OvasabiError(Exception):
    """Base of every error of this client."""


class ConnectionFailed(OvasabiError):
    """The server was not reached, or went away before it answered. A write may have been done."""


class AnswerUnreadable(OvasabiError):
    """The answer is not what an OVASABI server answers: the address may be another program's."""


CODES: dict[str, type["ApiError"]] = {}
"""The class of each code."""


class ApiError(OvasabiError):
    """The server refused the call. `code` is stable; the rest is for people."""

    code: str = ""
    kind: ClassVar[str] = "internal"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in vars(cls):
            CODES.setdefault(cls.code, cls)

    def __init__(self, problem: "Problem") -> None:
        self.code = problem.code or self.code
        self.status = problem.status
        self.detail = problem.detail
        self.field = problem.field
        """The field at fault, if one is."""
        self.hint = problem.hint
        """What to do about it, if that is known."""
        self.correlation_id = problem.correlation_id
        """By this id the server's log and the events of the call are found."""
        super().__init__(problem.detail)

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}" if self.hint else self.detail

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status}, code={self.code!r}, detail={self.detail!r})"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of an error, as the server sends it (RFC 9457)."""

    status: int
    detail: str
    code: str = ""
    field: str | None = None
    hint: str | None = None
    correlation_id: str | None = None
