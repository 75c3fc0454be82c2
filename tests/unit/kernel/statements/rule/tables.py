"""Which tables and functions hold rows of campaigns, and which do not, as declarations and `sql/` say."""

import re
from pathlib import Path

import msgspec

import ovasabi
from ovasabi.kernel.declare.entity import Scope, declared

SQL = Path(ovasabi.__file__).parents[2] / "sql"
_SECURED = re.compile(r"CALL (?:secure|scope)_table\('(\w+)'")
_FUNCTION = re.compile(r"FUNCTION (\w+)\(([^)]*)\)\s+RETURNS")

_own = [of for of in declared.values() if of.cls.__module__.startswith("ovasabi.")]
WITHOUT_CAMPAIGN = {of.table_name for of in _own if of.scope is Scope.GLOBAL}
"""Tables of the platform alone: their policy asks for its scope, and there is no campaign to compare."""
ROOT = {of.table_name for of in _own if of.scope is Scope.ROOT}
"""Tables whose rows are the campaigns: the platform sees all of them."""
TABLES = {of.table_name for of in _own} | {
    name for file in (SQL / "policies").glob("*.sql") for name in _SECURED.findall(file.read_text())
}
"""All tables under row-level security."""
UNSCOPED = {
    "entity_type": "which entities there are is the same for all campaigns",
    "api_key": "a key is looked up before its campaign is known",
    "campaign_directory": "a campaign is looked up before there is a scope",
    "alembic_version": "the migration that the database is at",
    "log_epoch": "the log of all campaigns has the same epochs",
    "id_clock": "the sequence of ids",
    "sql_object": "which text of each object was applied",
}
"""Tables that hold no row of a campaign, and why."""

NAMING_ONLY = {
    "require_scope": "it reads nothing but the scope",
    "create_month": "it compares the names of tables in the catalog",
    "refuse_event_change": "it names the table in its message",
}
"""Functions that name a table of campaigns, or the check of the scope, and read no row."""


class Asking(msgspec.Struct, frozen=True):
    """A function that reads rows of campaigns. `campaign`: the place of that parameter; None if it has none."""

    campaign: int | None
    beyond: bool
    """Whether it runs beyond row-level security."""


def _functions() -> dict[str, Asking]:
    """Those that read a table of campaigns, or call one that does."""
    texts = {
        name: (text, [part.split()[0] for part in parameters.split(",") if part.strip()])
        for text in (file.read_text() for file in SQL.rglob("*.sql"))
        for name, parameters in _FUNCTION.findall(text)
        if not name.startswith("%")
    }
    words = {name: set(re.findall(r"\w+", re.sub(r"--.*", "", text))) for name, (text, _) in texts.items()}
    found = {name for name, of in words.items() if of & (TABLES | {"require_scope"})} - NAMING_ONLY.keys()
    while more := {name for name, of in words.items() if name not in found and of & found}:
        found |= more
    return {
        name: Asking(parameters.index("p_campaign") if "p_campaign" in parameters else None, "SECURITY DEFINER" in text)
        for name, (text, parameters) in texts.items()
        if name in found
    }


OF_BRANCH = "of_branch"
"""A function of a branch, which `let_search_text` makes, wherever its name is put together."""
FUNCTIONS = {**_functions(), OF_BRANCH: Asking(0, beyond=False)}
"""The functions of `sql/` that read rows of campaigns, by name."""
