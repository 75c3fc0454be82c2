"""Names in protobuf, made from the names of services, methods and types; the form is that of Google's AIP."""

import re
import typing
from typing import Any

from ovasabi.gateway.contract.protobuf.schema import STANDARD
from ovasabi.kernel.declare.methods import Method, MethodKind

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")


def camel(name: str) -> str:
    """GiftCard for gift_card."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def package_of(folder: str) -> str:
    """The package of a folder of a service; what is of no service is in that without a folder."""
    return "ovasabi.v1" if folder == "ovasabi" else f"ovasabi.{folder}.v1"


def file_of(full_name: str) -> str:
    """The file that a message, enum or service is in, such as ovasabi/content/v1/content.proto."""
    if full_name in STANDARD:
        return STANDARD[full_name]
    package, _, _ = full_name.rpartition(".")
    parts = package.split(".")
    return f"{'/'.join(parts)}/{parts[1] if len(parts) > 2 else 'types'}.proto"


def service_name(method: Method) -> str:
    """The full name of the service that has a method, such as ovasabi.content.v1.Contents."""
    return f"{package_of(method.subject.folder)}.{method.subject.title}"


def rpc_name(method: Method) -> str:
    """The verb, and what it is about: PublishContent of one, ListContents of all."""
    one = method.on_entity or method.operation is MethodKind.CREATE
    return camel(method.name) + camel(method.subject.singular if one else method.subject.plural)


def message_name(kind: Any) -> str:
    """The full name of the message of a struct class: ovasabi.content.v1.FoundContent for Found[Content]."""
    if not (arguments := typing.get_args(kind)):
        return f"{package_of(folder_of(kind))}.{kind.__name__}"
    name = typing.get_origin(kind).__name__ + "".join(argument.__name__ for argument in arguments)
    return f"{package_of(folder_of(arguments[-1]))}.{name}"


def folder_of(cls: type) -> str:
    """The folder of the service that a class belongs to; `ovasabi` for what belongs to none."""
    root, package, *rest = cls.__module__.split(".")
    return "ovasabi" if root == "ovasabi" and package not in ("system", "services") else rest[0]


def value_name(enum: str, value: str) -> str:
    """The name of an enum's value: CONTENT_KIND_ARTICLE for article of ContentKind."""
    return f"{_WORDS.sub('_', enum)}_{_NO_NAME.sub('_', value)}".upper()
