"""The pages of the state machines, docs/state-machines: each entity's states and verbs, drawn and as a table."""

from collections.abc import Iterable
from itertools import groupby

from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.declare.state_machine import Move, StateMachine
from ovasabi.kernel.service import services

FOLDER = "docs/state-machines"
_MADE = "<!-- Generated from the declared moves by `ovasabi api`. -->"
_INDEX = """{made}

# State machines

Each entity with a state has verbs that move it. A verb that does not apply to the present state is refused with
`move_refused`, and `GET …/{{id}}:allowed_moves` answers which verbs apply now.

| service | entities |
|---|---|
{rows}
"""
_SECTION = """
## {title}

```mermaid
stateDiagram-v2
{lines}
```

| verb | from | to | role | |
|---|---|---|---|---|
{rows}
"""


def state_machine_pages(methods: list[Method]) -> dict[str, str]:
    """The pages by path: one for each service that has state machines, and an index of them."""
    found = sorted(_machines(methods), key=lambda machine: machine.of.service)
    pages, rows = {}, []
    for service, group in groupby(found, key=lambda machine: machine.of.service):
        machines = list(group)
        page = f"{_MADE}\n\n# State machines of {service}\n" + "".join(map(_section, machines))
        pages[f"{FOLDER}/{service}.md"] = page
        names = ", ".join(machine.of.name for machine in machines)
        rows.append(f"| [{service}](state-machines/{service}.md) | {names} |")
    return pages | {f"{FOLDER}.md": _INDEX.format(made=_MADE, rows="\n".join(rows))}


def _machines(methods: list[Method]) -> Iterable[StateMachine]:
    subjects = {method.subject for method in methods}
    found = (getattr(service, "machine", None) for service in services if service.subject in subjects)
    return [machine for machine in found if isinstance(machine, StateMachine)]


def _section(machine: StateMachine) -> str:
    lines = [] if machine.initial is None else [f"    [*] --> {machine.initial}"]
    lines += [f"    {source} --> {move.target}: {move.verb}" for move in machine.moves for source in move.sources]
    rows = [_row(move) for move in machine.moves]
    return _SECTION.format(title=machine.of.cls.__name__, lines="\n".join(lines), rows="\n".join(rows))


def _row(move: Move) -> str:
    role = "the service itself" if move.internal else move.role.value
    text = move.doc.split("\n")[0].replace("|", "\\|")
    return f"| `{move.verb}` | {', '.join(move.sources)} | {move.target} | {role} | {text} |"
