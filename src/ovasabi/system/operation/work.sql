-- Unfinished work. $1 scope, $2 campaign, $3 operation, if not said otherwise. A principal of a key is named after it: a key that expired
-- may let its work end, but not one that was revoked.

-- name: waiting
-- How many operations of the campaign are not finished.
-- scope: read
SELECT count(*) AS number FROM operation_work AS w WHERE w.campaign_id = $2 AND scope.s IS NOT NULL

-- name: add
-- Notes what was asked: $4 of which service, $5 target, $6 request, by whom ($7 to $9), $10 correlation id, $11 causation id.
-- scope: write
INSERT INTO operation_work (campaign_id, operation_id, service, target, request, actor, actor_campaign_id,
                            actor_role, correlation_id, causation_id)
SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM scope WHERE scope.s IS NOT NULL

-- name: take
-- The work for one more attempt; no row if it is finished.
-- scope: write
UPDATE operation_work AS w SET attempts = w.attempts + 1
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3
RETURNING w.*, EXISTS (SELECT 1 FROM api_key AS k WHERE w.actor LIKE 'key:%' AND k.prefix = substr(w.actor, 5)
               AND k.revoked_at IS NOT NULL) AS revoked

-- name: step
-- How far it is: $4 when it was created, $5 done, $6 total, $7 marker, $8 so far, $9 pieces of output. Whether it is still wanted; no row if finished.
-- scope: write
WITH told AS (
  UPDATE operation_work AS w SET marker = $7, so_far = $8, attempts = 0, outputs = w.outputs + cardinality($9::text[])
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3 RETURNING w.*),
shown AS (
  UPDATE service_operation_main AS s SET done = $5, total = $6
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND s.campaign_id = $2 AND s.created_at = $4 AND s.master_id = $3),
put_out AS (
  INSERT INTO operation_output (campaign_id, operation_id, number, data)
  SELECT $2, $3, told.outputs - cardinality($9::text[]) + u.place, u.data
  FROM told, unnest($9::text[]) WITH ORDINALITY AS u (data, place))
SELECT w.cancelled_by, EXISTS (SELECT 1 FROM api_key AS k WHERE w.actor LIKE 'key:%' AND k.prefix = substr(w.actor, 5)
               AND k.revoked_at IS NOT NULL) AS revoked FROM told AS w

-- name: look
-- Whether it is still wanted; no row if it is finished.
-- scope: read
SELECT w.cancelled_by, EXISTS (SELECT 1 FROM api_key AS k WHERE w.actor LIKE 'key:%' AND k.prefix = substr(w.actor, 5)
               AND k.revoked_at IS NOT NULL) AS revoked FROM operation_work AS w
WHERE w.campaign_id = $2 AND w.operation_id = $3 AND scope.s IS NOT NULL

-- name: cancel
-- Notes by whom it is no longer wanted ($4), the first of them; answers what had been done so far.
-- scope: write
UPDATE operation_work AS w SET cancelled_by = coalesce(w.cancelled_by, $4)
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3
RETURNING w.so_far

-- name: put_back
-- Lets it wait $4 seconds for another attempt; $5 is 1 if this one does not count.
-- scope: write
UPDATE operation_work AS w
SET not_before = clock_timestamp() + $4::float8 * interval '1 second', attempts = w.attempts - $5
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3

-- name: remove
-- Forgets it: it is finished.
-- scope: write
DELETE FROM operation_work AS w
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3

-- name: output
-- The piece of output behind the number $4.
-- scope: read
SELECT o.number, o.data FROM operation_output AS o
WHERE o.campaign_id = $2 AND o.operation_id = $3 AND o.number > $4 AND scope.s IS NOT NULL ORDER BY o.number LIMIT 1

-- name: last_output
-- The number of the last piece of output.
-- scope: read
SELECT max(o.number) AS number FROM operation_output AS o
WHERE o.campaign_id = $2 AND o.operation_id = $3 AND scope.s IS NOT NULL

-- name: clear
-- Removes the output.
-- scope: write
DELETE FROM operation_output AS w
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3
