"""The page of all error codes, docs/errors.md, written from the registry; run as a program, it writes the page."""

import sys
from itertools import groupby
from pathlib import Path

import msgspec

from ovasabi.errors import Kind
from ovasabi.gateway.error_registry import Code, codes
from ovasabi.gateway.status_codes import STATUS_CODES

COMMAND = "python -m ovasabi.codegen.error_page docs/errors.md"
_HEAD = """<!-- Generated from the classes of errors by `{command}`. -->

# Errors

Every error has a stable `code`: programs look at it, and not at the sentence. Its kind decides the status over HTTP
and the code over gRPC. There is one class for each, with an example; this page is written from them.

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
_SECTION = """
## {title}

| code | kind | HTTP | gRPC | when | for example | what to do |
|---|---|---|---|---|---|---|
{rows}
"""
COMMANDS = ("cli", "lifecycle", "settings")


def errors_page() -> str:
    """The page as Markdown."""
    found = codes()
    shown = next(code for code in found if code.code == "invalid_request")
    parts = [_HEAD.format(command=COMMAND, kinds=_kinds(), problem=_json(shown))]
    for title, those in groupby(sorted(found, key=_place), key=lambda code: _place(code)[1]):
        parts.append(_SECTION.format(title=title, rows="\n".join(_row(code) for code in those)))
    return "".join(parts)


def _place(code: Code) -> tuple[int, str, int, str]:
    """Where on the page: section, what every call may meet first, and place in it."""
    room, _, rest = code.module.removeprefix("ovasabi.").partition(".")
    section, title = 0, "Any call"
    if room in ("system", "services"):
        section, title = 1, rest.split(".")[0].replace("_", " ").capitalize()
    elif room in COMMANDS:
        section, title = 2, "Command line"
    return section, title, list(Kind).index(code.kind), code.code


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


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(errors_page(), encoding="utf-8")
