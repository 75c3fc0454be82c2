"""The rules of users: strong passwords that are never returned, and reserved usernames."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.service import EntityService
from ovasabi.system.user.entity import User, UserState
from ovasabi.system.user.errors import PasswordWrong
from ovasabi.system.user.password import MAX_LENGTH, MIN_LENGTH, check_strength, matches
from ovasabi.system.user.usernames import check_username

ACTIVE, SUSPENDED, INACTIVE = UserState.ACTIVE, UserState.SUSPENDED, UserState.INACTIVE


class Suspension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a user is suspended."""

    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


class PasswordChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user's current password, and the new one."""

    current_password: Annotated[str, Meta(max_length=MAX_LENGTH)]
    new_password: Annotated[str, Meta(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]

    def __repr__(self) -> str:
        return "PasswordChange(…)"


class Password(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password to verify."""

    password: Annotated[str, Meta(max_length=MAX_LENGTH)]

    def __repr__(self) -> str:
        return "Password(…)"


class Verdict(msgspec.Struct, frozen=True):
    """Whether the password is correct. Check the user's state to find out whether the account is active."""

    valid: bool


class Users(EntityService[User]):
    """Users."""

    manages = Role.ADMIN

    def check(self, values: Mapping[str, Any], before: User | None) -> None:
        """Refuses reserved usernames."""
        if "username" in values:
            check_username(values["username"])

    @move(from_=[ACTIVE, INACTIVE], to=SUSPENDED, role=Role.ADMIN)
    async def suspend(self, user: User, request: Suspension) -> Values:
        """Suspends the user, giving a reason."""
        return {"state_reason": request.reason}

    @move(from_=[ACTIVE], to=INACTIVE, role=Role.ADMIN)
    async def deactivate(self, user: User) -> None:
        """Deactivates the user."""

    @move(from_=[SUSPENDED, INACTIVE], to=ACTIVE, role=Role.ADMIN)
    async def reactivate(self, user: User) -> Values:
        """Reactivates the user."""
        return {"state_reason": ""}

    @verb(role=Role.ADMIN)
    async def change_password(self, user: User, request: PasswordChange) -> User:
        """Changes the user's password; the current password is required."""
        check_strength(request.new_password, field="new_password")
        if not await self._verified(user, request.current_password):
            raise PasswordWrong(field="current_password")
        return await self.change(user, password=request.new_password)

    @verb(role=Role.ADMIN)
    async def verify_password(self, user: User, request: Password) -> Verdict:
        """Verifies a password in constant time, even if the user has none."""
        return Verdict(await self._verified(user, request.password))

    async def _verified(self, user: User, password: str) -> bool:
        secret = await self.repository.secret(user.id)
        return await asyncio.to_thread(matches, password, secret["password_hash"])
