"""Reading a gRPC call's metadata: who calls, which call caused it, and until when an answer is wanted."""

from typing import Any

from ovasabi.gateway.admission import Caller
from ovasabi.gateway.wire.headers import CORRELATION, MAX_TIMEOUT, causation
from ovasabi.kernel.call.context import new_correlation_id

CORRELATION_KEY = "x-correlation-id"
CAUSATION_KEY = "x-causation-id"


def correlation_of(context: Any) -> str:
    """The caller's correlation id if it gave a well-formed one, else a new one."""
    given = _metadata(context).get(CORRELATION_KEY, "")
    return given if CORRELATION.fullmatch(given) else new_correlation_id()


def caller_of(context: Any, correlation_id: str) -> Caller:
    """Who calls; the client's deadline is the call's."""
    metadata, left = _metadata(context), context.time_remaining()
    return Caller(
        authorization=metadata.get("authorization", ""),
        correlation_id=correlation_id,
        causation_id=causation(metadata.get(CAUSATION_KEY), CAUSATION_KEY),
        # Without a deadline of its own, a call has as long as the platform gives it.
        timeout=None if left is None or left >= MAX_TIMEOUT else left,
    )


def _metadata(context: Any) -> dict[str, str]:
    # A name that ends in -bin has bytes, and is none of ours.
    return {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
