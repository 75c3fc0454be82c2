"""Requests that no client sends by intent: each is refused in a sentence or taken as meant; none breaks the server."""

import httpx
import pytest

QUOTE = '{"description": "x", "amount": %s, "currency": "EUR", "valid_until": "%s"}'
UNTIL = "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "body",
    [
        '{"title": "x", "metadata": {"tags": ' + "[" * 100_000 + "]" * 100_000 + "}}",
        '{"title": "x", "metadata": {"tags": ' + '{"a":' * 20 + "1" + "}" * 20 + "}}",
        '{"title": "x", "metadata": {"tags": ' + "9" * 5_000 + "}}",
        '{"title": "x", "metadata": {"tags": "\\ud800"}}',
        '{"title": "\\u0000"}',
    ],
)
async def test_a_body_that_cannot_be_kept_is_refused(operator: httpx.AsyncClient, shop: str, body: str) -> None:
    answer = await operator.post(f"{shop}/contents", content=body)
    assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text


async def test_metadata_may_be_nested_20_levels(operator: httpx.AsyncClient, shop: str) -> None:
    body = '{"title": "x", "metadata": {"tags": ' + "[" * 19 + "]" * 19 + "}}"
    made = await operator.post(f"{shop}/contents", content=body)
    assert made.status_code == 201, made.text
    assert (await operator.get(f"{shop}/contents/{made.json()['id']}")).json()["metadata"] == made.json()["metadata"]


@pytest.mark.parametrize("id", ["*", ":", "::", "%2A", "%00", "%FF", "%2E%2E", "a%2Fb", "{id}"])
async def test_no_segment_of_a_path_is_taken_for_anything_but_a_name(
    operator: httpx.AsyncClient, shop: str, id: str
) -> None:
    for path in (f"{shop}/contents/{id}", f"/v1/campaigns/{id}/contents", f"/v1/{id}/contents", f"{shop}/{id}/1"):
        assert (await operator.get(path)).status_code == 404, path
    assert (await operator.post(f"{shop}/contents/{id}:publish")).status_code == 404


@pytest.mark.parametrize("at", ["2999-01-01T00:00:00+23:59", "2999-01-01T00:00:00-23:59"])
async def test_a_time_of_any_offset_is_answered_in_utc(operator: httpx.AsyncClient, shop: str, at: str) -> None:
    made = await operator.post(f"{shop}/quotes", content=QUOTE % ('"1"', at))
    assert made.status_code == 201, made.text
    assert made.json()["valid_until"].endswith("Z")
    read = await operator.get(f"{shop}/quotes/{made.json()['id']}")
    assert read.json()["valid_until"] == made.json()["valid_until"]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
async def test_a_time_beyond_the_calendar_is_refused(operator: httpx.AsyncClient, shop: str, at: str) -> None:
    answer = await operator.patch(shop, json={"starts_at": at})
    assert (answer.status_code, answer.json()["field"]) == (400, "starts_at"), answer.text


@pytest.mark.parametrize("amount", ['" 1"', '"1_0"', '"1e1"', '"+1"', '"١"', '"NaN"', '"-1"', "1e400", "-1", '"1."'])
async def test_a_decimal_is_written_in_digits_and_a_point(operator: httpx.AsyncClient, shop: str, amount: str) -> None:
    answer = await operator.post(f"{shop}/quotes", content=QUOTE % (amount, UNTIL))
    assert (answer.status_code, answer.json()["field"]) == (400, "amount"), answer.text
    assert (await operator.post(f"{shop}/quotes", content=QUOTE % ("1.25", UNTIL))).status_code == 201


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        (rb'{"title": "a\ud800"}', None, r"\ud800 at its byte 13 is a lone surrogate"),
        (rb'{"title": "\\\ud83d\ude00", "body": "\uDEAD"}', None, r"\uDEAD at its byte 38 is a lone surrogate"),
        (b'{"title": "ab\xff"}', None, "not valid UTF-8: its byte 14 is 0xff"),
        (rb'{"title": "ab\u0000"}', "title", "title contains the character U+0000 at position 3"),
        (rb'{"title": "x", "tags": ["a", "\u0000"]}', "tags[1]", "tags[1] contains the character U+0000 at position 1"),
    ],
)
async def test_a_character_that_cannot_be_stored_is_named_with_its_place(
    operator: httpx.AsyncClient, shop: str, body: bytes, field: str | None, told: str
) -> None:
    answer = await operator.post(f"{shop}/contents", content=body)
    problem = answer.json()
    assert (answer.status_code, problem.get("field")) == (400, field), problem
    assert told in problem["detail"]


@pytest.mark.parametrize("timeout", ["0.000000001", "0.000001"])
async def test_a_deadline_that_has_already_passed_is_told_and_nothing_is_done(
    operator: httpx.AsyncClient, shop: str, timeout: str
) -> None:
    late = {"x-request-timeout": timeout}
    for _ in range(20):
        answer = await operator.post(f"{shop}/contents", json={"title": "late"}, headers=late)
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        assert (await operator.get(f"{shop}/contents", headers=late)).status_code == 504
    assert (await operator.get(f"{shop}/contents")).json()["contents"] == []


@pytest.mark.parametrize("timeout", ["0", "nan", "inf", "-1", "1e3", "1_0", "100000"])
async def test_a_timeout_is_a_number_of_seconds(operator: httpx.AsyncClient, shop: str, timeout: str) -> None:
    answer = await operator.get(f"{shop}/contents", headers={"x-request-timeout": timeout})
    assert (answer.status_code, answer.json()["field"]) == (400, "X-Request-Timeout")
