"""No statement needs rows of two servers: of the platform and of a campaign, or of campaigns that may be apart."""

import re
from typing import Any

import postgast
import pytest

from tests.unit.kernel.statements.rule.syntax import body_of, function_name, is_zero, walk
from tests.unit.kernel.statements.rule.tables import FUNCTIONS, SQL, TABLES, WITHOUT_CAMPAIGN
from tests.unit.kernel.statements.test_scope_of_statements import STATEMENTS

PLATFORM = WITHOUT_CAMPAIGN | {"api_key", "campaign_directory"}
"""The tables whose rows are the platform's."""
EITHER = {"master", "master_key", "idempotency", "service_event", "lease"}
"""The tables that hold rows of the platform and of campaigns; a statement binds them to one campaign."""
REFERENCE = "entity_exists(0)"
USERS = "a reference to an entity of the platform, of which every server has a copy"
KEYS = {
    "system/operation/work.sql: standing",
    "system/operation/work.sql: step",
    "system/operation/work.sql: take",
}
"""Statements that ask whether a key was revoked: an operation then ends. Every server has a copy of the keys."""
SPANNING = {
    "due_operations": "all campaigns of one server: the caller asks each server",
    "log_arrived": "the log of one server: each server has epochs of its own",
}
"""Functions that read rows of several campaigns."""


def platform_rows(parsed: Any) -> set[str]:
    """What a statement on rows of a campaign reads of the platform."""
    nodes = list(walk(parsed))
    tables = {node.relname for kind, node in nodes if kind == "range_var"}
    calls = [node for kind, node in nodes if kind == "func_call"]
    tables |= {table for call in calls for table in read_by(function_name(call))}
    if not tables & (TABLES - PLATFORM - EITHER):
        return set()
    tables |= {"api_key" for call in calls if function_name(call) == "key_revoked"}
    zeros = {REFERENCE for call in calls if function_name(call) == "entity_exists" and is_zero(call.args[0])}
    return tables & PLATFORM | zeros


def read_by(function: str) -> set[str]:
    """The tables that a function of `sql/` names in its text."""
    if function not in FUNCTIONS:
        return set()
    texts = [file.read_text() for file in SQL.rglob(f"{function}.sql")]
    words = {word for text in texts for word in re.findall(r"\w+", re.sub(r"--.*", "", text))}
    return words & (TABLES | PLATFORM)


def found(text: str) -> set[str]:
    """The same, of a text."""
    return platform_rows(body_of(postgast.parse(text).stmts[0].stmt))


def test_no_statement_reads_rows_of_the_platform_and_of_a_campaign() -> None:
    mixed = {(each.where, what) for each in STATEMENTS for what in found(each.text)}
    referring = {(where, what) for where, what in mixed if what == REFERENCE}
    assert referring, USERS
    assert mixed - referring == {(where, "api_key") for where in KEYS}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SELECT 1 FROM service_content_main AS s JOIN service_user_master AS u ON u.master_id = s.author_id",
         {"service_user_master"}),
        ("SELECT 1 FROM operation_work WHERE EXISTS (SELECT 1 FROM api_key)", {"api_key"}),
        ("WITH k AS (SELECT 1 FROM api_key) DELETE FROM operation_output USING k", {"api_key"}),
        ("SELECT key_revoked(w.actor) FROM operation_work AS w", {"api_key"}),
        ("SELECT entity_exists(0, s.author_id, 'user') FROM service_content_main AS s", {REFERENCE}),
        ("SELECT due_operations('{}', 1, 1) FROM api_key", {"api_key"}),
        ("SELECT 1 FROM service_user_master JOIN master ON master.id = master_id", set()),
        ("SELECT 1 FROM service_content_main JOIN master ON master.id = master_id", set()),
    ],
)  # fmt: skip
def test_rows_of_the_platform_beside_those_of_a_campaign_are_noticed(text: str, what: set[str]) -> None:
    assert found(text) == what


def test_what_reads_rows_of_several_campaigns_is_listed() -> None:
    spanning = {
        name
        for name, asking in FUNCTIONS.items()
        if asking.beyond and asking.campaign is None and read_by(name) & (TABLES - PLATFORM)
    }
    assert spanning - {"entity_exists"} == SPANNING.keys()
