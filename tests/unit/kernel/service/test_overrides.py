"""A service adds to its base class, and replaces nothing of it: neither by a verb, nor by a method or an attribute."""

import inspect
import types
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import long, read, verb, watch
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService, Service, services
from ovasabi.kernel.service.overrides import SETTINGS
from ovasabi.kernel.service.rules import RULES
from tests.unit.kernel.service.conftest import Bulb

discover()


def service(of: Any, **body: Any) -> Any:
    """Declares a service of the entity with these members."""
    return types.new_class("Samplebulbs", (EntityService[of],), exec_body=lambda members: members.update(body))


def named(name: str, function: Any) -> Any:
    """A function under another name."""
    function.__name__ = name
    return function


def parts(base: type) -> list[str]:
    """Everything that an instance of a base class has, but what Python gives to every object."""
    annotated = {name for klass in base.__mro__ for name in inspect.get_annotations(klass)}
    return sorted(name for name in {*dir(base), *annotated} if not name.startswith("__"))


@pytest.mark.parametrize("name", parts(EntityService))
def test_no_verb_takes_the_place_of_a_part_of_the_base_class(bulb: Any, name: str) -> None:
    for declare in (verb(), move(from_=[Bulb.ON], to=Bulb.OFF)):

        async def own(self: Any, samplebulb: bulb) -> None:
            """Does something."""

        with pytest.raises(
            DeclarationError, match=rf"Samplebulbs\.{name} |^{name.rstrip('_')} is an operation of every"
        ):
            service(bulb, **{name: declare(named(name, own))})
    assert all(each.__name__ != "Samplebulbs" for each in services)


@pytest.mark.parametrize("name", sorted(set(parts(EntityService)) - RULES - SETTINGS.keys() - {"change", "ids_by_key"}))
def test_no_method_or_attribute_takes_the_place_of_a_part_of_the_base_class(bulb: Any, name: str) -> None:
    async def own(self: Any, *arguments: Any, **options: Any) -> None:
        """Does it in a way of its own."""

    for member in (own, "text", classmethod(own)):
        with pytest.raises(DeclarationError, match=rf"Samplebulbs\.{name} would replace a part of the base") as told:
            service(bulb, **{name: member})
        assert told.value.hint


@pytest.mark.parametrize("name", parts(Service))
def test_neither_does_a_method_of_a_service_without_an_entity(name: str) -> None:
    async def own(self: Any) -> None:
        """Does something."""

    before = list(services)
    with pytest.raises(DeclarationError, match=rf"Lights\.{name} "):
        types.new_class("Lights", (Service,), exec_body=lambda body: body.update({name: read()(named(name, own))}))
    assert services == before


def test_what_a_base_of_the_service_replaces_is_refused_as_well(bulb: Any) -> None:
    class Mixin:
        """Something shared."""

        async def update(self, *arguments: Any) -> None:
            """Updates it without rules."""

    with pytest.raises(DeclarationError, match=r"Samplebulbs\.update would replace") as told:
        types.new_class("Samplebulbs", (Mixin, EntityService[bulb]))
    assert told.value.hint == "Move the rule to check or around_update, which every update runs."


def plain(count: int) -> Callable[..., Any]:
    """A function with so many parameters."""
    one = lambda self, a: None  # noqa: E731
    two = lambda self, a, b: None  # noqa: E731
    return (one, two)[count - 1]


async def one(self: Any, a: Any) -> None:
    """With one parameter."""


async def two(self: Any, a: Any, b: Any) -> None:
    """With two parameters."""


@asynccontextmanager
async def around(self: Any, a: Any, b: Any) -> Any:
    """Around something."""
    yield


async def around_bare(self: Any, a: Any, b: Any) -> Any:
    """Around something, but for its decorator."""
    yield


@pytest.mark.parametrize(
    ("name", "right", "wrong", "problem"),
    [
        ("check", plain(2), two, "must be declared with `def`."),
        ("check", plain(2), plain(1), "must have the parameters (self, values, before)."),
        ("check", plain(2), {}, "must be a method."),
        ("prepare", one, plain(1), "must be declared with `async def`."),
        ("prepare", one, two, "must have the parameters (self, drafts)."),
        ("around_update", around, two, "must be declared with `async def` and @asynccontextmanager."),
        ("around_update", around, around_bare, "must be declared with `async def` and @asynccontextmanager."),
        ("before_delete", one, plain(1), "must be declared with `async def`."),
        ("after_delete", one, two, "must have the parameters (self, entity)."),
        ("created", two, one, "must have the parameters (self, drafts, results)."),
        ("deleted", one, plain(1), "must be declared with `async def`."),
        ("before_restore", one, plain(1), "must be declared with `async def`."),
        ("after_restore", one, staticmethod(one), "must be a method."),
    ],
)
def test_a_rule_has_the_form_in_which_it_is_called(bulb: Any, name: str, right: Any, wrong: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        service(bulb, **{name: wrong})
    assert str(refused.value) == f"Samplebulbs.{name} {problem}"
    assert service(bulb, **{name: right}).hooks == {name}


def test_every_rule_is_tried() -> None:
    (mark,) = test_a_rule_has_the_form_in_which_it_is_called.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == RULES


class Wish(msgspec.Struct):
    """What is wished for."""

    text: str = ""


async def unannotated(self, wish: Wish):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Says nothing of what it returns."""


async def lacking(self: Any, wish: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Takes what there is not."""


async def several(self: Any, wish: Wish, other: Wish) -> None:
    """Takes two requests."""


async def number(self: Any, wish: int) -> None:
    """Takes a number."""


async def endless(self: Any, wish: Wish) -> None:
    """Cannot report its progress."""


async def look(self: Any) -> None:
    """Looks on."""


async def wandering(self: Any, wish: Wish) -> None:
    """Moves something that is not named."""


async def counting(self: Any, id: str) -> int:
    """Moves, and returns a number."""


async def camelCase(self: Any) -> None:
    """Has a name in another style."""


async def list_(self: Any) -> None:
    """Has the name of an operation."""


async def page(self: Any) -> None:
    """Has the name of a function of the client."""


def a_move(function: Any) -> Any:
    """A move made of a function."""
    return move(from_=[Bulb.OFF], to=Bulb.ON)(function)


def test_a_role_is_a_role_and_a_decorator_is_called(bulb: Any) -> None:
    for declare in (verb("admin"), long("admin"), move(from_=[Bulb.OFF], to=Bulb.ON, role="admin")):  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match=r"look requires 'admin', which is not a role\.") as refused:
            declare(look)
        assert refused.value.hint == "Use one of Role.READER, Role.WRITER, Role.ADMIN."
    for bare in (verb, read, long, watch):
        with pytest.raises(DeclarationError, match=r"look is declared by a decorator without parentheses\."):
            bare(look)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=r"Samplebulbs has manages='admin', which must be of the type Role\."):
        service(bulb, manages="admin")
    with pytest.raises(DeclarationError, match=r"Samplebulbs has offers=.*, which must be of the type frozenset"):
        service(bulb, offers={"get"})


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (a_move(wandering), "is a move, so its first parameter must be the entity"),
        (a_move(counting), "is a move, so it must return None or the values to set"),
        (verb()(plain(1)), "must be declared with `async def`"),
        (watch()(look), "must return its messages without `await`"),
        (verb()(unannotated), "has no annotation for return"),
        (verb()(lacking), "has an annotation that is not defined: name 'Nowhere' is not defined"),
        (verb()(several), "must have at most one parameter other than the entity"),
        (verb()(number), "must have at most one parameter other than the entity"),
        (long()(endless), "is a long method without a parameter for its progress"),
        (verb()(camelCase), "is named 'camelCase', which is not a valid name"),
        (verb()(list_), "is named 'list_', which is not a valid name"),
        (verb()(page), "is named page, which the platform uses itself"),
    ],
)
def test_a_method_that_could_not_be_offered_is_refused(bulb: Any, member: Any, problem: str) -> None:
    name = "act" if member.__name__ == "<lambda>" else member.__name__
    with pytest.raises(DeclarationError) as refused:
        service(bulb, **{name: named(name, member)}).methods()
    assert f"Samplebulbs.{name} {problem}" in str(refused.value)


def test_a_service_is_that_of_one_entity_and_not_of_another_service(bulb: Any) -> None:
    samplebulbs = service(bulb)
    for bases in ((EntityService,), (samplebulbs,)):
        with pytest.raises(DeclarationError, match="Others is not declared as the service of one entity"):
            types.new_class("Others", bases)
    with pytest.raises(DeclarationError, match="is not declared with @entity"):
        types.new_class("Others", (EntityService[Entity],))


def test_what_is_allowed_is_allowed(bulb: Any) -> None:
    class Samplebulbs(EntityService[bulb]):
        """Samplebulbs."""

        manages = service(bulb).manages

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.seen = 0

        def check(self, values: Mapping[str, Any], before: Any = None) -> None:
            """Refuses nothing."""

        async def import_samplebulbs(self) -> None:
            """Is like a name of the base class, but another one."""

        async def _helper(self) -> None:
            """Is its own."""

    assert Samplebulbs.hooks == {"check"}
