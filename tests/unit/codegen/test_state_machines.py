"""The page of a state machine shows every state and every move, whatever they are called."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import pytest

from ovasabi.codegen.state_machines import state_machine_pages
from ovasabi.discovery import discover
from ovasabi.kernel.declare.entity import Entity, declared, entity
from ovasabi.kernel.declare.fields import Output
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService, declared_methods, services

discover()


class Stage(StrEnum):
    """States with names that a diagram or a table would read differently."""

    OPEN = "open"
    REVIEW = "in review"
    END = "end"
    ODD = "a|b: <c>"
    ALONE = "alone"


@pytest.fixture
def page() -> Iterator[str]:
    """The page of a service with such states."""
    before = list(services)

    @entity(plural="sample_bids", title="name", name="sample_bid")
    class SampleBid(Entity, frozen=True):
        """A bid."""

        name: str
        stage: Annotated[Stage, Output()] = Stage.OPEN

    class SampleBids(EntityService[SampleBid]):
        """Bids."""

        @move(from_=[Stage.OPEN], to=Stage.REVIEW)
        async def review(self, bid: SampleBid) -> None:
            """Reviews the bid, or a | b,
            which takes a line of its own.

            Not on the page.
            """

        @move(from_=[Stage.REVIEW], to=Stage.END, internal=True)
        async def finish(self, bid: SampleBid) -> None:
            """Finishes the bid."""

        @move(from_=[Stage.OPEN, Stage.REVIEW], to=Stage.ODD)
        async def spoil(self, bid: SampleBid) -> None:
            """Spoils the bid."""

    methods: list[Any] = [method for method in declared_methods() if method.subject.label == "sample_bids"]
    (text,) = (text for path, text in state_machine_pages(methods).items() if path.count("/") == 2)
    yield text
    del declared["sample_bid"]
    services[:] = before


def test_every_state_and_every_move_is_drawn(page: str) -> None:
    diagram = page.split("```mermaid\n")[1].split("```")[0].splitlines()
    assert diagram == [
        "stateDiagram-v2",
        "    s1 : in review",
        "    s2 : end",
        "    s3 : a#124;b#58; #60;c#62;",
        "    alone",
        "    [*] --> open",
        "    open --> s1: review",
        "    s1 --> s2: finish",
        "    open --> s3: spoil",
        "    s1 --> s3: spoil",
        "    s2 --> [*]",
        "    s3 --> [*]",
    ]


def test_the_table_has_a_row_for_each_verb_with_its_whole_first_paragraph(page: str) -> None:
    assert "## Sample bid\n\nThe state is in the field `stage`. A new sample bid is open.\n" in page
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        r"| `review` | open | in review | writer | Reviews the bid, or a \| b, which takes a line of its own. |",
        "| `finish` | in review | end | internal | Finishes the bid. |",
        r"| `spoil` | open, in review | a\|b: \<c> | writer | Spoils the bid. |",
    ]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
