"""Long-running work: what a long method tells of itself, how it is started, and how it is carried out, or resumed."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Call, Method


class Cancelled(OvasabiError):
    """Somebody cancelled the operation: its method ends at its next step."""

    kind = Kind.PRECONDITION
    code = "operation_cancelled"
    message = "The operation was cancelled."


class Progress(Protocol):
    """How far a long method is: it tells so after each step, and whoever calls it again goes on from there.

    A step may be done twice, where its process was killed before it could tell: it must be such that the second time
    changes nothing. What is written under `progress`, output and marker, is written at once or not at all.
    """

    operation_id: int
    """An id: what was created later than the operation was accepted has a greater one."""
    marker: Any
    """What was told last, if the work was begun before; else None."""
    so_far: Any
    """The result told last, as plain values; else None."""

    async def step(
        self, done: int, total: int | None = None, *, marker: Any = None, so_far: Any = None, output: Sequence[str] = ()
    ) -> None:
        """Tells that `done` of `total` are done; ends the method if it was cancelled, by an error to be let through.

        `marker` is what the next call needs to go on, `so_far` the result if it ended here, and `output` is text that
        the operation's `download` gives, after what was put out before. Without output it may be called as often as
        one likes: it is written now and then only.
        """


class Reading(Protocol):
    """What reads entities of one type, wherever it runs."""

    async def get(self, reference: int | str) -> Any:
        """Reads one by id or uuid."""


@runtime_checkable
class Starter(Protocol):
    """What makes an operation of a call, to be carried out by whichever process has room."""

    async def accept(self, call: Call) -> Entity:
        """Accepts the work, and answers with its operation."""


class Lookup(Protocol):
    """Where the running services are found."""

    @property
    def services(self) -> Mapping[str, object]:
        """The services by label."""

    @property
    def operations(self) -> Starter:
        """What accepts long work."""

    def named(self, entity_type: str) -> Reading:
        """The running service of an entity type."""


async def start(registry: Lookup, call: Call) -> Entity:
    """Starts a long method: answers at once, with its operation. Of one entity, it must be there."""
    subject = call.method.subject
    if call.method.on_entity and subject.of is not None:
        await registry.named(subject.of.name).get(str(call.target))
    return await registry.operations.accept(call)


async def carry_out(registry: Lookup, method: Method, target: str | None, request: str, progress: Progress) -> Any:
    """Calls a long method, from its start or from where it was; answers its result. `request` is JSON."""
    service, of = registry.services[method.subject.label], method.subject.of
    arguments: list[Any] = []
    if method.on_entity:
        arguments.append(target if of is None else await registry.named(of.name).get(str(target)))
    if method.request is not None:
        arguments.append(msgspec.json.decode(request, type=method.request))
    return await getattr(service, method.function)(*arguments, progress)
