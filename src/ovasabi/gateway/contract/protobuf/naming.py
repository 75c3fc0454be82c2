"""Names in protobuf, derived from the names of services, methods and types, in the style of Google's AIPs."""

import re
import typing
from typing import Any

from ovasabi.gateway.contract.protobuf.schema import STANDARD
from ovasabi.kernel.declare.methods import Method, MethodKind
from ovasabi.kernel.declare.state_machine import ALLOWED_MOVES

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")


def camel(name: str) -> str:
    """Returns a name in camel case: GiftCard for gift_card."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def json_name(name: str) -> str:
    """Returns the name of a field in JSON: giftCard for gift_card."""
    made = camel(name)
    return made[:1].lower() + made[1:]


def package_of(folder: str) -> str:
    """Returns the package of a service's folder; shared types are in a package without a folder."""
    return "ovasabi.v1" if folder == "ovasabi" else f"ovasabi.{folder}.v1"


def file_of(full_name: str) -> str:
    """Returns the file of a message, enum or service, such as ovasabi/content/v1/content.proto."""
    if full_name in STANDARD:
        return STANDARD[full_name]
    package, _, _ = full_name.rpartition(".")
    parts = package.split(".")
    return f"{'/'.join(parts)}/{parts[1] if len(parts) > 2 else 'types'}.proto"


def service_name(method: Method) -> str:
    """Returns the full name of a method's service, such as ovasabi.content.v1.Contents."""
    return f"{package_of(method.subject.folder)}.{method.subject.title}"


def rpc_name(method: Method) -> str:
    """Returns the verb and its subject: PublishContent for one entity, ListContents for the collection.

    What is not named after a verb is got: GetContentAllowedMoves.
    """
    if method.name == ALLOWED_MOVES:
        return f"Get{camel(method.subject.singular)}{camel(method.name)}"
    one = method.on_entity or method.operation is MethodKind.CREATE
    return camel(method.name) + camel(method.subject.singular if one else method.subject.plural)


def message_name(kind: Any) -> str:
    """Returns the full name of a struct's message: ovasabi.content.v1.FoundContent for Found[Content]."""
    if not (arguments := typing.get_args(kind)):
        return f"{package_of(folder_of(kind))}.{kind.__name__}"
    name = typing.get_origin(kind).__name__ + "".join(argument.__name__ for argument in arguments)
    return f"{package_of(folder_of(arguments[-1]))}.{name}"


def folder_of(cls: type) -> str:
    """Returns the folder of a class's service; `ovasabi` for a class that belongs to no service."""
    root, *packages = cls.__module__.split(".")
    if root == "ovasabi" and packages[:1] not in (["system"], ["services"]):
        return root
    return packages[1] if len(packages) > 1 else root


def value_name(enum: str, value: str) -> str:
    """Returns the name of an enum's value: CONTENT_KIND_ARTICLE for article of ContentKind."""
    return f"{_WORDS.sub('_', enum)}_{_NO_NAME.sub('_', value)}".upper()
