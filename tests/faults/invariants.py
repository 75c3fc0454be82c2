"""What must hold after any fault: nothing acknowledged is lost or doubled, and the log tells all of it, in order."""

import asyncpg
import httpx

from tests.faults.workload import Ledger

CONTENTS = """
SELECT m.id, m.version, m.status, s.title, s.comment_count,
  (SELECT array_agg(e.version ORDER BY e.xid, e.id) FROM service_event AS e
   WHERE e.campaign_id = m.campaign_id AND e.master_id = m.id AND e.version IS NOT NULL) AS versions,
  (SELECT count(*) FROM service_content_comment AS c
   WHERE c.campaign_id = m.campaign_id AND c.content_id = m.id AND c.deleted_at IS NULL) AS comments
FROM master AS m LEFT JOIN service_content_main AS s ON s.campaign_id = m.campaign_id AND s.master_id = m.id
WHERE m.campaign_id = $1 AND m.type = 'content'"""
COMMENTS = """
SELECT m.version, (SELECT array_agg(e.version ORDER BY e.xid, e.id) FROM service_event AS e
  WHERE e.campaign_id = m.campaign_id AND e.master_id = m.id AND e.version IS NOT NULL) AS versions, s.body
FROM master AS m JOIN service_content_comment AS s ON s.campaign_id = m.campaign_id AND s.master_id = m.id
WHERE m.campaign_id = $1 AND m.type = 'comment'"""
EVENTS = "SELECT id FROM service_event WHERE campaign_id = $1 ORDER BY xid, id"
PAGE = 500


async def violations(connection: asyncpg.Connection, number: int, ledger: Ledger) -> list[str]:
    """What does not hold of what was acknowledged, as a superuser sees the rows of a campaign."""
    found = list(ledger.problems)
    rows = {row["id"]: row for row in await connection.fetch(CONTENTS, number)}
    for key, one in ledger.written.items():
        row = rows.get(one.id)
        if row is None or row["title"] is None:
            found.append(f"{key} was acknowledged as {one.id} and is lost")
        elif (row["version"], row["title"], row["status"] == 2) != (one.version, one.title, one.deleted):
            found.append(f"{key} was last acknowledged as {one}, and is {dict(row)}")
        elif row["comment_count"] != one.comments:
            found.append(f"{key} has {row['comment_count']} comments; {one.comments} were acknowledged")
    known = {one.id for one in ledger.written.values()}
    found += [f"content {id} was created and never acknowledged" for id in rows.keys() - known]
    for row in rows.values():
        if row["comment_count"] != row["comments"]:
            found.append(f"content {row['id']} counts {row['comment_count']} comments and has {row['comments']}")
        found += _gaps(f"content {row['id']}", row)
    bodies = [row["body"] for row in await connection.fetch(COMMENTS, number)]
    found += [f"the comment {body} was created twice" for body in {body for body in bodies if bodies.count(body) > 1}]
    for row in await connection.fetch(COMMENTS, number):
        found += _gaps(f"the comment {row['body']}", row)
    return found


def _gaps(what: str, row: asyncpg.Record) -> list[str]:
    """Each write is one event, and events are in the order of versions."""
    if row["versions"] == list(range(1, row["version"] + 1)):
        return []
    return [f"{what} has the version {row['version']} and events of {row['versions']}"]


async def feed_of(client: httpx.AsyncClient, path: str) -> list[int]:
    """The ids of all events of the feed, page by page."""
    ids: list[int] = []
    after = ""
    while True:
        page = (await client.get(path, params={"page_size": PAGE, **({"after": after} if after else {})})).json()
        ids += [event["id"] for event in page["events"]]
        if not page["events"]:
            return ids
        after = page["next_cursor"]


async def events_of(connection: asyncpg.Connection, number: int) -> list[int]:
    """The ids of all events of a campaign, in the order of the log."""
    return [row["id"] for row in await connection.fetch(EVENTS, number)]
