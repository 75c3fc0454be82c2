"""The gRPC health service: whether the platform and each service can serve, by Check and Watch."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

from ovasabi.gateway.readiness import readiness
from ovasabi.runtime import Platform

SECONDS = 5.0
"""The interval between checks of the database."""


class Health(HealthServicer):  # type: ignore[misc]  # generated, and without types
    """The status of the platform, under the empty name, and of each service; they all have the same status."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(("", *names))
        self._status = HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()
        self._ended = False

    async def Check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:
        """Returns the current status."""
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"The service {request.service[:100]!r} was not found.")
        return HealthCheckResponse(status=self._status)

    async def Watch(self, request: HealthCheckRequest, context: Any) -> None:
        """Sends the current status, and again whenever it changes, until the platform stops."""
        sent = None
        while True:
            changed, ended = self._changed, self._ended
            known = request.service in self._names
            status = self._status if known else HealthCheckResponse.SERVICE_UNKNOWN
            if status != sent:
                await context.write(HealthCheckResponse(status=status))
                sent = status
            if ended:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "The platform is shutting down.")
            await changed.wait()

    async def follow(self, platform: Platform) -> None:
        """Checks the database periodically, until cancelled."""
        while True:
            await self.probe(platform)
            await asyncio.sleep(SECONDS)

    async def probe(self, platform: Platform) -> None:
        """Checks the database once, and updates the status."""
        try:
            await readiness(platform)
            status = HealthCheckResponse.SERVING
        except Exception:  # whatever failed, the platform cannot be assumed to be serving
            status = HealthCheckResponse.NOT_SERVING
        self._set(status)

    def end(self) -> None:
        """Sets the status to NOT_SERVING and ends all watches, for which the server would wait otherwise."""
        self._ended = True
        self._set(HealthCheckResponse.NOT_SERVING)

    def _set(self, status: Any) -> None:
        self._status = status
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
