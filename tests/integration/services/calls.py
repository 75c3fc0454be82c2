"""Verbs called as every door calls them: by name, with retries where others got in between."""

from typing import Any

from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.service import EntityService


async def call(
    service: EntityService[Any], verb: str, reference: object, request: Any = None, version: int | None = None
) -> Any:
    """Runs a verb of a service by its name."""
    (method,) = [method for method in service.methods() if method.name == verb]
    return await service.run(Call(method, None, str(reference), request, version))
