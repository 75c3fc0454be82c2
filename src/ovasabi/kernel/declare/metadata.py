"""Metadata: custom attributes in namespaces, limited in size and merged on update (JSON Merge Patch, RFC 7396)."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from ovasabi.kernel.call.errors import InvalidValue
from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.kernel.declare.names import METADATA_ROOTS
from ovasabi.suggestions import nearest

MAX_BYTES = 65_536
MAX_DEPTH = 20
"""Nesting of objects and lists: protobuf parsers stop at 100 nested messages, and an object takes three."""
NAMESPACE = "[a-z][a-z0-9_]{0,62}"
_NAMESPACE = re.compile(NAMESPACE)


def check_metadata(metadata: dict[str, Any], service: str) -> None:
    """Refuses unknown root keys, invalid namespaces, namespaces of other services, and values too large or too deep."""
    for root in metadata:
        if root not in METADATA_ROOTS:
            near = nearest(root, METADATA_ROOTS)
            hint = f"Did you mean {near!r}?" if near else f"Use service_specific.{service} instead."
            raise InvalidValue(field=f"metadata.{root}", problem=f"{root!r} is not a root key of metadata.", hint=hint)
    namespaces = metadata.get("service_specific")
    if namespaces is not None and not isinstance(namespaces, dict):
        raise InvalidValue(
            field="metadata.service_specific", problem="service_specific must be an object of namespaces."
        )
    others = {declaration.service for declaration in declared.values()} - {service}
    for name, value in (namespaces or {}).items():
        field = f"metadata.service_specific.{name}"
        if not _NAMESPACE.fullmatch(name):
            raise InvalidValue(field=field, problem="A namespace has only lowercase letters, digits and underscores.")
        if name in others:
            raise InvalidValue(
                field=field, problem=f"The namespace {name} belongs to the service {name}, not {service}."
            )
        if value is not None and not isinstance(value, dict):
            raise InvalidValue(field=field, problem="A namespace must be an object.")
    if _is_deeper(metadata, MAX_DEPTH):
        raise InvalidValue(field="metadata", problem=f"Metadata must be nested at most {MAX_DEPTH} levels deep.")
    if len(msgspec.json.encode(metadata)) > MAX_BYTES:
        raise InvalidValue(field="metadata", problem=f"Metadata must be at most {MAX_BYTES} bytes long.")


def _is_deeper(value: Any, levels: int) -> bool:
    """Returns whether objects and lists are nested deeper than `levels`; iterative, because recursion is limited."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _within(outer)]
    return any(isinstance(inner, dict | list) for inner in level)


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def merge(target: Any, patch: Any) -> Any:
    """Merges a patch: objects merge, null removes, anything else replaces. Equivalent to the SQL `metadata_merge`."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def derived(of: EntityType, metadata: dict[str, Any]) -> dict[str, Any]:
    """Returns the hot keys of an entity, as the database derives them from its metadata."""
    values: dict[str, Any] = {}
    for name, path in of.derived:
        value: Any = metadata
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        values[name] = value if value is None or isinstance(value, str) else _jsonb_text(value)
    return values


def _jsonb_text(value: Any) -> str:
    """Returns a JSON value as PostgreSQL prints jsonb: shorter keys first, spaces after separators, no exponents."""
    if isinstance(value, dict):
        order = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{_jsonb_text(key)}: {_jsonb_text(value[key])}" for key in order) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_jsonb_text, value)) + "]"
    if isinstance(value, float):
        return format(Decimal(msgspec.json.encode(value + 0.0).decode()), "f")  # jsonb has no negative zero
    return json.dumps(value, ensure_ascii=False)
