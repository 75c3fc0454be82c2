"""The SQL that writes an entity, generated once from its declaration: one statement per write, for N rows at a time.

Every statement sets the tenant scope for itself only (`scope`), reads nothing before the scope is set, and has the
campaign as a value as well, so that plans prune. A write returns a verdict for each row, by position: null if the row
was written, otherwise why that row was not.
"""

from functools import cached_property

from ovasabi.database.sql import SCOPE_FIRST, SEEN, Scoping, scoped
from ovasabi.kernel.declare.entity import Scope
from ovasabi.kernel.declare.fields import Field, Reference
from ovasabi.kernel.statements.counting import FEW
from ovasabi.kernel.statements.creating import TAKEN, CreateStatements
from ovasabi.kernel.statements.ids import CLOCK, LAST_ID, NEW_ID
from ovasabi.kernel.statements.reading import by_primary_key

REGISTRY_COLUMNS = "b.id, b.uuid, b.campaign_id, b.version, b.created_at"


class Statements(CreateStatements, frozen=True, dict=True, eq=False):
    """The statements of one entity type: those that read and create, and the other writes."""

    @cached_property
    def adjustable(self) -> tuple[Field, ...]:
        """The fields that `adjust` can change."""
        numbers = (f for f in self.of.stored if f.base is int or f.sql_type.startswith("numeric"))
        return tuple(f for f in numbers if not f.has(Reference))

    @cached_property
    def update(self) -> str:
        """$1 scope, $2 campaigns, $3 ids in order, $4 created_ats, $5 expected versions or null, $6 patches (JSON),
        $7 event types, $8 actors, $9 correlation ids, $10 causation ids. Returns the verdict and the updated row."""
        title = self.of.by_name[self.of.title].column
        sets = ",\n    ".join(
            f"{f.identifier} = CASE WHEN i.data ? '{f.column}' THEN (i.n).{f.column} ELSE s.{f.column} END"
            for f in self.of.stored
        )
        return f"""{self._targets},
decided AS MATERIALIZED (
  SELECT i.*, {self._update_verdict()} AS verdict
  FROM (SELECT t.*, jsonb_populate_record(NULL::{self.table}, t.data) AS n FROM input AS t) AS i),
{self._bumped(f"name = CASE WHEN i.data ? '{title}' THEN left((i.n).{title}::text, 200) ELSE m.name END", "1")},{
            self._move_keys if self.keys else ""
        }
stored AS (
  UPDATE {self.table} AS s SET
    {sets},
    metadata = CASE WHEN i.data ? 'metadata' THEN metadata_merge(s.metadata, i.data -> 'metadata') ELSE s.metadata END,
    updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE {self._target()} AND s.deleted_at IS NULL
  RETURNING b.position AS _position, {REGISTRY_COLUMNS}, {self._now_columns}),
{self._logged(self._public("i.data"))}
SELECT d.verdict AS _verdict, s.*
FROM decided AS d LEFT JOIN stored AS s ON s._position = d.position ORDER BY d.position"""

    @cached_property
    def delete(self) -> str:
        """Like `update`, with nulls in $6: marks the row as deleted, leaves a tombstone, and frees its natural keys."""
        freed = """
freed AS (
  DELETE FROM master_key AS k USING bumped AS b JOIN decided AS i USING (position)
  WHERE k.campaign_id + 0 = i.campaign_id AND k.master_id = i.id),"""
        return self._mark("1", "status = 2", "b.updated_at", "IS NULL", freed if self.keys else "")

    @cached_property
    def restore(self) -> str:
        """Undoes `delete`, with the same parameters: claims the natural keys again, which may be refused."""
        row = f"{self.table} AS s JOIN bumped AS b ON s.master_id = b.id JOIN decided AS i ON i.position = b.position"
        claim = self._insert_keys("keyed", row, self._target(), row="s") if self.keys else ""
        return self._mark("2", "status = 1", "NULL", "IS NOT NULL", claim)

    @cached_property
    def adjust(self) -> str:
        """Like `update`, with amounts to add in $6: changes counters without reading them, or changing the version."""
        counters = self.adjustable
        if not counters:
            raise TypeError(f"entity {self.of.name!r} has no counters to adjust")
        sets = ", ".join(
            f"{f.identifier} = s.{f.column} + coalesce((i.data ->> '{f.column}')::numeric, 0)" for f in counters
        )
        payload = ", ".join(f"'{f.column}', {_json('u', f)}" for f in counters)
        return f"""{self._targets},
decided AS MATERIALIZED (SELECT i.*, NULL::text AS verdict FROM input AS i),
stored AS (
  UPDATE {self.table} AS s SET {sets}
  FROM decided AS i WHERE {self._target()} AND s.deleted_at IS NULL
  RETURNING i.position AS _position, {self._now_columns}),
logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, actor, correlation_id,
                             causation_id, payload)
  SELECT '{self.of.stream}', id_time(e.id), e.id, i.campaign_id, i.id, i.event_type, i.actor, i.correlation_id,
         i.causation_id,
         (SELECT jsonb_object_agg(key, value) FROM jsonb_each(jsonb_build_object({payload})) WHERE i.data ? key)
  FROM (SELECT stored.*, {NEW_ID} AS id FROM stored) AS e
  JOIN decided AS i ON i.position = e._position JOIN stored AS u ON u._position = e._position)
SELECT d.verdict AS _verdict, m.id, m.uuid, m.campaign_id, m.version, m.created_at, s.*
FROM decided AS d LEFT JOIN stored AS s ON s._position = d.position
LEFT JOIN LATERAL (SELECT * FROM master WHERE campaign_id = d.campaign_id AND id = d.id OFFSET 0) AS m
  ON s._position IS NOT NULL
ORDER BY d.position"""

    @cached_property
    def _now_columns(self) -> str:
        fields = [f"s.{field.column}" for field in self.of.shown]
        return ", ".join(["s.updated_at", "s.metadata", *fields])

    def _update_verdict(self) -> str:
        whens = [self._missing(field, f"i.data ? '{field.column}'") for field in self.of.references]
        whens += [
            f"WHEN {key.is_set('i.data')} AND {self._holder(key, key.value('(i.n)'))} <> i.id THEN '{TAKEN}{key.name}'"
            for key in self.keys
            if len(key.parts) == 1
        ]
        return "CASE " + "\n    ".join(whens) + " END" if whens else "NULL::text"

    @property
    def _move_keys(self) -> str:
        single = [key for key in self.keys if len(key.parts) == 1]
        if not single:
            return ""
        rows = ", ".join(f"('{k.name}', {k.value('(i.n)')}, {k.is_set('i.data')})" for k in single)
        changed = f"bumped AS b JOIN decided AS i USING (position), LATERAL (VALUES {rows}) AS v (field, value, is_set)"
        own = f"k.type = '{self.of.name}' AND k.field = v.field"
        # By the entity only: without statistics an index that begins with the campaign seems as good, but is not.
        held = f"k.campaign_id + 0 = i.campaign_id AND k.master_id = i.id AND {own}"
        return f"""
freed AS (
  DELETE FROM master_key AS k USING {changed}
  WHERE v.is_set AND {held} AND k.value IS DISTINCT FROM v.value),
keyed AS (
  INSERT INTO master_key (campaign_id, type, field, value, master_id)
  SELECT i.campaign_id, '{self.of.name}', v.field, v.value, i.id FROM {changed}
  WHERE v.is_set AND v.value IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM master_key AS k WHERE {held} AND k.value = v.value)
  ORDER BY i.campaign_id, v.field, v.value),"""

    @cached_property
    def _targets(self) -> str:
        targets = f"""WITH {CLOCK},
input AS MATERIALIZED (
  SELECT u.*
  FROM scope, clock,
       unnest($2::int[], $3::bigint[], $4::timestamptz[], $5::int[], $6::text[]::jsonb[], $7::text[], $8::text[],
              $9::text[], $10::bigint[]) WITH ORDINALITY
    AS u (campaign_id, id, at, expected, data, event_type, actor, correlation_id, causation_id, position)
  WHERE {SEEN} ORDER BY u.id)"""
        return scoped(targets, Scoping.WRITE)

    def _bumped(self, sets: str, status: str) -> str:
        return f"""bumped AS (
  UPDATE master AS m SET {sets}, version = m.version + 1,
    updated_at = greatest(m.updated_at, id_time({NEW_ID}))
  FROM decided AS i
  WHERE {SCOPE_FIRST} AND m.campaign_id = i.campaign_id AND m.id = i.id AND m.type = '{self.of.name}'
    AND m.status = {status}
    AND i.verdict IS NULL AND (i.expected IS NULL OR m.version = i.expected)
  RETURNING i.position, m.id, m.uuid, m.campaign_id, m.version, m.created_at, m.updated_at, {LAST_ID} AS event_id)"""

    def _target(self) -> str:
        own = {
            Scope.GLOBAL: "s.master_id = i.id",
            Scope.ROOT: "s.campaign_id = i.campaign_id AND s.master_id = i.id",
            Scope.CAMPAIGN: by_primary_key("i", "$4"),
        }[self.of.scope]
        return f"{SCOPE_FIRST} AND {FEW} AND {own}"

    def _logged(self, payload: str) -> str:
        return f"""logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor,
                             correlation_id, causation_id, payload)
  SELECT '{self.of.stream}', b.updated_at, b.event_id, b.campaign_id, b.id, i.event_type, b.version, i.actor,
         i.correlation_id, i.causation_id, {payload}
  FROM bumped AS b JOIN decided AS i USING (position))"""

    def _mark(self, status: str, sets: str, deleted_at: str, deleted_is: str, keys: str) -> str:
        return f"""{self._targets},
decided AS MATERIALIZED (SELECT i.*, NULL::text AS verdict FROM input AS i),
{self._bumped(sets, status)},{keys}
stored AS (
  UPDATE {self.table} AS s SET deleted_at = {deleted_at}, updated_at = b.updated_at
  FROM bumped AS b JOIN decided AS i USING (position)
  WHERE {self._target()} AND s.deleted_at {deleted_is}
  RETURNING b.position AS _position, {REGISTRY_COLUMNS}, {self._now_columns}),
{self._logged("coalesce(i.data, '{}')")}
SELECT d.verdict AS _verdict, s.*
FROM decided AS d LEFT JOIN stored AS s ON s._position = d.position ORDER BY d.position"""


def _json(row: str, field: Field) -> str:
    return f"{row}.{field.column}" if field.base is int else f"{row}.{field.column}::text"
