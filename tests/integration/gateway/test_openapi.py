"""The OpenAPI document: valid by its own standard, complete, without secrets, and true of what it promises."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi import definitions

from ovasabi.gateway.contract.openapi.document import document
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.service import services

WORD = re.compile(r"\$response\.body#/|\$request\.path\.")


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    """The document of all services."""
    made: dict[str, Any] = json.loads(document([method for service in services for method in service.methods()]))
    return made


def operations(api: dict[str, Any]) -> list[dict[str, Any]]:
    """All operations."""
    return [operation for path in api["paths"].values() for operation in path.values()]


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


def at(api: dict[str, Any], reference: str) -> Any:
    """What a reference names."""
    found: Any = api
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_the_document_is_valid_by_the_schema_of_openapi_3_1(api: dict[str, Any]) -> None:
    errors = list(definitions.OPENAPI_31_VALIDATOR.iter_errors(api))
    assert not errors, errors[:3]
    broken = api | {"paths": {"x": 1}}
    assert not definitions.OPENAPI_31_VALIDATOR.is_valid(broken)


def test_every_schema_is_a_schema_and_every_example_and_default_fits_its_own(api: dict[str, Any]) -> None:
    for name, schema in api["components"]["schemas"].items():
        root = schema | {"components": api["components"]}
        jsonschema_rs.meta.validate(root)
        for field, part in schema.get("properties", {}).items():
            validator = jsonschema_rs.validator_for(part | {"components": api["components"]})
            examples = [*part.get("examples", []), *([part["default"]] if "default" in part else [])]
            assert all(map(validator.is_valid, examples)), f"{name}.{field}"


def test_every_reference_leads_somewhere(api: dict[str, Any]) -> None:
    references = [part["$ref"] for part in parts(api) if isinstance(part.get("$ref"), str)]
    assert len(references) > 500
    for reference in references:
        assert at(api, reference), reference


def test_every_component_is_used(api: dict[str, Any]) -> None:
    used = {part["$ref"] for part in parts(api) if isinstance(part.get("$ref"), str)}
    kinds = ("schemas", "responses", "parameters")
    assert not {f"#/components/{kind}/{name}" for kind in kinds for name in api["components"][kind]} - used


def test_operations_have_names_of_their_own(api: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(api)]
    assert len(names) == len(set(names)) > 90


def test_every_method_is_described(api: dict[str, Any]) -> None:
    names = {operation["operationId"] for operation in operations(api)}
    assert {method.id for service in services for method in service.methods()} <= names


def test_secrets_are_in_no_answer(api: dict[str, Any]) -> None:
    answers = [answer for operation in operations(api) for answer in operation["responses"].values()]
    seen: list[Any] = list(answers)
    names: set[str] = set()
    while seen:
        for part in parts(seen.pop()):
            names |= set(part.get("properties", {}))
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in names:
                names.add(reference)
                seen.append(at(api, reference))
    secrets = {field.name for of in declared.values() for field in of.fields if field.has(Secret)}
    assert "password" in secrets
    assert not secrets & names
    assert "username" in names


def test_links_name_operations_and_their_parameters(api: dict[str, Any]) -> None:
    by_name = {operation["operationId"]: operation for operation in operations(api)}
    links = [part["links"] for part in parts(api) if isinstance(part.get("links"), dict)]
    assert sum(map(len, links)) > 200
    for link in (link for found in links for link in found.values()):
        target = by_name[link["operationId"]]
        resolved = [at(api, one["$ref"]) if "$ref" in one else one for one in target["parameters"]]
        known = {one["name"]: one["in"] for one in resolved}
        assert set(link["parameters"]) <= set(known), link
        # What a query asks for is the caller's to say.
        assert {name for name, where in known.items() if where == "path"} <= set(link["parameters"]), link
        assert all(WORD.match(value) for value in link["parameters"].values())


def test_what_is_made_leads_to_all_that_can_be_done_with_it(api: dict[str, Any]) -> None:
    links = api["paths"]["/v1/campaigns/{campaign}/contents"]["post"]["responses"]["201"]["links"]
    assert {"contents_get", "contents_update", "contents_delete", "contents_publish", "contents_react"} <= set(links)
    restore = api["paths"]["/v1/campaigns/{campaign}/contents/{id}"]["delete"]["responses"]["200"]["links"]
    assert list(restore) == ["contents_restore"]


def test_answers_hold_all_their_fields(api: dict[str, Any]) -> None:
    content = api["components"]["schemas"]["Content"]
    assert set(content["required"]) == set(content["properties"])
    assert set(api["components"]["schemas"]["ContentDraft"]["required"]) == {"title"}
