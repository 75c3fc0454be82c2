"""The OpenAPI document as files: a fragment for each service, and one for what all services share."""

import re
from typing import Any

import msgspec

from ovasabi.gateway.contract.openapi.document import described
from ovasabi.gateway.contract.protobuf.naming import file_of, folder_of, package_of
from ovasabi.gateway.wire.paths import addresses_of
from ovasabi.kernel.declare.checks.named_types import named_in
from ovasabi.kernel.declare.methods import Method

SHARED = "ovasabi"
"""The folder of what belongs to no service."""
_GENERIC = re.compile(r".+_(\w+)_")


def fragments(methods: list[Method]) -> dict[str, str]:
    """Returns the text of each fragment, by its path below `api`."""
    whole = described(methods)
    parts: dict[str, dict[str, Any]] = {SHARED: {**whole, "paths": {}, "components": dict(whole["components"])}}
    parts[SHARED]["components"]["schemas"] = {}
    for address, folder in _addresses(methods).items():
        _part(parts, folder)["paths"][address] = whole["paths"][address]
    owners = _owners(methods)
    for name, schema in sorted(whole["components"]["schemas"].items()):
        _part(parts, _owner(name, owners))["components"]["schemas"][name] = schema
    return {path_of(folder): _text(part) for folder, part in parts.items()}


def path_of(folder: str) -> str:
    """Returns the path of a fragment: next to the `.proto` file of the same service."""
    return f"{file_of(f'{package_of(folder)}.Any').rpartition('/')[0]}/openapi.json"


def _part(parts: dict[str, dict[str, Any]], folder: str) -> dict[str, Any]:
    return parts.setdefault(folder, {"paths": {}, "components": {"schemas": {}}})


def _addresses(methods: list[Method]) -> dict[str, str]:
    return {address: method.subject.folder for method in methods for address in addresses_of(method)}


def _owners(methods: list[Method]) -> dict[str, str]:
    """Returns the folder of each schema, by the name of its class."""
    owners: dict[str, str] = {}
    for method in methods:
        of, folder = method.subject.of, method.subject.folder
        for hint in (method.request, method.response, method.result):
            owners |= {cls.__name__: folder_of(cls) for cls in named_in(hint) if not _is_generic(cls)}
        if of is not None:  # the kernel creates these classes for the service
            made = (of.draft.__name__, of.patch.__name__, f"{of.service.capitalize()}Metadata")
            owners |= dict.fromkeys(made, folder)
    return owners


def _is_generic(cls: type) -> bool:
    """Returns whether a class has no schema of its own name, since it is always parametrized, like `Page[Content]`."""
    return bool(getattr(cls, "__parameters__", ()))


def _owner(name: str, owners: dict[str, str]) -> str:
    """Returns the folder of a schema; `SearchHits_Content_` belongs to the folder of `Content`."""
    generic = _GENERIC.fullmatch(name)
    return owners.get(generic[1] if generic else name, SHARED)


def _text(part: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(part), indent=2).decode() + "\n"
