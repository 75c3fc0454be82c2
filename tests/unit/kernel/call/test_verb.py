"""A verb is named once: its name is that of its method, and of the events that it logs."""

import ast
import asyncio
from pathlib import Path

import pytest

import ovasabi
from ovasabi.kernel.call.verb import named, running_verb
from ovasabi.kernel.declare.methods import verb

PACKAGE = Path(ovasabi.__file__).parent


@named
async def reserve(then: object = None) -> str:
    """Answers with the name of the verb that is running, after another one has run."""
    if then is not None:
        await then()  # type: ignore[operator]
    await asyncio.sleep(0)
    return running_verb()


@named
async def import_() -> str:
    """A verb whose name is a keyword."""
    return running_verb()


class Things:
    """A service."""

    @verb()
    async def publish(self) -> str:
        """Answers with the name of the verb."""
        return running_verb()

    @verb()
    async def fail(self) -> None:
        """Fails."""
        raise ValueError("no")


async def test_a_verb_runs_under_the_name_of_its_function() -> None:
    assert await reserve() == "reserve"
    assert await import_() == "import"
    assert await Things().publish() == "publish"


async def test_a_verb_that_calls_another_goes_on_under_its_own_name() -> None:
    assert await reserve(Things().publish) == "reserve"


async def test_verbs_that_run_at_once_do_not_mix_their_names() -> None:
    assert await asyncio.gather(reserve(), Things().publish(), reserve()) == ["reserve", "publish", "reserve"]


async def test_outside_a_verb_there_is_no_name() -> None:
    with pytest.raises(ValueError, match="no"):
        await Things().fail()
    with pytest.raises(TypeError, match="no verb is running"):
        running_verb()


def repeated(source: str) -> list[str]:
    """The functions that name themselves in a call of `change` or `adjust`, or in one that passes the name on."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AsyncFunctionDef)]
    return [
        function.name
        for function in functions
        if any(ast.unparse(each).startswith(("verb(", "move(")) for each in function.decorator_list)
        for node in ast.walk(ast.Module(function.body, []))
        if isinstance(node, ast.Constant) and node.value == function.name.rstrip("_")
    ]


def test_no_verb_of_the_product_names_itself() -> None:
    assert {str(file): found for file in PACKAGE.rglob("*.py") if (found := repeated(file.read_text()))} == {}


def test_a_verb_that_names_itself_is_found() -> None:
    body = "async def take(self, item):\n    return await self.change(item, {name}stock=1)"
    assert repeated("@verb()\n" + body.format(name="'take', ")) == ["take"]
    assert repeated("@verb()\n" + body.format(name="")) == []
