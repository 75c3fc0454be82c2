"""The client's `errors.py` files: a class for each kind of error, and below it one for each code, by service."""

from functools import cache

from ovasabi.codegen.client.formatting import GENERATED, docstring, exported, imports
from ovasabi.errors import Kind
from ovasabi.gateway.error_registry import Code, codes
from ovasabi.gateway.status_codes import STATUS_CODES

DOC = '''"""The errors that a server tells: a class for each kind, and below it one for each code."""'''
_ROOMS = (
    "ovasabi.errors",
    "ovasabi.kernel",
    "ovasabi.security",
    "ovasabi.system",
    "ovasabi.services",
    "ovasabi.gateway",
)
"""Where the errors of calls are; those of commands are never told by a server."""
_BEFORE_ANY_CALL = ("internal", "setting_invalid", "start_failed")
_KINDS = {
    Kind.INVALID: ("Invalid", "The request is not valid; `field` says which field."),
    Kind.UNAUTHENTICATED: ("Unauthenticated", "There is no valid key."),
    Kind.DENIED: ("Denied", "The key may not do that."),
    Kind.NOT_FOUND: ("NotFound", "There is no such thing here."),
    Kind.CONFLICT: ("Conflict", "It conflicts with what is there, or with what others do."),
    Kind.EXISTS: ("Exists", "What was to be new is there already."),
    Kind.PRECONDITION: ("NotInThisState", "It is not possible in this state."),
    Kind.EXHAUSTED: ("Exhausted", "More is asked for than there is room for; try again later."),
    Kind.UNAVAILABLE: ("Unavailable", "The server cannot do it just now; try again later."),
    Kind.DEADLINE: ("OutOfTime", "The call took longer than it may."),
    Kind.INTERNAL: ("Internal", "Something failed that should not have; the server's log has the details."),
}
# The first kind of a status is what a code stands for that this client does not know.
_STATUSES = {door.http: kind for kind, door in reversed(STATUS_CODES.items())}
_STATUSES |= {412: Kind.CONFLICT, 413: Kind.INVALID, 502: Kind.UNAVAILABLE}


def errors_file() -> str:
    """The file of the kinds, and of the codes of no single service."""
    kinds = {_KINDS[kind][0]: _kind(kind) for kind in Kind}
    told = _told("")
    classes = [_code(name, code) for name, code in told.items() if name not in kinds]
    tables = [
        "CODES |= {",
        *(f'    "{code.code}": {name},' for name, code in told.items() if name in kinds),
        "}",
        "STATUSES: dict[int, type[ApiError]] = {",
        *(f"    {status}: {_KINDS[kind][0]}," for status, kind in sorted(_STATUSES.items())),
        '}\n"""The class of a status, for codes that this client does not know."""\n',
    ]
    names = exported({*kinds, *told})
    head = f"{GENERATED}{DOC}\n\nfrom ovasabi_client.failures import CODES, ApiError\n\n{names}\n\n"
    return head + "\n\n".join([*kinds.values(), *classes, "\n".join(tables)])


def service_errors_file(service: str) -> str:
    """The file of the codes of one service."""
    told = _told(service)
    classes = [_code(name, code) for name, code in told.items()]
    kinds = imports("ovasabi_client.errors", {_KINDS[code.kind][0] for code in told.values()})
    doc = f'"""What the service {service} refuses: a class for each code."""'
    return f"{GENERATED}{doc}\n\n{kinds}\n\n{exported(told)}\n\n" + "\n\n".join(classes)


def service_errors_names(service: str) -> list[str]:
    """The names of the classes of one service."""
    return list(_told(service))


@cache
def error_names() -> frozenset[str]:
    """The names of all classes of errors."""
    return frozenset({name for name, _ in _KINDS.values()} | {_camel(code.code) for code in _codes()})


def _told(service: str) -> dict[str, Code]:
    """The codes of a service by the name of their class; of none, what every call may meet."""
    return {_camel(code.code): code for code in _codes() if _service(code) == service}


@cache
def _codes() -> tuple[Code, ...]:
    return tuple(c for c in codes() if c.module.startswith(_ROOMS) and c.code not in _BEFORE_ANY_CALL)


def _service(code: Code) -> str:
    _, room, *rest = code.module.split(".")
    return rest[0] if room in ("system", "services") else ""


def _kind(kind: Kind) -> str:
    name, doc = _KINDS[kind]
    return _class(name, "ApiError", f'    kind = "{kind.value}"', doc)


def _code(name: str, code: Code) -> str:
    return _class(name, _KINDS[code.kind][0], f'    code = "{code.code}"', code.meaning)


def _class(name: str, base: str, line: str, doc: str) -> str:
    return f"class {name}({base}):\n{docstring(4, doc)}\n\n{line}\n"


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
