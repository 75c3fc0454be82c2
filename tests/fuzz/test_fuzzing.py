"""The API under schemathesis, for a bounded time and with a fixed seed: every check, every verb, every phase.

The operations that every type has are called on representatives of the types. The phase that tries the edges of each
value takes by far the longest: here it has what the services' methods have in common once. `make fuzz` has all.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ovasabi.kernel.declare.entity import Scope, declared
from tests.e2e.conftest import Program, free_port
from tests.fuzz.runs import STOOD_FOR, Run, fuzz
from tests.fuzz.world import CREATED, EACH, MARK, World, made

EDGES = r"^/v1/campaigns(/\{campaign\})?((/contents|/events|/master|/operations|:).*)?$"
FIXED = ("--seed", "1", "--generation-deterministic")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The program and its world, for all tests here; its log holds no stack trace in the end."""
    program = Program(tmp_path_factory.mktemp("fuzz") / "home", free_port())
    program.up()
    try:
        yield made(program)
    finally:
        program.stop()
    assert "Traceback" not in program.output


def failures(run: Run) -> str:
    """What a failed run printed, or what ended it."""
    return run.output[run.output.find("= FAILURES") :]


def test_the_world_has_entities_of_every_type_that_is_created(world: World) -> None:
    types = {declared[name] for name in CREATED}
    assert world.ids.keys() == {of.plural for of in types if of.scope is not Scope.ROOT}
    assert all(len(found) >= EACH for found in world.ids.values())
    assert len(world.closed_ids) >= EACH * len([of for of in types if of.scope is Scope.CAMPAIGN])
    assert world.closed_rows().count(MARK) > EACH


def test_every_operation_answers_as_the_document_says(world: World, tmp_path: Path) -> None:
    before = world.closed_rows()
    run = fuzz(
        world,
        tmp_path,
        world.program.key,
        ["-n", "4", "--phases", "examples,fuzzing,stateful", *FIXED],
        left_out=STOOD_FOR,
    )
    assert run.code == 0, failures(run)
    assert len(run.operations()) > 70
    assert run.operations() == run.answered("2", "4")
    assert len(run.answered("2")) > 0.8 * len(run.operations()), run.operations() - run.answered("2")
    assert run.answered("409")
    assert world.closed_rows() == before


def test_the_edges_of_values_are_answered_as_the_document_says(world: World, tmp_path: Path) -> None:
    run = fuzz(world, tmp_path, world.program.key, ["--phases", "coverage", "--include-path-regex", EDGES, *FIXED])
    assert run.code == 0, failures(run)
    assert len(run.answered("4")) > 30
    assert run.answered("412")


def test_a_key_of_one_campaign_changes_nothing_in_another_and_reads_nothing_there(world: World, tmp_path: Path) -> None:
    before = world.closed_rows()
    assert "master: " in before
    run = fuzz(
        world,
        tmp_path,
        world.key(),
        ["-n", "4", "--phases", "fuzzing,stateful", *FIXED],
        confined=True,
        left_out=STOOD_FOR,
    )
    assert run.code == 0, failures(run)
    assert run.operations() == run.answered("2", "4")
    # Which campaign a call is of is drawn by lot: most operations are refused in another, many work in the key's own.
    assert len(run.answered("403")) > 0.7 * len(run.operations())
    assert len(run.answered("2")) > 0.2 * len(run.operations())
    assert world.closed_rows() == before
