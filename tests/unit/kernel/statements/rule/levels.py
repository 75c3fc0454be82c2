"""The levels of a statement: its sources in order, what restricts each of them, and what its rows tell."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
from postgast import pg_query_pb2

from tests.unit.kernel.statements.rule.bindings import Condition, bind, waits_for_scope
from tests.unit.kernel.statements.rule.columns import columns_of
from tests.unit.kernel.statements.rule.relations import (
    CAMPAIGN,
    Column,
    Given,
    Relation,
    Scene,
    asks_for_campaign,
    is_known,
    of_function,
    sets_scope,
    table_columns,
)
from tests.unit.kernel.statements.rule.sources import From, Source
from tests.unit.kernel.statements.rule.syntax import (
    QUERIES,
    body_of,
    column,
    conjuncts,
    function_name,
    is_zero,
    kind_of,
    of_this_level,
)
from tests.unit.kernel.statements.rule.tables import FUNCTIONS, TABLES, WITHOUT_CAMPAIGN

_RUNS_TEXT = ("query_to_", "table_to_", "cursor_to_", "schema_to_", "database_to_", "dblink", "ts_stat", "ts_rewrite")
"""Functions that run SQL which they are given as text, or read a table that they are given the name of."""
_PLAIN = {"target_list", "from_clause", "where_clause", "sort_clause", "limit_offset", "op", "limit_option"}
_ELSEWHERE = {"from_clause", "using_clause", "with_clause", "relation", "larg", "rarg", "select_stmt"}
"""Fields of a statement that are read by themselves, not as its expressions."""
Ctes = dict[str, Relation]


class Reader:
    """Reads a statement; `found` is what is wrong with it, `visited` what was read of it."""

    def __init__(self, given: Given, *, in_transaction: bool) -> None:
        self.given, self.in_transaction = given, in_transaction
        self.found: list[str] = []
        self.visited: Counter[str] = Counter()

    def statement(self, statement: Any) -> None:
        """Reads a whole statement."""
        self._query(statement, {}, None, gated=self.in_transaction)

    def _query(
        self, node: Any, ctes: Ctes, around: Scene | None, *, gated: bool, to_be_bound: bool = False
    ) -> Relation:
        """Reads a query, and returns what its rows are. With `to_be_bound`, its reader may bind the campaign."""
        body = body_of(node)
        kind = kind_of(body)
        if kind not in QUERIES:
            self.found.append(f"{kind or 'an empty query'} is not understood")
            return Relation()
        self.visited[kind] += 1
        if body.HasField("with_clause"):
            ctes = self._with(body.with_clause, ctes, around, gated=gated)
        match kind:
            case "insert_stmt":
                return self._insert(body, ctes, around, gated=gated)
            case "select_stmt" if body.HasField("larg"):
                return self._arms(body, ctes, around, gated=gated)
            case "select_stmt" if body.values_lists:
                return self._values(body, ctes, around, gated=gated)
        relation = self._level(body, ctes, around, gated=gated)
        if not (to_be_bound and kind == "select_stmt" and _is_plain(body)):
            relation = self._closed(relation)
        return relation

    def _closed(self, relation: Relation) -> Relation:
        self._unbound(each.open for each in relation.columns if each.open)
        columns = tuple(msgspec.structs.replace(each, open=None) for each in relation.columns)
        return msgspec.structs.replace(relation, columns=columns)

    def _unbound(self, tables: Iterable[str]) -> None:
        self.found += [f"{table}: its campaign is not bound" for table in tables]

    def _with(self, clause: Any, ctes: Ctes, around: Scene | None, *, gated: bool) -> Ctes:
        if clause.recursive:
            self.found.append("WITH RECURSIVE is not understood")
        for part in clause.ctes:
            cte = body_of(part)
            if around is None and sets_scope(cte.ctequery) and not cte.aliascolnames:
                self.visited["select_stmt"] += 1
                relation = _scope_of(cte.ctequery)
            else:
                relation = self._query(cte.ctequery, ctes, around, gated=gated)
            ctes = {**ctes, cte.ctename: relation.named(_names(cte.aliascolnames))}
        return ctes

    def _arms(self, body: Any, ctes: Ctes, around: Scene | None, *, gated: bool) -> Relation:
        left, right = (self._query(arm, ctes, around, gated=gated) for arm in (body.larg, body.rarg))
        self._expressions(_own(body), Scene(self.given, around), ctes, gated=gated)
        columns = tuple(
            Column(one.name, many=one.many or other.many, bound=one.bound and other.bound)
            for one, other in zip(left.columns, right.columns, strict=False)
        )
        known = len(left.columns) == len(right.columns) and not any(each.many for each in columns)
        return Relation(columns if known else (Column(many=True),), gated=left.gated and right.gated)

    def _values(self, body: Any, ctes: Ctes, around: Scene | None, *, gated: bool) -> Relation:
        scene = Scene(self.given, around)
        self._expressions(_own(body), scene, ctes, gated=gated)
        rows = [body_of(row).items for row in body.values_lists]
        bound = [all(scene.is_campaign(item) for item in items) for items in zip(*rows, strict=True)]
        return Relation(tuple(Column(f"column{at}", bound=each) for at, each in enumerate(bound, 1)), gated=gated)

    def _level(self, body: Any, ctes: Ctes, around: Scene | None, *, gated: bool) -> Relation:
        """Reads a SELECT, an UPDATE or a DELETE."""
        kind = kind_of(body)
        sources = From(body.using_clause if kind == "delete_stmt" else body.from_clause)
        if kind != "select_stmt":
            sources.sources.insert(0, Source(body.relation.alias.aliasname or body.relation.relname, None, True))
        self.found += sources.refused
        scene = Scene(self.given, around)
        where = conjuncts(body.where_clause)
        conditions: list[Condition] = [*sources.conditions, *((part, None) for part in where)]
        ready = {at: self._ready(source, body, ctes, around) for at, source in enumerate(sources.sources)}
        for at, source in enumerate(sources.sources):
            if not scene.add(source.name, ready[at] or Relation()):
                self.found.append(f"{source.name} names two sources")
        here = gated or any(waits_for_scope(scene, ctes, part) for part in [*where, *sources.gates])
        here = here or any(s.restricting and (r := ready[at]) and r.gated for at, s in enumerate(sources.sources))
        bind(scene, conditions)
        left = Scene(self.given, around)
        for at, source in enumerate(sources.sources):
            relation = ready[at] or self._made(source.node, left, ctes, around, gated=here)
            scene.add(source.name, relation)
            bind(scene, conditions)
            left.add(source.name, relation)
            left.known |= {place for place in scene.known if place[0] in left.sources}
            here = here or (source.restricting and relation.gated)
        self._expressions([*_own(body), *sources.expressions], scene, ctes, gated=here)
        self._check(scene, gated=here)
        if kind == "update_stmt":
            self._set(body.relation.relname, body.target_list)
        answered = body.target_list if kind == "select_stmt" else body.returning_clause.exprs
        return self._told(scene, answered, gated=here)

    def _ready(self, source: Source, body: Any, ctes: Ctes, around: Scene | None) -> Relation | None:
        """What a source is, if that does not depend on those to its left."""
        item = body.relation if source.node is None else source.node
        if kind_of(item) == "range_var":
            self.visited["range_var"] += 1
            # What is written is never a common table expression.
            return self._table(item, {} if source.node is None else ctes)
        if kind_of(item) == "range_subselect" and around is None and sets_scope(item.subquery):
            self.visited["select_stmt"] += 1
            return _scope_of(item.subquery)
        return None

    def _table(self, table: Any, ctes: Ctes) -> Relation:
        names = _names(table.alias.colnames)
        if not table.schemaname and table.relname in ctes:
            return ctes[table.relname].named(names)
        if not is_known(table):
            self.found.append(f"{table.relname}: the table is not known")
        if table.relname not in TABLES:
            return Relation()
        if names:
            self.found.append(f"{table.relname}: its columns are given other names")
        return Relation(table_columns(table.relname), table=table.relname)

    def _made(self, item: Any, left: Scene, ctes: Ctes, around: Scene | None, *, gated: bool) -> Relation:
        names = _names(item.alias.colnames)
        if kind_of(item) == "range_subselect":
            # What is not lateral may be read whenever the planner likes.
            seen, after = (left.up_to_here(), gated) if item.lateral else (around, self.in_transaction)
            return self._query(item.subquery, ctes, seen, gated=after, to_be_bound=True).named(names)
        scene = left.up_to_here()
        self._expressions(item.functions, scene, ctes, gated=gated)
        calls = [body_of(body_of(each).items[0]) for each in item.functions]
        if len(calls) != 1 or item.coldeflist or kind_of(calls[0]) != "func_call":
            return Relation().named(names)
        return of_function(scene, calls[0], names)

    def _check(self, scene: Scene, *, gated: bool) -> None:
        """Each table is read after the scope is set; where it is not bound, the reader of the level may bind it."""
        tables = [relation.table for relation in scene.sources.values() if relation.table]
        self.found += [f"{table}: read before the scope is set" for table in tables if not gated]

    def _set(self, table: str, targets: Any) -> None:
        if table in TABLES - WITHOUT_CAMPAIGN and any(body_of(each).name == CAMPAIGN for each in targets):
            self.found.append(f"{table}: its campaign is changed")

    def _told(self, scene: Scene, targets: Any, *, gated: bool) -> Relation:
        """The rows of a level. A campaign that is not bound, and not told to who could bind it, is found here."""
        told = [each for target in targets for each in columns_of(scene, body_of(target))]
        places = [place for _, place in told]
        self._unbound(
            each.open
            for name, relation in scene.sources.items()
            for each in relation.columns
            if each.open and (name, each.name) not in scene.known and (name, each.name) not in places
        )
        return Relation(tuple(column for column, _ in told), gated=gated)

    def _insert(self, body: Any, ctes: Ctes, around: Scene | None, *, gated: bool) -> Relation:
        self.visited["range_var"] += 1
        table = body.relation.relname
        relation = self._table(body.relation, {})
        rows = Relation(())
        if kind_of(body.select_stmt):
            rows = self._query(body.select_stmt, ctes, around, gated=gated)
        gated = gated or rows.gated
        names = [body_of(each).name for each in body.cols]
        if relation.table and not gated:
            self.found.append(f"{table}: written before the scope is set")
        scene = Scene(self.given, around)
        scene.add(body.relation.alias.aliasname or table, relation)
        scene.add("excluded", relation)
        if table in TABLES - WITHOUT_CAMPAIGN:
            self._given_campaign(table, names, rows)
            self._conflict(body, table, scene)
            scene.known |= {(name, CAMPAIGN) for name in scene.sources}
        self._expressions(_own(body), scene, ctes, gated=gated)
        return self._told(scene, body.returning_clause.exprs, gated=gated)

    def _given_campaign(self, table: str, names: list[str], rows: Relation) -> None:
        if names.count(CAMPAIGN) != 1:
            self.found.append(f"{table}: no campaign is given")
            return
        at = names.index(CAMPAIGN)
        before = rows.columns[: at + 1]
        if len(before) <= at or any(each.many for each in before) or not before[at].bound:
            self.found.append(f"{table}: the campaign that is written is not bound")

    def _conflict(self, body: Any, table: str, scene: Scene) -> None:
        """A row that is there already is of the same campaign only if the campaign is part of what is in conflict."""
        if not body.HasField("on_conflict_clause") or body.on_conflict_clause.action != pg_query_pb2.ONCONFLICT_UPDATE:
            return
        clause = body.on_conflict_clause
        self._set(table, clause.target_list)
        of_campaign = any(body_of(each).name == CAMPAIGN for each in clause.infer.index_elems)
        own = Scene(self.given, scene.around)
        own.add(next(iter(scene.sources)), Relation(table_columns(table), table=table))
        bind(own, [(part, None) for part in conjuncts(clause.where_clause)])
        if not of_campaign and not any(name == CAMPAIGN for _, name in own.known):
            self.found.append(f"{table}: a row of another campaign may be in conflict, and be changed")

    def _expressions(self, parts: Iterable[Any], scene: Scene, ctes: Ctes, *, gated: bool) -> None:
        """Reads the queries in expressions, and checks the functions that they call."""
        for kind, node in of_this_level(*parts):
            if kind == "sub_link":
                self._query(node.subselect, ctes, scene, gated=gated)
            elif kind == "func_call":
                self._call(node, scene, gated=gated)

    def _call(self, call: Any, scene: Scene, *, gated: bool) -> None:
        name = function_name(call)
        if name.startswith(_RUNS_TEXT) or name == "set_config":
            self.found.append(f"{name}() is refused")
        if (asking := FUNCTIONS.get(name)) is None:
            return
        if not gated:
            self.found.append(f"{name}: called before the scope is set")
        if (asking.campaign is not None or asking.beyond) and not asks_for_campaign(scene, call):
            self.found.append(f"{name}: its campaign is not bound")


def _own(body: Any) -> list[Any]:
    """The expressions of a statement itself."""
    lists = [value for field, value in body.ListFields() if field.message_type and field.name not in _ELSEWHERE]
    return [part for each in lists for part in ([each] if hasattr(each, "DESCRIPTOR") else each)]


def _is_plain(body: Any) -> bool:
    """Whether each row of a SELECT is a row of its sources, so that who reads it may restrict it as well as itself."""
    fields = {field.name for field, _ in body.ListFields()}
    whole = fields <= _PLAIN and (not kind_of(body.limit_offset) or is_zero(body.limit_offset))
    return whole and all(column(body_of(each).val) is not None for each in body.target_list)


def _names(nodes: Any) -> list[str]:
    return [body_of(each).sval for each in nodes]


def _scope_of(query: Any) -> Relation:
    return Relation((Column(body_of(body_of(query).target_list[0]).name or "set_config"),), is_scope=True)
