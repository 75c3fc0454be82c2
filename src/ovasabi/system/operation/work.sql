-- Unfinished work. $1 scope, $2 campaign, $3 operation, unless stated otherwise. The actor of an API key is named after the key: work ends
-- when the key is revoked or expires.

-- name: waiting
-- The number of unfinished operations of the campaign.
-- scope: read
SELECT count(*) AS number FROM operation_work AS w WHERE w.campaign_id = $2 AND scope.s IS NOT NULL

-- name: add
-- Stores a request: $4 service, $5 target, $6 request, $7 to $9 the actor, $10 correlation id, $11 causation id.
-- scope: write
INSERT INTO operation_work (campaign_id, operation_id, service, target, request, actor, actor_campaign_id,
                            actor_role, correlation_id, causation_id)
SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM scope WHERE scope.s IS NOT NULL

-- name: take
-- Takes the work for another attempt; returns no row if the operation has finished.
-- scope: write
UPDATE operation_work AS w SET attempts = w.attempts + 1
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3
RETURNING w.*, key_revoked(w.actor) AS revoked

-- name: step
-- Stores progress: $4 created_at, $5 done, $6 total, $7 marker, $8 so far, $9 pieces of output. Returns whether the work was cancelled or its key
-- revoked; no row if the operation has finished.
-- scope: write
WITH updated AS (
  UPDATE operation_work AS w SET marker = $7, so_far = $8, attempts = 0, outputs = w.outputs + cardinality($9::text[])
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3 RETURNING w.*),
shown AS (
  UPDATE service_operation_main AS s SET done = $5, total = $6
  WHERE (SELECT scope.s FROM scope) IS NOT NULL AND s.campaign_id = $2 AND s.created_at = $4 AND s.master_id = $3),
put_out AS (
  INSERT INTO operation_output (campaign_id, operation_id, number, data)
  SELECT $2, $3, updated.outputs - cardinality($9::text[]) + u.ordinal, u.data
  FROM updated, unnest($9::text[]) WITH ORDINALITY AS u (data, ordinal))
SELECT w.cancelled_by, key_revoked(w.actor) AS revoked FROM updated AS w

-- name: standing
-- Whether the work was cancelled or its key revoked; no row if the operation has finished.
-- scope: read
SELECT w.cancelled_by, key_revoked(w.actor) AS revoked FROM operation_work AS w
WHERE w.campaign_id = $2 AND w.operation_id = $3 AND scope.s IS NOT NULL

-- name: cancel
-- Records who cancelled the work ($4), unless it is already cancelled; returns the partial result.
-- scope: write
UPDATE operation_work AS w SET cancelled_by = coalesce(w.cancelled_by, $4)
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3
RETURNING w.so_far

-- name: put_back
-- Puts the work back for another attempt in $4 seconds; $5 is 1 if this attempt does not count.
-- scope: write
UPDATE operation_work AS w
SET not_before = clock_timestamp() + $4::float8 * interval '1 second', attempts = w.attempts - $5
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3

-- name: remove
-- Deletes the work of a finished operation.
-- scope: write
DELETE FROM operation_work AS w
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3

-- name: output
-- The piece of output after number $4.
-- scope: read
SELECT o.number, o.data FROM operation_output AS o
WHERE o.campaign_id = $2 AND o.operation_id = $3 AND o.number > $4 AND scope.s IS NOT NULL ORDER BY o.number LIMIT 1

-- name: last_output
-- The number of the last piece of output.
-- scope: read
SELECT max(o.number) AS number FROM operation_output AS o
WHERE o.campaign_id = $2 AND o.operation_id = $3 AND scope.s IS NOT NULL

-- name: clear
-- Deletes the output.
-- scope: write
DELETE FROM operation_output AS w
WHERE (SELECT scope.s FROM scope) IS NOT NULL AND w.campaign_id = $2 AND w.operation_id = $3
