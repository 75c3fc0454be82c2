"""Reads the metadata of a gRPC call: its caller, its correlation and causation ids, and its deadline."""

from typing import Any

from ovasabi.gateway.admission import Caller
from ovasabi.gateway.wire.headers import CORRELATION, MAX_TIMEOUT, causation
from ovasabi.gateway.wire.problems import BadRequest
from ovasabi.kernel.call.context import new_correlation_id

CORRELATION_KEY = "x-correlation-id"
CAUSATION_KEY = "x-causation-id"


def correlation_of(context: Any) -> str:
    """Returns the caller's correlation id if it is well-formed, and otherwise a new one."""
    correlation_id = _metadata(context).get(CORRELATION_KEY, "")
    return correlation_id if CORRELATION.fullmatch(correlation_id) else new_correlation_id()


def caller_of(context: Any, correlation_id: str) -> Caller:
    """Returns the caller; the client's deadline becomes the timeout."""
    metadata, remaining = _metadata(context), context.time_remaining()
    names = [name for name, _ in context.invocation_metadata() or ()]
    for name in ("authorization", CAUSATION_KEY):
        if names.count(name) > 1:
            raise BadRequest(field=name, problem=f"The metadata has {name} more than once.")
    return Caller(
        authorization=metadata.get("authorization", ""),
        correlation_id=correlation_id,
        causation_id=causation(metadata.get(CAUSATION_KEY), CAUSATION_KEY),
        # A call without its own deadline has the platform's default timeout.
        timeout=None if remaining is None or remaining >= MAX_TIMEOUT else remaining,
        may_be_peer=True,
    )


def _metadata(context: Any) -> dict[str, str]:
    # Values of names that end in -bin are bytes; none of ours do.
    return {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
