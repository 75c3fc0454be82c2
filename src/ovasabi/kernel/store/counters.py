"""Counts that a parent keeps of its children: a child's write and the count are one transaction, so it is right."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.errors import EntityNotFound
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.store.history import is_known
from ovasabi.kernel.store.locks import locked
from ovasabi.kernel.store.repository import Repository

E = TypeVar("E", bound=Entity)
P = TypeVar("P", bound=Entity)


class ParentDeleted(OvasabiError):
    """What the entity belongs to is deleted; its count could not follow."""

    kind = Kind.PRECONDITION
    code = "parent_deleted"
    message = "The {parent} that this {type} belongs to is deleted."
    hint = "Restore the {parent} first."
    example = such_as(parent="content", type="comment", field="content_id")


class Counted(Generic[E, P]):
    """Writes children of one type and the count in their parent. `admit` may refuse another child of a parent.

    The count is written last: its row lock, which orders all writers of one parent, is held for one round trip, and
    the parent that it answers is the parent as it will be when the transaction ends.
    """

    def __init__(
        self,
        children: Repository[E],
        parents: Repository[P],
        *,
        reference: str,
        counter: str,
        admit: Callable[[P], None] = lambda parent: None,
    ) -> None:
        self._children, self._parents = children, parents
        self._reference, self._counter, self._admit = reference, counter, admit

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> E:
        """Creates a child and counts it; under a client's key that was used before, only answers as then."""

        async def write() -> E:
            if key is not None and await self._was_used(key):
                return await self._children.create(values, key=key)
            child = await self._children.create(values, key=key)
            await self._count(child, 1)
            return child

        return await atomically(self._children.database, write)

    async def delete(self, id: int, *, expected_version: int | None = None) -> E:
        """Deletes a child, and counts it no more."""

        async def write() -> E:
            child = await self._children.delete(id, expected_version=expected_version)
            await self._count(child, -1)
            return child

        return await atomically(self._children.database, write)

    async def restore(self, id: int) -> E:
        """Takes a delete back, and counts the child again."""

        async def write() -> E:
            child = await self._children.restore(id)
            await self._count(child, 1)
            return child

        return await atomically(self._children.database, write)

    async def _count(self, child: E, amount: int) -> None:
        verb = f"count_{self._children.of.plural}"
        try:
            parent = await self._parents.adjust(getattr(child, self._reference), {self._counter: amount}, verb=verb)
        except EntityNotFound:
            raise ParentDeleted(
                field=self._reference, type=self._children.of.name, parent=self._parents.of.name
            ) from None
        if amount > 0:
            self._admit(parent)

    async def _was_used(self, key: str) -> bool:
        """Whether the key made something already; until the transaction ends, nobody else can make a child with it."""
        async with locked(self._children.database, f"{self._children.of.name} {key}"):
            return await is_known(self._children.database, key)
