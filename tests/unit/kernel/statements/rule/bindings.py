"""Which campaigns a condition binds: those it compares, for each row that gets past it, with the one asked for."""

from collections.abc import Collection
from typing import Any

from postgast import pg_query_pb2

from tests.unit.kernel.statements.rule.relations import Place, Relation, Scene, is_platform, rows_of_root
from tests.unit.kernel.statements.rule.syntax import body_of, column, conjuncts, kind_of, operator, uncast

Condition = tuple[Any, Collection[str] | None]
"""A condition, and the sources that it restricts; None for all of them."""


def bind(scene: Scene, conditions: list[Condition]) -> None:
    """Adds to the columns known in a scene those that conditions bind, until they bind no more."""
    while True:
        found = {
            place
            for condition, restricted in conditions
            for place in bound_by(scene, condition, scene.known)
            if restricted is None or place[0] in restricted
        }
        if found <= scene.known:
            return
        scene.known |= found


def bound_by(scene: Scene, node: Any, known: Collection[Place]) -> set[Place]:
    """The columns that are the campaign in each row for which a condition holds; none if it is not understood."""
    current = body_of(node)
    match kind_of(current):
        case "bool_expr" if current.boolop == pg_query_pb2.AND_EXPR:
            return _all_of(scene, conjuncts(node), known)
        case "bool_expr" if current.boolop == pg_query_pb2.OR_EXPR:
            branches = [_branch(scene, arg, known) for arg in current.args]
            return set.intersection(*branches)
        case "a_expr":
            return _compared(scene, current, known)
    return set()


def _all_of(scene: Scene, parts: list[Any], known: Collection[Place]) -> set[Place]:
    found: set[Place] = set()
    while more := {place for part in parts for place in bound_by(scene, part, {*known, *found})} - found:
        found |= more
    return found


def _branch(scene: Scene, node: Any, known: Collection[Place]) -> set[Place]:
    """As `bound_by`; the platform may see all campaigns themselves."""
    asks = any(is_platform(scene, part) for part in conjuncts(node))
    return bound_by(scene, node, known) | (rows_of_root(scene) if asks else set())


def _compared(scene: Scene, current: Any, known: Collection[Place]) -> set[Place]:
    if operator(current) != "=":
        return set()
    left, right = current.lexpr, current.rexpr
    match current.kind:
        case pg_query_pb2.AEXPR_OP:
            pairs = [(scene.own_place(one), scene.is_campaign(other, known)) for one, other in _both(left, right)]
        case pg_query_pb2.AEXPR_OP_ANY:
            pairs = [(scene.own_place(left), scene.are_campaigns(right))]
        case pg_query_pb2.AEXPR_IN:
            items = body_of(right).items
            pairs = [(scene.own_place(left), all(scene.is_campaign(item, known) for item in items))]
        case _:
            return set()
    return {place for place, is_campaign in pairs if place is not None and is_campaign}


def _both(left: Any, right: Any) -> list[tuple[Any, Any]]:
    return [(left, right), (right, left)]


def waits_for_scope(scene: Scene, ctes: dict[str, Relation], node: Any) -> bool:
    """Whether a condition is `scope.s IS NOT NULL`, or the same of a sub-select of `scope`."""
    current = body_of(node)
    if kind_of(current) != "null_test" or current.nulltesttype != pg_query_pb2.IS_NOT_NULL:
        return False
    asked = uncast(current.arg)
    if kind_of(asked) == "sub_link":
        return asked.sub_link_type == pg_query_pb2.EXPR_SUBLINK and _is_scope(ctes, body_of(asked.subselect))
    named = column(asked)
    around: Scene | None = scene
    while named and around is not None and named[0] not in around.sources:
        around = around.around
    source = around.sources[named[0]] if named and around is not None else None
    return source is not None and source.is_scope and source.has(named[1] if named else "")


def _is_scope(ctes: dict[str, Relation], query: Any) -> bool:
    fields = {field.name for field, _ in query.ListFields()} - {"limit_option", "op"}
    if fields != {"target_list", "from_clause"} or len(query.target_list) != 1 or len(query.from_clause) != 1:
        return False
    table = body_of(query.from_clause[0])
    if kind_of(table) != "range_var" or table.schemaname or not ctes.get(table.relname, Relation()).is_scope:
        return False
    named = column(body_of(query.target_list[0]).val)
    return named == (table.alias.aliasname or table.relname, ctes[table.relname].columns[0].name)
