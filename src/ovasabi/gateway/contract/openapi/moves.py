"""The moves of state machines in the OpenAPI document: at each verb, and at the entity's state."""

from typing import Any

from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.declare.state_machine import Move


def move_text(move: Move | None) -> str:
    """Returns a paragraph on the states that a verb leads from and to; empty if the verb is not a move."""
    if move is None:
        return ""
    return f"Allowed from: {', '.join(move.sources)}. Leads to: {move.target}.\n\n"


def describe_states(methods: list[Method], components: dict[str, Any]) -> None:
    """Adds the moves to the description of each entity's state."""
    for method in methods:
        of, move = method.subject.of, method.move
        if of is None or move is None:
            continue
        properties = components[of.cls.__name__]["properties"]
        name = move.field or next(field.name for field in of.fields if field.base is type(move.target))
        description = properties[name].get("description", "Changed by verbs.")
        *others, last = move.sources
        sources = f"{', '.join(others)} or {last}" if others else last
        move_line = f"{move.verb}: from {sources} to {move.target}."
        properties[name] = properties[name] | {"description": f"{description} {move_line}"}
