"""Passwords: checked for strength, hashed by argon2id at the library's recommended cost, verified in constant time."""

from functools import cache
from typing import TYPE_CHECKING

from ovasabi.system.user.errors import PasswordWeak

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH, MAX_LENGTH = 10, 128


def seal(password: str) -> str:
    """Returns the argon2id hash of a password. Weak passwords are refused here, so no caller can skip the check."""
    check_strength(password)
    return _hasher().hash(password)


def check_strength(password: str, *, field: str = "password") -> None:
    """Refuses a weak password with an error that names every requirement it does not meet."""
    requirements = {
        f"at least {MIN_LENGTH} characters": len(password) >= MIN_LENGTH,
        f"at most {MAX_LENGTH} characters": len(password) <= MAX_LENGTH,
        "an uppercase letter": any(character.isupper() for character in password),
        "a lowercase letter": any(character.islower() for character in password),
        "a digit": any(character.isdigit() for character in password),
        "a symbol": any(not character.isalnum() and not character.isspace() for character in password),
    }
    if missing := [requirement for requirement, met in requirements.items() if not met]:
        *others, last = missing
        raise PasswordWeak(field=field, missing=f"{', '.join(others)} and {last}" if others else last)


def matches(password: str, sealed: str | None) -> bool:
    """Returns whether a password matches a hash.

    Takes the same time for a user without a password, so that the timing reveals nothing.
    """
    from argon2.exceptions import VerificationError

    try:
        _hasher().verify(sealed or _placeholder(), password)
    except VerificationError:
        return False
    return sealed is not None


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _placeholder() -> str:
    return _hasher().hash("nobody's password")
