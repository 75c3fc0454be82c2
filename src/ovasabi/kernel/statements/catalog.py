"""A catalog of all statements generated for an entity type, by name, for documentation and review."""

import inspect
from functools import cached_property

import msgspec

from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.statements.writing import Statements

_LIST = "$1 scope, $2 campaign, $3 latest created_at, $4 limit. Returns the rows of a page."


class Generated(msgspec.Struct, frozen=True):
    """A generated statement, and a description of its parameters and result."""

    purpose: str
    text: str


def statements_of(of: EntityType) -> dict[str, Generated]:
    """Returns the statements of an entity type. `list` and `count`, which vary with filters, are without a filter."""
    sql = Statements(of)
    found = {
        name: Generated(inspect.cleandoc(member.__doc__ or ""), text)
        for name, member in inspect.getmembers(Statements)
        if isinstance(member, cached_property) and not name.startswith("_") and name not in _unavailable(of)
        if isinstance(text := getattr(sql, name), str) and text.startswith(("SELECT", "WITH"))
    }
    newest = "s.created_at DESC, s.master_id DESC"
    found["list"] = Generated(f"Lists the newest rows. {_LIST}", sql.list(" AND s.created_at <= $3", newest, "$4"))
    small = sql.list_small(" AND s.created_at <= $3", newest, "$4")
    found["list_small"] = Generated(f"Lists the newest rows if they are small. {_LIST}", small)
    after = " AND (s.created_at, s.master_id) < ($3, $4) AND s.created_at <= $3"
    purpose = f"Lists the rows after the id $4. {_LIST.replace('$4', '$5')}"
    found["list_on"] = Generated(purpose, sql.list(after, newest, "$5"))
    found["count"] = Generated("Counts the rows. $1 scope, $2 campaign.", sql.count(""))
    return dict(sorted(found.items()))


def _unavailable(of: EntityType) -> set[str]:
    """Returns the statements that a type does not have, for lack of secrets, searched fields or numbers."""
    unavailable = set() if any(field.has(Secret) for field in of.stored) else {"secrets"}
    if not of.searched:
        unavailable.add("search")
    return unavailable if Statements(of).adjustable else unavailable | {"adjust"}
