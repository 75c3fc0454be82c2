"""The client's `errors.py`: a class for each kind of error, and below it one for each code."""

import importlib
import inspect
import pkgutil

import ovasabi
from ovasabi.errors import Kind, OvasabiError, SettingsError, StartError
from ovasabi.gateway.client_source.layout import GENERATED, docstring

DOC = '''"""The errors that a server tells: a class for each kind, and below it one for each code."""'''
ROOMS = ("ovasabi.kernel", "ovasabi.services", "ovasabi.gateway")
_BEFORE_ANY_CALL = (OvasabiError, SettingsError, StartError)
_KINDS = {
    Kind.INVALID: ("Invalid", "The request is not valid; `field` says which field."),
    Kind.UNAUTHENTICATED: ("Unauthenticated", "There is no valid key."),
    Kind.DENIED: ("Denied", "The key may not do that."),
    Kind.NOT_FOUND: ("NotFound", "There is no such thing here."),
    Kind.CONFLICT: ("Conflict", "It conflicts with what is there, or with what others do."),
    Kind.PRECONDITION: ("NotInThisState", "It is not possible in this state."),
    Kind.EXHAUSTED: ("Exhausted", "More is asked for than there is room for; try again later."),
    Kind.UNAVAILABLE: ("Unavailable", "The server cannot do it just now; try again later."),
    Kind.DEADLINE: ("OutOfTime", "The call took longer than it may."),
    Kind.INTERNAL: ("Internal", "Something failed that should not have; the server's log has the details."),
}
_STATUSES = {
    400: Kind.INVALID,
    401: Kind.UNAUTHENTICATED,
    403: Kind.DENIED,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    412: Kind.CONFLICT,
    413: Kind.INVALID,
    429: Kind.EXHAUSTED,
    500: Kind.INTERNAL,
    502: Kind.UNAVAILABLE,
    503: Kind.UNAVAILABLE,
    504: Kind.DEADLINE,
}


def errors_file() -> str:
    """The whole file."""
    kinds = [_class(_name(kind), "ApiError", f'    kind = "{kind.value}"', _doc(kind)) for kind in Kind]
    taken = {_name(kind) for kind in Kind}
    codes: dict[str, str] = {}
    classes = []
    for cls in _error_classes():
        codes[cls.code] = name = _camel(cls.code)
        if name not in taken:
            taken.add(name)
            text = (inspect.getdoc(cls) or cls.code).split("\n\n")[0]
            classes.append(_class(name, _name(cls.kind), f'    code = "{cls.code}"', text))
    tables = [
        "CODES: dict[str, type[ApiError]] = {",
        *(f'    "{code}": {name},' for code, name in codes.items()),
        '}\n"""The class of each code."""',
        "STATUSES: dict[int, type[ApiError]] = {",
        *(f"    {status}: {_name(kind)}," for status, kind in _STATUSES.items()),
        '}\n"""The class of a status, for codes that this client does not know."""\n',
    ]
    head = f"{GENERATED}{DOC}\n\nfrom ovasabi_client.failures import ApiError\n\n\n"
    return head + "\n\n".join([*kinds, *classes, "\n".join(tables)])


def error_names() -> list[str]:
    """The names of all classes of the file."""
    return sorted({_name(kind) for kind in Kind} | {_camel(cls.code) for cls in _error_classes()})


def _error_classes() -> list[type[OvasabiError]]:
    """The errors that a call may be answered with, by code; modules that nobody has needed so far are loaded for it."""
    for module in pkgutil.walk_packages(ovasabi.__path__, "ovasabi."):
        if module.name.startswith(ROOMS) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting = OvasabiError.__subclasses__()
    for cls in waiting:
        waiting += [below for below in cls.__subclasses__() if below not in waiting]
    rooms = (*ROOMS, "ovasabi.errors")
    found = [cls for cls in waiting if cls.__module__.startswith(rooms) and cls not in _BEFORE_ANY_CALL]
    return sorted({cls.code: cls for cls in reversed(found)}.values(), key=lambda cls: cls.code)


def _class(name: str, base: str, line: str, doc: str) -> str:
    return f"class {name}({base}):\n{docstring(4, doc)}\n\n{line}\n"


def _name(kind: Kind) -> str:
    return _KINDS[kind][0] if kind in _KINDS else _camel(kind.value)


def _doc(kind: Kind) -> str:
    return _KINDS[kind][1] if kind in _KINDS else kind.value.replace("_", " ").capitalize() + "."


def _camel(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
