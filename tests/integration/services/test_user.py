"""Users: unique whatever the case, with strong passwords that nobody ever sees."""

import uuid
from typing import Any

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.context import PLATFORM, acting, system_context
from ovasabi.kernel.call.errors import KeyTaken
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.events.log import read_events
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.system.user.entity import User
from ovasabi.system.user.errors import PasswordWeak, PasswordWrong, UsernameReserved
from ovasabi.system.user.service import Password, PasswordChange, Suspension, Users
from tests.integration.services.calls import call

ON_PLATFORM = system_context("test", PLATFORM)
STRONG = "Correct-horse-7"


def draft(**values: Any) -> dict[str, Any]:
    name = f"u{uuid.uuid4().hex[:12]}"
    return {"username": name, "email": f"{name}@example.org", **values}


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Sh0rt!", "at least 10 characters"),
        ("correct-horse-7", "an uppercase letter"),
        ("CORRECT-HORSE-7", "a lowercase letter"),
        ("Correct-horse", "a digit"),
        ("Correcthorse77", "a symbol"),
        ("Correct horse 7", "a symbol"),
        ("short", "at least 10 characters, an uppercase letter, a digit and a symbol"),
    ],
)
async def test_a_weak_password_is_refused_by_what_it_lacks(
    registry: ServiceRegistry, password: str, missing: str
) -> None:
    users = registry.service(Users)
    with acting(ON_PLATFORM):
        with pytest.raises(PasswordWeak) as refused:
            await users.create(draft(password=password))
        assert str(refused.value) == f"The password must have {missing}."
        assert password not in repr(refused.value.__dict__)
        user = await users.create(draft())
        with pytest.raises(PasswordWeak):
            await users.update(user.id, {"password": password})


@pytest.mark.parametrize("username", ["admin", "Root", "sup.port", "System_1", "ovasabi"])
async def test_a_reserved_name_is_refused_at_creation_and_renaming(registry: ServiceRegistry, username: str) -> None:
    users = registry.service(Users)
    with acting(ON_PLATFORM):
        with pytest.raises(UsernameReserved):
            await users.create(draft(username=username))
        answers = await users.create_many([NewEntity(draft()), NewEntity(draft(username=username)), NewEntity(draft())])
        assert [type(answer) for answer in answers] == [User, UsernameReserved, User]
        with pytest.raises(UsernameReserved):
            await users.update(answers[0].id, {"username": username})


async def test_names_and_addresses_are_unique_ignoring_case(registry: ServiceRegistry) -> None:
    users, values = registry.service(Users), draft()
    with acting(ON_PLATFORM):
        await users.create(values)
        for field in ("username", "email"):
            with pytest.raises(KeyTaken) as taken:
                await users.create(draft(**{field: values[field].upper()}))
            assert taken.value.field == field


@pytest.mark.parametrize("field", ["username", "email"])
def test_a_line_break_at_the_end_is_no_part_of_a_name(field: str) -> None:
    from ovasabi.kernel.declare.entity import type_of

    values = draft()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values | {field: values[field] + "\n"}, type_of(User).draft)


async def test_a_password_is_nowhere_to_be_seen(registry: ServiceRegistry, database: Database) -> None:
    users = registry.service(Users)
    with acting(ON_PLATFORM):
        user = await users.create(draft(password=STRONG))
        changed = await call(users, "change_password", user.id, PasswordChange(STRONG, "Another-horse-8"))
        events = await read_events(database, entity_id=user.id)
        while len(events) < 2:
            events = await read_events(database, entity_id=user.id)
        sealed = (await users.repository.secret(user.id))["password_hash"]
        shown = repr(
            [user, changed, events, await users.get(user.id), PasswordChange(STRONG, STRONG), Password(STRONG)]
        )
    assert [event.type for event in events] == ["user:create:v1:success", "user:change_password:v1:success"]
    assert b'"password"' not in msgspec.json.encode([user, changed])
    for secret in (STRONG, "Another-horse-8", sealed):
        assert secret not in shown


async def test_a_password_is_changed_by_who_knows_it(registry: ServiceRegistry) -> None:
    users = registry.service(Users)
    with acting(ON_PLATFORM):
        user = await users.create(draft(password=STRONG))
        with pytest.raises(PasswordWrong):
            await call(users, "change_password", user.id, PasswordChange("Wrong-horse-77", "Another-horse-8"))
        with pytest.raises(PasswordWeak) as weak:
            await call(users, "change_password", user.id, PasswordChange(STRONG, "anotherhorse"))
        assert weak.value.field == "new_password"
        assert (await call(users, "verify_password", user.id, Password(STRONG))).valid
        await call(users, "change_password", user.id, PasswordChange(STRONG, "Another-horse-8"))
        assert not (await call(users, "verify_password", user.id, Password(STRONG))).valid
        assert (await call(users, "verify_password", user.id, Password("Another-horse-8"))).valid


async def test_a_user_without_a_password_is_answered_like_any_other(registry: ServiceRegistry, monkeypatch) -> None:
    from ovasabi.system.user import password

    users, compared = registry.service(Users), []
    verify = type(password._hasher()).verify
    monkeypatch.setattr(type(password._hasher()), "verify", lambda *a: (compared.append(a), verify(*a))[1])
    with acting(ON_PLATFORM):
        user = await users.create(draft())
        assert not (await call(users, "verify_password", user.id, Password(STRONG))).valid
        assert not (await call(users, "verify_password", user.id, Password("nobody's password"))).valid
        with pytest.raises(PasswordWrong):
            await call(users, "change_password", user.id, PasswordChange("", STRONG))
    assert len(compared) == 3, "each answer costs one comparison"


async def test_a_user_is_suspended_for_a_reason_and_comes_back(registry: ServiceRegistry) -> None:
    users = registry.service(Users)
    with acting(ON_PLATFORM):
        user = await users.create(draft())
        suspended = await call(users, "suspend", user.id, Suspension("spam"))
        assert (suspended.state, suspended.state_reason) == ("suspended", "spam")
        with pytest.raises(MoveRefused):
            await call(users, "suspend", user.id, Suspension("again"))
        back = await call(users, "reactivate", user.id)
        assert (back.state, back.state_reason) == ("active", "")
