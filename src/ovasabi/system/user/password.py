"""Passwords: strong ones only, argon2id with the library's recommended cost, compared in constant time."""

from functools import cache
from typing import TYPE_CHECKING

from ovasabi.system.user.errors import PasswordWeak

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH, MAX_LENGTH = 10, 128


def seal(password: str) -> str:
    """The argon2id hash of a password, with its own salt and parameters. A weak one is refused: here, so everywhere."""
    check_strength(password)
    return _hasher().hash(password)


def check_strength(password: str, *, field: str = "password") -> None:
    """Refuses a weak password, and names all that it lacks."""
    wanted = {
        f"at least {MIN_LENGTH} characters": len(password) >= MIN_LENGTH,
        f"at most {MAX_LENGTH} characters": len(password) <= MAX_LENGTH,
        "an upper case letter": any(sign.isupper() for sign in password),
        "a lower case letter": any(sign.islower() for sign in password),
        "a digit": any(sign.isdigit() for sign in password),
        "a sign": any(not sign.isalnum() and not sign.isspace() for sign in password),
    }
    if missing := [what for what, there in wanted.items() if not there]:
        raise PasswordWeak(field=field, missing=", ".join(missing))


def matches(password: str, sealed: str | None) -> bool:
    """Whether a password is the sealed one. Takes as long for a user without a password, so that it tells nothing."""
    from argon2.exceptions import VerificationError

    try:
        _hasher().verify(sealed or _nobodys(), password)
    except VerificationError:
        return False
    return sealed is not None


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody's password")
