"""Long methods: how they are started, report their progress, run, and are resumed."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Call, Method


class Cancelled(OvasabiError):
    """The operation was cancelled; its method ends at its next step."""

    kind = Kind.PRECONDITION
    code = "operation_cancelled"
    message = "The operation was cancelled."


class Progress(Protocol):
    """The progress of a long method: the method reports it after each step, and resumes from there when called again.

    A step may run twice if its process is killed before it reports the step, so steps must be idempotent. The marker
    and the output of a step are written atomically.
    """

    operation_id: int
    """The id of the operation: entities created after the operation was accepted have greater ids."""
    marker: Any
    """The marker reported last, if the work was started before; otherwise None."""
    so_far: Any
    """The partial result reported last, as plain values; otherwise None."""

    async def step(
        self, done: int, total: int | None = None, *, marker: Any = None, so_far: Any = None, output: Sequence[str] = ()
    ) -> None:
        """Reports that `done` of `total` items are done. Raises `Cancelled`, which must not be caught, if cancelled.

        `marker` is what the next call needs to resume, `so_far` is the result if the method ended here, and `output` is
        text appended to what the operation's `download` returns. Without output it may be called as often as needed,
        because progress is then written only from time to time.
        """


class Reading(Protocol):
    """A service that reads entities of one type, in this process or another."""

    async def get(self, reference: int | str) -> Any:
        """Reads one by id or uuid."""


@runtime_checkable
class Starter(Protocol):
    """Turns a call into an operation, which any process with free capacity runs."""

    async def accept(self, call: Call) -> Entity:
        """Accepts the call, and returns its operation."""


class Lookup(Protocol):
    """Looks up the running services."""

    @property
    def services(self) -> Mapping[str, object]:
        """The services by label."""

    @property
    def operations(self) -> Starter:
        """The service that accepts long methods."""

    def named(self, entity_type: str) -> Reading:
        """Returns the running service of an entity type."""


async def start(registry: Lookup, call: Call) -> Entity:
    """Starts a long method and returns its operation immediately. Its entity, if it is called on one, must exist."""
    subject = call.method.subject
    if call.method.on_entity and subject.of is not None:
        await registry.named(subject.of.name).get(str(call.target))
    return await registry.operations.accept(call)


async def carry_out(registry: Lookup, method: Method, target: str | None, request: str, progress: Progress) -> Any:
    """Runs a long method, from the start or from where it stopped, and returns its result. `request` is JSON."""
    service, of = registry.services[method.subject.label], method.subject.of
    arguments: list[Any] = []
    if method.on_entity:
        arguments.append(target if of is None else await registry.named(of.name).get(str(target)))
    if method.request is not None:
        arguments.append(msgspec.json.decode(request, type=method.request))
    return await getattr(service, method.function)(*arguments, progress)
