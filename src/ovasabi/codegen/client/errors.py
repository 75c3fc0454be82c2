"""The client's `errors.py`: a class for each kind of error, and below it one for each code."""

from ovasabi.codegen.client.formatting import GENERATED, docstring
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
    """The whole file."""
    kinds = {_KINDS[kind][0]: _kind(kind) for kind in Kind}
    told = {_camel(code.code): code for code in _told()}
    classes = [_code(name, code) for name, code in told.items() if name not in kinds]
    tables = [
        "CODES: dict[str, type[ApiError]] = {",
        *(f'    "{code.code}": {name},' for name, code in told.items()),
        '}\n"""The class of each code."""',
        "STATUSES: dict[int, type[ApiError]] = {",
        *(f"    {status}: {_KINDS[kind][0]}," for status, kind in sorted(_STATUSES.items())),
        '}\n"""The class of a status, for codes that this client does not know."""\n',
    ]
    head = f"{GENERATED}{DOC}\n\nfrom ovasabi_client.failures import ApiError\n\n\n"
    return head + "\n\n".join([*kinds.values(), *classes, "\n".join(tables)])


def error_names() -> list[str]:
    """The names of all classes of the file."""
    return sorted({name for name, _ in _KINDS.values()} | {_camel(code.code) for code in _told()})


def _told() -> list[Code]:
    return [code for code in codes() if code.module.startswith(_ROOMS) and code.code not in _BEFORE_ANY_CALL]


def _kind(kind: Kind) -> str:
    name, doc = _KINDS[kind]
    return _class(name, "ApiError", f'    kind = "{kind.value}"', doc)


def _code(name: str, code: Code) -> str:
    return _class(name, _KINDS[code.kind][0], f'    code = "{code.code}"', code.meaning)


def _class(name: str, base: str, line: str, doc: str) -> str:
    return f"class {name}({base}):\n{docstring(4, doc)}\n\n{line}\n"


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
