"""Health over gRPC: whether the platform and each service could serve, for those who ask and those who watch."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

from ovasabi.database.connection import Database

SECONDS = 5.0
"""How often the database is asked whether it is there."""


class Health(HealthServicer):  # type: ignore[misc]  # generated, and without types
    """The status of the platform, named by nothing, and of each service; all have the same."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(("", *names))
        self._status = HealthCheckResponse.NOT_SERVING
        self._news = asyncio.Event()
        self._ended = False

    async def Check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:
        """The status as it is."""
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"There is no service {request.service[:100]!r}.")
        return HealthCheckResponse(status=self._status)

    async def Watch(self, request: HealthCheckRequest, context: Any) -> None:
        """The status as it is, and whenever it changes, until the platform stops."""
        told = None
        while True:
            news, ended = self._news, self._ended
            known = request.service in self._names
            status = self._status if known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != told:
                await context.write(HealthCheckResponse(status=status))
                told = status
            if ended:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "The platform stops.")
            await news.wait()

    async def follow(self, database: Database) -> None:
        """Asks the database time and again."""
        while True:
            await self.ask(database)
            await asyncio.sleep(SECONDS)

    async def ask(self, database: Database) -> None:
        """Asks the database."""
        try:
            await database.read("SELECT 1", timeout=2)
            status = HealthCheckResponse.SERVING
        except Exception:  # whatever it is: who does not know is not serving
            status = HealthCheckResponse.NOT_SERVING
        self._tell(status)

    def end(self) -> None:
        """Tells that nothing is served any more, and lets the watchers go, for whom the server would wait."""
        self._ended = True
        self._tell(HealthCheckResponse.NOT_SERVING)

    def _tell(self, status: Any) -> None:
        self._status = status
        news, self._news = self._news, asyncio.Event()
        news.set()
