"""Counted references: what a declaration must have so that its counts are right, and what is refused."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import pytest

from ovasabi.discovery import discover
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.declare.entity import Entity, Scope, declared, entity, type_of
from ovasabi.kernel.declare.fields import Immutable, Output, Reference
from ovasabi.kernel.statements.writing import Statements
from ovasabi.services.content.entity import Comment, ContentState

discover()


class Weather(StrEnum):
    """What it is like outside."""

    DRY = "dry"
    WET = "wet"


class Full(OvasabiError):
    """Nobody else comes in."""

    kind = Kind.PRECONDITION
    code = "full_of_the_test"
    message = "It is full."


@pytest.fixture(autouse=True)
def only_for_the_test() -> Iterator[None]:
    """Leaves no declaration behind."""
    before = dict(declared)
    yield
    declared.clear()
    declared.update(before)


@pytest.fixture
def sampleroom() -> type[Entity]:
    """What counts."""

    @entity(plural="samplerooms", title="name")
    class Sampleroom(Entity, frozen=True):
        """A room."""

        name: str
        sampleguests: Annotated[int, Output()] = 0
        beds: int = 0
        rate: Annotated[float, Output()] = 0.0
        most: Annotated[int, Output()] = 10
        weather: Annotated[Weather, Output()] = Weather.DRY

    return Sampleroom


def sampleguest(mark: Reference, *markers: Any, kind: Any = int, scope: Scope = Scope.CAMPAIGN) -> Any:
    """Declares what is counted."""
    field = Annotated[kind, mark, *markers]  # type: ignore[valid-type]

    @entity(plural="sampleguests", title="name", table="sampleguest", scope=scope)
    class Sampleguest(Entity, frozen=True):
        """A guest."""

        name: str
        sampleroom_id: field  # type: ignore[valid-type]

    return Sampleguest


def counted(field: str = "sampleguests", **more: Any) -> Reference:
    return Reference("sampleroom", counted_in=field, **more)


def test_a_counted_reference_says_what_counts_it_and_when_that_takes_no_more() -> None:
    counter = type_of(Comment).counter
    assert counter is not None
    assert (counter.reference.name, counter.parent, counter.field.name) == ("content_id", "content", "comment_count")
    assert (counter.closed_in, counter.state and counter.state.name) == ((ContentState.ARCHIVED,), "state")
    assert {of.name for of in declared.values() if of.counter is not None} >= {"comment", "reaction", "variant"}


def test_only_the_create_of_what_is_counted_updates_anything() -> None:
    for of in declared.values():
        assert ("UPDATE" in Statements(of).create) == (of.counter is not None), of.name


@pytest.mark.parametrize(
    ("mark", "markers", "problem"),
    [
        (
            counted("gusts"),
            [Immutable()],
            "sampleguest.sampleroom_id is counted in 'gusts', which is not a field of sampleroom",
        ),
        (counted(), [], "sampleguest.sampleroom_id is counted, so it must be Immutable"),
        (
            counted("beds"),
            [Immutable()],
            "sampleguest.sampleroom_id is counted in sampleroom.beds, which must be an Output int",
        ),
        (
            counted("rate"),
            [Immutable()],
            "sampleguest.sampleroom_id is counted in sampleroom.rate, which must be an Output int",
        ),
        (
            counted("most"),
            [Immutable()],
            "sampleguest.sampleroom_id is counted in sampleroom.most, which must be an Output int",
        ),
        (
            counted(closed_in=(Weather.WET,)),
            [Immutable()],
            "sampleguest.sampleroom_id has closed_in, which requires counted_in and refusal",
        ),
        (
            counted(closed_in=(ContentState.DRAFT,), refusal=Full),
            [Immutable()],
            "sampleguest.sampleroom_id is closed in draft, which sampleroom must have exactly one field for",
        ),
    ],
)
def test_a_count_that_cannot_be_right_is_refused_when_it_is_declared(
    sampleroom: Any, mark: Reference, markers: list[Any], problem: str
) -> None:
    with pytest.raises(TypeError) as refused:
        sampleguest(mark, *markers)
    assert str(refused.value).startswith(problem)
    assert "sampleguest" not in declared


def test_it_is_refused_as_well_when_the_one_that_counts_is_declared_last() -> None:
    sampleguest(counted("gusts"), Immutable())
    with pytest.raises(TypeError, match="which is not a field of sampleroom"):

        @entity(plural="samplerooms", title="name")
        class Sampleroom(Entity, frozen=True):
            """A room."""

            name: str

    assert "sampleroom" not in declared


def test_what_is_of_the_platform_is_not_counted_in_a_campaign(sampleroom: Any) -> None:
    with pytest.raises(TypeError, match="sampleguest is counted by sampleroom: both must belong to a campaign"):
        sampleguest(counted(), Immutable(), scope=Scope.GLOBAL)


def test_one_field_counts_one_type_and_one_reference_is_counted(sampleroom: Any) -> None:
    sampleguest(counted(), Immutable())
    with pytest.raises(TypeError, match=r"sampleroom\.sampleguests would count both sampleguest and samplevisitor"):

        @entity(plural="samplevisitors", title="name", table="samplevisitor")
        class Samplevisitor(Entity, frozen=True):
            """A visitor."""

            name: str
            sampleroom_id: Annotated[int, counted(), Immutable()]

    with pytest.raises(TypeError, match="sampletenant is counted by sampleroom_id and other_id: only one is allowed"):

        @entity(plural="sampletenants", title="name", table="sampletenant")
        class Sampletenant(Entity, frozen=True):
            """A tenant."""

            name: str
            sampleroom_id: Annotated[int, counted(), Immutable()]
            other_id: Annotated[int, counted(), Immutable()]


def test_a_state_in_which_no_more_is_taken_is_found_by_its_enum(sampleroom: Any) -> None:
    made = sampleguest(counted(closed_in=(Weather.WET,), refusal=Full), Immutable())
    counter = type_of(made).counter
    assert counter is not None
    assert isinstance(counter.refuse(sampleroom(**_kept(), name="x", weather=Weather.WET)), Full)
    assert counter.refuse(sampleroom(**_kept(), name="x")) is None
    assert "s.weather NOT IN ('wet')" in Statements(type_of(made)).create


def test_what_may_be_without_a_parent_is_written_without_being_counted(sampleroom: Any) -> None:
    made = sampleguest(counted(), Immutable(), kind=int | None)
    assert "OR (w.n).sampleroom_id IS NULL" in Statements(type_of(made)).create


def _kept() -> dict[str, Any]:
    names = ("id", "uuid", "campaign_id", "version", "created_at", "updated_at")
    return dict.fromkeys(names)
