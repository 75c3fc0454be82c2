"""How a statement takes ids: it moves the sequence of ids to the present once, and takes each id from the sequence."""

CLOCK = "clock AS MATERIALIZED (SELECT next_id() FROM scope WHERE scope.s IS NOT NULL)"
"""The CTE that moves the sequence to the present. It is named in the FROM of the one that reads the parameters, and so
runs before any id is taken."""
NEW_ID = "nextval('id_clock')"
"""A new id, greater than all earlier ones of the server. Where it is taken behind a row's lock, the order of the ids is
that of the row's changes."""
LAST_ID = "currval('id_clock')"
"""The id that the session took last: in RETURNING, which is evaluated row by row, that of this row."""
