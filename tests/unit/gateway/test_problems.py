"""What is told of a field that a request cannot have: who sets it, or which one was probably meant."""

import re
from typing import Any

import msgspec
import pytest

from ovasabi.discovery import discover
from ovasabi.gateway.wire.problems import BadRequest, unreadable
from ovasabi.kernel.declare.entity import SYSTEM_FIELDS, EntityType, declared
from ovasabi.kernel.declare.state_machine import machines

discover()
TYPES = [of for of in declared.values() if of.cls.__module__.startswith("ovasabi.")]


def refusal(kind: Any, body: bytes) -> BadRequest:
    """What is told of a body."""
    with pytest.raises(msgspec.MsgspecError) as refused:
        msgspec.json.decode(body, type=kind)
    return unreadable(refused.value, kind)


@pytest.mark.parametrize("of", TYPES, ids=lambda of: of.name)
def test_a_field_that_clients_do_not_set_is_told_who_sets_it(of: EntityType) -> None:
    for kind in (of.draft, of.patch):
        names = {*SYSTEM_FIELDS, *of.by_name} - set(kind.__struct_fields__)
        assert names >= set(SYSTEM_FIELDS)
        for name in names:
            told = refusal(kind, msgspec.json.encode({name: None}))
            assert told.field == name
            assert told.hint
            assert re.match(f"The field '{name}' (is set by the|is derived from|can be set only when)", str(told)), told


def test_a_state_is_told_the_verbs_that_set_it() -> None:
    told = refusal(declared["content"].draft, b'{"title": "t", "state": "published"}')
    assert str(told) == "The field 'state' is set by the verbs publish, unpublish, archive and unarchive."
    assert told.hint == "Omit it, and call one of them."
    for name, machine in machines.items():
        if (of := declared.get(name)) in TYPES and machine.field not in of.draft.__struct_fields__:
            public = [move.verb for move in machine.moves if not move.internal]
            told = refusal(of.draft, msgspec.json.encode({machine.field: "x"}))
            assert all(verb in str(told) for verb in public)


@pytest.mark.parametrize(
    ("body", "problem", "hint"),
    [
        ({"titel": "t"}, "Unknown field 'titel'.", "Did you mean 'title'?"),
        ({"comment_count": 3}, "The field 'comment_count' is set by the platform.", "Omit it."),
        ({"version": 3}, "The field 'version' is set by the platform.", "Omit it."),
        ({}, "The field 'title' is missing.", None),
        ({"title": ""}, "title must have at least 1 character.", None),
        ({"title": "t", "tags": ["a", 1]}, "tags[1] must be a string, not an integer.", None),
        (["t"], "The body must be an object, not a list.", None),
    ],
)
def test_what_is_wrong_is_one_sentence(body: Any, problem: str, hint: str | None) -> None:
    told = refusal(declared["content"].draft, msgspec.json.encode(body))
    assert (str(told), told.hint) == (problem, hint)


def test_a_value_that_is_none_of_an_enum_is_told_the_others() -> None:
    told = refusal(declared["content"].draft, b'{"title": "t", "kind": "poem"}')
    assert str(told) == "kind has the value 'poem', which is not allowed."
    assert (told.hint or "").startswith("Use one of: article, ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "it ends too early"),
        (b"{]", "object keys must be strings (byte 1)"),
        (b'{"title": tru}', "invalid character (byte 14)"),
        (b'{"title": "t"} {}', "trailing characters (byte 16)"),
    ],
)
def test_a_body_that_is_no_json_is_told_so_once(text: bytes, problem: str) -> None:
    told = refusal(declared["content"].draft, text)
    assert (str(told), told.hint) == (f"The body is not valid JSON: {problem}.", "Send one JSON object.")
