"""What the fuzzer finds when it begins: campaigns with entities of every type, and one that nobody may touch."""

import random
import re
from typing import Any

import httpx
import msgspec

from ovasabi.discovery import discover
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.fields import Field, Output, Reference
from ovasabi.kernel.declare.methods import MethodKind
from ovasabi.kernel.service import declared_methods
from tests.e2e.conftest import Program
from tests.integration.drafts import sample
from tests.samples import least_of

MARK = "Zugvogelwarte"
"""A word that only the closed campaign knows: no answer to another campaign's key may hold it."""
EACH, SPARE = 8, 24
BARE = 2
"""So many more of each type, which no other entity refers to: where others do, a rule may forbid to delete it."""

discover()
METHODS = declared_methods()
CREATED = {method.subject.singular: method for method in METHODS if method.operation is MethodKind.CREATE}


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
        opened, closed = _campaign(client, "open"), _campaign(client, "closed")
        platform = Filling(client, "/v1", {}, "Words of the platform")
        platform.fill(Scope.GLOBAL)
        campaign = Filling(client, f"/v1/campaigns/{opened['slug']}", dict(platform.ids), "Words of the open one")
        campaign.fill(Scope.CAMPAIGN)
        shut = Filling(client, f"/v1/campaigns/{closed['slug']}", dict(platform.ids), MARK)
        shut.fill(Scope.CAMPAIGN)
        deleted = campaign.deleted() | platform.deleted()
    ids = {declared[name].plural: found for name, found in (platform.ids | campaign.ids).items()}
    return World(
        program=program,
        open=opened["slug"],
        closed=closed["slug"],
        closed_number=closed["campaign_id"],
        open_number=opened["campaign_id"],
        spare=spare,
        ids=ids,
        deleted=deleted,
        closed_ids=[id for name, found in shut.ids.items() if name not in platform.ids for id in found],
    )


class Filling:
    """Fills a campaign, or the platform, with entities of every type that its API creates."""

    def __init__(self, client: httpx.Client, at: str, ids: dict[str, list[int]], text: str) -> None:
        self.client, self.at, self.ids, self.text = client, at, ids, text
        self._own: list[str] = []

    def fill(self, scope: Scope) -> None:
        """Makes some of each type, those first that others refer to; to each second one its verbs are done."""
        left = {name: method for name, method in CREATED.items() if declared[name].scope is scope}
        while left:
            ready = [name for name in left if not _needed(declared[name]) & left.keys()]
            assert ready, f"these need each other to be created: {', '.join(left)}"
            for name in ready:
                self._own.append(name)
                self.ids[name] = [self._create(declared[name], number) for number in range(EACH + BARE)]
                del left[name]
        for name in self._own:
            for number, id in enumerate(self.ids[name][1::2]):
                self._do(name, id, random.Random(number))

    def deleted(self) -> dict[str, list[int]]:
        """Takes the last two of each collection out of it, deleted: what can be restored."""
        found: dict[str, list[int]] = {}
        for name in reversed(self._own):
            plural = declared[name].plural
            if f"{plural}_restore" in {method.id for method in METHODS}:
                found[plural] = [self.ids[name].pop() for _ in range(BARE)]
                for id in found[plural]:
                    assert self.client.delete(f"{self.at}/{plural}/{id}").status_code == 200
        return found

    def _create(self, of: EntityType, number: int) -> int:
        fields = [field for field in of.stored if not field.has(Output)]
        values = {field.name: self._value(of, field, number) for field in fields}
        values = {name: value for name, value in values.items() if value is not None}
        return int(_post(self.client, f"{self.at}/{of.plural}", msgspec.to_builtins(values))["id"])

    def _value(self, of: EntityType, field: Field, number: int) -> Any:
        """References to all but the last of what there is, never the same ones; text that tells the campaign."""
        reference = field.get(Reference)
        if reference is not None:
            known = self.ids.get(reference.type, [])[:EACH]
            shifted = number + number // EACH * of.fields.index(field)
            return known[shifted % len(known)] if known else None
        value = sample(of, field)
        if field.base is str and "plain words" in str(value):
            return f"{self.text} {value}" if _fits(field, f"{self.text} {value}") else value
        return value

    def _do(self, name: str, id: int, chance: random.Random) -> None:
        """Tries the service's own verbs of an entity, each once in any order; a rule may refuse some."""
        verbs = [
            method for method in METHODS if method.subject.singular == name and method.operation is MethodKind.VERB
        ]
        for method in chance.sample(verbs, len(verbs)):
            if method.on_entity:
                values = {} if method.request is None else msgspec.to_builtins(least_of(method.request))
                answer = self.client.post(f"{self.at}/{method.subject.plural}/{id}:{method.name}", json=values)
                assert answer.status_code < 500, answer.text


def _needed(of: EntityType) -> set[str]:
    """The types that must be there first; an entity of its own type can be left out."""
    references = (field.get(Reference) for field in of.references if not field.has(Output))
    return {reference.type for reference in references if reference is not None} - {of.name}


def _fits(field: Field, text: str) -> bool:
    try:
        msgspec.convert(text, field.annotation)
    except msgspec.ValidationError:
        return False
    return True


def _moved_on(client: httpx.Client, path: str, way: int) -> None:
    """A spare campaign in a state of its own, so that every verb applies to some of them."""
    if way == 1:
        _post(client, f"{path}:deactivate", {})
    elif way == 2:
        assert client.patch(path, json={"starts_at": "2998-01-01T00:00:00Z"}).status_code == 200
    elif way == 3:
        assert client.delete(path).status_code == 200


def _campaign(client: httpx.Client, slug: str) -> dict[str, Any]:
    return _post(client, "/v1/campaigns", {"slug": slug, "title": slug})


def _post(client: httpx.Client, path: str, values: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=values)
    assert answer.status_code in (200, 201), answer.text
    answered: dict[str, Any] = answer.json()
    return answered
