"""What a service of an entity may add to its operations, and what it may not pass by."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pytest

from ovasabi.discovery import discover
from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.entity import Entity, declared, entity
from ovasabi.kernel.declare.fields import Immutable, Output, Reference
from ovasabi.kernel.declare.methods import MethodKind
from ovasabi.kernel.service import EntityService, services
from ovasabi.kernel.store.rows import NewEntity

discover()


@pytest.fixture
def samplething() -> Any:
    """An entity type for the test alone."""

    @entity(plural="samplethings", title="name")
    class Samplething(Entity, frozen=True):
        """A thing."""

        name: str
        parts: Annotated[int, Output()] = 0
        part_of: Annotated[int, Reference("samplething", counted_in="parts"), Immutable()] | None = None

    yield Samplething
    del declared["samplething"]


def test_the_rules_of_a_service_are_told_with_the_operations_that_they_are_about(samplething: Any) -> None:
    class Samplethings(EntityService[samplething]):
        """Samplethings."""

        def check(self, values: Mapping[str, Any], before: Any) -> None:
            """Some names are not taken."""

        async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
            """Some places are full."""
            return drafts

        async def before_delete(self, entity: Any) -> None:
            """Some are kept."""

    services.remove(Samplethings)
    docs = {method.operation: method.doc for method in Samplethings.methods()}
    counted = "Also updates the samplething's parts."
    created = ["Creates a new samplething.", "Some names are not taken.", "Some places are full.", counted]
    assert docs[MethodKind.CREATE].split("\n\n") == created
    assert docs[MethodKind.UPDATE].endswith("\n\nSome names are not taken.")
    assert docs[MethodKind.DELETE].split("\n\n")[1:] == ["Some are kept.", counted]
    assert docs[MethodKind.RESTORE].split("\n\n")[1:] == [counted]
    assert "\n" not in docs[MethodKind.GET]
    assert Samplethings.hooks == {"check", "prepare", "before_delete"}
