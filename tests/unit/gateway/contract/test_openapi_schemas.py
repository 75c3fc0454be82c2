"""The schemas of a query's parameters, which stand by themselves: there is nothing beside them to refer to."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.gateway.contract.openapi.schemas import query_schemas


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Question(msgspec.Struct):
    """What is asked for."""

    colour: Annotated[Colour, Meta(description="Which one.")]
    others: list[Colour] = []
    second: Colour | None = None


def test_an_enum_in_a_query_is_written_out_where_it_is_used() -> None:
    properties, needed = query_schemas(Question)
    assert "$ref" not in str(properties)
    assert needed == ["colour"]
    assert (properties["colour"]["enum"], properties["colour"]["description"]) == (["blue", "red"], "Which one.")
    assert properties["others"]["items"]["enum"] == ["blue", "red"]
    assert {"type": "null"} in properties["second"]["anyOf"]
