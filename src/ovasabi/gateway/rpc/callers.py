"""Reading a gRPC call's metadata: who calls, which call caused it, and until when an answer is wanted."""

from typing import Any

from ovasabi.gateway.calls import CORRELATION, MAX_TIMEOUT, Caller, causation
from ovasabi.kernel.context import new_correlation_id

CORRELATION_KEY = "x-correlation-id"
CAUSATION_KEY = "x-causation-id"


def caller_of(context: Any) -> Caller:
    """Who calls; the client's deadline is the call's."""
    metadata = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
    correlation = metadata.get(CORRELATION_KEY, "")
    left = context.time_remaining()
    return Caller(
        authorization=metadata.get("authorization", ""),
        correlation_id=correlation if CORRELATION.fullmatch(correlation) else new_correlation_id(),
        causation_id=causation(metadata.get(CAUSATION_KEY), CAUSATION_KEY),
        # Without a deadline of its own, a call has as long as the platform gives it.
        timeout=None if left is None or left >= MAX_TIMEOUT else max(left, 0.001),
    )
