"""What the fuzzer finds when it begins: campaigns with entities of every type, and one that nobody may touch."""

import re
from typing import Any

import httpx
import msgspec

from tests.e2e.conftest import Program

MARK = "Zugvogelwarte"
"""A word that only the closed campaign knows: no answer to another campaign's key may hold it."""
STRONG = "Str0ng-enough!"
EACH, SPARE = 8, 24


class World(msgspec.Struct):
    """The campaigns, and the ids of what is in the open one, by collection."""

    program: Program
    open: str
    closed: str
    closed_number: int
    open_number: int
    spare: list[str]
    ids: dict[str, list[int]]
    deleted: dict[str, list[int]]
    closed_ids: list[int]

    def closed_rows(self) -> str:
        """Every row of the closed campaign in every table, as one text: whatever changes there changes it."""
        tables = self._psql(
            "SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = "
            "'campaign_id' WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        ).split()
        assert {"master", "service_event", "service_content_main"} <= set(tables)
        selects = [
            f"SELECT '{table}: ' || t::text FROM {table} t WHERE campaign_id = {self.closed_number}" for table in tables
        ]
        return self._psql(" UNION ALL ".join(selects) + " ORDER BY 1")

    def key(self) -> str:
        """A new admin key that is confined to the open campaign."""
        ran = self.program.run("keys", "create", "confined", "--role", "admin", "--campaign", self.open)
        found = re.search(r"ovk_\S+", ran.stdout)
        assert found is not None, ran
        return found[0]

    def _psql(self, query: str) -> str:
        ran = self.program.run("psql", "-Atc", query)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def made(program: Program) -> World:
    """The world, made through the API of the running program."""
    with program.client() as client:
        spare = [_campaign(client, f"spare{number}")["slug"] for number in range(SPARE)]
        for number, slug in enumerate(spare):
            _moved_on(client, f"/v1/campaigns/{slug}", number % 4)
        users = [_user(client, number) for number in range(EACH)]
        opened, closed = _campaign(client, "open"), _campaign(client, "closed")
        ids = _filled(client, opened["slug"], "Words of the open one", users)
        deleted = _deleted(client, opened["slug"], {"users": users, **ids})
        closed_ids = _filled(client, closed["slug"], MARK, users)
    return World(
        program=program,
        open=opened["slug"],
        closed=closed["slug"],
        closed_number=closed["campaign_id"],
        open_number=opened["campaign_id"],
        spare=spare,
        ids={"users": users, **ids},
        deleted=deleted,
        closed_ids=[id for found in closed_ids.values() for id in found],
    )


def _moved_on(client: httpx.Client, path: str, way: int) -> None:
    """A spare campaign in a state of its own, so that every verb applies to some of them."""
    if way == 1:
        _post(client, f"{path}:deactivate", {})
    elif way == 2:
        assert client.patch(path, json={"starts_at": "2998-01-01T00:00:00Z"}).status_code == 200
    elif way == 3:
        assert client.delete(path).status_code == 200


def _deleted(client: httpx.Client, slug: str, ids: dict[str, list[int]]) -> dict[str, list[int]]:
    """Takes the last two of each collection out of it, deleted: what can be restored."""
    deleted = {name: [found.pop(), found.pop()] for name, found in ids.items()}
    for name in ("comments", "reactions", "variants", "products", "contents", "quotes", "users"):
        at = "/v1/users" if name == "users" else f"/v1/campaigns/{slug}/{name}"
        for id in deleted[name]:
            assert client.delete(f"{at}/{id}").status_code == 200
    return deleted


def _campaign(client: httpx.Client, slug: str) -> dict[str, Any]:
    return _post(client, "/v1/campaigns", {"slug": slug, "title": slug})


def _user(client: httpx.Client, number: int) -> int:
    values = {"username": f"person{number}", "email": f"person{number}@example.org", "password": STRONG}
    return int(_post(client, "/v1/users", values)["id"])


def _filled(client: httpx.Client, slug: str, text: str, users: list[int]) -> dict[str, list[int]]:
    """Entities of every type in a campaign; their ids by collection."""
    at, ids = f"/v1/campaigns/{slug}", {name: [] for name in ("contents", "comments", "reactions", "products")}
    ids |= {"variants": [], "quotes": []}
    until = "2999-01-01T00:00:00Z"
    for number, user in enumerate(users):
        content = _post(client, f"{at}/contents", {"title": f"{text} {number}", "author_id": user, "tags": ["python"]})
        product = _post(client, f"{at}/products", {"name": f"{text} {number}"})
        drafts = {
            "comments": {"content_id": content["id"], "body": text, "author_id": user},
            "reactions": {"content_id": content["id"], "user_id": user, "kind": "like"},
            "variants": {"product_id": product["id"], "sku": f"sku{number}", "name": text, "price": "9.90",
                         "currency": "EUR"},
            "quotes": {"description": text, "amount": "12.5", "currency": "EUR", "valid_until": until, "user_id": user},
        }  # fmt: skip
        ids["contents"].append(content["id"])
        ids["products"].append(product["id"])
        if number % 2:
            _post(client, f"{at}/contents/{content['id']}:publish", {})
            ids["products"].insert(0, _post(client, f"{at}/products", {"name": "Without variants"})["id"])
        for name, draft in drafts.items():
            ids[name].append(_post(client, f"{at}/{name}", draft)["id"])
        variant = f"{at}/variants/{ids['variants'][-1]}"
        _post(client, f"{variant}:restock", {"quantity": 1000})
        _post(client, f"{variant}:reserve", {"quantity": 500})
    return ids


def _post(client: httpx.Client, path: str, values: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=values)
    assert answer.status_code in (200, 201), answer.text
    answered: dict[str, Any] = answer.json()
    return answered
