"""Quotes: valid for a while, decided once, and left as they are after that."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ovasabi.kernel.call.context import CLIENT_KEY, Context, Principal, Role, acting
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.quotes.entity import Quote
from ovasabi.services.quotes.errors import AlreadyOver, QuoteDecided, QuoteOverdue, QuoteStillValid
from ovasabi.services.quotes.service import Quotes, Rejection
from tests.integration.services.calls import call


def draft(seconds: float = 3600, **values: Any) -> dict[str, Any]:
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"description": "Ten boxes", "amount": Decimal("35"), "currency": "EUR", "valid_until": until, **values}


async def test_a_quote_is_not_made_for_the_past(registry: ServiceRegistry, context: Context) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        with pytest.raises(AlreadyOver):
            await quotes.create(draft(-1))
        answers = await quotes.create_many([NewEntity(draft()), NewEntity(draft(-1)), NewEntity(draft())])
        assert [type(answer) for answer in answers] == [Quote, AlreadyOver, Quote]


async def test_a_create_that_is_repeated_is_not_judged_again(registry: ServiceRegistry, context: Context) -> None:
    quotes, wanted, key = registry.service(Quotes), draft(0.5), f"{CLIENT_KEY}{uuid.uuid4()}"
    with acting(context):
        quote = await quotes.create(wanted, key=key)
        await call(quotes, "reject", quote.id, Rejection("too dear"))
        await asyncio.sleep(0.6)
        assert await quotes.create(wanted, key=key) == quote
        for values, other in ((wanted, f"{key}-2"), (wanted | {"description": "Eleven boxes"}, key)):
            with pytest.raises(AlreadyOver):
                await quotes.create(values, key=other)
    somebody_else = Principal("somebody else", 0, Role.WRITER)
    with acting(msgspec.structs.replace(context, principal=somebody_else)), pytest.raises(AlreadyOver):
        await quotes.create(wanted, key=key)


def test_a_time_without_a_zone_is_no_time() -> None:
    values = {"description": "x", "amount": "1", "currency": "EUR", "valid_until": "2999-01-01T00:00:00"}
    with pytest.raises(msgspec.ValidationError, match="valid_until"):
        msgspec.convert(values, type_of(Quote).draft, strict=False)


async def test_an_offer_is_taken_while_it_is_valid(registry: ServiceRegistry, context: Context) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        quote = await quotes.create(draft())
        with pytest.raises(QuoteStillValid):
            await call(quotes, "expire", quote.id)
        accepted = await call(quotes, "accept", quote.id)
        assert accepted.state == "accepted"
        assert quote.created_at < accepted.decided_at <= accepted.updated_at + timedelta(milliseconds=1)
        for verb, request in (("accept", None), ("reject", Rejection()), ("expire", None)):
            with pytest.raises(MoveRefused):
                await call(quotes, verb, quote.id, request)


async def test_an_overdue_offer_stays_pending_until_it_is_expired(registry: ServiceRegistry, context: Context) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        quote = await quotes.create(draft(0.2))
        await asyncio.sleep(0.3)
        assert (await quotes.get(quote.id)).state == "pending"
        with pytest.raises(QuoteOverdue) as overdue:
            await call(quotes, "accept", quote.id)
        assert quote.valid_until.isoformat() in str(overdue.value)
        assert (await call(quotes, "expire", quote.id)).state == "expired"


async def test_a_rejection_says_why(registry: ServiceRegistry, context: Context) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        quote = await quotes.create(draft())
        rejected = await call(quotes, "reject", quote.id, Rejection("too dear"))
        assert (rejected.state, rejected.reason) == ("rejected", "too dear")


async def test_of_those_who_decide_at_once_one_wins(registry: ServiceRegistry, context: Context) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        quote = await quotes.create(draft())
        verbs = [("accept", None), ("reject", Rejection("no"))] * 6
        answers = await asyncio.gather(
            *(call(quotes, verb, quote.id, request) for verb, request in verbs), return_exceptions=True
        )
        (winner,) = [answer for answer in answers if isinstance(answer, Quote)]
        assert sum(isinstance(answer, MoveRefused) for answer in answers) == 11
        now = await quotes.get(quote.id)
        assert (now, now.version) == (winner, 2)


async def test_a_decided_quote_keeps_its_terms(registry: ServiceRegistry, context: Context) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        quote = await quotes.create(draft())
        assert (await quotes.update(quote.id, {"amount": Decimal("30")})).amount == 30
        await call(quotes, "accept", quote.id)
        with pytest.raises(QuoteDecided):
            await quotes.update(quote.id, {"amount": Decimal("1")})
        noted = await quotes.update(quote.id, {"metadata": {"tags": ["paid"]}})
        assert (noted.amount, noted.metadata) == (30, {"tags": ["paid"]})


async def test_terms_that_change_while_the_quote_is_accepted_do_not_slip_in(
    registry: ServiceRegistry, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotes = registry.service(Quotes)
    with acting(context):
        quote = await quotes.create(draft())
        get = quotes.repository.get

        async def get_then_somebody_accepts(reference: Any) -> Quote:
            monkeypatch.undo()
            before = await get(reference)
            await call(quotes, "accept", quote.id)
            return before

        monkeypatch.setattr(quotes.repository, "get", get_then_somebody_accepts)
        with pytest.raises(QuoteDecided):
            await quotes.update(quote.id, {"amount": Decimal("1")})
        assert (await quotes.get(quote.id)).amount == 35
