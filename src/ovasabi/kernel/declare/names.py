"""The rules for names that a declaration chooses: what they look like, and which of them the platform uses itself."""

import keyword
import re

from ovasabi.errors import DeclarationError

MAX_TABLE = 45
"""Keeps the longest derived name, that of a campaign's monthly partition, within PostgreSQL's limit of 63 bytes."""
MAX_FIELD = 50
MAX_IDENTIFIER = 63
RESERVED_FOLDERS = frozenset({"event", "google", "ovasabi"})
"""Packages of the protobuf contract, and the tables of the event log, would have the same name."""
RESERVED_PLURALS = frozenset(
    {"aclose", "call", "campaign", "close", "get", "list", "next_page_token", "page", "search", "total_size"}
)
"""Attributes of the client, and fields of a page."""
RESERVED_SERVICES = frozenset({"CampaignScope", "Client", "Connection", "Service", "Transport"})
"""Classes of the client that its services are based on, or belong to."""
PLATFORM_COLUMN = "platform_campaign_id"
"""The column of a table that refers to the platform's entities: their campaign, which is always 0."""
RESERVED_COLUMNS = frozenset({"master_id", "deleted_at", "search_vector", PLATFORM_COLUMN})
"""Columns that an entity's table has in addition to the fields that every entity has."""
SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
"""Columns that every table in PostgreSQL has."""
RESERVED_METHODS = frozenset({"page"})
"""Functions that the client adds to those of a service."""

METADATA_ROOTS = (
    "tags",
    "categories",
    "features",
    "custom_rules",
    "scheduling",
    "versioning",
    "knowledge_graph",
    "service_specific",
)
"""The allowed root keys of metadata. Data of a single service or use goes to `service_specific.<namespace>`."""

_RESERVED_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate column
constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp
current_user default deferrable desc distinct do else end except false fetch for foreign freeze from full grant
group having ilike in initially inner intersect into is isnull join leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
returning right select session_user similar some symmetric table then to trailing true union unique user using
variadic verbose when where window with
"""
_ALSO_TYPES_OR_FUNCTIONS = """
between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int
integer interval json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
json_serialize json_table json_value least merge_action national nchar none normalize nullif numeric out overlay
position precision real row setof smallint substring time timestamp treat trim values varchar xmlattributes
xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
"""
QUOTED = frozenset((_RESERVED_WORDS + _ALSO_TYPES_OR_FUNCTIONS).split())
"""The keywords of PostgreSQL 15 to 18 that are not allowed as the bare name of a column in every place."""
UNQUOTABLE = frozenset({"collation", "concurrently", "lateral", "system_user", "tablesample"})
"""Those that migrations, which SQLAlchemy writes, would not quote."""

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CAMEL = re.compile(r"[A-Z][A-Za-z0-9]*")
_ASYNCHRONOUS = frozenset({"aclose", "aiter_bytes", "aread"})
"""Names that have another form in the synchronous half of the client, as all that end with _async."""
_SNAKE_HINT = f"Use at most {MAX_FIELD} lowercase letters, digits and single underscores, for example gift_card."
_OF_A_PARTITION = re.compile(r".*(_|^)(pool|c[0-9]+|[0-9]{6})")
"""How the names of partitions end, which the table of another entity could otherwise have."""


def check_snake(what: str, name: str, longest: int = MAX_FIELD) -> None:
    """Raises `DeclarationError` unless a name is in snake case; `what` says what it names."""
    if not _SNAKE.fullmatch(name) or len(name) > longest or keyword.iskeyword(name):
        raise DeclarationError(f"{what} is named {name!r}, which is not a valid name.", hint=_SNAKE_HINT)
    if name.endswith("_async") or name in _ASYNCHRONOUS:
        raise DeclarationError(f"{what} is named {name}, which the asynchronous client reserves.", hint="Rename it.")


def check_class_name(what: str, name: str) -> None:
    """Raises `DeclarationError` unless a name is that of a class that every generated file can contain."""
    if not _CAMEL.fullmatch(name) or len(name) > MAX_FIELD or keyword.iskeyword(name):
        hint = f"Use the form GiftCard, and at most {MAX_FIELD} letters and digits."
        raise DeclarationError(f"{what} {name!r} does not have a valid name.", hint=hint)
    if re.match("Async[A-Z]", name):
        raise DeclarationError(f"{what} {name} begins with Async, which the client reserves.", hint="Omit Async.")


def check_not_reserved(what: str, name: str, reserved: frozenset[str]) -> None:
    """Raises `DeclarationError` if a name is reserved."""
    if name in reserved:
        raise DeclarationError(f"{what} is named {name}, which the platform uses itself.", hint="Choose another name.")


def check_table(what: str, name: str) -> None:
    """Raises `DeclarationError` for a table that could have the name of a partition of another one."""
    if _OF_A_PARTITION.fullmatch(name):
        raise DeclarationError(f"{what} is named {name!r}, as partitions are.", hint="Choose another name.")


def check_folder(name: str) -> None:
    """Raises `DeclarationError` unless a service's folder can have a name."""
    check_snake("The service", name)
    check_not_reserved("The service", name, RESERVED_FOLDERS)
