"""The bodies of the functions in `sql/`: each statement in them, also those that they put together and execute."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import postgast

from tests.unit.kernel.statements.rule.findings import findings, of_statement
from tests.unit.kernel.statements.rule.relations import Given
from tests.unit.kernel.statements.rule.syntax import (
    QUERIES,
    body_of,
    column,
    conjuncts,
    function_name,
    is_zero,
    kind_of,
    operator,
    text_of,
    uncast,
    walk,
)
from tests.unit.kernel.statements.rule.tables import FUNCTIONS, OF_BRANCH, TABLES

CAMPAIGN = "p_campaign"
_PLACEHOLDER = re.compile(r"%(?:(?P<number>\d+)\$)?(?P<kind>[ILs%])")
_DEFINES = re.compile(r"\s*(?:CREATE|ALTER|DROP|GRANT|REVOKE|RESET ROLE|SET ROLE)\b(?!\s+OR\s+REPLACE\s+FUNCTION)")
_EXECUTES = ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors")
_COMPOSITES = re.compile(r"\bsearch_(?:found|hit|place)\[\]")
_SETS_UP = {"call_stmt", "grant_stmt", "comment_stmt", "create_trig_stmt", "alter_owner_stmt", "drop_stmt"}
_SETS_UP |= {"composite_type_stmt"}
"""Statements beside the functions that touch no row, whatever table they name."""
Values = Mapping[str, str]
"""Texts that a procedure is given, by the names of its parameters."""


class Part(msgspec.Struct, frozen=True):
    """A statement in a function: its text, whether it is put together, and the values that it is run with."""

    text: str
    dynamic: bool = False
    values: tuple[str, ...] = ()


def function_findings(text: str, values: Values | None = None) -> list[str]:
    """What is wrong in a file of `sql/`, or in a function that a procedure makes, given the texts that it is given."""
    found: list[str] = []
    for raw in postgast.parse(text).stmts:
        statement = body_of(raw.stmt)
        if kind_of(statement) in ("create_function_stmt", "do_stmt"):
            end = raw.stmt_location + raw.stmt_len if raw.stmt_len else None
            own = text.encode()[raw.stmt_location : end].decode()
            found += _Function(statement, own, values or {}).findings()
        elif kind_of(statement) in QUERIES:
            found += of_statement(statement, Given())
        elif kind_of(statement) not in _SETS_UP:
            found.append(f"{kind_of(statement)} is refused: what it touches is not known")
    return sorted(set(found))


class _Function:
    """A function, a procedure or a DO block."""

    def __init__(self, statement: Any, text: str, values: Values) -> None:
        self.values = dict(values)
        options = {body_of(each).defname: body_of(each).arg for each in getattr(statement, "options", [])}
        self.is_sql = "language" in options and body_of(options["language"]).sval == "sql"
        self.definer = "security" in options and body_of(options["security"]).boolval
        self.name = body_of(statement.funcname[-1]).sval if options else "DO"
        self.body = body_of(body_of(options["as"]).items[0]).sval if self.is_sql else ""
        parameters = [body_of(each).name for each in getattr(statement, "parameters", [])]
        # The parser does not know the composite types of ours; of an array of them it cannot be told any.
        self.tree: Any = [] if self.is_sql else _tree(_COMPOSITES.sub("text[]", text))
        self.names = frozenset([*parameters, *_variables(self.tree)])
        self._defaults()

    def findings(self) -> list[str]:
        """What is wrong in it, each with its name."""
        parts = [Part(self.body)] if self.is_sql else list(_parts(self.tree))
        if not self.is_sql and len(self.tree) != 1:
            return [f"{self.name}: its body is not understood"]
        found = [each for part in parts for each in self._of(part)]
        if self.definer and not self._asks() and any(map(_touches, parts)):
            found.append("it runs beyond row-level security, and does not ask for the scope first")
        return [f"{self.name}: {each}" for each in found]

    def _of(self, part: Part) -> Iterator[str]:
        if not part.dynamic:
            known = part.text.startswith("SELECT ") or kind_of(_parsed(part.text)) in QUERIES
            given = Given(CAMPAIGN, self.names)
            yield from findings(part.text, given, in_transaction=True) if known else function_findings(part.text)
            return
        yield from findings(f"SELECT {part.text}", Given(CAMPAIGN, self.names), in_transaction=True)
        if (text := self._filled(part.text)) is None:
            yield f"it executes a text that is not known: {part.text[:60]}"
        elif re.match(r"\s*CREATE\s+OR\s+REPLACE\s+FUNCTION", text):
            yield from function_findings(text)
        elif not _DEFINES.match(text):
            at = part.values.index(CAMPAIGN) + 1 if CAMPAIGN in part.values else 0
            yield from findings(text, Given(at), in_transaction=True)

    def _asks(self) -> bool:
        """Whether it first of all refuses a campaign outside the scope, or says nothing of one."""
        if self.is_sql:
            (target,) = _parsed(self.body).target_list[:1]
            return any(_is_in_scope(part) for part in conjuncts(body_of(target).val))
        first = self.tree[0]["PLpgSQL_function"]["action"]["PLpgSQL_stmt_block"]["body"][0]
        asked = first.get("PLpgSQL_stmt_perform", {}).get("expr", {}).get("PLpgSQL_expr", {}).get("query", "")
        return bool(asked == f"SELECT require_scope({CAMPAIGN})")

    def _defaults(self) -> None:
        """Adds the variables whose texts follow from those that it is given."""
        for function in self.tree if self.values else []:
            for datum in function["PLpgSQL_function"]["datums"]:
                variable = datum.get("PLpgSQL_var", {})
                default = variable.get("default_val", {}).get("PLpgSQL_expr", {}).get("query")
                if default and (value := self._value(_expression(default))) is not None:
                    self.values[variable["refname"]] = value

    def _filled(self, expression: str) -> str | None:
        """The text that an EXECUTE runs: what is not known of it is a name, a text, or a condition that may be true."""
        call = _expression(expression)
        if (constant := text_of(call)) is not None:
            return constant
        if kind_of(call) != "func_call" or function_name(call) != "format" or (text := text_of(call.args[0])) is None:
            return None
        given, at = [self._value(arg) for arg in call.args[1:]], iter(range(len(call.args)))

        def fill(match: re.Match[str]) -> str:
            if match["kind"] == "%":
                return "%"
            value = given[int(match["number"]) - 1 if match["number"] else next(at)]
            unknown = {"I": OF_BRANCH, "L": "''", "s": "true OR true"}
            return unknown[match["kind"]] if value is None else value

        return _PLACEHOLDER.sub(fill, text)

    def _value(self, node: Any) -> str | None:
        """The text that an expression is, if that follows from what is given."""
        current = uncast(node)
        if (constant := text_of(current)) is not None:
            return constant
        match kind_of(current):
            case "column_ref" if (named := column(current)) and not named[0]:
                return self.values.get(named[1])
            case "a_expr" if operator(current) == "||":
                both = self._value(current.lexpr), self._value(current.rexpr)
                return None if None in both else f"{both[0]}{both[1]}"
            case "case_expr" if (asked := self._value(current.arg)) is not None:
                whens = [body_of(each) for each in current.args]
                taken = next((each.result for each in whens if self._value(each.expr) == asked), current.defresult)
                return self._value(taken)
        return None


def _tree(text: str) -> Any:
    """The body of a function in PL/pgSQL; nothing if the parser fails, as it does for functions of triggers."""
    try:
        return postgast.parse_plpgsql(text)
    except (postgast.PgQueryError, json.JSONDecodeError):
        return []


def _parts(tree: Any, key: str = "") -> Iterator[Part]:
    """The statements in a parsed body, with those that are put together as the expressions of their texts."""
    if isinstance(tree, list):
        for each in tree:
            yield from _parts(each, key)
    elif isinstance(tree, dict):
        for name, value in tree.items():
            if name in _EXECUTES or (isinstance(value, dict) and "dynquery" in value):
                run = value["dynquery" if "dynquery" in value else "query"]["PLpgSQL_expr"]["query"]
                using = tuple(each["PLpgSQL_expr"]["query"] for each in value.get("params", []))
                yield Part(run, dynamic=True, values=using)
                yield from _parts({k: v for k, v in value.items() if k not in ("dynquery", "query")})
            elif name == "PLpgSQL_expr":
                yield Part(_statement(value["query"], value["parseMode"]))
            else:
                yield from _parts(value, name)


def _statement(text: str, mode: int) -> str:
    if mode == 0:
        return text
    return f"SELECT {text if mode == 2 else text.partition(':=')[2]}"


def _parsed(text: str) -> Any:
    return body_of(postgast.parse(text).stmts[0].stmt)


def _expression(text: str) -> Any:
    return body_of(body_of(_parsed(f"SELECT {text}").target_list[0]).val)


def _variables(tree: Any) -> Iterator[str]:
    for function in tree:
        for datum in function["PLpgSQL_function"]["datums"]:
            yield from (value["refname"] for value in datum.values() if "refname" in value)


def _touches(part: Part) -> bool:
    """Whether a statement may read a row of a campaign; one that is put together may if it reads at all."""
    nodes = list(walk(_parsed(f"SELECT {part.text}" if part.dynamic else part.text)))
    tables = {node.relname for kind, node in nodes if kind == "range_var"} & TABLES
    texts = " ".join(node.sval.sval for kind, node in nodes if kind == "a_const" and node.HasField("sval"))
    read = set(re.findall(r"\w+", texts)) & TABLES if re.search(r"\bFROM\b", texts) else set()
    called = {function_name(node) for kind, node in nodes if kind == "func_call"} & FUNCTIONS.keys()
    return bool(tables or called or read or re.search(r"FROM %I\(", texts))


def _is_in_scope(node: Any) -> bool:
    """`p_campaign = ANY (scope_campaigns())`, or the same for what is not of the platform."""
    current = body_of(node)
    if kind_of(current) == "bool_expr":
        return all(_is_in_scope(arg) or _is_platform(arg) for arg in current.args) and any(
            _is_in_scope(arg) for arg in current.args
        )
    if kind_of(current) != "a_expr" or operator(current) != "=" or column(current.lexpr) != ("", CAMPAIGN):
        return False
    scope = body_of(current.rexpr)
    return kind_of(scope) == "func_call" and function_name(scope) == "scope_campaigns"


def _is_platform(node: Any) -> bool:
    current = body_of(node)
    return kind_of(current) == "a_expr" and operator(current) == "=" and is_zero(current.rexpr)
