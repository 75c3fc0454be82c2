"""The tree of database objects: in order of what they require, and out of date whenever one of those has changed."""

import re
from pathlib import Path

import asyncpg
import postgast
import pytest

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.errors import SQLSTATES
from ovasabi.kernel.call.sqlstates import OwnSqlState
from ovasabi.lifecycle.catalog import Fact, subjects
from ovasabi.lifecycle.sql_objects import DROPPED, ObjectUnknown, State, folder, objects, plan

MADE = re.compile(r"CREATE (?:OR REPLACE )?(FUNCTION|PROCEDURE|TYPE|TRIGGER|TABLE|INDEX|SEQUENCE|POLICY) (\w+)")


def tree(root: Path, **texts: str) -> Path:
    """A tree of objects of a test's own: `ids__next` is ids/next."""
    for name, text in texts.items():
        file = root / f"{name.replace('__', '/')}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\nSELECT 1;\n")
    return root


def hashes(root: Path) -> dict[str, str]:
    """The hash of each object of a tree."""
    objects.cache_clear()
    return {each.name: each.hash for each in objects(root)}


def test_each_object_comes_behind_those_that_it_requires() -> None:
    order = [each.name for each in objects()]
    assert len(order) > 50
    assert order[-1] == DROPPED
    for each in objects():
        for line in re.findall(r"^-- requires: (.+)$", each.text, re.MULTILINE):
            for name in line.split(", "):
                assert order.index(name) < order.index(each.name), each.name


def test_a_file_is_named_after_what_it_makes_and_makes_it_whether_or_not_it_is_there() -> None:
    for each in objects():
        assert each.text.startswith("-- "), f"{each.name} does not say what it is for"
        made = MADE.findall(each.text.split("$f$")[0])
        assert {kind for kind, _ in made} <= {"FUNCTION", "PROCEDURE", "TYPE", "TRIGGER", "POLICY"}, each.name
        names = {name for kind, name in made if kind in ("FUNCTION", "PROCEDURE", "TYPE")}
        assert not names or each.name.endswith("/similarity") or names == {each.name.rpartition("/")[2]}, each.name
        assert not re.search(r"^\s*CREATE (FUNCTION|PROCEDURE|TRIGGER)", each.text, re.MULTILINE), (
            f"{each.name} cannot be applied again"
        )
        assert postgast.parse(each.text).stmts or each.name == DROPPED


def test_no_object_is_made_by_two_files() -> None:
    # let_search_text makes the functions of a branch, whose names are put together; a file may make overloads.
    found = [
        {name for kind, name in MADE.findall(each.text) if kind in ("FUNCTION", "PROCEDURE")} for each in objects()
    ]
    assert sum(map(len, found)) == len(set().union(*found))


def test_our_own_sqlstates_are_raised_by_our_own_objects_and_by_nothing_else() -> None:
    raised = {
        code
        for each in objects()
        for code in re.findall(r"ERRCODE = '(\w+)'", each.text)
        if f"WHEN SQLSTATE '{code}' THEN" not in each.text  # what an object catches itself reaches nobody
    }
    assert raised == set(OwnSqlState)


def test_the_documentation_lists_our_own_sqlstates_and_what_a_caller_is_told() -> None:
    page = (folder().parent / "docs" / "sql.md").read_text()
    listed = dict(re.findall(r"^\| `(OV\d+)` \| .+ \| `(\w+)` \|$", page, re.MULTILINE))
    error = asyncpg.PostgresError("refused")
    assert listed == {state: meaning.code for state in OwnSqlState if (meaning := SQLSTATES[state](error, "", ""))}


def test_a_change_makes_the_object_and_what_requires_it_out_of_date_and_nothing_else(tmp_path: Path) -> None:
    root = tree(tmp_path, a="-- a", b="-- b\n-- requires: a", c="-- c\n-- requires: b", d="-- d")
    before = hashes(root)
    assert list(before) in (["a", "d", "b", "c"], ["a", "b", "c", "d"], ["d", "a", "b", "c"])
    (root / "a.sql").write_text("-- another a\nSELECT 1;")
    after = hashes(root)
    assert {name for name in before if before[name] != after[name]} == {"a", "b", "c"}
    (root / "c.sql").write_text("-- another c\n-- requires: b\nSELECT 1;")
    assert {name for name, hash in hashes(root).items() if hash != after[name]} == {"c"}


def test_what_requires_itself_or_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"sql/a\.sql requires ids/gone, which does not exist"):
        hashes(tree(tmp_path / "one", a="-- a\n-- requires: ids/gone"))
    with pytest.raises(DeclarationError, match=r"Objects of sql/ require each other: (a → b → a|b → a → b)"):
        hashes(tree(tmp_path / "two", a="-- a\n-- requires: b", b="-- b\n-- requires: a"))


def test_a_file_that_was_emptied_renamed_or_copied_is_refused(tmp_path: Path) -> None:
    made = "-- a\nCREATE FUNCTION next_id() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    root = tree(tmp_path / "emptied", ids__next_id=made)
    for text in ("", "\n", "-- Only a sentence.\n-- requires: nothing\n"):
        (root / "ids" / "next_id.sql").write_text(text)
        with pytest.raises(DeclarationError, match=r"^sql/ids/next_id\.sql has no statement\.$"):
            hashes(root)
    with pytest.raises(DeclarationError, match=r"sql/b\.sql requires ids/nextid, which does not exist") as refused:
        hashes(tree(tmp_path / "renamed", ids__next_id=made, b="-- b\n-- requires: ids/nextid"))
    assert refused.value.hint == "Did you mean ids/next_id?"
    with pytest.raises(
        DeclarationError, match=r"sql/copy\.sql and sql/ids/next_id\.sql are both responsible for next_id"
    ):
        hashes(tree(tmp_path / "copied", ids__next_id=made, copy=made))


def test_what_locks_tables_is_applied_by_itself_and_behind_all_others() -> None:
    late = [each.transaction != "shared" for each in objects()]
    assert late == sorted(late)
    for each in objects():
        locks = re.search(
            r"^(CALL (secure_table|scope_table|replaced_when_copied)\b|CREATE OR REPLACE TRIGGER| +COMMIT;)",
            each.text,
            re.M,
        )
        assert (each.transaction != "shared") == (locks is not None or each.name == DROPPED), each.name


def test_what_is_applied_together_cannot_require_what_is_applied_behind_it(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"sql/a\.sql requires b, which is applied after it"):
        hashes(tree(tmp_path, a="-- a\n-- requires: b", b="-- b\n-- transaction: own"))


def test_a_plan_names_what_is_replaced_and_is_empty_where_nothing_is() -> None:
    objects.cache_clear()
    applied = {each.name: each.hash for each in objects()}
    made: dict[str, dict[str, str]] = {name: {} for name in applied}
    assert plan(State(("0007",), applied, made)) == ""
    text = plan(State(("0007",), applied | {"locks/require_lease": "of old"}, made))
    assert "-- sql/locks/require_lease.sql is replaced." in text
    assert text.count("-- sql/") == 1
    assert (folder() / "locks" / "require_lease.sql").read_text().strip() in text
    del applied["locks/require_lease"]
    assert "-- sql/locks/require_lease.sql is applied for the first time." in plan(State(("0007",), applied, made))


def test_a_plan_names_what_was_changed_by_hand_and_undoes_what_the_file_alone_would_not() -> None:
    objects.cache_clear()
    applied = {each.name: each.hash for each in objects()}
    made: dict[str, dict[str, str]] = {name: {} for name in applied}
    made["ids/next_id"] = {"function next_id()": "1", "grants on function next_id()": "PUBLIC EXECUTE"}
    facts = (
        Fact("function next_id()", "next_id", "1", "function next_id()"),
        Fact("grants on function next_id()", "next_id", "ovasabi_app EXECUTE", "grants on function next_id()"),
    )
    text = plan(State(("0007",), applied, made, facts))
    what = "grants on function next_id(): PUBLIC lacks EXECUTE, ovasabi_app has EXECUTE"
    assert f"-- sql/ids/next_id.sql is applied again: {what}." in text
    assert (
        "REVOKE EXECUTE ON function next_id() FROM ovasabi_app;\nGRANT EXECUTE ON function next_id() TO PUBLIC;" in text
    )
    assert text.count("-- sql/") == 1
    gone = plan(State(("0007",), applied, made))
    assert "-- sql/ids/next_id.sql is applied again: function next_id() is missing." in gone


def test_each_function_type_trigger_and_table_is_the_responsibility_of_one_file() -> None:
    objects.cache_clear()
    named = [name for each in objects() for name in subjects(each.name, each.text)]
    assert sorted(set(named)) == sorted(named)
    secured = {f.stem for f in (folder() / "policies").glob("*.sql")} - {"entities", "partitions", "schema"}
    assert secured | {"entities", "partitions", "schema public", "alembic_version", "sql_object"} <= set(named)


def test_an_object_that_nobody_knows_is_never_dropped_silently() -> None:
    objects.cache_clear()
    applied = {each.name: each.hash for each in objects()}
    with pytest.raises(ObjectUnknown, match="search/gone"):
        plan(State(("0007",), applied | {"search/gone": "x"}))
