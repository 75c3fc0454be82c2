"""The layout of a method's request message: its campaign, its entity and its values."""

from typing import Any

import msgspec

from ovasabi.gateway.contract.protobuf.schema import ContractRefused
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, parts_of
from ovasabi.kernel.declare.methods import Method, MethodKind, Resource


class Layout(msgspec.Struct, frozen=True):
    """The parts of a method's request message."""

    campaign: bool
    """Whether it has a field for the campaign."""
    campaign_optional: bool
    target: bool
    """Whether it has a field for the entity."""
    body: str
    """The field of a draft or patch; empty if the values are fields of the request itself."""
    key: bool
    mask: bool
    version: bool
    as_of: bool
    values: tuple[Part, ...]
    """The values that are fields of the request itself."""

    @property
    def own(self) -> tuple[str, ...]:
        """The fields other than the caller's values."""
        fields = {
            "campaign": self.campaign,
            "id": self.target,
            self.body: bool(self.body),
            "idempotency_key": self.key,
            "update_mask": self.mask,
            "expected_version": self.version,
            "as_of": self.as_of,
        }
        return tuple(name for name, included in fields.items() if included)


def layout_of(method: Method) -> Layout:
    """Returns the layout of a method's request; raises `ContractRefused` if the name of a value is reserved."""
    drafted = method.operation in (MethodKind.CREATE, MethodKind.UPDATE) and method.subject.entity is not None
    target = method.on_entity and method.resource is not Resource.ITSELF
    layout = Layout(
        campaign=method.resource is not Resource.PLATFORM,
        campaign_optional=method.resource is Resource.EITHER,
        target=target,
        body=_body(method) if drafted else "",
        key=method.takes_key,
        mask=drafted and method.operation is MethodKind.UPDATE,
        version=method.takes_version,
        as_of=method.operation is MethodKind.GET and method.subject.entity is not None,
        values=() if drafted or method.request is None else parts_of(method.request),
    )
    clashing = {part.name for part in layout.values} & set(layout.own)
    if clashing:
        problem = f"The request of {method.id} has a field {min(clashing)!r}, whose name is reserved in every call."
        raise ContractRefused(problem=problem, hint="Rename the field.")
    return layout


def request_structs(methods: list[Method]) -> frozenset[Any]:
    """Returns the struct classes that callers send: the requests, and the structs in them."""
    found: set[Any] = set()
    pending = [method.request for method in methods if method.request is not None]
    while pending:
        if (kind := pending.pop()) in found:
            continue
        found.add(kind)
        for part in parts_of(kind):
            shape = part.shape.inner or part.shape
            if shape.form is Form.RECORD:
                pending.append(shape.cls)
    return frozenset(found)


def _body(method: Method) -> str:
    """Returns the name of the body's field: the entity's own name, unless that is a reserved field."""
    name = method.subject.singular
    reserved = {"campaign", "id", "idempotency_key", "update_mask", "expected_version"}
    kind = "draft" if method.operation is MethodKind.CREATE else "patch"
    return f"{name}_{kind}" if name in reserved else name
