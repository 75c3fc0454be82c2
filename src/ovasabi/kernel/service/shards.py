"""The servers that campaigns are on: each has its own pools and its own instances of the services."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import PLATFORM

R = TypeVar("R")
HOME = 0
"""The number of the server with the platform's rows and the directory; campaigns can be on it, too."""


class ShardUnknown(OvasabiError):
    """A campaign is on a server that the settings do not name."""

    kind = Kind.UNAVAILABLE
    code = "shard_unknown"
    message = "The campaign is on the server {shard}, which is not configured."
    hint = "OVASABI_SHARDS must name every server that has campaigns."
    example = such_as(shard=2)


class Shards(Generic[R]):
    """The registries of services by the number of their server; `place` returns the server of a campaign."""

    def __init__(self, registries: Mapping[int, R], place: Callable[[int], Awaitable[int]]) -> None:
        self._registries = dict(registries)
        self._place = place

    @property
    def home(self) -> R:
        """The registry of the platform's own server."""
        return self._registries[HOME]

    @property
    def all(self) -> dict[int, R]:
        """All registries by number."""
        return self._registries

    def numbered(self, shard: int) -> R:
        """Returns the registry of a server; raises ShardUnknown if there is none."""
        if shard not in self._registries:
            raise ShardUnknown(shard=shard)
        return self._registries[shard]

    async def each(self, run: Callable[[R], Awaitable[object]]) -> None:
        """Runs something for every registry, one after another."""
        for registry in self._registries.values():
            await run(registry)

    async def of(self, campaign: int) -> R:
        """Returns the registry of a campaign's server, or of the platform's."""
        return self.home if campaign == PLATFORM else self.numbered(await self._place(campaign))


async def at_home(campaign: int) -> int:
    """The place of every campaign if there is only one server."""
    return HOME
