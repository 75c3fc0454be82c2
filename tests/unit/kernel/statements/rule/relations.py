"""What the FROM of a statement offers, and which of its columns are known to be the campaign of the call."""

from collections.abc import Iterable
from typing import Any

import msgspec

from tests.unit.kernel.statements.rule.syntax import (
    body_of,
    column,
    function_name,
    is_zero,
    kind_of,
    operator,
    text_of,
    uncast,
)
from tests.unit.kernel.statements.rule.tables import FUNCTIONS, ROOT, TABLES, UNSCOPED, WITHOUT_CAMPAIGN

CAMPAIGN = "campaign_id"
Place = tuple[str, str | None]
"""A source of a level, and one of its columns."""


class Given(msgspec.Struct, frozen=True):
    """What a statement is given: in which parameter the campaign, and in which functions' parameters it may be."""

    campaign: int | str = 2
    """The number of the parameter that is the campaign or campaigns; of a function, its name."""
    names: frozenset[str] = frozenset()
    """The names of a function's parameters and variables."""


class Column(msgspec.Struct, frozen=True):
    """A column of a result."""

    name: str | None = None
    """Nothing if it is not known."""
    many: bool = False
    """Whether it stands for any number of columns that are not known."""
    bound: bool = False
    open: str | None = None
    """The table whose campaign it is and which is yet to be bound by whoever reads the result."""


class Relation(msgspec.Struct, frozen=True):
    """A source of rows."""

    columns: tuple[Column, ...] = (Column(many=True),)
    table: str | None = None
    """The table of campaigns that it is."""
    gated: bool = False
    """Whether its rows come after the scope was set."""
    is_scope: bool = False
    """Whether it is what sets the scope."""

    def named(self, names: list[str]) -> "Relation":
        """The same under other names, which may be fewer."""
        if not names:
            return self
        width = next((at for at, each in enumerate(self.columns) if each.many), len(self.columns))
        kept, rest = self.columns[:width][: len(names)], self.columns[min(width, len(names)) :]
        renamed = [msgspec.structs.replace(old, name=name) for old, name in zip(kept, names, strict=False)]
        if len(kept) < len(names):
            # Behind columns that are not known, it is not known either which of the names a column has.
            renamed += [Column(name) for name in names[len(kept) :]]
            rest = tuple(msgspec.structs.replace(each, name=None, bound=False) for each in rest)
        return msgspec.structs.replace(self, columns=(*renamed, *rest))

    def has(self, name: str) -> bool:
        """Whether it certainly has a column."""
        return any(each.name == name for each in self.columns)


def table_columns(table: str) -> tuple[Column, ...]:
    """The columns of a table, as far as the rule must know them."""
    has_campaign = table in TABLES - WITHOUT_CAMPAIGN
    unknown = Column(many=True)
    return (unknown, Column(CAMPAIGN, open=table)) if has_campaign else (unknown,)


def is_known(table: Any) -> bool:
    """Whether a table is one of the program's, or the catalog's."""
    name = table.relname
    if table.catalogname or table.schemaname not in ("", "public"):
        return table.schemaname in ("pg_catalog", "information_schema") and not table.catalogname
    return name in TABLES or name in UNSCOPED or (name.startswith("pg_") and not table.schemaname)


class Scene:
    """The sources that an expression sees, and those around them; `known` are the columns that are the campaign."""

    def __init__(self, given: Given, around: "Scene | None" = None) -> None:
        self.given, self.around = given, around
        self.sources: dict[str, Relation] = {}
        self.known: set[Place] = set()

    def add(self, name: str, relation: Relation) -> bool:
        """Adds a source; false if its name is taken, so that a column would have two meanings."""
        taken = name in self.sources
        self.sources[name] = relation
        for name_of in {each.name for each in relation.columns if each.name}:
            if all(each.bound for each in relation.columns if each.name == name_of):
                self.known.add((name, name_of))
        return not taken

    def up_to_here(self) -> "Scene":
        """What a lateral source sees."""
        seen = Scene(self.given, self.around)
        seen.sources, seen.known = dict(self.sources), set(self.known)
        return seen

    def place(self, node: Any) -> tuple["Scene", Place] | None:
        """Whose column an expression is, and in which scene; nothing if that is not certain."""
        if (named := column(node)) is None or named[1] == "*":
            return None
        qualifier, name = named
        if not qualifier and name in self.given.names:
            return None
        if qualifier:
            if qualifier in self.sources:
                return self, (qualifier, name)
        elif holders := [each for each, relation in self.sources.items() if relation.has(name)]:
            return (self, (holders[0], name)) if len(holders) == 1 else None
        elif any(each.name is None for relation in self.sources.values() for each in relation.columns):
            return None
        return self.around.place(node) if self.around else None

    def is_campaign(self, node: Any, known: Iterable[Place] = ()) -> bool:
        """Whether an expression is the campaign that is asked for, or the platform."""
        current = uncast(node)
        match kind_of(current):
            case "param_ref":
                return bool(current.number == self.given.campaign)
            case "a_const":
                return is_zero(current)
            case "column_ref":
                if column(current) == ("", self.given.campaign) and self.given.campaign in self.given.names:
                    return True
                found = self.place(current)
                if found is None:
                    return False
                scene, place = found
                return place in scene.known or (scene is self and place in set(known))
            case "a_indirection":
                (*_, last) = current.indirection
                return (
                    kind_of(last) == "a_indices" and len(current.indirection) == 1 and self.are_campaigns(current.arg)
                )
        return False

    def are_campaigns(self, node: Any) -> bool:
        """Whether an expression is a list of such campaigns."""
        current = uncast(node)
        match kind_of(current):
            case "param_ref":
                return bool(current.number == self.given.campaign)
            case "a_array_expr":
                return all(self.is_campaign(each) for each in current.elements)
            case "func_call" if function_name(current) == "array_append" and len(current.args) == 2:
                return self.are_campaigns(current.args[0]) and self.is_campaign(current.args[1])
        return False

    def own_place(self, node: Any) -> Place | None:
        """The column of a source of this level, also with `+ 0`, which keeps an index from it."""
        current = uncast(node)
        if kind_of(current) == "a_expr" and operator(current) == "+" and is_zero(current.rexpr):
            current = uncast(current.lexpr)
        found = self.place(current)
        return found[1] if found is not None and found[0] is self else None


def sets_scope(query: Any) -> bool:
    """Whether a query does nothing but set the scope, from the first parameter: the form that `scoped` writes."""
    body = body_of(query)
    if kind_of(body) != "select_stmt" or len(body.target_list) != 1:
        return False
    fields = {field.name for field, _ in body.ListFields()} - {"target_list", "limit_option", "op"}
    offset_only = fields <= {"limit_offset"} and (not fields or is_zero(body.limit_offset))
    call = body_of(body_of(body.target_list[0]).val)
    return offset_only and kind_of(call) == "func_call" and is_setting_scope(call)


def is_setting_scope(call: Any) -> bool:
    """Whether a call sets the scope for the transaction, to the first parameter."""
    if function_name(call) != "set_config" or len(call.args) != 3 or text_of(call.args[0]) != "ovasabi.campaigns":
        return False
    value, local = body_of(call.args[1]), uncast(call.args[2])
    return (
        kind_of(value) == "param_ref"
        and value.number == 1
        and kind_of(local) == "a_const"
        and bool(local.boolval.boolval)
    )


def is_platform(scene: Scene, node: Any) -> bool:
    """Whether a condition says that the platform asks, for the campaign that is asked for is 0."""
    current = body_of(node)
    if kind_of(current) != "a_expr" or operator(current) != "=" or not is_zero(current.rexpr):
        return False
    place = scene.own_place(current.lexpr)
    own = place is not None and scene.sources[place[0]].table is not None
    return not own and not is_zero(current.lexpr) and scene.is_campaign(current.lexpr)


def rows_of_root(scene: Scene) -> set[Place]:
    """The columns of this level that are the numbers of campaigns themselves."""
    return {(name, CAMPAIGN) for name, relation in scene.sources.items() if relation.table in ROOT}


def of_function(scene: Scene, call: Any, names: list[str]) -> Relation:
    """What a function in a FROM gives: `unnest` its parameters, and a function that asks for the campaign its rows."""
    name, args = function_name(call), list(call.args)
    if name == "unnest":
        bound = [scene.are_campaigns(arg) for arg in args]
        width = max(len(names), len(args))
        return Relation(tuple(Column(f"?{at}", bound=at < len(args) and bound[at]) for at in range(width))).named(names)
    asking = FUNCTIONS.get(name)
    if asking is not None and asking.campaign is not None and not names:
        return Relation((Column(many=True), Column(CAMPAIGN, bound=asks_for_campaign(scene, call))))
    return Relation(tuple(map(Column, names)) or (Column(many=True),))


def asks_for_campaign(scene: Scene, call: Any) -> bool:
    """Whether a function that reads a campaign is given the one that is asked for."""
    at = FUNCTIONS[function_name(call)].campaign
    plain = not any(kind_of(arg) == "named_arg_expr" for arg in call.args) and not call.func_variadic
    return at is not None and plain and at < len(call.args) and scene.is_campaign(call.args[at])
