"""The data of a user."""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from ovasabi.kernel.declare.entity import Entity, Scope, entity
from ovasabi.kernel.declare.fields import Filter, Output, Personal, Search, Secret, Unique
from ovasabi.system.user.password import seal


class UserState(StrEnum):
    """The state of a user account."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    INACTIVE = "inactive"


_BLANK = r"\s\x00-\x1f\x7f-\xa0\ufeff"
"""White space and control characters, spelled out so that all regular-expression dialects agree."""


@entity(plural="users", title="username", table="master", scope=Scope.GLOBAL, stream="audit")
class User(Entity, frozen=True):
    """A person with an account."""

    username: Annotated[
        str,
        Meta(
            pattern=r"^[\w.]{3,30}$(?!\n)",
            max_length=30,
            description="Letters, digits, dots and underscores. Unique regardless of case.",
        ),
        Unique(fold=True),
        Search("A"),
        Personal(),
    ]
    email: Annotated[
        str,
        Meta(pattern=rf"^[^@{_BLANK}]{{1,64}}@[^@{_BLANK}]+\.[^@{_BLANK}]+$(?!\n)", max_length=254),
        Unique(fold=True),
        Personal(),
    ]
    password: (
        Annotated[
            str,
            Meta(
                min_length=10,
                max_length=128,
                examples=["Str0ng-enough!"],
                description="At least one upper case letter, one lower case letter, one digit and one symbol. "
                "Never returned.",
            ),
            Secret(seal),
        ]
        | UnsetType
    ) = UNSET
    first_name: Annotated[str, Meta(max_length=100), Personal()] = ""
    last_name: Annotated[str, Meta(max_length=100), Personal()] = ""
    bio: Annotated[str, Meta(max_length=2_000), Search("C")] = ""
    language: Annotated[str, Meta(max_length=35, description="BCP 47 language tag.")] = "en"
    timezone: Annotated[str, Meta(max_length=64, description="IANA time zone name.")] = "UTC"
    state: Annotated[UserState, Filter(), Output()] = UserState.ACTIVE
    state_reason: Annotated[str, Meta(max_length=1_000, description="Why the user is suspended."), Output()] = ""
