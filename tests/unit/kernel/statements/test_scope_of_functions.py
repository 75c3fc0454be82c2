"""The functions in `sql/` are bound to the campaign that they are given, also in what they put together and execute."""

import pytest

from tests.unit.kernel.statements.rule.sql_functions import function_findings
from tests.unit.kernel.statements.rule.tables import ROOT, SQL, WITHOUT_CAMPAIGN

ALL_CAMPAIGNS = "the one look over all campaigns: numbers, and nothing of what is in them"
THE_LOG = "the log of all campaigns has the same epochs: a position, and nothing of what is in an event"
EXCEPTIONS = {
    "refuse_event_change: its body is not understood": "a trigger's: the parser fails, and there is no query in it",
    "replace_copied: its body is not understood": "a trigger's: it drops the row with the key of the one that arrives",
    "due_operations: operation_work: its campaign is not bound": ALL_CAMPAIGNS,
    "due_operations: lease: its campaign is not bound": ALL_CAMPAIGNS,
    "due_operations: it runs beyond row-level security, and does not ask for the scope first": ALL_CAMPAIGNS,
    "log_last: service_event: its campaign is not bound": THE_LOG,
    "log_arrived: it runs beyond row-level security, and does not ask for the scope first": THE_LOG,
    "DO: create_extension_stmt is refused: what it touches is not known": "pg_trgm: functions, and no rows",
    "search_places: master: its campaign is not bound": (
        "the newest up to the campaign's last; those of others are left out before they are counted"
    ),
    "let_search_text: of_branch: of_branch: the table is not known": "which table it is, is given: see the next test",
}
"""What rightly spans campaigns, or cannot be read, and why."""
BRANCHES = [
    ("campaign", "service_content_main"),
    *(("root", name) for name in ROOT),
    *(("global", name) for name in WITHOUT_CAMPAIGN),
]
BRANCH_FUNCTIONS = (SQL / "search" / "let_search_text.sql").read_text()
NAMES = (SQL / "names" / "search_names.sql").read_text()


def test_every_function_keeps_the_rule() -> None:
    found = {finding for file in SQL.rglob("*.sql") for finding in function_findings(file.read_text())}
    assert found - EXCEPTIONS.keys() == set()
    assert EXCEPTIONS.keys() - found == set(), "an exception that is no longer one is to be taken out"


@pytest.mark.parametrize(("scope", "table"), BRANCHES)
def test_the_functions_of_a_branch_keep_the_rule(scope: str, table: str) -> None:
    assert function_findings(BRANCH_FUNCTIONS, {"p_scope": scope, "p_table": table, "p_branch": table}) == []


@pytest.mark.parametrize(
    ("bound", "function"),
    [
        ("'campaign_id + 0 = p_campaign'", "_lookup"),
        ("t.campaign_id = p_campaign AND ", "_rows"),
        ("t.campaign_id = p_campaign AND ", "_named"),
        ("campaign_id = p_campaign AND created_at >= p_since", "_sample"),
        ("campaign_id = p_campaign AND created_at >= p_since", "_newest"),
    ],
)
def test_a_function_of_a_branch_that_is_not_bound_is_refused(bound: str, function: str) -> None:
    text = BRANCH_FUNCTIONS.replace(bound, "'true'" if bound.startswith("'") else "true AND ")
    values = {"p_scope": "campaign", "p_table": "service_content_main", "p_branch": "service_content_main"}
    assert any(f"service_content_main{function}: " in finding for finding in function_findings(text, values))


def plpgsql(body: str, *, more: str = "") -> str:
    """A function in PL/pgSQL."""
    return (
        "CREATE FUNCTION f(p_campaign int, p_id bigint, p_more text) RETURNS SETOF bigint LANGUAGE plpgsql STABLE "
        f"{more} AS $$ DECLARE v bigint; BEGIN {body} END $$"
    )


GOOD = [
    plpgsql("RETURN QUERY SELECT id FROM master WHERE campaign_id = p_campaign;"),
    plpgsql("PERFORM require_scope(p_campaign); RETURN QUERY SELECT 1 FROM lease WHERE campaign_id = p_campaign;"),
    plpgsql("v := (SELECT max(id) FROM master WHERE campaign_id = p_campaign);"),
    plpgsql("EXECUTE format('SELECT id FROM master WHERE campaign_id = $1 AND id = %L', p_id) USING p_campaign;"),
    "CREATE FUNCTION f(p_campaign int) RETURNS bigint LANGUAGE sql AS "
    "'SELECT max(id) FROM master WHERE campaign_id = p_campaign'",
]
EVIL = {
    "a query": plpgsql("RETURN QUERY SELECT id FROM master;"),
    "another parameter": plpgsql("RETURN QUERY SELECT id FROM master WHERE campaign_id = p_id;"),
    "an assignment": plpgsql("v := (SELECT max(id) FROM master);"),
    "a condition": plpgsql("IF EXISTS (SELECT 1 FROM master) THEN RETURN; END IF;"),
    "a branch of a condition": plpgsql("IF true THEN PERFORM 1; ELSE DELETE FROM lease; END IF;"),
    "a loop": plpgsql("FOR v IN SELECT id FROM master LOOP NULL; END LOOP;"),
    "the body of a loop": plpgsql("FOR v IN 1..2 LOOP UPDATE lease SET token = 1; END LOOP;"),
    "the bounds of a loop": plpgsql("FOR v IN 1..(SELECT max(id) FROM master) LOOP NULL; END LOOP;"),
    "what is returned": plpgsql("RETURN NEXT (SELECT max(id) FROM master);"),
    "a handler": plpgsql("BEGIN NULL; EXCEPTION WHEN others THEN DELETE FROM lease; END;"),
    "a message": plpgsql("RAISE NOTICE '%', (SELECT max(id) FROM master);"),
    "a default": "CREATE FUNCTION f(p_campaign int) RETURNS bigint LANGUAGE plpgsql AS "
    "$$ DECLARE v bigint := (SELECT max(id) FROM master); BEGIN RETURN v; END $$",
    "a cursor": "CREATE FUNCTION f(p_campaign int) RETURNS bigint LANGUAGE plpgsql AS "
    "$$ DECLARE c CURSOR FOR SELECT id FROM master; BEGIN OPEN c; END $$",
    "a text": plpgsql("EXECUTE 'SELECT id FROM master';"),
    "a text that is formatted": plpgsql("EXECUTE format('SELECT id FROM master WHERE id = %L', p_id);"),
    "a text with a condition that may hold": plpgsql(
        "EXECUTE format('SELECT id FROM master WHERE campaign_id = $1 AND %s', p_more) USING p_campaign;"
    ),
    "a text with another parameter": plpgsql(
        "EXECUTE format('SELECT id FROM master WHERE campaign_id = $1') USING p_id, p_campaign;"
    ),
    "a text for a table that is not known": plpgsql("EXECUTE format('SELECT id FROM %I', p_more);"),
    "a text for a query": plpgsql("RETURN QUERY EXECUTE 'SELECT id FROM master';"),
    "a text for a loop": plpgsql("FOR v IN EXECUTE 'SELECT id FROM master' LOOP NULL; END LOOP;"),
    "a text that is not known": plpgsql("EXECUTE p_more;"),
    "a text that is joined": plpgsql("EXECUTE 'SELECT id FROM master WHERE ' || p_more;"),
    "a function for another campaign": plpgsql("RETURN QUERY SELECT 1 FROM named_in(NULL, p_id::int, '{}', true, '');"),
    "beyond row-level security": plpgsql(
        "RETURN QUERY SELECT id FROM master WHERE campaign_id = p_campaign;", more="SECURITY DEFINER"
    ),
    "a question that comes too late": plpgsql(
        "RETURN QUERY SELECT id FROM master WHERE campaign_id = p_campaign; PERFORM require_scope(p_campaign);",
        more="SECURITY DEFINER",
    ),
    "a question about another": plpgsql(
        "PERFORM require_scope(p_id::int); RETURN QUERY SELECT id FROM master WHERE campaign_id = p_campaign;",
        more="SECURITY DEFINER",
    ),
    "SQL": "CREATE FUNCTION f(p_campaign int) RETURNS bigint LANGUAGE sql AS 'SELECT max(id) FROM master'",
    "SQL beyond row-level security": "CREATE FUNCTION f(p_campaign int) RETURNS int LANGUAGE sql SECURITY DEFINER AS "
    "'SELECT 1 FROM master WHERE campaign_id = p_campaign'",
    "DO": "DO $$ BEGIN DELETE FROM master; END $$",
    "a statement of its own": "DELETE FROM master",
    "a view": "CREATE VIEW seen AS SELECT * FROM master",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_function_that_is_bound_is_accepted(text: str) -> None:
    assert function_findings(text) == []


@pytest.mark.parametrize("why", EVIL)
def test_a_function_that_is_not_bound_is_refused(why: str) -> None:
    assert function_findings(EVIL[why])


def test_a_search_of_names_that_does_not_name_its_campaign_is_refused() -> None:
    assert function_findings(NAMES.replace("n.campaign_id = $1 AND ", "")) == [
        "search_names: master: its campaign is not bound"
    ]
