"""The FROM of a level: its sources in order, and which of them the conditions of its joins restrict."""

from collections.abc import Iterable
from typing import Any

import msgspec
from postgast import pg_query_pb2

from tests.unit.kernel.statements.rule.bindings import Condition
from tests.unit.kernel.statements.rule.syntax import body_of, conjuncts, kind_of


class Source(msgspec.Struct):
    """A source in a FROM; `restricting`: whether a row of it is part of each row of the level."""

    name: str
    node: Any
    restricting: bool


class From:
    """A FROM: its sources in order, the conditions of its joins, and what was not understood."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.sources: list[Source] = []
        self.conditions: list[Condition] = []
        self.gates: list[Any] = []
        self.expressions: list[Any] = []
        self.refused: list[str] = []
        for item in items:
            self._add(body_of(item), restricting=True)

    def _add(self, item: Any, *, restricting: bool) -> set[str]:
        kind = kind_of(item)
        if kind == "join_expr":
            return self._join(item, restricting=restricting)
        if kind not in ("range_var", "range_subselect", "range_function"):
            self.refused.append(f"{kind} is not understood")
            return set()
        name = item.alias.aliasname or (item.relname if kind == "range_var" else f"?{len(self.sources)}")
        self.sources.append(Source(name, item, restricting))
        return {name}

    def _join(self, join: Any, *, restricting: bool) -> set[str]:
        kind = join.jointype
        keeps_left = kind in (pg_query_pb2.JOIN_INNER, pg_query_pb2.JOIN_LEFT)
        keeps_right = kind in (pg_query_pb2.JOIN_INNER, pg_query_pb2.JOIN_RIGHT)
        left = self._add(body_of(join.larg), restricting=restricting and keeps_left)
        right = self._add(body_of(join.rarg), restricting=restricting and keeps_right)
        if join.HasField("alias") or join.HasField("join_using_alias"):
            self.refused.append("a join with a name of its own is not understood")
        restricted = {
            pg_query_pb2.JOIN_INNER: left | right,
            # A row of the side that is kept is there whether or not the condition holds.
            pg_query_pb2.JOIN_LEFT: right,
            pg_query_pb2.JOIN_RIGHT: left,
            pg_query_pb2.JOIN_FULL: set(),
        }.get(kind)
        if restricted is None:
            self.refused.append("a kind of join is not understood")
        if kind_of(join.quals):
            self.expressions.append(join.quals)
            self.conditions += [(part, restricted or set()) for part in conjuncts(join.quals)]
            if restricting and kind == pg_query_pb2.JOIN_INNER:
                self.gates += conjuncts(join.quals)
        return left | right
