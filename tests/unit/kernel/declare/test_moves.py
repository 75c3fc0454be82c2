"""Moves: what a verb declares of the states it leads from and to, and which declarations are refused."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest

from ovasabi.discovery import discover
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import Entity, declared, entity, type_of
from ovasabi.kernel.declare.fields import Output
from ovasabi.kernel.declare.methods import MethodKind, verb
from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.declare.state_machine import AllowedMove, Move, MoveRefused, StateMachine
from ovasabi.kernel.service import EntityService, declared_methods, services
from ovasabi.services.content.entity import Content, ContentState
from ovasabi.services.content.service import Contents
from ovasabi.system.operation.service import Operations

discover()


class Door(StrEnum):
    """Whether a door is open."""

    OPEN = "open"
    SHUT = "shut"
    LOCKED = "locked"


class Light(StrEnum):
    """Whether a light is on."""

    ON = "on"
    OFF = "off"


OPEN, SHUT, LOCKED = Door.OPEN, Door.SHUT, Door.LOCKED


@pytest.fixture
def samplehouse() -> Any:
    """An entity type with two fields of one enum, one of another, and one that may be null; gone after the test."""

    @entity(plural="samplehouses", title="name")
    class Samplehouse(Entity, frozen=True):
        """A house."""

        name: str
        front: Annotated[Door, Output()] = OPEN
        back: Annotated[Door, Output()] = SHUT
        light: Light = Light.OFF
        lamp: Annotated[Light, Output()] | None = None

    yield Samplehouse
    del declared["samplehouse"]


def machine(of: type[Entity], *moves: Move) -> StateMachine:
    return StateMachine(type_of(of), moves)


def content(state: ContentState) -> Any:
    return msgspec.defstruct("Content", ["state"])(state)


def test_a_verb_leads_from_the_states_that_it_names_to_its_own() -> None:
    assert Contents.machine.after("publish", content(ContentState.DRAFT)) is ContentState.PUBLISHED
    assert [one.verb for one in Contents.machine.moves] == ["publish", "unpublish", "archive", "unarchive"]
    assert (Contents.machine.field, Contents.machine.initial) == ("state", ContentState.DRAFT)


def test_a_refusal_says_from_where_it_is_allowed_and_what_can_be_done_now() -> None:
    with pytest.raises(MoveRefused) as refused:
        Contents.machine.after("publish", content(ContentState.PUBLISHED))
    assert str(refused.value) == "You cannot publish this content because its state is published."
    assert refused.value.hint == "Allowed from: draft. From published you can: unpublish, archive."
    assert refused.value.field == "state"


def test_a_refusal_in_a_last_state_says_that_nothing_can_be_done() -> None:
    state = type(Operations.machine.moves[0].target)
    with pytest.raises(MoveRefused) as refused:
        Operations.machine.after("cancel", content(state("failed")))  # type: ignore[arg-type]
    assert refused.value.hint == "Allowed from: queued, running. No verb is allowed from failed."


def test_what_is_allowed_now_leaves_out_what_only_the_service_does() -> None:
    state = type(Operations.machine.moves[0].target)
    allowed = Operations.machine.allowed_moves(content(state("running")))  # type: ignore[arg-type]
    assert (allowed.state, allowed.moves) == ("running", [AllowedMove("cancel", "cancelled", Role.WRITER)])
    assert {"start", "succeed", "fail"}.isdisjoint(method.name for method in Operations.methods())


def test_a_move_is_a_verb_that_answers_its_entity() -> None:
    publish = next(method for method in Contents.methods() if method.name == "publish")
    assert (publish.operation, publish.response, publish.request) == (MethodKind.VERB, Content, None)
    assert (publish.on_entity, publish.role, publish.doc) == (True, Role.WRITER, "Publishes a draft immediately.")


def test_where_there_are_moves_one_can_ask_for_those_that_apply() -> None:
    with_moves = {service for service in services if getattr(service, "machine", None) is not None}
    assert len(with_moves) > 5
    for service in services:
        asked = "allowed_moves" in {method.name for method in service.methods()}
        assert asked == (service in with_moves), service


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (Move("shut", (), SHUT, field="front"), "samplehouse.shut has no source states"),
        (Move("shut", (Light.ON,), SHUT, field="front"), "samplehouse.shut mixes states of different enums"),
        (Move("shut", (OPEN, OPEN), SHUT, field="front"), "samplehouse.shut names a state twice"),
        (Move("shut", (SHUT,), SHUT, field="front"), "samplehouse.shut moves from shut to shut, which is not a move"),
        (Move("shut", (OPEN,), SHUT), "samplehouse.shut could set any of front, back: choose one with field=…"),
        (
            Move("shut", (OPEN,), SHUT, field="light"),
            "samplehouse.shut needs a field 'light' of Door, which samplehouse does not",
        ),
        (Move("dim", (Light.ON,), Light.OFF, field="lamp"), "samplehouse.dim sets lamp, which must not be nullable"),
        (
            Move("publish", (ContentState.DRAFT,), ContentState.PUBLISHED),
            "samplehouse.publish needs a field of ContentState",
        ),
    ],
)
def test_a_move_that_cannot_be_is_refused_when_it_is_declared(samplehouse: Any, wrong: Move, problem: str) -> None:
    with pytest.raises(TypeError) as refused:
        machine(samplehouse, wrong)
    assert str(refused.value).startswith(problem)


def test_moves_that_contradict_each_other_are_refused(samplehouse: Any) -> None:
    shut = Move("shut", (OPEN,), SHUT, field="front")
    with pytest.raises(TypeError, match="shut is declared twice"):
        machine(samplehouse, shut, Move("shut", (OPEN,), LOCKED, field="front"))
    with pytest.raises(TypeError, match=r"moves of several fields \(back, front\)"):
        machine(samplehouse, shut, Move("bolt", (SHUT,), LOCKED, field="back"))


def test_a_state_that_a_client_could_set_has_no_moves(samplehouse: Any) -> None:
    with pytest.raises(TypeError, match=r"samplehouse\.light has moves, so clients must not set it: mark it Output"):

        class Samplehouses(EntityService[samplehouse]):
            """Samplehouses."""

            @move(from_=[Light.OFF], to=Light.ON, field="light")
            async def light(self, samplehouse: Any) -> None:
                """Lights it."""


def test_a_function_is_declared_once_and_under_its_own_name(samplehouse: Any) -> None:
    with pytest.raises(TypeError, match="publish is already declared as a method"):

        @move(from_=[OPEN], to=SHUT)
        @verb()  # type: ignore[arg-type]
        async def publish(self: Any, samplehouse: Any) -> Values:
            """Publishes it."""
            return {}

    with pytest.raises(TypeError, match="delete is an operation of every entity"):

        @move(from_=[OPEN], to=SHUT)
        async def delete(self: Any, samplehouse: Any) -> None:
            """Deletes it."""

    with pytest.raises(TypeError, match=r"Samplehouses\.close is the method shut under another name"):

        class Samplehouses(EntityService[samplehouse]):
            """Samplehouses."""

            @move(from_=[OPEN], to=SHUT, field="front")
            async def shut(self, samplehouse: Any) -> None:
                """Shuts it."""

            close = shut


def test_one_state_instead_of_a_list_is_refused() -> None:
    with pytest.raises(TypeError, match=r"which must be of the type list\[StrEnum\]"):

        @move(from_=OPEN, to=SHUT)  # type: ignore[arg-type]
        async def shut(self: Any, samplehouse: Any) -> None:
            """Shuts it."""


def test_the_moves_are_in_the_openapi_document() -> None:
    api = msgspec.json.decode(document(declared_methods()))
    publish = api["paths"]["/v1/campaigns/{campaign}/contents/{id}:publish"]["post"]
    assert publish["x-ovasabi-moves"] == {"from": ["draft"], "to": "published"}
    assert "Allowed from: draft. Leads to: published." in publish["description"]
    assert "x-ovasabi-moves" not in api["paths"]["/v1/campaigns/{campaign}/contents/{id}:comment"]["post"]
    state = api["components"]["schemas"]["Content"]["properties"]["state"]
    assert "archive: from draft or published to archived." in state["description"]
    answer = api["paths"]["/v1/campaigns/{campaign}/contents/{id}:allowed_moves"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/AllowedMoves"}
