"""However a service replaces what its base class defines, or its own rules and verbs, it is refused at the start."""

import inspect
import types
from collections.abc import Callable
from typing import Any

import pytest

from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.service import EntityService, Service, ServiceRegistry, services
from ovasabi.kernel.service.rules import RULES, Rules
from ovasabi.kernel.store.repository import Repository

discover()
FINAL = sorted(name for name in dir(EntityService) if not name.startswith("__"))
"""All that an instance of the base class has, apart from what it sets itself."""
SPECIAL = ["__getattribute__", "__getattr__", "__setattr__", "__new__", "__call__", "__class_getitem__", "__get__"]


def mine(*arguments: Any, **options: Any) -> None:
    """Does it in a way of its own."""


async def flash(self: Any) -> None:
    """A verb of the service."""


def check(self: Any, values: Any, before: Any) -> None:
    """A rule of the service."""


def defined(of: Any, *bases: type, start: Callable[[Any], None] = lambda self: None, **options: Any) -> Any:
    """Defines a service with a verb, a rule and a constructor that does something more."""

    def __init__(self: Any, database: Any, registry: Any) -> None:
        super(cls, self).__init__(database, registry)
        start(self)

    body = {"__init__": __init__, "flash": verb()(flash), "check": check, "__module__": "ovasabi.services.bulb.service"}
    metaclass = {"metaclass": options["metaclass"]} if "metaclass" in options else {}
    members = body | options.get("members", {})
    cls = types.new_class(
        "Samplebulbs", (*bases, EntityService[of]), metaclass, lambda namespace: namespace.update(members)
    )
    return cls


def refusal() -> str:
    """Why the services cannot be started, in one sentence."""
    with pytest.raises(DeclarationError) as refused:
        ServiceRegistry(Database("postgresql://"))
    assert refused.value.hint
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_service_that_replaces_nothing_starts(bulb: Any) -> None:
    defined(bulb, start=lambda self: setattr(self, "seen", 0))
    ServiceRegistry(Database("postgresql://"))


@pytest.mark.parametrize("name", [*FINAL, "flash"])
def test_no_constructor_replaces_a_member(bulb: Any, name: str) -> None:
    for replace in (
        lambda self: setattr(self, name, mine),
        lambda self: vars(self).update({name: mine}),
        lambda self: object.__setattr__(self, name, types.MethodType(mine, self)),
    ):
        services[:] = [each for each in services if each.__name__ != "Samplebulbs"]
        defined(bulb, start=replace)
        assert refusal() == f"Samplebulbs.__init__ replaces self.{name}."


@pytest.mark.parametrize("name", [*FINAL, "flash", "__getattribute__", "__getattr__"])
def test_no_class_is_changed_after_its_definition(bulb: Any, name: str) -> None:
    cls = defined(bulb)
    setattr(cls, name, mine)
    assert refusal() == f"Samplebulbs.{name} was changed after the class was defined."


@pytest.mark.parametrize("name", FINAL)
def test_no_base_class_is_changed(bulb: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for base in (base for base in (EntityService, Service, Rules, Repository) if name in vars(base)):
        with monkeypatch.context() as patch:
            patch.setattr(base, name, mine)
            assert refusal() == f"{base.__name__}.{name} was changed after the class was defined."


def test_a_mixin_and_the_bases_are_not_changed_either(bulb: Any) -> None:
    mixin = type("Mixin", (), {"_helper": mine})
    cls = defined(bulb, mixin)
    ServiceRegistry(Database("postgresql://"))
    mixin.prepare = mine  # type: ignore[attr-defined]
    assert refusal() == "Mixin.prepare was changed after the class was defined."
    del mixin.prepare  # type: ignore[attr-defined]
    cls.__bases__ = (type("Other", (), {"create": mine}), *cls.__bases__)
    assert refusal() == "Other became a base of Samplebulbs after the class was defined."


@pytest.mark.parametrize(
    "name", sorted(set(FINAL) - RULES - {"change", "ids_by_key"} - {"manages", "offers", "resource"})
)
def test_neither_a_mixin_nor_a_descriptor_nor_a_metaclass_replaces_a_member(bulb: Any, name: str) -> None:
    class Adding:
        """Adds a member to the class that it is in."""

        def __set_name__(self, owner: type, _: str) -> None:
            setattr(owner, name, mine)

    class Meta(type):
        """Adds a member to its classes."""

        def __getattribute__(cls, asked: str) -> Any:
            return mine if asked == name else super().__getattribute__(asked)

    mixin = type("Mixin", (), {name: property(lambda self: mine)})
    for options in (
        {"members": {name: property(lambda self: mine)}},
        {"members": {name: Adding()}},
        {"members": {"innocent": Adding()}},
        {"members": {"__slots__": (name,)}},
    ):
        with pytest.raises((DeclarationError, ValueError), match=f"Samplebulbs.{name} would replace|conflicts with"):
            defined(bulb, **options)
    with pytest.raises(DeclarationError, match=f"Samplebulbs.{name} would replace a part of the base class"):
        defined(bulb, mixin)
    with pytest.raises(DeclarationError, match="Samplebulbs has the metaclass Meta, which would change how the base"):
        defined(bulb, metaclass=Meta)


@pytest.mark.parametrize("name", SPECIAL)
def test_no_special_member_changes_how_others_are_found(bulb: Any, name: str) -> None:
    class Callable_:
        """Something that is not a function, but can be called."""

        def __call__(self, *arguments: Any) -> Any:
            return mine

    for member in (mine, Callable_(), property(mine), staticmethod(mine)):
        with pytest.raises(DeclarationError, match=f"Samplebulbs.{name} would change how the base class works"):
            defined(bulb, members={name: member})


REPOSITORY = sorted(name for name, member in inspect.getmembers(Repository, callable) if not name.startswith("__"))


@pytest.mark.parametrize("name", REPOSITORY)
def test_the_repository_is_that_of_the_base_class(bulb: Any, name: str) -> None:
    defined(bulb, start=lambda self: setattr(self.repository, name, mine))
    assert refusal() == f"Samplebulbs.__init__ replaces self.repository.{name}."


@pytest.mark.parametrize("name", ["repository", "database", "registry"])
def test_what_the_base_class_sets_remains(bulb: Any, name: str) -> None:
    defined(bulb, start=lambda self: setattr(self, name, object()))
    assert refusal() == f"Samplebulbs.__init__ replaces self.{name}."


def test_an_instance_remains_of_its_class_and_its_constructor_may_not_fail(bulb: Any) -> None:
    other = type("Plain", (), {})
    defined(bulb, start=lambda self: setattr(self, "__class__", other))
    assert refusal() == "Samplebulbs.__init__ changes the class of the service."
    services.pop()
    defined(bulb, start=lambda self: print(int("five")))
    assert refusal().startswith("Samplebulbs.__init__ failed: ValueError: invalid literal for int()")
