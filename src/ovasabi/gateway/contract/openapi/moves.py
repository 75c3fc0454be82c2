"""The moves of state machines, as the OpenAPI document tells them: at each verb, and at the entity's state."""

from typing import Any

from ovasabi.kernel.declare.methods import Method
from ovasabi.kernel.declare.state_machine import Move


def move_text(move: Move | None) -> str:
    """From where to where a verb leads, as a paragraph; nothing of a verb that is no move."""
    if move is None:
        return ""
    return f"Allowed from: {', '.join(move.sources)}. Leads to: {move.target}.\n\n"


def describe_states(methods: list[Method], components: dict[str, Any]) -> None:
    """Adds to the state of each entity which verbs lead from which states to which."""
    for method in methods:
        of, move = method.subject.of, method.move
        if of is None or move is None:
            continue
        properties = components[of.cls.__name__]["properties"]
        name = move.field or next(field.name for field in of.fields if field.base is type(move.target))
        known = properties[name].get("description", "Moved by its verbs.")
        told = f"{move.verb}: from {' or '.join(move.sources)} to {move.target}."
        properties[name] = properties[name] | {"description": f"{known} {told}"}
