"""The statements that callers shape: kept if they come again, up to a number, and for a time."""

from ovasabi.database.shapes import HELD_SECONDS, PLACES, REMEMBERED, Shapes


def test_a_statement_is_kept_once_it_comes_again() -> None:
    shapes = Shapes()
    assert [shapes.keeps("SELECT 1", 0.0) for _ in range(3)] == [False, True, True]


def test_no_more_are_kept_than_there_are_places() -> None:
    shapes = Shapes()
    for _ in range(2):
        kept = [shapes.keeps(f"SELECT {number}", 0.0) for number in range(2 * PLACES)]
    assert kept == [True] * PLACES + [False] * PLACES


def test_the_place_of_one_that_has_not_come_for_long_is_given_away() -> None:
    shapes = Shapes()
    for now in (0.0, 1.0):
        for number in range(PLACES):
            shapes.keeps(f"SELECT {number}", now)
    shapes.keeps("SELECT 0", HELD_SECONDS)
    assert [shapes.keeps("SELECT 'new'", HELD_SECONDS) for _ in range(2)] == [False, False]
    assert shapes.keeps("SELECT 'new'", HELD_SECONDS + 1)
    # The one that was used lately has kept its place; of the others, as many as there are new ones have lost theirs.
    assert list(shapes._kept)[-2:] == ["SELECT 0", "SELECT 'new'"]
    assert "SELECT 1" not in shapes._kept


def test_statements_that_came_once_are_forgotten_after_many_others() -> None:
    shapes = Shapes()
    for number in range(REMEMBERED + 1):
        shapes.keeps(f"SELECT {number}", 0.0)
    assert not shapes.keeps("SELECT 0", 0.0)
    assert shapes.keeps(f"SELECT {REMEMBERED}", 0.0)
