"""The stack of an exception and of its causes, line by line; a value from a caller never begins a line."""

import traceback
from collections.abc import Iterator

CAUSED = "The above exception was the direct cause of the following exception:"
DURING = "During handling of the above exception, another exception occurred:"
FRAMES = 100
"""How many frames are shown: those next to the error. A recursion has a thousand."""
LINKS = 10
"""How many causes, and how many exceptions of a group, are shown."""


def type_of(error: BaseException) -> str:
    """Returns the name of an exception's class, with its module unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def text_of(error: BaseException) -> str:
    """Returns the text of an exception.

    PostgreSQL's errors come without their details, which quote rows: a password may be among their values.
    """
    if hasattr(error, "sqlstate") and error.args:
        return str(error.args[0])
    try:
        return str(error)
    except Exception as failure:
        return f"<its text cannot be read: {type_of(failure)}>"


def stack_of(error: BaseException) -> Iterator[str]:
    """Yields the lines of an exception's stack, its causes first, as Python prints them. They are not escaped."""
    links = _links(error)
    for number, (each, link) in enumerate(links):
        yield "Traceback (most recent call last):"
        for frame in traceback.format_tb(each.__traceback__, -FRAMES):
            yield from frame.rstrip("\n").split("\n")
        yield f"{type_of(each)}: {text_of(each)}"
        if isinstance(each, BaseExceptionGroup):
            for part in each.exceptions[:LINKS]:
                yield from (f"  | {line}" for line in stack_of(part))
        if number < len(links) - 1:
            yield link


def _links(error: BaseException) -> list[tuple[BaseException, str]]:
    """Returns an exception after its causes, each with the words that lead to the next."""
    links: list[tuple[BaseException, str]] = [(error, "")]
    while len(links) < LINKS:
        last = links[0][0]
        before, link = last.__cause__, CAUSED
        if before is None and not last.__suppress_context__:
            before, link = last.__context__, DURING
        if before is None or any(before is each for each, _ in links):
            break
        links.insert(0, (before, link))
    return links
