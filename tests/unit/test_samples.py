"""What the tests make from declarations alone is valid, and different where no two entities may have the same."""

import uuid
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Optional

import msgspec
import msgspec.inspect as mi
import pytest
from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, EntityType, declared, entity, type_of
from ovasabi.kernel.declare.fields import Bounds, Numeric, Unique
from tests.integration.drafts import sample
from tests.samples import value_of

DIGITS = [Numeric(), Numeric(5, 2), Numeric(6, 0), Numeric(38, 30), Numeric(400, 2), Numeric(40, 0)]
BOUNDS = [Bounds(), Bounds(ge=-500, le=500), Bounds(gt=-1), Bounds(le=-1), Bounds(ge=0), Bounds(gt=9, le=999)]
OTHERS: list[Any] = [
    str, Annotated[str, Meta(max_length=12)], Annotated[str, Meta(pattern="^[A-Z]{3}[0-9]{4}$", examples=["ABC1234"])],
    int, Annotated[int, Meta(ge=-10**6, le=-1, examples=[-7])], Annotated[int, Meta(ge=1, multiple_of=10)],
    float, Annotated[float, Meta(ge=-1, le=1)], Annotated[float, Meta(gt=5)], Annotated[float, Meta(lt=-5)],
    Annotated[datetime, Meta(tz=True)], date, uuid.UUID,
]  # fmt: skip
MANY = 30


class SampleTree(msgspec.Struct):
    """A struct that contains itself, and one that contains it."""

    name: str
    branches: list["SampleTree"] = []
    by_name: dict[str, "SampleTree"] = {}
    parent: Optional["SampleTree"] = None
    forest: Optional["SampleForest"] = None


class SampleForest(msgspec.Struct):
    """A struct that requires those that contain it."""

    trees: list[SampleTree]


@pytest.fixture(scope="module")
def of() -> Iterator[EntityType]:
    """An entity type with natural keys of every type."""
    decimals = [Annotated[Decimal, digits, bounds] for digits in DIGITS for bounds in BOUNDS]
    fields = {f"key_{number}": Annotated[hint, Unique()] for number, hint in enumerate([*decimals, *OTHERS])}
    body = {"__annotations__": fields, "__doc__": "Keys.", "__module__": "ovasabi.services.samplekey.entity"}
    cls: Any = type(Entity)("Samplekey", (Entity,), body, frozen=True)
    yield type_of(entity(plural="samplekeys", title="key_0")(cls))
    del declared["samplekey"]


def test_the_values_of_a_natural_key_are_valid_and_differ(of: EntityType) -> None:
    for field in of.stored:
        values = [sample(of, field) for _ in range(MANY)]
        assert len(set(values)) > MANY * 0.6, (field.annotation, values)
        for value in values:
            msgspec.convert(msgspec.to_builtins(value), field.request_type)
            if field.base is Decimal:
                digits, bounds = field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()
                assert digits.problem(value) is None
                assert bounds.problem(value) is None


def test_a_struct_that_contains_itself_has_a_value() -> None:
    tree = value_of(mi.type_info(SampleTree))
    assert isinstance(tree.forest, SampleForest)
    assert (tree.branches, tree.by_name, tree.parent, tree.forest.trees) == ([], {}, None, [])
    forest = value_of(mi.type_info(SampleForest))
    assert isinstance(forest.trees[0], SampleTree)
    assert msgspec.convert(msgspec.to_builtins(forest), SampleForest) == forest
