"""An entity type that the tests declare services of."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import pytest

from ovasabi.kernel.declare.entity import Entity, declared, entity
from ovasabi.kernel.declare.fields import Output
from ovasabi.kernel.service import services


class Bulb(StrEnum):
    """Whether a bulb is on."""

    ON = "on"
    OFF = "off"


@pytest.fixture
def bulb() -> Iterator[Any]:
    """An entity type for the test alone; neither it nor its services are left behind."""
    before = list(services)

    @entity(plural="samplebulbs", title="name")
    class Samplebulb(Entity, frozen=True):
        """A bulb."""

        name: str
        state: Annotated[Bulb, Output()] = Bulb.OFF

    yield Samplebulb
    del declared["samplebulb"]
    services[:] = before
