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
    """The lifecycle state of an operation."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Failure(msgspec.Struct, frozen=True):
    """Why an operation failed: the error as the API would have returned it."""

    kind: Kind
    code: str
    detail: str
    field: str | None = None
    hint: str | None = None
    correlation_id: str | None = None


@entity(plural="operations", title="kind")
class Operation(Entity, frozen=True):
    """Long-running work, with its progress and its result. Its first event records who started it."""

    kind: Annotated[
        str,
        Meta(max_length=100, description="The method that was called, for example contents_export."),
        Filter(),
        Immutable(),
    ]
    request_digest: Annotated[str, Meta(max_length=64, description="SHA-256 digest of the request."), Immutable()]
    state: Annotated[OperationState, Filter()] = OperationState.QUEUED
    done: Annotated[
        int,
        Meta(ge=0, description="Progress so far, in the method's own unit. Progress does not emit events."),
        Output(),
    ] = 0
    total: Annotated[int, Meta(description="The total amount of work, if known."), Output()] | None = None
    result: (
        Annotated[
            dict[str, Any],
            Meta(description="The result. For a cancelled operation, what had been done until then."),
            Output(),
        ]
        | None
    ) = None
    error: Annotated[Failure, Meta(description="Why the operation failed."), Output()] | None = None
    started_at: Annotated[datetime, Output()] | None = None
    finished_at: Annotated[datetime, Output()] | None = None
