"""All declarations together: no name has two meanings, no reference leads nowhere, and no two methods one address."""

import types
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest

from ovasabi.discovery import discover
from ovasabi.errors import DeclarationError
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.contract.protobuf.contract import Contract
from ovasabi.gateway.contract.protobuf.schema import ContractRefused
from ovasabi.kernel.declare.entity import Entity, declared, entity, type_of
from ovasabi.kernel.declare.fields import Reference
from ovasabi.kernel.declare.methods import read, verb
from ovasabi.kernel.service import EntityService, Service, check_consistency, declared_methods, services

discover()
HOME = "ovasabi.services.samplething.service"


@pytest.fixture
def declare() -> Iterator[Callable[..., Any]]:
    """Declares an entity with its service for one test, and takes both back."""
    before, classes = dict(declared), list(services)

    def made(*fields: Any, cls: str = "Samplething", title: str = "Samplethings", **members: Any) -> Any:
        body = [("name", str), *fields]
        home = "ovasabi.services.samplething.entity"
        struct = msgspec.defstruct(cls, body, bases=(Entity,), module=home, kw_only=True)
        of = entity(plural=f"{cls.lower()}s", title="name", table=cls.lower())(struct)
        members |= {"__module__": HOME, "__doc__": "Samplethings."}
        return types.new_class(title, (EntityService[of],), exec_body=lambda body: body.update(members))

    yield made
    declared.clear()
    declared.update(before)
    services[:] = classes


def refusal() -> str:
    """What is wrong with all that is declared."""
    with pytest.raises(DeclarationError) as refused:
        check_consistency(services, list(declared.values()))
    return str(refused.value)


def struct(name: str, *fields: Any, module: str = HOME) -> Any:
    """A struct class of the service."""
    return msgspec.defstruct(name, fields, module=module)


def method(request: Any, response: Any = None, *, name: str = "act") -> Any:
    """A verb with such a request and response."""

    async def function(self: Any, request: Any) -> Any:
        """Acts."""

    function.__name__ = name
    function.__annotations__ = {"request": request, "return": response or type(None)}
    return verb()(function)


def test_what_is_declared_now_is_consistent() -> None:
    check_consistency(services, list(declared.values()))


def test_a_reference_to_a_type_that_nobody_declares_is_refused(declare: Any) -> None:
    declare(("other_id", Annotated[int, Reference("nonesuch")] | None, None))
    assert refusal() == "samplething.other_id refers to 'nonesuch', which no service declares."


def test_an_entity_without_a_service_is_refused(declare: Any) -> None:
    services.remove(declare())
    assert refusal() == "The entity samplething in ovasabi.services.samplething.entity has no service."


def test_two_services_of_one_entity_are_refused(declare: Any) -> None:
    of = declare().entity
    types.new_class("Others", (EntityService[of],), exec_body=lambda body: body.update({"__module__": HOME}))
    assert "are both the service samplethings" in refusal()


def test_services_without_an_entity_do_not_share_a_name_with_others(declare: Any) -> None:
    names = {"collection": "odds", "singular": "user", "plural": "odds", "__module__": HOME}
    types.new_class("Odds", (Service,), exec_body=lambda body: body.update(names))
    assert (
        refusal()
        == "ovasabi.system.user.service.Users and ovasabi.services.samplething.service.Odds share the name user."
    )


@pytest.mark.parametrize("name", ["Role", "Event", "User", "Contents", "ContentDraft", "ContentState", "UserMetadata"])
def test_a_type_does_not_have_the_name_of_another_type(declare: Any, name: str) -> None:
    declare(cls=name, title="Samplethings") if name not in ("Event", "User", "Contents") else declare(
        act=method(struct(name, ("text", str)))
    )
    assert refusal().startswith(f"The name {name} has two meanings in the API: ")


def test_the_alias_of_an_enum_is_a_name_too(declare: Any) -> None:
    mood = StrEnum("Mood", ["GOOD"], module=HOME)
    declare(act=method(struct("MoodName", ("mood", mood))))
    assert refusal().startswith("The name MoodName has two meanings in the API: ")


@pytest.mark.parametrize("name", ["id", "campaign", "idempotency_key", "update_mask", "expected_version", "as_of"])
def test_a_request_has_no_field_that_every_call_has(declare: Any, name: str) -> None:
    declare(act=method(struct("Act", (name, str))))
    assert refusal() == f"Act, the request of samplethings_act, has the field {name}, which calls have."


def test_an_entity_may_have_such_fields_since_its_values_are_apart_from_the_call(declare: Any) -> None:
    declare(("as_of", str, ""), ("campaign", str, ""), ("update_mask", str, ""), ("reference", str, ""))
    check_consistency(services, list(declared.values()))
    Contract(declared_methods(), {})


def test_a_field_of_a_request_is_named_like_a_field(declare: Any) -> None:
    declare(act=method(struct("Act", ("camelCase", str))))
    what = f"The field camelCase of {HOME}.Act"
    assert refusal() == f"{what} is named 'camelCase', which is not a valid name."


def reading(name: str, collection: str = "", title: str = "Odds") -> Any:
    """Declares a service without an entity that has one method; without a collection, it belongs to the campaign."""

    async def function(self: Any) -> None:
        """Acts."""

    function.__name__ = name
    members = {name: read()(function), "collection": collection, "__module__": HOME}
    return types.new_class(title, (Service,), exec_body=lambda body: body.update(members))


def test_a_method_of_the_campaign_has_its_address_alone(declare: Any) -> None:
    reading("activate")
    assert refusal() == "Campaigns.activate and Odds.activate would have the same address."


def test_a_method_of_the_campaign_does_not_hide_a_collection(declare: Any) -> None:
    reading("contents")
    assert refusal() == "Odds.contents has the name of the collection contents."


def test_two_methods_do_not_have_one_id(declare: Any) -> None:
    reading("ends_act", "odds", "Odds")
    reading("act", "odds_ends", "Ends")
    assert refusal() == "Odds.ends_act and Ends.act would both be called odds_ends_act."


def test_what_protobuf_names_beside_each_other_has_different_names(declare: Any) -> None:
    first, second = StrEnum("Kind", ["STATE_OPEN"], module=HOME), StrEnum("KindState", ["OPEN"], module=HOME)
    declare(act=method(struct("Act", ("first", first), ("second", second))))
    with pytest.raises(
        ContractRefused, match=r"in ovasabi/samplething/v1/samplething\.proto would be named KIND_STATE_OPEN"
    ):
        Contract(services[-1].methods(), {})


def test_two_fields_do_not_have_one_name_in_json(declare: Any) -> None:
    declare(act=method(struct("Act", ("a1", str), ("a_1", str))))
    with pytest.raises(ContractRefused, match=r"The fields a1 and a_1 of .* would have the same name in JSON"):
        Contract(services[-1].methods(), {})


def test_two_classes_of_one_name_are_refused_by_the_document(declare: Any) -> None:
    declare(act=method(struct("ProblemDetails", ("text", str))))
    with pytest.raises(DeclarationError, match=r"both have a ProblemDetails"):
        document(declared_methods())


def test_the_names_of_pages_and_problems_are_free(declare: Any) -> None:
    # Beside what is always there: a product may have services of these names.
    for name in [of.name for of in declared.values() if of.cls.__module__.startswith("ovasabi.services.")]:
        del declared[name]
    services[:] = [service for service in services if not service.__module__.startswith("ovasabi.services.")]
    declare(cls="Page", title="Pages", act=method(struct("Problem", ("text", str))))
    check_consistency(services, list(declared.values()))
    Contract(declared_methods(), {})
    assert {"Page", "Problem"} <= msgspec.json.decode(document(declared_methods()))["components"]["schemas"].keys()
    assert type_of(declared["page"].cls).plural == "pages"
