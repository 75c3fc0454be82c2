"""A service of the benchmarks alone, whose method does nothing: what a call of it costs is the way to it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.service import Service


class Echo(msgspec.Struct, frozen=True):
    """The request of a method that does nothing, and its answer."""

    word: Annotated[str, Meta(description="Any.")] = ""


class Echoes(Service):
    """Echoes."""

    singular, plural, collection = "echo", "echoes", "echoes"

    @verb()
    async def nothing(self, request: Echo) -> Echo:
        """Answers what was asked."""
        return request
