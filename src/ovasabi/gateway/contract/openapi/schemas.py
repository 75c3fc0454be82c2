"""The JSON Schemas of requests and responses: derived from their types, with the rules of the platform added."""

import re
import typing
from decimal import Decimal
from typing import Any

import msgspec

from ovasabi.decimals import plain, to_builtins
from ovasabi.errors import DeclarationError
from ovasabi.gateway.wire.problems import ProblemDetails
from ovasabi.kernel.declare.checks.named_types import named_in
from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.kernel.declare.fields import FromMetadata, Secret
from ovasabi.kernel.declare.metadata import NAMESPACE
from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.declare.names import METADATA_ROOTS
from ovasabi.kernel.store.listing import Page

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]
_CLASS = re.compile(r"\[(?:[^\]\\]|\\.)*\]|\\[wd]")


class Schemas:
    """The schemas of some methods: `components` by name, and for each type a reference or the schema itself."""

    def __init__(self, methods: list[Method]) -> None:
        subjects = {method.subject.label: method.subject.of for method in methods}
        entities = [of for of in subjects.values() if of is not None]
        kinds = _kinds(methods, entities)
        _check_names(kinds)
        schemas, self.components = msgspec.json.schema_components(kinds, ref_template=REF)
        self._of = dict(zip(map(str, kinds), schemas, strict=True))
        _write_plainly(self.components)
        for of in entities:
            _hide_secrets(of, self.components)
            _write_decimals(of, self.components)
            _write_metadata(of, self.components)
        _translate_patterns(self.components)
        self._complete_responses({str(ProblemDetails), *(str(method.request) for method in methods)})

    def of(self, kind: Any) -> Schema:
        """Returns the schema of a type; for None, null."""
        return {"type": "null"} if kind is None else self._of[str(kind)]

    def response(self, method: Method) -> Schema:
        """Returns the schema of a method's response; for a long method, an operation with its result."""
        if is_page(method):
            return self._page(method)
        response = self.of(method.response)
        if method.result is None:
            return response
        result = {"anyOf": [self.of(method.result), {"type": "null"}]}
        return {"allOf": [response, {"type": "object", "properties": {"result": result}}]}

    def _page(self, method: Method) -> Schema:
        """Returns the schema of a page of entities."""
        properties = {
            method.subject.plural: {"type": "array", "items": self.of(method.subject.entity)},
            "next_page_token": {"type": "string", "description": "The token of the next page; empty on the last page."},
            "total_size": {"type": "integer", "minimum": 0, "description": "Set only with include_total."},
        }
        return {"type": "object", "properties": properties, "required": [method.subject.plural, "next_page_token"]}

    def _complete_responses(self, request_types: set[str]) -> None:
        """Marks all fields of responses as required: unlike requests, they include fields with a default."""
        requests = _reached([self._of[kind] for kind in request_types if kind in self._of], self.components)
        for name, schema in self.components.items():
            if name not in requests and "properties" in schema:
                schema["required"] = list(schema["properties"])


def is_page(method: Method) -> bool:
    """Returns whether a method returns a page of entities."""
    return typing.get_origin(method.response) is Page


def query_schemas(kind: Any) -> tuple[dict[str, Schema], list[str]]:
    """Returns the self-contained schema of each query parameter, and the names of the required ones."""
    schema = msgspec.json.schema(kind)
    _write_plainly(schema)
    definitions = schema["$defs"]
    described = definitions[schema["$ref"].rpartition("/")[2]]
    query = {name: _inlined(part, definitions) for name, part in described["properties"].items()}
    return query, described.get("required", [])


def _inlined(part: Any, definitions: dict[str, Schema]) -> Any:
    """Returns a schema with its references replaced by the schemas they refer to."""
    if isinstance(part, list):
        return [_inlined(inner, definitions) for inner in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    rest = {key: _inlined(inner, definitions) for key, inner in part.items() if key != "$ref"}
    return {**_inlined(definitions[name], definitions), **rest} if name in definitions else {**part, **rest}


def _kinds(methods: list[Method], entities: list[EntityType]) -> list[Any]:
    kinds: list[Any] = [ProblemDetails, *(of.written for of in entities)]
    for method in methods:
        kinds += [method.request if method.writes else None, method.subject.entity, method.response, method.result]
    return list({str(kind): kind for kind in kinds if kind is not None and not _generic(kind)}.values())


def _check_names(kinds: list[Any]) -> None:
    """Raises `DeclarationError` for two classes of one name, since each has its schema under its name."""
    found: dict[str, type] = {}
    for cls in (cls for kind in kinds for cls in named_in(kind)):
        if (other := found.setdefault(cls.__name__, cls)) is not cls:
            problem = f"{other.__module__} and {cls.__module__} both have a {cls.__name__}."
            raise DeclarationError(problem, hint="Rename one of them.")


def _generic(kind: Any) -> bool:
    return typing.get_origin(kind) is Page


def _hide_secrets(of: EntityType, components: dict[str, Schema]) -> None:
    """Removes secrets, which are never returned, from the schema of an entity."""
    for field in of.fields:
        if field.has(Secret):
            components[of.cls.__name__]["properties"].pop(field.name, None)


def _write_decimals(of: EntityType, components: dict[str, Schema]) -> None:
    """Describes the accepted forms of decimals in the schemas of requests."""
    if of.written is None:
        return
    forms = components.pop(of.written.__name__)["properties"]
    for kind in (of.draft, of.patch):
        properties = components.get(kind.__name__, {}).get("properties", {})
        for name in forms.keys() & properties.keys():
            annotations = {key: value for key, value in properties[name].items() if key in ("description", "default")}
            properties[name] = forms[name] | annotations


def _write_plainly(part: Any) -> None:
    """Writes the defaults and examples of decimals in plain digits, as their values are."""
    if isinstance(part, list):
        for inner in part:
            _write_plainly(inner)
    elif isinstance(part, dict):
        if any(each.get("format") == "decimal" for each in (part, *part.get("anyOf", ()))):
            if isinstance(part.get("default"), str):
                part["default"] = plain(Decimal(part["default"]))
            if "examples" in part:
                part["examples"] = to_builtins(part["examples"])
        for inner in part.values():
            _write_plainly(inner)


def close_namespaces(methods: list[Method], components: dict[str, Schema]) -> None:
    """Excludes the namespaces of other services from the metadata of each service."""
    services = {method.subject.of.service for method in methods if method.subject.of is not None}
    for service in services:
        if (metadata := components.get(_metadata_of(service))) is not None:
            others = sorted({of.service for of in declared.values()} - {service})
            names = metadata["properties"]["service_specific"]["propertyNames"]
            metadata["properties"]["service_specific"]["propertyNames"] = {**names, "not": {"enum": others}}


def _metadata_of(service: str) -> str:
    return f"{service.capitalize()}Metadata"


def _write_metadata(of: EntityType, components: dict[str, Schema]) -> None:
    """Describes metadata in requests: its root keys, and its namespaces."""
    requests = [kind.__name__ for kind in (of.draft, of.patch) if kind.__name__ in components]
    if not requests:
        return
    namespaces = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{NAMESPACE}$"},
        "additionalProperties": {"type": ["object", "null"]},
    }
    name = _metadata_of(of.service)
    components[name] = {
        "title": name,
        "description": "Custom attributes by namespace; at most 64 KiB and 20 levels.",
        "type": "object",
        "properties": {root: namespaces if root == "service_specific" else {} for root in METADATA_ROOTS},
        "additionalProperties": False,
    }
    limits = _indexed_paths(of)
    for kind in requests:
        reference = {"$ref": REF.format(name=name)}
        components[kind]["properties"]["metadata"] = {"allOf": [reference, limits]} if limits else reference


def _indexed_paths(of: EntityType) -> Schema:
    """Returns the limits of what the database derives from metadata, as a schema; empty if there are none."""
    schema: Schema = {}
    for source in (source for field in of.fields if (source := field.get(FromMetadata)) is not None):
        part = schema
        for key in source.path.split("."):
            part = part.setdefault("properties", {}).setdefault(key, {})
        part["maxLength"] = source.max_length
    return schema


def _translate_patterns(part: Any) -> None:
    """Translates patterns from Python to ECMA-262, where letters and digits are only those of ASCII."""
    if isinstance(part, list):
        for inner in part:
            _translate_patterns(inner)
    elif isinstance(part, dict):
        if isinstance(pattern := part.get("pattern"), str):
            part["pattern"] = _CLASS.sub(lambda found: _unicode(found[0]), pattern)
        for inner in part.values():
            _translate_patterns(inner)


def _unicode(text: str) -> str:
    """Returns a character class, or a single shorthand, in terms of Unicode properties."""
    within = text.replace(r"\w", r"\p{L}\p{N}_").replace(r"\d", r"\p{Nd}")
    return within if text.startswith("[") or within == text else f"[{within}]"


def _reached(schemas: list[Schema], components: dict[str, Schema]) -> set[str]:
    """Returns the names of the components that schemas refer to, directly or indirectly."""
    found: set[str] = set()
    rest: list[Any] = list(schemas)
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name in components and name not in found:
                found.add(name)
                rest.append(components[name])
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)
    return found
