"""Passwords: argon2id, with the library's recommended cost; compared in constant time."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher


def seal(password: str) -> str:
    """The argon2id hash of a password, with its own salt and parameters."""
    return _hasher().hash(password)


def matches(password: str, sealed: str | None) -> bool:
    """Whether a password is the sealed one. Takes as long for a user without a password, so that it tells nothing."""
    from argon2.exceptions import VerificationError

    try:
        return _hasher().verify(sealed or _nobodys(), password) and sealed is not None
    except VerificationError:
        return False


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return seal("nobody's password")
