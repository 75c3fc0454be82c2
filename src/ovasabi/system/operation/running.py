"""Carrying operations out: a few at a time in each process, fair between campaigns, also what others left undone."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.failures import transient
from ovasabi.database.retry import Policy
from ovasabi.database.sql import load
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.context import Fence, acting, current, system_context
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.service import ServiceRegistry, declared_methods
from ovasabi.kernel.store.locks import Lease, LockHeld, acquire, release, renew
from ovasabi.kernel.work.long_methods import Cancelled, carry_out
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Failure, Operation, OperationState
from ovasabi.system.operation.errors import Abandoned, KeyRevoked, KindUnknown
from ovasabi.system.operation.service import LEASE_SECONDS, Operations, Outcome
from ovasabi.system.operation.work import Standing, Work

AT_ONCE = 4
"""Operations that a process carries out at a time."""
LOOK_SECONDS = 2.0
"""How often a process that has room looks for work that others left."""
WRITE_SECONDS = 0.3
"""How often the progress of an operation is written, at most."""
ATTEMPTS = 5
"""How often work is begun that gets no further, before it fails."""
# Not a loop: between two attempts the work is nobody's, and the next process to look takes it on.
_BEGUN_AGAIN = Policy(attempts=ATTEMPTS, first=1.0, longest=8.0)

_SQL = load(__file__)
log = logging.getLogger("ovasabi.operations")
Key = tuple[int, int]


@asynccontextmanager
async def carrying_out(registry: ServiceRegistry, at_once: int = AT_ONCE) -> AsyncIterator["Runner"]:
    """Carries operations out while the block runs; what is not finished then is put back for the next process."""
    runner = Runner(registry, at_once)
    looking = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        await runner.stop()


class Runner:
    """The operations that this process carries out. Half of them, at most, are of one campaign."""

    def __init__(self, registry: ServiceRegistry, at_once: int = AT_ONCE, lease_seconds: float = LEASE_SECONDS) -> None:
        self._registry = registry
        self._operations = registry.here(Operations)
        self._at_once = at_once
        self._lease_seconds = lease_seconds
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """For ever: takes work on when there is room for it. Trouble is left to the next look."""
        news = self._operations.news
        while self._at_once:
            news.clear()
            try:
                await self._take_on()
            except Exception as error:
                log.warning("no operation could be taken on: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await news.wait()

    async def stop(self) -> None:
        """Puts back what is under way, for the next process to go on with at once."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_on(self) -> None:
        if len(self._tasks) >= self._at_once:
            return
        each = max(1, self._at_once // 2)
        running = Counter(campaign for campaign, _ in self._tasks)
        due = await self._registry.database.read(_SQL["due"], self._registry.local, each, 16 * self._at_once)
        for row in sorted(due, key=lambda row: running[row["campaign_id"]]):
            key = (row["campaign_id"], row["operation_id"])
            if key in self._tasks or running[key[0]] >= each or len(self._tasks) >= self._at_once:
                continue
            running[key[0]] += 1
            self._tasks[key] = task = asyncio.create_task(self._work(*key))
            task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, LeaseLost):
            self._operations.news.set()
        else:
            log.warning("operation %s of campaign %s is left to the next look: %s", key[1], key[0], error)

    async def _work(self, campaign: int, id: int) -> None:
        database = self._registry.database
        with acting(system_context("operations", campaign)):
            try:
                lease = await acquire(database, work.lease_name(id), self._lease_seconds)
            except LockHeld:
                return
            fence = Fence(lease.name, lease.token)
            try:
                with acting(msgspec.structs.replace(current(), fence=fence)):
                    taken = await work.take(database, id)
                if taken is not None:
                    with acting(taken.context(campaign, fence)):
                        await self._carry_out(await self._operations.repository.get(id), taken, lease)
            finally:
                with suppress(OvasabiError):
                    await release(database, lease)

    async def _carry_out(self, operation: Operation, taken: Work, lease: Lease) -> None:
        """One attempt, and what came of it."""
        told = Told(self._registry, operation, taken)
        try:
            told.check(Standing(taken.cancelled_by, taken.revoked))
            if taken.attempts > ATTEMPTS:
                raise Abandoned(attempts=ATTEMPTS)
            if operation.state is not OperationState.RUNNING:
                operation = await self._operations.start(operation)
            result = await self._guarded(operation, taken, told, lease)
            await self._operations.succeed(operation, Outcome(told.done, told.total, result))
        except asyncio.CancelledError:
            with suppress(OvasabiError):
                await work.put_back(self._registry.database, operation.id, 0, counted=False)
            raise
        except Cancelled:
            await told.write()
            with acting(_as(told.cancelled_by)):
                await self._operations.cancel(operation)
        except LeaseLost:
            raise
        except Exception as error:
            await self._failed(operation, taken, told, error)

    async def _guarded(self, operation: Operation, taken: Work, told: "Told", lease: Lease) -> Any:
        """The method's result, while the lease is renewed beside it; who loses the lease stops at once."""
        method = self._method(operation.kind)
        working = asyncio.ensure_future(carry_out(self._registry, method, taken.target, taken.request, told))
        renewing = asyncio.ensure_future(self._keep(lease, told))
        try:
            await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                renewing.result()
            return await working
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _keep(self, lease: Lease, told: "Told") -> None:
        """Renews the lease for as long as it can, and looks whether the work is still wanted; ends with LeaseLost."""
        while True:
            await asyncio.sleep(lease.seconds / 4)
            try:
                await renew(self._registry.database, lease)
                told.note(await work.look(self._registry.database, told.operation_id))
            except LeaseLost:
                raise
            except (OvasabiError, asyncpg.PostgresError):
                continue  # it may be there again before the lease has run out

    async def _failed(self, operation: Operation, taken: Work, told: "Told", error: Exception) -> None:
        """What time may mend is tried again, a few times; else the operation ends with the error."""
        if transient(error) and taken.attempts < ATTEMPTS:
            log.info("operation %s is tried again: %s", operation.id, error)
            pause = _BEGUN_AGAIN.pause(taken.attempts)
            await work.put_back(self._registry.database, operation.id, pause, counted=True)
            return
        if not isinstance(error, OvasabiError):
            log.error("operation %s failed (%s)", operation.id, taken.correlation_id, exc_info=error)
            error = OvasabiError(hint="Report it with the correlation id; the server's log has the details.")
        said = [
            text and text.replace("\0", "\N{REPLACEMENT CHARACTER}") for text in (str(error), error.field, error.hint)
        ]
        failure = Failure(error.kind, error.code, said[0] or "", said[1], said[2], taken.correlation_id)
        await self._operations.fail(operation, Outcome(told.done, told.total, told.so_far), failure)

    def _method(self, kind: str) -> Any:
        for method in declared_methods():
            if method.id == kind:
                return method
        raise KindUnknown(method=kind)


class Told:
    """The progress of an attempt: what its method told last, of which now and then something is written."""

    def __init__(self, registry: ServiceRegistry, operation: Operation, taken: Work) -> None:
        self.operation_id = operation.id
        self.done, self.total = operation.done, operation.total
        self.marker, self.so_far = taken.marker, taken.so_far
        self.cancelled_by: str | None = None
        self._database = registry.database
        self._stop: OvasabiError | None = None
        self._written = 0.0

    async def step(
        self, done: int, total: int | None = None, *, marker: Any = None, so_far: Any = None, output: Sequence[str] = ()
    ) -> None:
        """Notes how far it is; raises what stops it. See `kernel.long.Progress`."""
        self.done, self.total, self.marker, self.so_far = done, total, marker, so_far
        if output or time.monotonic() - self._written >= WRITE_SECONDS:
            await self.write(output)
        if self._stop is not None:
            raise self._stop

    async def write(self, output: Sequence[str] = ()) -> None:
        """Writes what was told last."""
        self._written = time.monotonic()
        marker, so_far = (msgspec.json.encode(value).decode() for value in (self.marker, self.so_far))
        place = (self._database, self.operation_id, self.done, self.total)
        standing = await work.step(*place, marker, so_far, list(output))
        if standing is None:
            raise LeaseLost
        self.note(standing)

    def note(self, standing: Standing | None) -> None:
        """Takes in whether the work is still wanted: its next step is the last if not."""
        if standing is not None and standing.cancelled_by is not None:
            self.cancelled_by, self._stop = standing.cancelled_by, Cancelled()
        elif standing is not None and standing.revoked:
            self._stop = KeyRevoked()

    def check(self, standing: Standing) -> None:
        """As `note`, and stops at once."""
        self.note(standing)
        if self._stop is not None:
            raise self._stop


def _as(actor: str | None) -> Any:
    """The running context, with who cancelled as the actor of what is written."""
    context = current()
    principal = msgspec.structs.replace(context.principal, name=actor or context.principal.name)
    return msgspec.structs.replace(context, principal=principal)
