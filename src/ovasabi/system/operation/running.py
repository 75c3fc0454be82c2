"""Runs operations: a few at a time per process, fairly across campaigns, including work that other processes left."""

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
from ovasabi.decimals import to_json
from ovasabi.errors import REPORT, OvasabiError
from ovasabi.kernel.call.context import Fence, acting, current, system_context
from ovasabi.kernel.call.errors import LeaseLost
from ovasabi.kernel.call.locks import Lease, LockHeld, acquire, release, renew
from ovasabi.kernel.service import ServiceRegistry, declared_methods
from ovasabi.kernel.work.long_methods import Cancelled, carry_out
from ovasabi.system.operation import work
from ovasabi.system.operation.entity import Failure, Operation, OperationState
from ovasabi.system.operation.errors import Abandoned, KeyRevoked, KindUnknown
from ovasabi.system.operation.service import LEASE_SECONDS, Operations, Outcome
from ovasabi.system.operation.work import Standing, Work

AT_ONCE = 4
"""How many operations a process runs at a time."""
POLL_SECONDS = 2.0
"""How often a process with free capacity polls for work that other processes left."""
PUT_BACK_SECONDS = 2.0
"""How long each step of putting work back may wait for the database."""
WRITE_SECONDS = 0.3
"""The minimum time between two writes of an operation's progress."""
ATTEMPTS = 5
"""How many attempts without progress are made before the operation fails."""
# Not a retry loop: between two attempts no process owns the work, and the next one that polls picks it up.
_BACK_OFF = Policy(attempts=ATTEMPTS, first=1.0, longest=8.0)

_SQL = load(__file__)
log = logging.getLogger("ovasabi.operations")
Key = tuple[int, int]


@asynccontextmanager
async def carrying_out(registry: ServiceRegistry, at_once: int = AT_ONCE) -> AsyncIterator["Runner"]:
    """Runs operations for the duration of the block; unfinished ones are then put back for the next process."""
    runner = Runner(registry, at_once)
    polling = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        await runner.stop()


class Runner:
    """Runs this process's operations; at most half of them belong to one campaign."""

    def __init__(self, registry: ServiceRegistry, at_once: int = AT_ONCE, lease_seconds: float = LEASE_SECONDS) -> None:
        self._registry = registry
        self._operations = registry.here(Operations)
        self._at_once = at_once
        self._lease_seconds = lease_seconds
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._operations.under_way = lambda: len(self._tasks)

    async def run(self) -> None:
        """Picks up work for as long as there is capacity, until cancelled. After an error it tries at the next poll."""
        wake_up = self._operations.wake_up
        while self._at_once:
            wake_up.clear()
            try:
                await self._take_due()
            except Exception as error:
                log.warning("no operation could be picked up: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await wake_up.wait()

    async def stop(self) -> None:
        """Puts running work back, so that the next process can continue it at once.

        If the database does not respond, the work is left to its lease.
        """
        for _ in range(3):  # the work, putting it back, and giving its lease back may each wait for the database
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=PUT_BACK_SECONDS)

    async def _take_due(self) -> None:
        if len(self._tasks) >= self._at_once:
            return
        per_campaign = max(1, self._at_once // 2)
        running = Counter(campaign for campaign, _ in self._tasks)
        due = await self._registry.database.read(_SQL["due"], self._registry.local, per_campaign, 16 * self._at_once)
        for row in sorted(due, key=lambda row: running[row["campaign_id"]]):
            key = (row["campaign_id"], row["operation_id"])
            if key in self._tasks or running[key[0]] >= per_campaign or len(self._tasks) >= self._at_once:
                continue
            running[key[0]] += 1
            self._tasks[key] = task = asyncio.create_task(self._work(*key))
            task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, LeaseLost):
            self._operations.wake_up.set()
        else:
            log.warning("operation %s of campaign %s is left for the next poll: %s", key[1], key[0], error)

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
        """Makes one attempt and records its outcome."""
        progress = AttemptProgress(self._registry, operation, taken)
        try:
            progress.check(Standing(taken.cancelled_by, taken.revoked))
            if taken.attempts > ATTEMPTS:
                raise Abandoned(attempts=ATTEMPTS)
            if operation.state is not OperationState.RUNNING:
                operation = await self._operations.start(operation)
            result = await self._guarded(operation, taken, progress, lease)
            await self._operations.succeed(operation, Outcome(progress.done, progress.total, result))
        except asyncio.CancelledError:
            with suppress(OvasabiError):
                await work.put_back(self._registry.database, operation.id, 0, counted=False)
            raise
        except Cancelled:
            await progress.write()
            with acting(_as(progress.cancelled_by)):
                await self._operations.cancel(operation)
        except LeaseLost:
            raise
        except Exception as error:
            await self._failed(operation, taken, progress, error)

    async def _guarded(self, operation: Operation, taken: Work, progress: "AttemptProgress", lease: Lease) -> Any:
        """Runs the method and returns its result, renewing the lease meanwhile; if the lease is lost, stops at once."""
        method = self._method(operation.kind)
        request = await work.request_of(self._registry.database, taken)
        working = asyncio.ensure_future(carry_out(self._registry, method, taken.target, request, progress))
        renewing = asyncio.ensure_future(self._renew(lease, progress))
        try:
            await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                renewing.result()
            return await working
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _renew(self, lease: Lease, progress: "AttemptProgress") -> None:
        """Renews the lease and checks whether the work is still wanted, until it raises LeaseLost."""
        while True:
            await asyncio.sleep(lease.seconds / 4)
            try:
                await renew(self._registry.database, lease)
                progress.note(await work.standing_of(self._registry.database, progress.operation_id))
            except LeaseLost:
                raise
            except (OvasabiError, asyncpg.PostgresError):
                continue  # the database may be back before the lease expires

    async def _failed(self, operation: Operation, taken: Work, progress: "AttemptProgress", error: Exception) -> None:
        """Puts the work back after a transient error, a limited number of times; otherwise fails the operation."""
        if transient(error) and taken.attempts < ATTEMPTS:
            log.info("operation %s is retried: %s", operation.id, error)
            pause = _BACK_OFF.pause(taken.attempts)
            await work.put_back(self._registry.database, operation.id, pause, counted=True)
            return
        if not isinstance(error, OvasabiError):
            log.error("operation %s failed", operation.id, exc_info=error)
            error = OvasabiError(hint=REPORT)
        detail, field, hint = (
            text and text.replace("\0", "\N{REPLACEMENT CHARACTER}") for text in (str(error), error.field, error.hint)
        )
        failure = Failure(error.kind, error.code, detail or "", field, hint, taken.correlation_id)
        await self._operations.fail(operation, Outcome(progress.done, progress.total, progress.so_far), failure)

    def _method(self, kind: str) -> Any:
        for method in declared_methods():
            if method.id == kind:
                return method
        raise KindUnknown(method=kind)


class AttemptProgress:
    """The progress of an attempt: what its method reported last, written to the database from time to time."""

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
        """Records progress; raises the error that stops the work, if any. See `long_methods.Progress`."""
        self.done, self.total, self.marker, self.so_far = done, total, marker, so_far
        if output or time.monotonic() - self._written >= WRITE_SECONDS:
            await self.write(output)
        if self._stop is not None:
            raise self._stop

    async def write(self, output: Sequence[str] = ()) -> None:
        """Writes the progress that was reported last."""
        self._written = time.monotonic()
        marker, so_far = (to_json(value).decode() for value in (self.marker, self.so_far))
        standing = await work.step(
            self._database, self.operation_id, self.done, self.total, marker, so_far, list(output)
        )
        if standing is None:
            raise LeaseLost
        self.note(standing)

    def note(self, standing: Standing | None) -> None:
        """Records whether the work is still wanted; if not, its next step is the last."""
        if standing is not None and standing.cancelled_by is not None:
            self.cancelled_by, self._stop = standing.cancelled_by, Cancelled()
        elif standing is not None and standing.revoked:
            self._stop = KeyRevoked()

    def check(self, standing: Standing) -> None:
        """Like `note`, but raises at once if the work is no longer wanted."""
        self.note(standing)
        if self._stop is not None:
            raise self._stop


def _as(actor: str | None) -> Any:
    """Returns the current context with this actor, by default its own."""
    context = current()
    principal = msgspec.structs.replace(context.principal, name=actor or context.principal.name)
    return msgspec.structs.replace(context, principal=principal)
