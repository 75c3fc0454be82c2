"""Messages that nobody would write: of any request type, sound in themselves or broken, as strategies of hypothesis."""

from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

from ovasabi.gateway.contract.protobuf.contract import Rpc
from ovasabi.kernel.declare.fields import Reference
from ovasabi.kernel.declare.methods import Call, Resource
from tests.unit.gateway.contract.fixtures import values

DEPTH = 4
INTEGERS = (0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, -(2**63))
DOUBLES = (0.0, -0.0, 0.1, 1e308, -1e-308, float("nan"), float("inf"), float("-inf"))
TEXTS = (
    "",
    "\x00",
    "a\x00b",
    " ",
    "-1",
    "0",
    "9" * 30,
    "é" * 200,
    "now",
    "*",
    "%",
    "\uffff",
    "title",
    "id desc",
    "1e9",
    "P1D",
    "id > 1",
)
Message = dict[str, Any]


class World:
    """The names of what there is: campaigns that may be used, and ids that a call may happen to meet."""

    def __init__(self, campaigns: list[str], spare: list[str], of_type: dict[str, list[str]]) -> None:
        self.campaigns, self.spare, self.of_type = campaigns, spare, of_type
        self.ids = [id for ids in of_type.values() for id in ids]

    def campaigns_of(self, rpc: Rpc) -> list[str]:
        """The campaigns that a procedure may be called for: one that may end a campaign, for the spare ones."""
        return self.spare if rpc.method.resource is Resource.ITSELF else self.campaigns

    def targets_of(self, rpc: Rpc) -> list[str]:
        """The ids that a procedure may be called for, first of all those of its own type."""
        return self.of_type.get(rpc.method.subject.singular, self.ids)


def bodies(rpc: Rpc, world: World) -> st.SearchStrategy[bytes]:
    """What is sent: bytes of any kind, sound messages, and sound ones with some bytes changed, left out or added."""
    sound = calls(rpc, world)
    return st.one_of(sound, sound, sound, messages(rpc, world), mutated(sound), st.binary(max_size=200))


@st.composite
def calls(draw: Any, rpc: Rpc, world: World) -> bytes:
    """Calls that the types allow, of entities and campaigns that there are."""
    method = rpc.method
    request = None if method.request is None else draw(values(method.request))
    known = [field for field in ([] if method.subject.of is None else method.subject.of.stored) if field.has(Reference)]
    for field in known:
        ids = world.of_type.get(field.get(Reference).type)
        if ids and hasattr(request, field.name):
            request = msgspec.structs.replace(request, **{field.name: int(draw(st.sampled_from(ids)))})
    if hasattr(request, "metadata"):
        request = msgspec.structs.replace(request, metadata={"tags": draw(st.lists(st.text(), max_size=2))})
    platform = method.resource is Resource.PLATFORM or (method.resource is Resource.EITHER and draw(st.booleans()))
    targeted = method.on_entity and method.resource is not Resource.ITSELF
    call = Call(
        method,
        None if platform else draw(st.sampled_from(world.campaigns_of(rpc))),
        draw(st.sampled_from(world.targets_of(rpc))) if targeted else None,
        request,
    )
    body: bytes = rpc.request(call).SerializeToString()
    return body


def messages(rpc: Rpc, world: World) -> st.SearchStrategy[bytes]:
    """Messages of the request type with values that its limits may not allow."""
    fields = _fields(rpc.request_class.DESCRIPTOR, world, DEPTH)
    names = st.sampled_from([*world.campaigns_of(rpc), "no-such-one", "\x00"])
    known = {"campaign": names, "id": st.sampled_from(world.targets_of(rpc)) | st.sampled_from(world.ids)}
    chosen = {name: known.get(name, strategy) for name, strategy in fields.items()}
    needed = {name: strategy for name, strategy in chosen.items() if name in known or not name.startswith("as_of")}
    given = st.fixed_dictionaries({}, optional=chosen) | st.fixed_dictionaries(needed)
    made: st.SearchStrategy[bytes] = given.map(lambda values: rpc.request_class(**values).SerializeToString())
    return made


@st.composite
def mutated(draw: Any, sound: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of a message with a few changes."""
    body = bytearray(draw(sound))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.integers(0, 3)):
            case 0 if at < len(body):
                body[at] = draw(st.integers(0, 255))
            case 1 if at < len(body):
                del body[at : at + draw(st.integers(1, 8))]
            case 2:
                body[at:at] = draw(st.binary(min_size=1, max_size=8))
            case _:
                body += body[at : at + 16]
    return bytes(body)


def metadata() -> st.SearchStrategy[list[tuple[str, str]]]:
    """Metadata that a client can send: names of ours and others, with any text in them."""
    names = st.sampled_from(["x-correlation-id", "x-causation-id", "x-request-timeout", "te", "user", "cookie"])
    others = st.from_regex(r"x-[a-z0-9_.]{1,20}", fullmatch=True)
    texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60) | st.integers().map(str)
    return st.lists(st.tuples(names | others, texts), max_size=4)


def _fields(of: Descriptor, world: World, depth: int) -> dict[str, st.SearchStrategy[Any]]:
    return {field.name: _field(field, world, depth) for field in of.fields if depth or field.message_type is None}


def _field(field: FieldDescriptor, world: World, depth: int) -> st.SearchStrategy[Any]:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        # An inner map of messages takes no values of Python: those of Structs are made by `_struct`.
        return st.dictionaries(_texts(world), _field(entry.fields_by_name["value"], world, depth - 1), max_size=2)
    one = _single(field, world, depth)
    return st.lists(one, max_size=3) if field.is_repeated else one


def _single(field: FieldDescriptor, world: World, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return _message(field.message_type, world, depth)
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return _texts(world)
        case FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=50)
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_DOUBLE:
            return st.sampled_from(DOUBLES) | st.floats()
        case FieldDescriptor.TYPE_ENUM:
            return st.sampled_from([value.number for value in field.enum_type.values] + [99, -1, 2**31 - 1])
    return st.sampled_from(INTEGERS) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([*map(int, world.ids)])


def _message(of: Descriptor, world: World, depth: int) -> st.SearchStrategy[Any]:
    match of.full_name:
        case "google.protobuf.Struct":
            return st.dictionaries(
                st.sampled_from(["tags", "service_specific", "accessibility", "x", "\x00"]), _json(), max_size=3
            )
        case "google.protobuf.Timestamp":
            ends = st.sampled_from([0, -1, 2**63 - 1, -(2**63), 253_402_300_799, -62_135_596_800, 253_402_300_800])
            seconds = ends | st.integers(1_500_000_000, 2_000_000_000)
            return st.fixed_dictionaries({"seconds": seconds, "nanos": st.sampled_from([0, -1, 1, 10**9, 999_999_999])})
        case "google.protobuf.FieldMask":
            names = st.sampled_from(["title", "metadata", "tags", "id", "nothing", ""])
            return st.fixed_dictionaries({"paths": st.lists(names, max_size=3)})
    inner = _fields(of, world, depth - 1)
    return st.fixed_dictionaries(inner) | st.fixed_dictionaries({}, optional=inner)


def _texts(world: World) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs"])
    return st.sampled_from(TEXTS) | st.text(letters, max_size=20) | st.sampled_from(world.ids)


def _json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.sampled_from(DOUBLES) | st.sampled_from(TEXTS)
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(TEXTS), inner), max_leaves=6
    )
