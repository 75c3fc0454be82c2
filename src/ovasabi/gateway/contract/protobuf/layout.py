"""How the request of a method is laid out: where it is called, on what, and with which values."""

from typing import Any

import msgspec

from ovasabi.gateway.contract.protobuf.schema import ContractRefused
from ovasabi.gateway.contract.protobuf.type_mapping import Form, Part, parts_of
from ovasabi.kernel.declare.methods import Method, MethodKind, Resource


class Layout(msgspec.Struct, frozen=True):
    """The parts of the request message of a method."""

    campaign: bool
    """Whether it names its campaign."""
    campaign_optional: bool
    target: bool
    """Whether it names its entity."""
    body: str
    """The field of a draft or patch; empty if the values stand by themselves."""
    key: bool
    mask: bool
    version: bool
    as_of: bool
    values: tuple[Part, ...]
    """What stands by itself."""

    @property
    def own(self) -> tuple[str, ...]:
        """The fields that are not the caller's values."""
        given = {
            "campaign": self.campaign,
            "id": self.target,
            self.body: bool(self.body),
            "idempotency_key": self.key,
            "update_mask": self.mask,
            "expected_version": self.version,
            "as_of": self.as_of,
        }
        return tuple(name for name, there in given.items() if there)


def layout_of(method: Method) -> Layout:
    """The layout of a method's request; refused if a value would have the name of something else."""
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
    taken = {part.name for part in layout.values} & set(layout.own)
    if taken:
        problem = f"The request of {method.id} has a field {min(taken)!r}, which names something else in every call."
        raise ContractRefused(problem=problem, hint="Give the field another name.")
    return layout


def reached_by(methods: list[Method]) -> frozenset[Any]:
    """The struct classes that callers send: the requests, and whatever is in them."""
    found: set[Any] = set()
    ahead = [method.request for method in methods if method.request is not None]
    while ahead:
        if (kind := ahead.pop()) in found:
            continue
        found.add(kind)
        for part in parts_of(kind):
            shape = part.shape.inner or part.shape
            if shape.form is Form.RECORD:
                ahead.append(shape.cls)
    return frozenset(found)


def _body(method: Method) -> str:
    """The entity's own name, unless the call names its campaign or entity by it."""
    name = method.subject.singular
    others = {"campaign", "id", "idempotency_key", "update_mask", "expected_version"}
    kind = "draft" if method.operation is MethodKind.CREATE else "patch"
    return f"{name}_{kind}" if name in others else name
