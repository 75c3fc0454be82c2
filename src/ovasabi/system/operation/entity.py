"""The data of an operation."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.errors import Kind
from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Filter, Immutable, Output


class OperationState(StrEnum):
    """Where an operation is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Failure(msgspec.Struct, frozen=True):
    """Why an operation failed: what a door would have told of the error."""

    kind: Kind
    code: str
    detail: str
    field: str | None = None
    hint: str | None = None
    correlation_id: str | None = None


@entity(plural="operations", title="kind")
class Operation(Entity, frozen=True):
    """Long-running work: how far it is, and what came of it. Who asked for it is in its first event."""

    kind: Annotated[
        str, Meta(max_length=100, description="The method, such as contents_export."), Filter(), Immutable()
    ]
    request_digest: Annotated[str, Meta(max_length=64, description="SHA-256 of what was asked."), Immutable()]
    state: Annotated[OperationState, Filter()] = OperationState.QUEUED
    done: Annotated[
        int, Meta(ge=0, description="What is done, in the method's own unit; no event tells."), Output()
    ] = 0
    total: Annotated[int, Meta(description="Of how much, where that is known."), Output()] | None = None
    result: (
        Annotated[
            dict[str, Any], Meta(description="What came of it; of a cancelled one, what had been done."), Output()
        ]
        | None
    ) = None
    error: Annotated[Failure, Meta(description="Why it failed."), Output()] | None = None
    started_at: Annotated[datetime, Output()] | None = None
    finished_at: Annotated[datetime, Output()] | None = None
