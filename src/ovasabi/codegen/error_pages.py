"""The pages of all error codes, written from the registry: one of any call, and one for each service."""

import msgspec

from ovasabi.errors import Kind
from ovasabi.gateway.error_registry import Code, codes
from ovasabi.gateway.status_codes import STATUS_CODES

COMMANDS = ("cli", "lifecycle", "settings")
GENERATED = "<!-- Generated from the classes of errors by `ovasabi api`. -->"
_HEAD = """{generated}

# Errors

Every error has a stable `code`: programs look at it, and not at the sentence. Its kind decides the status over HTTP
and the code over gRPC. There is one class for each, with an example; this page is written from them.
What any call and the command line may meet is below. What a single service refuses is on a page of its own, in
[errors](errors).

| kind | HTTP | gRPC | title |
|---|---|---|---|
{kinds}

- `conflict` may succeed when the caller has read again; `exists` does not, as long as what is there stays.
- `exhausted` and `unavailable` say when to try again: `Retry-After` over HTTP, `RetryInfo` over gRPC.
- `internal` says nothing of the server's inside; the log has it, under the correlation id.
- Over HTTP, `version_conflict` is `412` where the version came with `If-Match`.

## As it is sent

Over HTTP (RFC 9457, `application/problem+json`):

```json
{problem}
```

Over gRPC the status has the same sentence, and in its details:

| detail | what it holds |
|---|---|
| `ErrorInfo` | domain `ovasabi`; reason: the code in upper case; metadata: `code`, `kind`, the sentence's values |
| `BadRequest` | the field at fault, if one is |
| `Help` | the hint, if there is one |
| `RequestInfo` | the correlation id |
| `RetryInfo` | when to try again, for `exhausted` and `unavailable` |
"""
_TABLE = """
## {title}

| code | kind | HTTP | gRPC | when | for example | what to do |
|---|---|---|---|---|---|---|
{rows}
"""
_SERVICE = """{generated}

# Errors of the service {name}

What its methods refuse beside the [errors of any call](../errors.md).
{table}"""


def error_pages() -> dict[str, str]:
    """The pages as Markdown, by their path below `docs`."""
    found = codes()
    shown = next(code for code in found if code.code == "invalid_request")
    own: dict[str, list[Code]] = {}
    for code in found:
        own.setdefault(_service(code), []).append(code)
    rest = own.pop("")
    of_commands = [code for code in rest if _room(code) in COMMANDS]
    of_calls = [code for code in rest if code not in of_commands]
    head = _HEAD.format(generated=GENERATED, kinds=_kinds(), problem=_json(shown))
    pages = {"errors.md": head + _table("Any call", of_calls) + _table("Command line", of_commands)}
    for name, those in own.items():
        pages[f"errors/{name}.md"] = _SERVICE.format(generated=GENERATED, name=name, table=_table("Codes", those))
    return pages


def _room(code: Code) -> str:
    return code.module.split(".")[1]


def _service(code: Code) -> str:
    """The folder of the service that a code is of; nothing if it is of none."""
    return code.module.split(".")[2] if _room(code) in ("system", "services") else ""


def _table(title: str, those: list[Code]) -> str:
    ordered = sorted(those, key=lambda code: (list(Kind).index(code.kind), code.code))
    return _TABLE.format(title=title, rows="\n".join(map(_row, ordered)))


def _kinds() -> str:
    doors = STATUS_CODES.items()
    return "\n".join(f"| `{kind}` | {door.http} | `{door.grpc.name}` | {door.title} |" for kind, door in doors)


def _row(code: Code) -> str:
    cells = (
        f"`{code.code}`",
        f"`{code.kind}`",
        str(code.http),
        f"`{code.grpc.name}`",
        code.meaning,
        code.example.detail,
        code.example.hint or "",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _json(code: Code) -> str:
    return msgspec.json.format(msgspec.json.encode(code.example), indent=2).decode()
