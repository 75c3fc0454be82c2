"""Which server a campaign is on, and one answer from those of several servers."""

import msgspec
import pytest

from ovasabi.kernel.service.protocol import Found, SearchResponse, best_of
from ovasabi.kernel.service.shards import HOME, Shards, ShardUnknown


async def place(campaign: int) -> int:
    """Campaigns are spread by their numbers."""
    return campaign % 3


async def test_the_platform_is_at_home_and_each_campaign_where_it_was_placed() -> None:
    shards = Shards({HOME: "home", 1: "one"}, place)
    assert [await shards.of(campaign) for campaign in (0, 1, 3, 4)] == ["home", "one", "home", "one"]
    with pytest.raises(ShardUnknown) as unknown:
        await shards.of(2)
    assert "server 2" in str(unknown.value)


class Hit(msgspec.Struct):
    """What was found."""

    id: int


def response(*hits: tuple[float, int], corrected: bool = False, total: int | None = None) -> SearchResponse:
    """What a server found."""
    found = [Found(rank, Hit(id)) for rank, id in hits]
    return SearchResponse(found, len(found) if total is None else total, corrected)


@pytest.mark.parametrize(
    ("responses", "ids", "total", "corrected"),
    [
        ([response(), response()], [], 0, False),
        ([response((0.2, 1), (0.1, 2)), response((0.2, 3))], [3, 1, 2], 3, False),
        ([response((0.9, 1), corrected=True), response((0.1, 2))], [2], 1, False),
        ([response((0.9, 1), corrected=True), response()], [1], 1, True),
        ([response((0.5, 1), total=200), response((0.4, 2), total=200)], [1, 2], 200, False),
    ],
)
def test_the_best_matches_come_first_and_corrected_ones_only_where_there_are_no_others(
    responses: list[SearchResponse], ids: list[int], total: int, corrected: bool
) -> None:
    best = best_of(responses, 3)
    assert ([hit.entity.id for hit in best.hits], best.total, best.corrected) == (ids, total, corrected)


def test_no_more_matches_are_returned_than_were_asked_for() -> None:
    assert len(best_of([response(*[(0.1, n) for n in range(5)])] * 2, 4).hits) == 4
