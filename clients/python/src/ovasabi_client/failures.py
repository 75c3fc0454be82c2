"""The base of all errors, and the errors that the client itself detects."""

from typing import ClassVar

import msgspec


class OvasabiError(Exception):
    """Base of every error of this client."""


class ConnectionFailed(OvasabiError):
    """The server could not be reached, or the connection was lost. A write may have taken effect."""


class ResponseUnreadable(OvasabiError):
    """The response is not one that OVASABI sends: another program may be listening at the address."""


CODES: dict[str, type["ApiError"]] = {}
"""The error class of each code."""


class ApiError(OvasabiError):
    """The server refused the call. Programs can rely on `code`; the other attributes are for people."""

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
        """The field that is invalid, if a single field is the cause."""
        self.hint = problem.hint
        """What to do about it, if known."""
        self.correlation_id = problem.correlation_id
        """Identifies the call in the server's log and in its events."""
        super().__init__(problem.detail)

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}" if self.hint else self.detail

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status}, code={self.code!r}, detail={self.detail!r})"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as the server sends it (RFC 9457)."""

    status: int
    detail: str
    code: str = ""
    field: str | None = None
    hint: str | None = None
    correlation_id: str | None = None
