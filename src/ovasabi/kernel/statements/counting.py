"""The part of a create that updates counters: each parent of the new rows once, before the rows are written.

A row whose parent was deleted or closed in the meantime, and so not counted, is not written. Parents are locked in the
order of their ids and before any natural key is claimed, so that concurrent creates do not deadlock.
"""

from ovasabi.database.sql import SCOPE_FIRST
from ovasabi.kernel.declare.counters import Counter
from ovasabi.kernel.declare.entity import EntityType, declared
from ovasabi.kernel.statements.ids import NEW_ID
from ovasabi.kernel.statements.reading import by_primary_key

# Always true, but selective to the planner, which then looks each row up instead of reading whole campaigns.
FEW = "i.position + 0 = i.position AND i.id + 0 = i.id"


def counting(of: EntityType, counter: Counter) -> str:
    """Returns the CTEs from `wanted` to `accepted`: $10 campaigns of the parents, $11 their ids in order, $12 their
    created_ats.

    Each new row logs its own event at the parent, with the count including that row.
    """
    parent, field, reference = declared[counter.parent], counter.field, counter.reference.column
    uncounted = f" OR (w.n).{reference} IS NULL" if counter.reference.nullable else ""
    return f"""
tallied AS MATERIALIZED (
  SELECT k.campaign_id, k.at, k.id, k.position, count(*) AS number
  FROM unnest($10::int[], $11::bigint[], $12::timestamptz[]) WITH ORDINALITY AS k (campaign_id, id, at, position)
  JOIN wanted AS w ON w.campaign_id = k.campaign_id AND (w.n).{reference} = k.id
  GROUP BY k.campaign_id, k.at, k.id, k.position ORDER BY k.position),
counted AS (
  UPDATE {parent.table_name} AS s SET {field.identifier} = s.{field.column} + i.number
  FROM tallied AS i
  WHERE {SCOPE_FIRST} AND {FEW} AND {by_primary_key("i", "$12")}
    AND s.deleted_at IS NULL{_open(counter)}
  RETURNING i.campaign_id, i.id, i.number, s.{field.column} AS total),
accepted AS MATERIALIZED (
  SELECT w.*, c.id AS parent,
    c.total - c.number + row_number() OVER (PARTITION BY w.campaign_id, c.id ORDER BY w.position) AS count
  FROM wanted AS w LEFT JOIN counted AS c ON c.campaign_id = w.campaign_id AND c.id = (w.n).{reference}
  WHERE c.id IS NOT NULL{uncounted}),
count_logged AS (
  INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, actor, correlation_id,
                             causation_id, payload)
  SELECT '{parent.stream}', id_time(e.event_id), e.event_id, e.campaign_id, e.parent,
         '{parent.event_type(f"count_{of.plural}")}', e.actor, e.correlation_id, e.causation_id,
         jsonb_build_object('{field.column}', e.count)
  FROM (SELECT k.*, {NEW_ID} AS event_id
        FROM (SELECT * FROM accepted WHERE parent IS NOT NULL ORDER BY position) AS k) AS e),"""


def _open(counter: Counter) -> str:
    if counter.state is None:
        return ""
    states = ", ".join(f"'{state}'" for state in counter.closed_in)
    return f" AND s.{counter.state.column} NOT IN ({states})"
