"""The SQL that reads an entity, generated once from its declaration. Each statement sets its scope and prunes."""

from functools import cached_property

import msgspec

from ovasabi.database.sql import SEEN, Scoping, scoped
from ovasabi.kernel.declare.entity import EntityType, Scope
from ovasabi.kernel.declare.fields import Secret
from ovasabi.kernel.statements.bounding import HAS_ROOM, bounded, is_small, unbounded_columns


class ReadStatements(msgspec.Struct, frozen=True, dict=True, eq=False):
    """The reading statements of one entity type."""

    of: EntityType

    @property
    def table(self) -> str:
        """The entity's own table."""
        return self.of.table_name

    @property
    def has_campaign(self) -> bool:
        """Whether the table has a campaign column."""
        return self.of.scope is not Scope.GLOBAL

    @cached_property
    def get(self) -> str:
        """$1 scope, $2 campaigns, $3 created_ats in order, $4 their ids. Returns the rows that exist, each with the
        campaign of its request in `_asked_by`. The names of what is not a field begin with an underscore.

        The OFFSETs make the planner look each key up separately: it would read all of a campaign that it believes to be
        small, as a new one is.
        """
        return self._look_up(f"k.campaign_id AS _asked_by, {self.columns}")

    @cached_property
    def secrets(self) -> str:
        """Like `get`, but returns the secret fields, which no other statement reads."""
        return self._look_up(", ".join(f"s.{field.column}" for field in self.of.stored if field.has(Secret)))

    def _look_up(self, columns: str) -> str:
        own = {
            Scope.GLOBAL: "k.campaign_id = 0 AND s.master_id = k.id",
            Scope.ROOT: "s.campaign_id = k.campaign_id AND s.master_id = k.id",
            Scope.CAMPAIGN: by_primary_key("k", "$3"),
        }[self.of.scope]
        campaign = "s.campaign_id" if self.has_campaign else "k.campaign_id"
        body = f"""
  SELECT {columns}
  FROM unnest($2::int[], $3::timestamptz[], $4::bigint[]) AS k (campaign_id, at, id)
  CROSS JOIN LATERAL (
    SELECT s.* FROM {self.table} AS s
    WHERE {own}
      AND s.deleted_at IS NULL OFFSET 0) AS s
  CROSS JOIN LATERAL (
    SELECT * FROM master AS m WHERE m.id = s.master_id AND m.campaign_id = {campaign} OFFSET 0) AS m
  WHERE {SEEN}"""
        return scoped(body, Scoping.READ)

    @cached_property
    def search(self) -> str:
        """$1 scope, $2 campaign, then as `search_entities`. Returns the best matches with their rank, and their number:
        as many as a page has room for.

        It calls only functions, so that no table is planned on each call: see docs/decisions/0013.
        """
        alike = self.of.scope is not Scope.ROOT  # else each row has a campaign of its own
        records = "found_records($2, h.ids)" if alike else "found_records(s.campaign_id, ARRAY[s.master_id])"
        found = f"""SELECT h.ranks[array_position(h.ids, s.master_id)] AS _rank, s.*
                FROM found_entities($2, NULL::{self.table}, h.ids) AS s WHERE {SEEN} OFFSET 0"""
        body = f"""
  SELECT s._rank, h.matched AS _matched, h.corrected AS _corrected, {self.columns}
  FROM (SELECT array_agg(f.master_id) AS ids, array_agg(f.rank) AS ranks, max(f.matched) AS matched,
               bool_or(f.corrected) AS corrected
        FROM search_entities($2, $3::text[], $4::text[], $5::text[], $6::text[], $7, $8, $9) AS f
        WHERE {SEEN} OFFSET 0) AS h
  CROSS JOIN LATERAL ({bounded(found, "s._rank DESC, s.master_id DESC", self.of)}) AS s
  JOIN LATERAL {records} AS m ON m.id = s.master_id
  WHERE {HAS_ROOM}"""
        return scoped(body, Scoping.READ)

    def list(self, condition: str, order: str, limit: str) -> str:
        """$1 scope, $2 campaign, then the parameters of `condition` and `limit`, which use only declared columns.

        Returns fewer rows than `limit`, and no more than a page has room for; `_more` says whether others follow.
        """
        body = f"""
  SELECT {self.columns}, s._more
  FROM ({bounded(self._rows(condition, order, limit), order, self.of)}) AS s
  CROSS JOIN LATERAL (
    SELECT * FROM master AS m WHERE m.id = s.master_id AND m.campaign_id = {self._own} OFFSET 0) AS m
  WHERE {HAS_ROOM} AND s._number < {limit}
  ORDER BY {order}"""
        return scoped(body, Scoping.READ)

    def list_small(self, condition: str, order: str, limit: str) -> str:
        """As `list`, for pages of small rows, which it reads faster: all rows, of which `limit` have room in a page in
        any case. In other rows `_small` is not true, and their texts, lists and JSON are null.
        """
        rows = f"""SELECT s.*, {is_small(self.of, limit)} AS _small
        FROM ({self._rows(condition, order, limit)}) AS s OFFSET 0"""
        body = f"""
  SELECT {self._columns_if_small}, s._small
  FROM ({rows}) AS s
  CROSS JOIN LATERAL (
    SELECT * FROM master AS m WHERE m.id = s.master_id AND m.campaign_id = {self._own} OFFSET 0) AS m
  ORDER BY {order}"""
        return scoped(body, Scoping.READ)

    def _rows(self, condition: str, order: str, limit: str) -> str:
        return f"""SELECT s.* FROM {self.table} AS s
                WHERE {self.campaign_is} AND s.deleted_at IS NULL AND {SEEN}{condition}
                ORDER BY {order} LIMIT {limit}"""

    def count(self, condition: str) -> str:
        """Like `list`, but counts the rows that meet the condition."""
        body = f"""
  SELECT count(*) AS total FROM {self.table} AS s
  WHERE {self.campaign_is} AND s.deleted_at IS NULL AND {SEEN}{condition}"""
        return scoped(body, Scoping.READ)

    @cached_property
    def columns(self) -> str:
        """The columns that a read selects, in the order of the entity's fields."""
        registry = "m.id, m.uuid, m.campaign_id, m.version, s.created_at, s.updated_at, s.metadata"
        return ", ".join([registry, *(f"s.{field.column}" for field in self.of.shown)])

    @cached_property
    def _columns_if_small(self) -> str:
        unbounded = {f"s.{name}": name for name in ("metadata", *unbounded_columns(self.of))}
        return ", ".join(
            f'CASE WHEN s._small THEN {name} END AS "{unbounded[name]}"' if name in unbounded else name
            for name in self.columns.split(", ")
        )

    @property
    def campaign_is(self) -> str:
        """The predicate that confines a read to its campaign. On the platform, campaigns are all listed."""
        match self.of.scope:
            case Scope.GLOBAL:
                return "$2::int = 0"
            case Scope.ROOT:
                return "($2::int = 0 OR s.campaign_id = $2)"
        return "s.campaign_id = $2::int"

    @property
    def _own(self) -> str:
        return "s.campaign_id" if self.has_campaign else "$2"


def by_primary_key(row: str, created_ats: str) -> str:
    """Returns the predicate for the entity's row that another `row` (campaign_id, at, id) refers to.

    $2 are the campaigns, and `created_ats` is the parameter with the times in order.

    The predicate leaves the planner only the primary key. Time and id are compared as one row value, in an order that
    only the primary key has: two equalities would match every index that begins with the campaign and ends with the
    id, and without statistics each of those seems to find one row, although it reads all of a campaign. The partitions
    are pruned by a condition that no index can use, because it is written in two equivalent ways joined by OR. As
    plain conditions, indexes would be searched by them too, campaign by campaign.
    """
    times, campaigns = f"({created_ats}::timestamptz[])", "$2::int[]"
    first, last = f"{times}[1]", f"{times}[cardinality({times})]"
    at = f"s.created_at = {row}.at"
    return f"""s.campaign_id = {row}.campaign_id
      AND (s.created_at, s.master_id) >= ({row}.at, {row}.id) AND (s.created_at, s.master_id) <= ({row}.at, {row}.id)
      AND ((s.campaign_id = ANY ({campaigns}) AND s.created_at >= {first} AND s.created_at <= {last} AND {at})
        OR (s.campaign_id = ANY (array_append({campaigns}, ({campaigns})[1]))
            AND {first} <= s.created_at AND {last} >= s.created_at AND {at}))"""
