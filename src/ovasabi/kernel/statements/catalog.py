"""All statements that are generated for an entity type, by name: for who looks at them as a whole."""

import inspect
from functools import cached_property

import msgspec

from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.statements.writing import Statements

_LIST = "$1 scope, $2 campaign, $3 the moment, $4 limit; answers a page's rows."


class Generated(msgspec.Struct, frozen=True):
    """A generated statement, and what there is to know of its parameters and answer."""

    purpose: str
    text: str


def statements_of(of: EntityType) -> dict[str, Generated]:
    """The statements of an entity type. Of `list` and `count`, which filters vary, those without a filter."""
    sql = Statements(of)
    found = {
        name: Generated(inspect.cleandoc(member.__doc__ or ""), text)
        for name, member in inspect.getmembers(Statements)
        if isinstance(member, cached_property) and not name.startswith("_") and name not in _lacking(of)
        if isinstance(text := getattr(sql, name), str) and text.startswith(("SELECT", "WITH"))
    }
    newest = "s.created_at DESC, s.master_id DESC"
    found["list"] = Generated(f"The newest. {_LIST}", sql.list(" AND s.created_at <= $3", newest, "$4"))
    behind = " AND (s.created_at, s.master_id) < ($3, $4) AND s.created_at <= $3"
    found["list_on"] = Generated(f"Behind the id $4. {_LIST.replace('$4', '$5')}", sql.list(behind, newest, "$5"))
    found["count"] = Generated("$1 scope, $2 campaign; answers how many rows there are.", sql.count(""))
    return dict(sorted(found.items()))


def _lacking(of: EntityType) -> set[str]:
    """What cannot be asked of a type: nothing is sealed, searched or counted."""
    lacking = set() if any(field.has(Secret) for field in of.stored) else {"secrets"}
    if not of.searched:
        lacking.add("search")
    return lacking if Statements(of).adjustable else lacking | {"adjust"}
