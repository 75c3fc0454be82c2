"""The SQL that is generated for each entity type, as files: to be read, and to be seen in the diff of a change."""

from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.statements.catalog import statements_of

FOLDER = "tests/snapshots/sql"


def statements(methods: list[Method]) -> dict[str, str]:
    """The statements of the program's own entity types, a file for each."""
    own = [of for of in declared.values() if of.cls.__module__.startswith("ovasabi.")]
    return {f"{FOLDER}/{of.service}/{of.name}.sql": _file_of(of) for of in own}


def _file_of(of: EntityType) -> str:
    parts = [f"-- Generated from the declaration of {of.name}: its repository's statements. `make api` writes them.\n"]
    for name, statement in statements_of(of).items():
        purpose = "\n".join(f"-- {line}".rstrip() for line in statement.purpose.splitlines())
        parts.append(f"-- name: {name}\n{purpose}\n{statement.text};\n")
    return "\n".join(parts)
