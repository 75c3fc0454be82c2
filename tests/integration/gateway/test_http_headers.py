"""No browser or cache keeps, frames or runs what the API returns; the documentation's page loads only files."""

import re

import httpx
import pytest

from ovasabi.gateway.wire.headers import SAFE

FILES = re.compile(r'(?:src|href)="([^"]+)"')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/contents", 200), ("POST", "/contents", 400), ("GET", "/contents/7", 404), ("PUT", "/contents", 405),
        ("OPTIONS", "/contents", 204), ("GET", "/nothing", 404), ("GET", "?as_of=never", 400),
    ],
)  # fmt: skip
async def test_every_answer_of_the_api_says_so(
    operator: httpx.AsyncClient, shop: str, method: str, path: str, status: int
) -> None:
    answer = await operator.request(method, shop + path)
    assert answer.status_code == status
    for name, value in SAFE:
        assert answer.headers.get_list(name.decode()) == [value.decode()]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/nothing"])
async def test_every_page_says_so(operator: httpx.AsyncClient, path: str) -> None:
    answer = await operator.get(path)
    assert {name.decode(): answer.headers[name.decode()] for name, _ in SAFE} == {
        n.decode(): v.decode() for n, v in SAFE
    }


async def test_a_watch_says_so_once(operator: httpx.AsyncClient, shop: str) -> None:
    async with operator.stream("GET", f"{shop}/events:watch") as answer:
        assert answer.status_code == 200
        assert answer.headers.get_list("cache-control") == ["no-store"]


async def test_the_documentation_is_a_page_of_files_that_its_policy_allows(operator: httpx.AsyncClient) -> None:
    page = await operator.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert re.findall(r"<script(?![^>]*src=)|\son\w+=|javascript:", page.text) == []
    files = FILES.findall(page.text)
    assert "/docs/start.js" in files
    for file in files:
        assert file.startswith("/"), "from here alone"
        assert (await operator.get(file)).status_code == 200
