"""The rule of the tenant scope accepts what is bound to its campaign, and refuses each way of not being so."""

import pytest

from tests.unit.kernel.statements.rule.findings import findings
from tests.unit.kernel.statements.rule.relations import Given

SCOPE = "SELECT set_config('ovasabi.campaigns', $1, true) AS s"
FIRST = "(SELECT scope.s FROM scope) IS NOT NULL"
UNBOUND, EARLY = "its campaign is not bound", "before the scope is set"


def read(body: str) -> str:
    """A statement that reads, as `scoped` writes it."""
    return f"SELECT x.* FROM ({SCOPE} OFFSET 0) AS scope, LATERAL ({body}) AS x"


def of_master(what: str) -> str:
    """A read of the registry under a condition."""
    return read(f"SELECT * FROM master AS m WHERE {what} AND scope.s IS NOT NULL")


def write(body: str) -> str:
    """A statement that writes, as `scoped` writes it."""
    return f"WITH scope AS MATERIALIZED ({SCOPE}) {body}"


def beside(more: str, body: str) -> str:
    """A statement that writes, with a common table expression."""
    return f"WITH scope AS MATERIALIZED ({SCOPE}), {more} {body}"


GOOD = [
    SCOPE,
    of_master("m.campaign_id = $2"),
    of_master("$2::int = m.campaign_id"),
    of_master("campaign_id = ANY ($2::int[])"),
    of_master("campaign_id = ANY (array_append($2::int[], ($2::int[])[1]))"),
    of_master("m.campaign_id IN ($2, 0)"),
    of_master("m.campaign_id = 0"),
    of_master("((m.campaign_id = $2 AND m.id > 3) OR (m.id < 3 AND m.campaign_id = ANY ($2::int[])))"),
    read(
        "SELECT m.* FROM service_event e JOIN master m ON m.campaign_id = e.campaign_id "
        "WHERE e.campaign_id = $2 AND scope.s IS NOT NULL"
    ),
    read(
        "SELECT m.* FROM service_event e LEFT JOIN master m ON m.campaign_id = e.campaign_id "
        "WHERE e.campaign_id = $2 AND scope.s IS NOT NULL"
    ),
    read(
        "SELECT m.* FROM master m RIGHT JOIN service_event e ON m.campaign_id = $2 "
        "WHERE e.campaign_id = $2 AND scope.s IS NOT NULL"
    ),
    read(
        "SELECT e.* FROM unnest($2::int[]) AS k (campaign_id) CROSS JOIN LATERAL "
        "(SELECT * FROM service_event AS e WHERE e.campaign_id = k.campaign_id OFFSET 0) AS e WHERE scope.s IS NOT NULL"
    ),
    read(
        "SELECT m.id FROM (SELECT * FROM master WHERE scope.s IS NOT NULL) AS n, master AS m "
        "WHERE n.campaign_id = m.campaign_id AND m.campaign_id = $2 AND scope.s IS NOT NULL"
    ).replace("FROM (SELECT * FROM master", "FROM LATERAL (SELECT * FROM master"),
    read("SELECT * FROM search_names($2, '{}', $3, 'text', 1) AS n WHERE scope.s IS NOT NULL"),
    read("SELECT * FROM service_campaign_main AS s WHERE ($2::int = 0 OR s.campaign_id = $2) AND scope.s IS NOT NULL"),
    read("SELECT * FROM service_user_master AS s WHERE scope.s IS NOT NULL"),
    write(f"UPDATE lease AS l SET token = 1 WHERE {FIRST} AND l.campaign_id = $2"),
    write("INSERT INTO lease (campaign_id, name) SELECT $2, $3 FROM scope WHERE scope.s IS NOT NULL"),
    write(
        "INSERT INTO lease AS l (campaign_id, name) SELECT $2, $3 FROM scope WHERE scope.s IS NOT NULL "
        "ON CONFLICT (campaign_id, name) DO UPDATE SET token = l.token + 1 WHERE l.expires_at < now() RETURNING token"
    ),
    write(f"DELETE FROM operation_work AS w WHERE {FIRST} AND w.campaign_id + 0 = $2"),
    beside(
        f"told AS (UPDATE operation_work AS w SET so_far = $4 WHERE {FIRST} AND w.campaign_id = $2 RETURNING w.*)",
        "INSERT INTO operation_output (operation_id, campaign_id) SELECT t.operation_id, t.campaign_id FROM told AS t",
    ),
    "SELECT * FROM entity_type",
    "SELECT count(*) FROM pg_catalog.pg_class",
    "CREATE TABLE IF NOT EXISTS sql_object (name text)",
]

CONDITIONS = {
    "no condition": "true",
    "another operator": "m.campaign_id <> $2",
    "an operator of a schema": "m.campaign_id OPERATOR(public.=) $2",
    "itself": "m.campaign_id = m.campaign_id",
    "another parameter": "m.campaign_id = $3",
    "the scope as the campaign": "m.campaign_id = $1::int",
    "another constant": "m.campaign_id = 7",
    "a function of the parameter": "m.campaign_id = abs($2)",
    "a sum": "m.campaign_id + 1 = $2",
    "a negation": "NOT (m.campaign_id = $2)",
    "a negation of two": "NOT (m.campaign_id <> $2 AND m.id = 1)",
    "an OR with another column": "(m.campaign_id = $2 OR m.version = 0)",
    "an OR with the platform, of a table that is not of campaigns": "($2::int = 0 OR m.campaign_id = $2)",
    "an OR in which AND hides it": "((m.campaign_id = $2 AND m.id = 1) OR (m.id = 2 AND m.type = 'x'))",
    "another table's column of that name": "m.version = (SELECT $2)",
    "ALL": "m.campaign_id = ALL ($2::int[])",
    "ANY of another operator": "m.campaign_id <> ANY ($2::int[])",
    "ANY of another list": "m.campaign_id = ANY ($3::int[])",
    "a list with another value": "m.campaign_id IN ($2, 5)",
    "a list of others": "m.campaign_id NOT IN ($2)",
    "IS NOT DISTINCT FROM": "m.campaign_id IS NOT DISTINCT FROM $2",
    "CASE": "CASE WHEN m.campaign_id = $2 THEN true ELSE true END",
    "IS NOT FALSE": "(m.campaign_id = $2) IS NOT FALSE",
    "coalesce": "coalesce(m.campaign_id = $2, true)",
    "a row of columns": "(m.campaign_id, m.id) >= ($2, 3)",
    "a range": "m.campaign_id BETWEEN $2 AND $2",
    "a sub-select of another": "m.campaign_id = (SELECT max(campaign_id) FROM api_key)",
    "a correlated column that is not bound": "EXISTS (SELECT 1 FROM lease AS l WHERE l.campaign_id = m.campaign_id)",
}

JOINS = {
    "the ON of a LEFT JOIN does not restrict the left": "FROM master m LEFT JOIN entity_type t ON m.campaign_id = $2",
    "the ON of a RIGHT JOIN does not restrict the right": "FROM lease l RIGHT JOIN master m ON m.campaign_id = $2",
    "the ON of a FULL JOIN restricts nothing": "FROM master m FULL JOIN entity_type t ON m.campaign_id = $2",
    "a LEFT JOIN's right side without its campaign": (
        "FROM service_event e LEFT JOIN master m ON m.id = e.master_id AND e.campaign_id = $2"
    ),
    "a join to what is not bound": "FROM master m JOIN service_event e ON m.campaign_id = e.campaign_id",
    "a NATURAL JOIN": "FROM master m NATURAL JOIN lease l",
    "USING": "FROM master m JOIN lease l USING (campaign_id)",
    "a join under a name": "FROM (master m JOIN entity_type t ON m.campaign_id = $2) AS j",
    "other names of columns": "FROM master AS m (campaign_id, id, uuid) JOIN entity_type t ON m.campaign_id = $2",
    "another name for the campaign": "FROM (SELECT * FROM master) AS m (campaign_id)",
    "a name that means two tables": "FROM unnest($2::int[]) AS m (campaign_id), entity_type e, master AS m",
    "another column under its name": "FROM LATERAL (SELECT id AS campaign_id FROM master WHERE campaign_id = $2) AS n, "
    "LATERAL (SELECT * FROM lease WHERE campaign_id = n.campaign_id) AS m",
    "two columns of its name": "FROM LATERAL (SELECT $2::int AS campaign_id, $3::int AS campaign_id) AS n, "
    "LATERAL (SELECT * FROM lease WHERE campaign_id = n.campaign_id) AS m",
    "the name of a source on another level": "FROM unnest($2::int[]) AS n (campaign_id), LATERAL "
    "(SELECT * FROM unnest($3::int[]) AS n (campaign_id), lease AS l WHERE l.campaign_id = n.campaign_id) AS m",
    "one of two sources of a table": "FROM LATERAL (SELECT a.* FROM master AS a, master AS b) AS m",
    "a sample": "FROM master AS m TABLESAMPLE SYSTEM (1)",
    "a list of functions": "FROM ROWS FROM (unnest($2::int[]), unnest($3::int[])) AS k (a, campaign_id), LATERAL "
    "(SELECT * FROM master WHERE campaign_id = k.campaign_id) m",
    "the other column of a function": "FROM unnest($2::int[], $3::int[]) AS k (a, campaign_id), LATERAL "
    "(SELECT * FROM master WHERE campaign_id = k.campaign_id) m",
    "a sub-select that cuts before it is bound": "FROM LATERAL (SELECT * FROM master LIMIT 5) m",
    "a sub-select that counts": "FROM LATERAL (SELECT count(*) AS n, 2 AS campaign_id FROM master) m",
    "a lateral function": "FROM generate_series(1, (SELECT count(*) FROM master)) AS m (id)",
    "VALUES": "FROM (VALUES ((SELECT count(*) FROM master))) AS m (id)",
    "a function that runs text": "FROM query_to_xml('SELECT * FROM master', true, true, '') AS m (id)",
    "a function for another campaign": "FROM search_names($3, '{}', $4, 'text', 1) AS m (id)",
    "a function for all campaigns": "FROM due_operations($3, 1, 1) AS m (id)",
}

PLACES = {
    "the target list": "SELECT (SELECT count(*) FROM lease) FROM master AS m WHERE {own}",
    "an EXISTS": "SELECT 1 FROM master AS m WHERE {own} AND EXISTS (SELECT 1 FROM lease)",
    "an IN": "SELECT 1 FROM master AS m WHERE {own} AND m.id IN (SELECT token FROM lease)",
    "HAVING": "SELECT m.type FROM master AS m WHERE {own} GROUP BY m.type HAVING EXISTS (SELECT 1 FROM lease)",
    "GROUP BY": "SELECT count(*) FROM master AS m WHERE {own} GROUP BY (SELECT max(token) FROM lease)",
    "ORDER BY": "SELECT m.id FROM master AS m WHERE {own} ORDER BY (SELECT max(token) FROM lease)",
    "DISTINCT ON": "SELECT DISTINCT ON ((SELECT max(token) FROM lease)) m.id FROM master AS m WHERE {own}",
    "LIMIT": "SELECT m.id FROM master AS m WHERE {own} LIMIT (SELECT max(token) FROM lease)",
    "OFFSET": "SELECT m.id FROM master AS m WHERE {own} OFFSET (SELECT max(token) FROM lease)",
    "a window": "SELECT sum(m.id) OVER (PARTITION BY (SELECT max(token) FROM lease)) FROM master AS m WHERE {own}",
    "a named window": "SELECT sum(m.id) OVER w FROM master m WHERE {own} WINDOW w AS (ORDER BY (SELECT 1 FROM lease))",
    "a FILTER": "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM lease)) FROM master AS m WHERE {own}",
    "an ARRAY": "SELECT ARRAY(SELECT token FROM lease) FROM master AS m WHERE {own}",
    "the ON of a join": "SELECT 1 FROM master m LEFT JOIN entity_type t ON EXISTS (SELECT 1 FROM lease) WHERE {own}",
    "an arm of a UNION": "SELECT m.id FROM master AS m WHERE {own} UNION ALL SELECT token FROM lease",
    "an arm of an EXCEPT": "SELECT m.id FROM master AS m WHERE {own} EXCEPT SELECT token FROM lease",
    "the order of a UNION": "SELECT m.id FROM master AS m WHERE {own} UNION SELECT 1 ORDER BY (SELECT 1 FROM lease)",
    "VALUES": "SELECT m.id FROM master AS m WHERE {own} UNION VALUES ((SELECT max(token) FROM lease))",
    "TABLE": "SELECT m.id FROM master AS m WHERE {own} UNION TABLE lease",
    "a nested WITH": "WITH a AS (SELECT * FROM lease) SELECT 1 FROM master AS m, a WHERE {own}",
    "a WITH that is not read": "WITH a AS (SELECT * FROM lease) SELECT 1 FROM master AS m WHERE {own}",
    "a WITH of the table's name": "WITH lease AS (SELECT * FROM lease) SELECT 1 FROM master AS m, lease WHERE {own}",
    "a WITH of that name on another level": (
        "SELECT (WITH lease AS (SELECT 1) SELECT 1 FROM lease), (SELECT 1 FROM lease) FROM master m WHERE {own}"
    ),
    "a WITH of that name, and a schema": "WITH lease AS (SELECT 1) SELECT 1 FROM public.lease, master AS m WHERE {own}",
    "a schema": "SELECT 1 FROM public.lease, master AS m WHERE {own}",
    "another schema": "SELECT 1 FROM elsewhere.lease, master AS m WHERE {own}",
    "a partition": "SELECT 1 FROM lease_202601, master AS m WHERE {own}",
    "ONLY": "SELECT 1 FROM ONLY lease, master AS m WHERE {own}",
    "a lock of rows of a source": "SELECT 1 FROM master AS m WHERE {own} FOR UPDATE OF m",
}

WRITES = {
    "UPDATE without a campaign": write(f"UPDATE lease AS l SET token = 1 WHERE {FIRST}"),
    "UPDATE of another row of the name": write(
        f"UPDATE lease SET token = 1 FROM lease AS l WHERE {FIRST} AND l.campaign_id = $2"
    ),
    "UPDATE of the campaign": write(f"UPDATE lease AS l SET campaign_id = 3 WHERE {FIRST} AND l.campaign_id = $2"),
    "UPDATE of columns at once": write(
        f"UPDATE lease AS l SET (token, campaign_id) = (1, 3) WHERE {FIRST} AND l.campaign_id = $2"
    ),
    "UPDATE with a sub-select in SET": write(
        f"UPDATE lease AS l SET token = (SELECT max(id) FROM master) WHERE {FIRST} AND l.campaign_id = $2"
    ),
    "UPDATE with a sub-select in RETURNING": write(
        f"UPDATE lease AS l SET token = 1 WHERE {FIRST} AND l.campaign_id = $2 RETURNING (SELECT max(id) FROM master)"
    ),
    "UPDATE of a table that a WITH is named like": beside(
        "lease AS (SELECT $2::int AS campaign_id)", f"UPDATE lease SET token = 1 WHERE {FIRST}"
    ),
    "UPDATE at a cursor": write("UPDATE lease SET token = 1 WHERE CURRENT OF c"),
    "DELETE without a campaign": write(f"DELETE FROM lease AS l WHERE {FIRST}"),
    "DELETE by a join to what is not bound": write(
        f"DELETE FROM lease AS l USING master AS m WHERE {FIRST} AND l.campaign_id = m.campaign_id"
    ),
    "INSERT without a campaign": write(f"INSERT INTO lease (name) SELECT $3 WHERE {FIRST}"),
    "INSERT without columns": write(f"INSERT INTO lease SELECT $2, $3 WHERE {FIRST}"),
    "INSERT of defaults": write("INSERT INTO lease DEFAULT VALUES"),
    "INSERT for another campaign": write(f"INSERT INTO lease (name, campaign_id) SELECT $2, $3 WHERE {FIRST}"),
    "INSERT of what is read and not bound": write(
        f"INSERT INTO lease (campaign_id) SELECT k.campaign_id FROM api_key AS k WHERE {FIRST}"
    ),
    "INSERT by an arm of a UNION": write(
        f"INSERT INTO lease (campaign_id) SELECT $2 WHERE {FIRST} UNION ALL SELECT $3 WHERE {FIRST}"
    ),
    "INSERT of a row among VALUES": "INSERT INTO lease (campaign_id, name) VALUES ($2, 'a'), ($3, 'b')",
    "INSERT of a column behind a star": write(
        f"INSERT INTO lease (name, campaign_id) SELECT t.*, $2 FROM entity_type AS t WHERE {FIRST}"
    ),
    "INSERT with a sub-select in its VALUES": write("INSERT INTO entity_type (name) VALUES ((SELECT name FROM lease))"),
    "INSERT into a WITH's name": beside("lease AS (SELECT 1)", f"INSERT INTO lease (name) SELECT $3 WHERE {FIRST}"),
    "a conflict with another campaign's row": write(
        f"INSERT INTO lease AS l (campaign_id, name) SELECT $2, $3 WHERE {FIRST} "
        "ON CONFLICT (name) DO UPDATE SET token = 1"
    ),
    "a conflict of a constraint": write(
        f"INSERT INTO lease AS l (campaign_id, name) SELECT $2, $3 WHERE {FIRST} "
        "ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE SET token = 1"
    ),
    "a conflict that moves a row": write(
        f"INSERT INTO lease AS l (campaign_id, name) SELECT $2, $3 WHERE {FIRST} "
        "ON CONFLICT (campaign_id, name) DO UPDATE SET campaign_id = 3"
    ),
    "a sub-select in a conflict": write(
        f"INSERT INTO lease AS l (campaign_id, name) SELECT $2, $3 WHERE {FIRST} "
        "ON CONFLICT (campaign_id, name) DO UPDATE SET token = 1 WHERE EXISTS (SELECT 1 FROM master)"
    ),
    "a sub-select in what an INSERT answers": write(
        f"INSERT INTO lease (campaign_id, name) SELECT $2, $3 WHERE {FIRST} RETURNING (SELECT max(id) FROM master)"
    ),
    "a write in a WITH": beside("a AS (DELETE FROM lease RETURNING 1)", f"SELECT 1 FROM a WHERE {FIRST}"),
}

STATEMENTS = {
    "MERGE": write("MERGE INTO lease AS l USING scope ON l.campaign_id = $2 WHEN MATCHED THEN UPDATE SET token = 1"),
    "a recursive WITH": f"WITH RECURSIVE scope AS ({SCOPE}), a AS (SELECT 1 UNION ALL SELECT 1 FROM a) SELECT 1 FROM a",
    "TABLE": "TABLE master",
    "COPY of a table": "COPY master TO STDOUT",
    "COPY of a query": "COPY (SELECT * FROM master) TO STDOUT",
    "LOCK": "LOCK TABLE master IN SHARE MODE",
    "TRUNCATE": "TRUNCATE entity_type, lease",
    "EXPLAIN": "EXPLAIN ANALYZE SELECT * FROM master",
    "PREPARE": "PREPARE p AS SELECT * FROM master",
    "EXECUTE": "EXECUTE p",
    "DECLARE": "DECLARE c CURSOR FOR SELECT * FROM master",
    "DO": "DO $$ BEGIN DELETE FROM master; END $$",
    "CALL": "CALL forget()",
    "CREATE TABLE AS": "CREATE TABLE copied AS SELECT * FROM master",
    "CREATE TABLE LIKE": "CREATE TABLE copied (LIKE master)",
    "CREATE VIEW": "CREATE VIEW seen AS SELECT * FROM master",
    "CREATE FUNCTION": "CREATE FUNCTION seen() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM master'",
    "GRANT": "GRANT ALL ON master TO PUBLIC",
    "ALTER": "ALTER TABLE master DISABLE ROW LEVEL SECURITY",
    "SELECT INTO": of_master("m.campaign_id = $2").replace("SELECT x.*", "SELECT x.* INTO copied"),
    "a role": "SET ROLE ovasabi_owner",
    "a scope for the session": "SET ovasabi.campaigns = '{1}'",
    "row-level security off": "SET row_security = off",
    "all settings": "RESET ALL",
    "a second statement": f"{of_master('m.campaign_id = $2')}; SELECT * FROM master",
}

GATES = {
    "no scope": "SELECT * FROM master AS m WHERE m.campaign_id = $2",
    "nothing that waits": read("SELECT * FROM master AS m WHERE m.campaign_id = $2"),
    "the opposite": read("SELECT * FROM master AS m WHERE m.campaign_id = $2 AND scope.s IS NULL"),
    "an OR": read("SELECT * FROM master AS m WHERE m.campaign_id = $2 AND (scope.s IS NOT NULL OR true)"),
    "a negation": read("SELECT * FROM master AS m WHERE m.campaign_id = $2 AND NOT (scope.s IS NOT NULL)"),
    "the ON of a LEFT JOIN": read(
        "SELECT * FROM master m LEFT JOIN entity_type t ON scope.s IS NOT NULL WHERE m.campaign_id = $2"
    ),
    "another column": read("SELECT * FROM master AS m WHERE m.campaign_id = $2 AND scope.t IS NOT NULL"),
    "a scope of another kind": (
        "SELECT x.* FROM (SELECT 1 AS s OFFSET 0) AS scope, LATERAL "
        "(SELECT * FROM master AS m WHERE m.campaign_id = $2 AND scope.s IS NOT NULL OFFSET 0) AS x"
    ),
    "a scope of another parameter": of_master("m.campaign_id = $2").replace("$1", "$3"),
    "a scope for the session": of_master("m.campaign_id = $2").replace("true) AS s", "false) AS s"),
    "a constant scope": of_master("m.campaign_id = $2").replace("$1", "'{0}'"),
    "a scope that is hidden": read(
        "SELECT * FROM (SELECT 1 AS s) AS scope, master AS m WHERE m.campaign_id = $2 AND scope.s IS NOT NULL"
    ),
    "a WITH that hides the scope": write(
        f"SELECT 1 FROM (WITH scope AS (SELECT 1 AS s) SELECT 1 FROM lease l WHERE {FIRST} AND l.campaign_id = $2) AS x"
    ),
    "a sub-select that may be empty": write(
        "UPDATE lease SET token = 1 WHERE (SELECT scope.s FROM scope WHERE false) IS NOT NULL AND campaign_id = $2"
    ),
    "an EXISTS": write("UPDATE lease SET token = 1 WHERE EXISTS (SELECT scope.s FROM scope) AND campaign_id = $2"),
    "a source that is not lateral": read(
        "SELECT * FROM unnest($2::int[]) AS k (n), (SELECT * FROM lease WHERE campaign_id = $2) AS l "
        "WHERE scope.s IS NOT NULL"
    ),
    "a WITH before the gate": beside(
        "a AS (SELECT * FROM lease WHERE campaign_id = $2)", f"SELECT 1 FROM a WHERE {FIRST}"
    ),
    "a write": write("INSERT INTO lease (campaign_id, name) VALUES ($2, $3)"),
    "one arm of a UNION": write(f"INSERT INTO lease (campaign_id) SELECT $2 WHERE {FIRST} UNION ALL SELECT $2::int"),
    "a source that is only perhaps there": beside(
        "a AS (SELECT 1 AS n FROM scope WHERE scope.s IS NOT NULL)",
        "SELECT l.token FROM lease AS l LEFT JOIN a ON true WHERE l.campaign_id = $2",
    ),
    "a table of the platform": "UPDATE service_user_master SET username = $1",
    "a function": "SELECT * FROM search_names($2, '{}', $3, 'text', 1)",
    "another scope inside": of_master("m.campaign_id = $2 AND set_config('ovasabi.campaigns', '{0}', true) <> ''"),
}

OWN = "m.campaign_id = $2 AND scope.s IS NOT NULL"
EVIL = {
    **{f"condition: {why}": of_master(f"({what})") for why, what in CONDITIONS.items()},
    **{f"join: {why}": read(f"SELECT m.id {what} WHERE scope.s IS NOT NULL") for why, what in JOINS.items()},
    **{f"place: {why}": read(text.format(own=OWN)) for why, text in PLACES.items()},
    **{f"write: {why}": text for why, text in WRITES.items()},
    **{f"statement: {why}": text for why, text in STATEMENTS.items()},
    **{f"gate: {why}": text for why, text in GATES.items()},
}


@pytest.mark.parametrize("sql", GOOD)
def test_what_is_bound_to_its_campaign_is_accepted(sql: str) -> None:
    assert findings(sql) == []


@pytest.mark.parametrize("why", EVIL)
def test_what_is_not_bound_to_its_campaign_is_refused(why: str) -> None:
    found = findings(EVIL[why])
    assert found, EVIL[why]
    assert all(" " in each for each in found), "a finding is a sentence"


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_the_places_are_refused_for_the_table_in_them_alone(text: str) -> None:
    found = findings(read(text.format(own=OWN)))
    assert not any(each.startswith("master") for each in found)


@pytest.mark.parametrize("why", CONDITIONS)
def test_a_condition_that_binds_nothing_is_the_only_fault(why: str) -> None:
    tables = {"master", "lease"} if "lease" in CONDITIONS[why] else {"master"}
    assert set(findings(of_master(f"({CONDITIONS[why]})"))) == {f"{table}: {UNBOUND}" for table in tables}


@pytest.mark.parametrize("why", [why for why in GATES if why != "another scope inside"])
def test_what_does_not_wait_for_the_scope_is_found_as_that(why: str) -> None:
    assert any(EARLY in each for each in findings(GATES[why])), findings(GATES[why])


def test_in_a_transaction_the_scope_is_set_before_and_the_campaign_is_compared_still() -> None:
    first = Given(campaign=1)
    assert findings("SELECT 1 FROM master WHERE campaign_id = $1 FOR UPDATE", first, in_transaction=True) == []
    assert findings("SELECT 1 FROM master WHERE id = $1 FOR UPDATE", first, in_transaction=True) == [
        f"master: {UNBOUND}"
    ]
