"""The JSON Schemas of what the API takes and gives: as the types say, and what only the platform's rules add."""

import re
import typing
from typing import Any

import msgspec

from ovasabi.gateway.wire.problems import Problem
from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.declare.metadata import NAMESPACE, ROOTS
from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.store.listing import Page

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]
_CLASS = re.compile(r"\[(?:[^\]\\]|\\.)*\]|\\[wd]")


class Schemas:
    """The schemas of some methods: `components` by name, and of each type a reference or the schema itself."""

    def __init__(self, methods: list[Method]) -> None:
        subjects = {method.subject.label: method.subject.of for method in methods}
        entities = [of for of in subjects.values() if of is not None]
        kinds = _kinds(methods, entities)
        schemas, self.components = msgspec.json.schema_components(kinds, ref_template=REF)
        self._of = dict(zip(map(str, kinds), schemas, strict=True))
        for of in entities:
            _hide_secrets(of, self.components)
            _write_decimals(of, self.components)
            _write_metadata(of, self.components)
        _translate_patterns(self.components)
        self._complete_answers({str(Problem), *(str(method.request) for method in methods)})

    def of(self, kind: Any) -> Schema:
        """The schema of a type; of none, it is null."""
        return {"type": "null"} if kind is None else self._of[str(kind)]

    def answer(self, method: Method) -> Schema:
        """The schema of what a method answers; of a long one, an operation with its result."""
        if is_page(method):
            return self._page(method)
        answer = self.of(method.response)
        if method.result is None:
            return answer
        result = {"anyOf": [self.of(method.result), {"type": "null"}]}
        return {"allOf": [answer, {"type": "object", "properties": {"result": result}}]}

    def _page(self, method: Method) -> Schema:
        """The schema of a page of entities."""
        properties = {
            method.subject.plural: {"type": "array", "items": self.of(method.subject.entity)},
            "next_page_token": {"type": "string", "description": "Empty on the last page."},
            "total_size": {"type": "integer", "minimum": 0, "description": "Only with include_total."},
        }
        return {"type": "object", "properties": properties, "required": [method.subject.plural, "next_page_token"]}

    def _complete_answers(self, taken: set[str]) -> None:
        """An answer holds all of its fields, also those with a default; a request need not."""
        requests = _reached([self._of[kind] for kind in taken if kind in self._of], self.components)
        for name, schema in self.components.items():
            if name not in requests and "properties" in schema:
                schema["required"] = list(schema["properties"])


def is_page(method: Method) -> bool:
    """Whether it answers a page of entities."""
    return typing.get_origin(method.response) is Page


def query_schemas(kind: Any) -> tuple[dict[str, Schema], list[str]]:
    """The schema of each parameter of a query, whole in itself, and the names of those that must be there."""
    schema = msgspec.json.schema(kind)
    known = schema["$defs"]
    described = known[schema["$ref"].rpartition("/")[2]]
    return {name: _whole(part, known) for name, part in described["properties"].items()}, described.get("required", [])


def _whole(part: Any, known: dict[str, Schema]) -> Any:
    """A schema with what it refers to in the place of the reference."""
    if isinstance(part, list):
        return [_whole(inner, known) for inner in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    rest = {key: _whole(inner, known) for key, inner in part.items() if key != "$ref"}
    return {**_whole(known[name], known), **rest} if name in known else {**part, **rest}


def _kinds(methods: list[Method], entities: list[EntityType]) -> list[Any]:
    kinds: list[Any] = [Problem, *(of.written for of in entities)]
    for method in methods:
        kinds += [method.request if method.writes else None, method.subject.entity, method.response, method.result]
    return list({str(kind): kind for kind in kinds if kind is not None and not _generic(kind)}.values())


def _generic(kind: Any) -> bool:
    return typing.get_origin(kind) is Page


def _hide_secrets(of: EntityType, components: dict[str, Schema]) -> None:
    """A secret is taken, and never given: it is no property of what is read."""
    for field in of.fields:
        if field.has(Secret):
            components[of.cls.__name__]["properties"].pop(field.name, None)


def _write_decimals(of: EntityType, components: dict[str, Schema]) -> None:
    """What a request may write for a decimal is said once, by the entity: the components refer to that."""
    if of.written is None:
        return
    forms = components.pop(of.written.__name__)["properties"]
    for kind in (of.draft, of.patch):
        properties = components.get(kind.__name__, {}).get("properties", {})
        for name in forms.keys() & properties.keys():
            kept = {key: value for key, value in properties[name].items() if key in ("description", "default")}
            properties[name] = forms[name] | kept


def close_namespaces(methods: list[Method], components: dict[str, Schema]) -> None:
    """Closes the namespaces of other services in each service's metadata: a new service closes one more in all."""
    services = {method.subject.of.service for method in methods if method.subject.of is not None}
    for service in services:
        if (metadata := components.get(_metadata_of(service))) is not None:
            others = sorted({of.service for of in declared.values()} - {service})
            names = metadata["properties"]["service_specific"]["propertyNames"]
            metadata["properties"]["service_specific"]["propertyNames"] = {**names, "not": {"enum": others}}


def _metadata_of(service: str) -> str:
    return f"{service.capitalize()}Metadata"


def _write_metadata(of: EntityType, components: dict[str, Schema]) -> None:
    """Metadata has roots of the platform's own, and namespaces."""
    taken = [kind.__name__ for kind in (of.draft, of.patch) if kind.__name__ in components]
    if not taken:
        return
    namespaces = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{NAMESPACE}$"},
        "additionalProperties": {"type": ["object", "null"]},
    }
    name = _metadata_of(of.service)
    components[name] = {
        "title": name,
        "description": "Free attributes, by namespace; 64 KiB and 20 levels at most.",
        "type": "object",
        "properties": {root: namespaces if root == "service_specific" else {} for root in ROOTS},
        "additionalProperties": False,
    }
    for kind in taken:
        components[kind]["properties"]["metadata"] = {"$ref": REF.format(name=name)}


def _translate_patterns(part: Any) -> None:
    """Patterns are Python's, and to be read as ECMA-262: there, letters and digits are only those of ASCII."""
    if isinstance(part, list):
        for inner in part:
            _translate_patterns(inner)
    elif isinstance(part, dict):
        if isinstance(pattern := part.get("pattern"), str):
            part["pattern"] = _CLASS.sub(lambda found: _unicode(found[0]), pattern)
        for inner in part.values():
            _translate_patterns(inner)


def _unicode(text: str) -> str:
    """A class of characters, or a shorthand by itself, by the properties of Unicode."""
    within = text.replace(r"\w", r"\p{L}\p{N}_").replace(r"\d", r"\p{Nd}")
    return within if text.startswith("[") or within == text else f"[{within}]"


def _reached(schemas: list[Schema], components: dict[str, Schema]) -> set[str]:
    """The names of the components that schemas refer to, directly or through others."""
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
