"""Wrong input over HTTP: one envelope, the field at fault, what to do, and never the inside of the server."""

import httpx
import pytest

PROCESSES = ("one", "three")


BAD = [
    ({"titel": "x"}, 400, "titel", "Did you mean 'title'?"),
    ({}, 400, "title", None),
    ({"title": 5}, 400, "title", None),
    ({"title": ""}, 400, "title", None),
    ({"title": "x", "kind": "novel"}, 400, "kind", None),
    ({"title": "x", "slug": "No Slug"}, 400, "slug", None),
    ({"title": "x", "state": "published"}, 400, "state", None),
    ({"title": "x", "id": 1}, 400, "id", None),
    ({"title": "x\x00y"}, 400, "title", None),
    ({"title": "x", "author_id": 1}, 400, "author_id", None),
    ({"title": "x", "author_id": 2**70}, 400, "author_id", None),
    ({"title": "x", "metadata": {"root": 1}}, 400, "metadata.root", None),
    ({"title": "x", "metadata": {"service_specific": {"product": {}}}}, 400, "metadata.service_specific.product", None),
    ({"title": "x", "metadata": {"tags": ["y" * 70_000]}}, 400, "metadata", None),
]


@pytest.mark.parametrize(("draft", "status", "field", "hint"), BAD)
async def test_a_bad_draft_names_its_field(
    operator: httpx.AsyncClient, shop: str, draft: dict[str, object], status: int, field: str | None, hint: str | None
) -> None:
    answer = await operator.post(f"{shop}/contents", json=draft)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.get("field") == field
    if hint:
        assert problem["hint"] == hint
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert (await operator.get(f"{shop}/contents")).json()["contents"] == []


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/contents/abc", {}, 404),
        ("GET", "/contents/99999999999999999999", {}, 404),
        ("GET", "/contents/00000000-0000-7000-8000-000000000000", {}, 404),
        ("PATCH", "/contents/1", {"json": {"title": "x"}}, 404),
        ("DELETE", "/contents/1", {}, 404),
        ("POST", "/contents/1:publish", {}, 404),
        ("POST", "/contents/1:fly", {}, 404),
        ("POST", "/contents:fly", {}, 404),
        ("PUT", "/contents", {}, 405),
        ("GET", "/contents?page_size=0", {}, 400),
        ("GET", "/contents?page_size=many", {}, 400),
        ("GET", "/contents?page_token=xyz", {}, 400),
        ("GET", "/contents?pagesize=3", {}, 400),
        ("GET", "/contents?filter=body=1", {}, 400),
        ("GET", "/contents?filter=state=", {}, 400),
        ("GET", "/contents?filter=created_at>2020", {}, 400),
        ("GET", "/contents?order_by=body", {}, 400),
        ("GET", ":search?q=", {}, 400),
        ("GET", ":search?q=---", {}, 400),
        ("GET", ":search?q=x&types=nothing", {}, 400),
        ("GET", "/events?after=junk", {}, 400),
        ("GET", "/events?types=junk", {}, 400),
        ("GET", "/master?type=nothing", {}, 400),
        ("GET", "/master/abc", {}, 404),
        ("POST", "/contents", {"content": b"{"}, 400),
        ("POST", "/contents", {"content": b"\xff\xfe"}, 400),
        ("POST", "/contents", {"content": b"[]"}, 400),
        ("POST", "/contents", {"json": {"title": "x"}, "headers": {"idempotency-key": "no spaces"}}, 400),
        ("PATCH", "/contents/1", {"json": {}, "headers": {"if-match": "banana"}}, 400),
        ("PATCH", "/contents/1", {"json": {}, "headers": {"if-match": '"01"'}}, 400),
        ("PATCH", "/contents/1", {"json": {}, "headers": {"if-match": '"1'}}, 400),
        ("POST", "/contents", {"json": {"title": "x"}, "headers": {"x-causation-id": "01"}}, 400),
        ("GET", "/contents/01", {}, 404),
        ("GET", "/master?page_token=01", {}, 400),
        ("GET", "/contents", {"headers": {"x-request-timeout": "soon"}}, 400),
        ("POST", "/contents", {"content": b'{"title":"' + b"x" * 9_000_000 + b'"}'}, 413),
    ],
)
async def test_a_bad_request_is_one_clear_problem(
    operator: httpx.AsyncClient, shop: str, method: str, path: str, options: dict[str, object], status: int
) -> None:
    answer = await operator.request(method, shop + path, **options)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["detail"].endswith(".")
    assert problem["code"]
    assert "Traceback" not in answer.text
    assert "asyncpg" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "hint"),
    [
        ("PUT", "/contents", "Use GET or POST."),
        ("POST", "/contents/1", "Use DELETE, GET or PATCH."),
        ("DELETE", "/contents/1:publish", "Use POST."),
    ],
)
async def test_a_method_that_a_path_does_not_support_is_answered_with_those_that_it_does(
    operator: httpx.AsyncClient, shop: str, method: str, path: str, hint: str
) -> None:
    answer = await operator.request(method, shop + path)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (405, "invalid_request")
    assert problem["detail"] == f"{shop}{path} does not support {method}."
    assert problem["hint"] == hint
    told = hint.removeprefix("Use ").rstrip(".").replace(" or ", ", ")
    assert set(told.split(", ")) < set(answer.headers["allow"].split(", "))


async def test_injection_strings_are_inert_everywhere(operator: httpx.AsyncClient, shop: str) -> None:
    evil = "'; DROP TABLE master; -- \" $1 :* & | ! \\ %s {0} ../"
    made = await operator.post(f"{shop}/contents", json={"title": evil, "body": evil, "tags": [evil[:60]]})
    assert made.json()["title"] == evil
    for path in ("/contents:search", ":search", "/master:search"):
        assert (await operator.get(shop + path, params={"q": evil})).status_code == 200
    for mode in ("pattern", "fuzzy", "text"):
        found = await operator.get(f"{shop}/master:search", params={"q": "drop", "mode": mode})
        assert [record["id"] for record in found.json()["records"]] == [made.json()["id"]]
    filtered = await operator.get(f"{shop}/contents", params={"filter": f"tags:{evil[:20]!r}"})
    assert filtered.status_code in (200, 400)
    assert (await operator.get(made.headers["location"])).json() == made.json()


async def test_a_deadline_reaches_the_database(operator: httpx.AsyncClient, shop: str, database_url: str) -> None:
    import asyncpg

    blocker = await asyncpg.connect(database_url)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE service_quotes_main IN ACCESS EXCLUSIVE MODE")
            answer = await operator.get(f"{shop}/quotes", headers={"x-request-timeout": "0.3"})
    finally:
        await blocker.close()
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")


async def test_a_client_that_leaves_takes_its_query_with_it(
    operator: httpx.AsyncClient, shop: str, database_url: str
) -> None:
    import asyncpg

    from tests.conftest import eventually

    blocker = await asyncpg.connect(database_url)
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%service_quotes_main%'"
    )
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE service_quotes_main IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(httpx.ReadTimeout):
                await operator.get(f"{shop}/quotes", timeout=0.5)

            async def gone() -> bool:
                return await blocker.fetchval(waiting) == 0

            await eventually(gone)
    finally:
        await blocker.close()
    assert (await operator.get(f"{shop}/quotes")).status_code == 200
