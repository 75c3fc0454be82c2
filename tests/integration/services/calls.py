"""Verbs called as every door calls them: by name, with retries where others got in between."""

from typing import Any

from ovasabi.kernel.service import Service


async def call(
    service: Service[Any], verb: str, reference: object, request: Any = None, version: int | None = None
) -> Any:
    """Runs a verb of a service by its name."""
    (method,) = [method for method in service.methods() if method.name == verb]
    return await service.call(method, str(reference), request, version)
