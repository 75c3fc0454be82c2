"""Generates the client's `errors.py` files: a class for each kind of error, with a subclass for each code."""

from functools import cache

from ovasabi.codegen.client.formatting import GENERATED, docstring, exported, imports
from ovasabi.errors import Kind
from ovasabi.gateway.error_registry import Code, codes
from ovasabi.gateway.status_codes import STATUS_CODES

DOC = '''"""The errors of the API: a class for each kind, with a subclass for each code."""'''
_MODULES = (
    "ovasabi.errors",
    "ovasabi.kernel",
    "ovasabi.security",
    "ovasabi.system",
    "ovasabi.services",
    "ovasabi.gateway",
)
"""The modules with the errors of calls. Those of commands are never sent by a server."""
_BEFORE_ANY_CALL = ("internal", "setting_invalid", "declaration_invalid", "start_failed")
_KINDS = {
    Kind.INVALID: ("Invalid", "The request is not valid; `field` names the invalid field."),
    Kind.UNAUTHENTICATED: ("Unauthenticated", "A valid API key is required."),
    Kind.DENIED: ("Denied", "The API key does not permit this call."),
    Kind.NOT_FOUND: ("NotFound", "The requested resource was not found."),
    Kind.CONFLICT: ("Conflict", "The request conflicts with the current state or with a concurrent change."),
    Kind.EXISTS: ("Exists", "The resource already exists."),
    Kind.PRECONDITION: ("NotInThisState", "The request is not allowed in the current state."),
    Kind.EXHAUSTED: ("Exhausted", "The server is overloaded, or a limit was reached; try again later."),
    Kind.UNAVAILABLE: ("Unavailable", "The server is temporarily unavailable; try again later."),
    Kind.DEADLINE: ("OutOfTime", "The call exceeded its deadline."),
    Kind.INTERNAL: ("Internal", "An internal error; the server's log has the details."),
}
# An unknown code is raised as the first kind with its status.
_STATUSES = {code.http: kind for kind, code in reversed(STATUS_CODES.items())}
_STATUSES |= {412: Kind.CONFLICT, 413: Kind.INVALID, 502: Kind.UNAVAILABLE}


def errors_file() -> str:
    """Returns the file of the kinds, and of the codes that belong to no service."""
    kinds = {_KINDS[kind][0]: _kind(kind) for kind in Kind}
    classes_by_name = _codes_of("")
    classes = [_code(name, code) for name, code in classes_by_name.items() if name not in kinds]
    tables = [
        "CODES |= {",
        *(f'    "{code.code}": {name},' for name, code in classes_by_name.items() if name in kinds),
        "}",
        "STATUSES: dict[int, type[ApiError]] = {",
        *(f"    {status}: {_KINDS[kind][0]}," for status, kind in sorted(_STATUSES.items())),
        '}\n"""The class for each status, for codes that this client does not know."""\n',
    ]
    names = exported({*kinds, *classes_by_name})
    head = f"{GENERATED}{DOC}\n\nfrom ovasabi_client.failures import CODES, ApiError\n\n{names}\n\n"
    return head + "\n\n".join([*kinds.values(), *classes, "\n".join(tables)])


def service_errors_file(service: str) -> str:
    """Returns the file of the codes of one service."""
    classes_by_name = _codes_of(service)
    classes = [_code(name, code) for name, code in classes_by_name.items()]
    kinds = imports("ovasabi_client.errors", {_KINDS[code.kind][0] for code in classes_by_name.values()})
    doc = f'"""The errors of the {service} service: a class for each code."""'
    return f"{GENERATED}{doc}\n\n{kinds}\n\n{exported(classes_by_name)}\n\n" + "\n\n".join(classes)


def service_errors_names(service: str) -> list[str]:
    """Returns the names of the error classes of one service."""
    return list(_codes_of(service))


def errors_names() -> list[str]:
    """Returns the names of the error classes that belong to no service."""
    return sorted({*(name for name, _ in _KINDS.values()), *_codes_of("")})


def _codes_of(service: str) -> dict[str, Code]:
    """Returns the codes of a service by class name; for the empty name, the errors of any call."""
    return {_camel(code.code): code for code in _codes() if _service(code) == service}


@cache
def _codes() -> tuple[Code, ...]:
    return tuple(c for c in codes() if c.module.startswith(_MODULES) and c.code not in _BEFORE_ANY_CALL)


def _service(code: Code) -> str:
    _, package, *rest = code.module.split(".")
    return rest[0] if package in ("system", "services") else ""


def _kind(kind: Kind) -> str:
    name, doc = _KINDS[kind]
    return _class(name, "ApiError", f'    kind = "{kind.value}"', doc)


def _code(name: str, code: Code) -> str:
    return _class(name, _KINDS[code.kind][0], f'    code = "{code.code}"', code.meaning)


def _class(name: str, base: str, line: str, doc: str) -> str:
    return f"class {name}({base}):\n{docstring(4, doc)}\n\n{line}\n"


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
