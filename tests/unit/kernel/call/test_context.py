"""Without a context there is no call, without a campaign no scoped one, and out of a campaign leads one stated way."""

import asyncio

import pytest

from ovasabi.errors import DeadlineExceeded, Kind
from ovasabi.kernel.call import context
from ovasabi.kernel.call.context import (
    PLATFORM,
    Context,
    NoCampaign,
    NoContext,
    Principal,
    Role,
    acting,
    current,
    current_campaign,
    in_campaign,
    new_correlation_id,
    on_platform,
    remaining,
    system_context,
)
from ovasabi.kernel.call.scope import scope_of

CONFINED = Context(principal=Principal(name="key:a", campaign_id=7, role=Role.WRITER), campaign_id=7)


def test_without_a_context_nothing_is_known_and_everything_refused() -> None:
    for ask in (current, current_campaign, lambda: in_campaign(1).__enter__(), lambda: on_platform("x").__enter__()):
        with pytest.raises(NoContext) as caught:
            ask()
        assert caught.value.kind is Kind.DENIED


def test_no_campaign_is_an_error_and_never_all_campaigns() -> None:
    with acting(system_context("test")), pytest.raises(NoCampaign):
        current_campaign()


def test_the_campaign_of_the_context_is_the_calls_campaign() -> None:
    with acting(system_context("test", 3)):
        assert current_campaign() == 3
    with acting(system_context("test", PLATFORM)):
        assert current_campaign() == PLATFORM


def test_a_context_ends_with_its_block_also_when_it_fails() -> None:
    outer = system_context("outer", 1)
    with acting(outer):
        with pytest.raises(ValueError, match="boom"), acting(CONFINED):
            raise ValueError("boom")
        assert current() is outer
    with pytest.raises(NoContext):
        current()


def test_a_confined_principal_enters_its_own_campaign_and_no_other() -> None:
    with acting(CONFINED):
        with in_campaign(7) as inner:
            assert inner.campaign_id == 7
        for other in (6, 8, 70):
            with pytest.raises(NoCampaign), in_campaign(other):
                pytest.fail("it got in")
        with pytest.raises(NoCampaign), in_campaign(PLATFORM):
            pytest.fail("it got in")


def test_the_platforms_principal_enters_any_campaign_and_keeps_the_rest_of_its_context() -> None:
    with acting(system_context("test")) as outer, in_campaign(9) as inner:
        assert current_campaign() == 9
        assert inner.principal is outer.principal
        assert inner.correlation_id == outer.correlation_id


def test_the_platform_is_reached_for_a_stated_reason_only() -> None:
    with acting(CONFINED):
        with pytest.raises(NoCampaign), on_platform(""):
            pytest.fail("it got in")
        with on_platform("to look a user up"):
            assert current_campaign() == PLATFORM
        assert current_campaign() == 7


def test_a_role_covers_itself_and_those_below() -> None:
    covered = {(have, need) for have in Role for need in Role if have.covers(need)}
    assert covered == {
        ("reader", "reader"), ("writer", "reader"), ("writer", "writer"),
        ("admin", "reader"), ("admin", "writer"), ("admin", "admin"),
    }  # fmt: skip


def test_correlation_ids_are_22_characters_and_never_the_same() -> None:
    made = {new_correlation_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(id) for id in made} == {22}


async def test_what_a_task_sets_stays_in_the_task() -> None:
    async def inside(campaign: int) -> int:
        with acting(system_context("task", campaign)):
            await asyncio.sleep(0)
            return current_campaign()

    with acting(system_context("test", 1)):
        assert await asyncio.gather(*(asyncio.create_task(inside(n)) for n in range(2, 12))) == list(range(2, 12))
        assert current_campaign() == 1


async def test_a_task_starts_with_the_context_that_made_it() -> None:
    async def inside() -> int:
        return current_campaign()

    with acting(system_context("test", 4)):
        task = asyncio.create_task(inside())
    assert await task == 4


async def test_the_time_that_remains_ends_in_an_error() -> None:
    now = asyncio.get_running_loop().time()
    assert remaining() is None
    with acting(system_context("test")):
        assert remaining() is None
    with acting(Context(principal=CONFINED.principal, deadline=now + 100)):
        left = remaining()
        assert left is not None
        assert 0 < left <= 100
    for passed in (now, now - 100):
        with acting(Context(principal=CONFINED.principal, deadline=passed)), pytest.raises(DeadlineExceeded):
            remaining()


def test_the_scope_is_written_as_postgresql_reads_an_array() -> None:
    assert scope_of() == "{}"
    assert scope_of(3, 1, 3) == "{1,3}"


def test_only_the_platform_leaves_a_campaigns_scope() -> None:
    leaving = [name for name in vars(context) if "platform" in name.lower() and callable(getattr(context, name))]
    assert leaving == ["on_platform"]
