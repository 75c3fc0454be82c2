"""Suggests the known name that was probably meant by an unknown one."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 100
"""Longer names are not compared: the work grows with the square of their length, and no name of ours is longer."""


def nearest(name: str, known: Iterable[str], similarity: float = 0.6) -> str | None:
    """Returns the known name that is most similar to a name; None if none is similar enough.

    `similarity` is a ratio as of difflib, from 0 (anything) to 1 (the same).
    """
    if len(name) > LONGEST:
        return None
    return next(iter(get_close_matches(name, list(known), 1, similarity)), None)
