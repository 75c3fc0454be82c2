"""Readiness: whether the platform could carry out a call that writes, on each of its servers."""

import asyncio

from ovasabi.database.readiness import problem_of
from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.service.shards import HOME
from ovasabi.runtime import Platform


class NotReady(OvasabiError):
    """The platform responds, but could not carry out every call."""

    kind = Kind.UNAVAILABLE
    code = "not_ready"
    message = "The platform is not ready: {problem}."
    hint = "See the log, and `ovasabi status`."
    example = such_as(problem="the database is read-only")


async def readiness(platform: Platform) -> dict[int, str | None]:
    """Returns the problem of each server, or None, by its number; raises NotReady if home has one.

    Without another server, its campaigns are unavailable, and all others are served.
    """
    if platform.stop.has_begun:
        raise NotReady(problem="it is stopping")
    databases = {number: registry.database for number, registry in platform.shards.all.items()}
    problems = dict(zip(databases, await asyncio.gather(*map(problem_of, databases.values())), strict=True))
    if (problem := problems[HOME]) is not None:
        raise NotReady(problem=problem)
    return problems
