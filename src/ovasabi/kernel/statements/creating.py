"""The SQL that creates an entity, generated once from its declaration: a verdict for each row, and one statement."""

from functools import cached_property

from ovasabi.database.sql import SEEN, Scoping, scoped
from ovasabi.kernel.call.context import CLIENT_KEY
from ovasabi.kernel.declare.entity import Scope, declared
from ovasabi.kernel.declare.fields import Field, Reference, Secret
from ovasabi.kernel.statements.counting import counting
from ovasabi.kernel.statements.ids import CLOCK, NEW_ID
from ovasabi.kernel.statements.natural_keys import Key
from ovasabi.kernel.statements.reading import ReadStatements

AGAIN = "again"
REPLAYED = "replayed"
KEY_REUSED = "key_reused"
UNCOUNTED = "uncounted"
MISSING = "missing:"
TAKEN = "taken:"

_CALLER = f"CASE WHEN starts_with(u.key, '{CLIENT_KEY}') THEN u.actor ELSE '' END"
"""Whose the key is: nobody's own, if it is the platform's. So is that of a client which was used before keys had an
owner."""


class CreateStatements(ReadStatements, frozen=True, dict=True, eq=False):
    """The statement that creates, and what the other writes share with it."""

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """The entity's natural keys. Those of campaigns are unique in the directory."""
        if self.of.scope is Scope.ROOT:
            return ()
        return tuple(Key("+".join(g), tuple(self.of.by_name[part] for part in g)) for g in self.of.unique)

    @cached_property
    def create(self) -> str:
        """$1 scope, $2 campaigns, $3 rows (JSON), $4 client keys, $5 digests, $6 event types, $7 actors,
        $8 correlation ids, $9 causation ids. Returns position, verdict, id and uuid, in order of position.

        For counted references, $10 to $12 are the parents: see `counting`."""
        counter = self.of.counter
        rows = "wanted" if counter is None else "accepted"
        campaign = ["campaign_id"] if self.has_campaign else []
        names = ", ".join(
            [*campaign, "created_at", "master_id", *(f.identifier for f in self.of.stored), "metadata", "updated_at"]
        )
        values = ", ".join([*campaign, "at", "id", *(f"(n).{f.column}" for f in self.of.stored), "(n).metadata", "at"])
        return scoped(
            f"""WITH {CLOCK},
input AS MATERIALIZED (
  SELECT u.*, {NEW_ID} AS id, {_CALLER} AS caller,
         jsonb_populate_record(NULL::{self.table}, u.data) AS n
  FROM scope, clock, unnest($2::int[], $3::text[]::jsonb[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[],
                     $9::bigint[]) WITH ORDINALITY
    AS u (campaign_id, data, key, digest, event_type, actor, correlation_id, causation_id, position)
  WHERE {SEEN}),
judged AS MATERIALIZED (
  SELECT i.*, id_time(i.id) AS at, id_uuid(i.id) AS uuid, CASE
    WHEN i.key IS NULL THEN NULL
    ELSE (SELECT CASE WHEN d.digest = i.digest THEN '{REPLAYED}' ELSE '{KEY_REUSED}' END
          FROM idempotency AS d WHERE d.campaign_id = i.campaign_id AND d.key = i.key AND d.caller IN (i.caller, '')
          ORDER BY d.caller DESC LIMIT 1) END AS known,
    i.key IS NOT NULL AND
      row_number() OVER (PARTITION BY i.campaign_id, i.key, i.caller ORDER BY i.position) > 1 AS repeated{
                "".join(self._contested(key) for key in self.keys)
            }
  FROM input AS i),
decided AS MATERIALIZED (SELECT i.*, {self._create_verdict()} AS verdict FROM judged AS i),
wanted AS MATERIALIZED (SELECT * FROM decided WHERE verdict IS NULL),{
                "" if counter is None else counting(self.of, counter)
            }
claimed AS (
  INSERT INTO idempotency (campaign_id, key, caller, digest, master_id)
  SELECT campaign_id, key, caller, digest, id FROM {rows} AS i WHERE key IS NOT NULL ORDER BY 1, key, caller),
registered AS (
  INSERT INTO master (id, uuid, campaign_id, type, name, created_at, updated_at)
  SELECT id, uuid, campaign_id, '{self.of.name}', left((n).{self.of.title}::text, 200), at, at FROM {rows}),{
                self._insert_keys("keyed", f"{rows} AS i", "true") if self.keys else ""
            }
stored AS (
  INSERT INTO {self.table} ({names})
  SELECT {values} FROM {rows}),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT '{self.of.stream}', at, id, campaign_id, id, event_type, 1, actor, correlation_id, causation_id,
         {self._public("data")} FROM {rows})
{self._create_answer}""",
            Scoping.WRITE,
        )

    @property
    def _create_answer(self) -> str:
        if self.of.counter is None:
            return "SELECT position, verdict AS _verdict, id, uuid FROM decided ORDER BY position"
        uncounted = f"CASE WHEN k.position IS NULL THEN '{UNCOUNTED}' END"
        return f"""SELECT d.position, coalesce(d.verdict, {uncounted}) AS _verdict, d.id, d.uuid
FROM decided AS d LEFT JOIN accepted AS k USING (position) ORDER BY d.position"""

    def _contested(self, key: Key) -> str:
        value = key.value("(i.n)")
        return (
            f",\n    {value} AS key_{key.column_suffix}, {value} IS NOT NULL AND row_number() OVER "
            f"(PARTITION BY i.campaign_id, {value} ORDER BY i.position) > 1 AS contested_{key.column_suffix}"
        )

    def _create_verdict(self) -> str:
        whens = [f"WHEN i.known IS NOT NULL THEN i.known WHEN i.repeated THEN '{AGAIN}'"]
        whens += [self._missing(field, "true") for field in self.of.references]
        whens += [
            f"WHEN {self._holder(key, f'i.key_{key.column_suffix}')} IS NOT NULL THEN '{TAKEN}{key.name}'\n    "
            f"WHEN i.contested_{key.column_suffix} THEN '{AGAIN}'"
            for key in self.keys
        ]
        return "CASE " + "\n    ".join(whens) + " END"

    def _missing(self, field: Field, condition: str) -> str:
        reference = field.get(Reference)
        assert reference is not None
        if reference.type not in declared:
            raise TypeError(f"{self.of.name}.{field.name} refers to {reference.type!r}, which is not declared")
        campaign = "0" if declared[reference.type].scope is Scope.GLOBAL else "i.campaign_id"
        return (
            f"WHEN {condition} AND (i.n).{field.column} IS NOT NULL AND NOT "
            f"entity_exists({campaign}, (i.n).{field.column}, '{reference.type}') THEN '{MISSING}{field.name}'"
        )

    def _holder(self, key: Key, value: str) -> str:
        # The value is in a SELECT of its own: a function in the condition could leak a row through its error, so that
        # PostgreSQL (15.20) evaluates such a condition after the policy, without an index: all keys would be read.
        return (
            f"(SELECT k.master_id FROM master_key AS k "
            f"WHERE k.campaign_id = i.campaign_id AND k.type = '{self.of.name}' "
            f"AND k.field = '{key.name}' AND k.value = (SELECT {value}))"
        )

    def _insert_keys(self, name: str, source: str, condition: str, row: str = "(i.n)") -> str:
        rows = ", ".join(f"('{key.name}', {key.value(row)})" for key in self.keys)
        return f"""
{name} AS (
  INSERT INTO master_key (campaign_id, type, field, value, master_id)
  SELECT i.campaign_id, '{self.of.name}', v.field, v.value, i.id
  FROM {source}, LATERAL (VALUES {rows}) AS v (field, value)
  WHERE v.value IS NOT NULL AND {condition} ORDER BY i.campaign_id, v.field, v.value),"""

    def _public(self, data: str) -> str:
        sealed = [f"'{field.column}'" for field in self.of.stored if field.has(Secret)]
        return f"{data} - ARRAY[{', '.join(sealed)}]" if sealed else data
