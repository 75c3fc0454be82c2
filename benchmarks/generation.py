"""Sees whether anything is generated: every call of a function that makes contracts, schemas, classes or code."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

_FILES = (
    *(
        f"ovasabi/gateway/contract/protobuf/{name}.py"
        for name in ("descriptor_builder", "descriptors", "field_numbers", "messages", "type_mapping")
    ),
    *(f"ovasabi/gateway/contract/openapi/{name}.py" for name in ("document", "links", "responses", "schemas")),
    "ovasabi/codegen/proto/writing.py",
    "google/protobuf/descriptor_pool.py",
    "google/protobuf/message_factory.py",
    "google/protobuf/internal/builder.py",
    "msgspec/_json_schema.py",
    "msgspec/inspect.py",
)
"""What generates and does nothing else: none of its functions may run."""
_FUNCTIONS = {
    ("ovasabi/gateway/contract/protobuf/contract.py", "Contract."),
    ("ovasabi/gateway/contract/protobuf/codec.py", "Codec."),
}
_BUILTINS = frozenset({"builtins.__build_class__", "builtins.compile", "builtins.exec", "builtins.eval"})


@contextmanager
def generated() -> Iterator[Counter[str]]:
    """Counts, in this thread and for as long as the block runs, what generates something, by name."""
    found: Counter[str] = Counter()
    known: dict[CodeType, bool] = {}

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in known:
                known[code] = _generates(code)
            if known[code]:
                found[f"{code.co_filename.rpartition('/')[2]}: {code.co_qualname}"] += 1
        elif event == "c_call" and _makes(argument) and not _imports(frame.f_code):
            found[argument.__qualname__] += 1

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _generates(code: CodeType) -> bool:
    """Whether a function is one of those that generate; the conversions that it once made are not."""
    if code.co_filename.endswith(_FILES):
        return True
    named = any(code.co_filename.endswith(file) and code.co_qualname.startswith(of) for file, of in _FUNCTIONS)
    return named and "<locals>" not in code.co_qualname


def _makes(function: Any) -> bool:
    """Whether a function of C makes classes, code or descriptors."""
    name, of = function.__name__, type(getattr(function, "__self__", None)).__name__
    if of == "DescriptorPool":
        return name.startswith("Add")
    return name == "defstruct" or f"{function.__module__}.{name}" in _BUILTINS


def _imports(caller: CodeType) -> bool:
    """Whether a module is being loaded, which some libraries leave until they are needed."""
    return caller.co_name == "<module>" or caller.co_filename.startswith("<frozen importlib")
