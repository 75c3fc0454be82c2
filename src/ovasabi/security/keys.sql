-- API keys: of the platform, since a key is looked up before its campaign is known.

-- name: find
-- What is known of a key. $1 prefix, $2 digest.
-- scope: none
SELECT prefix, campaign_id, role, expires_at, revoked_at FROM known_key($1, $2)

-- name: standing
-- Whether an actor is a key that was revoked or has expired. $1 actor.
-- scope: none
SELECT key_revoked($1) AS revoked

-- name: insert
-- Adds a key. $1 prefix, $2 digest, $3 name, $4 campaign, $5 role, $6 when it expires.
-- scope: none
INSERT INTO api_key (prefix, digest, name, campaign_id, role, expires_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: list
-- All keys, the oldest first.
-- scope: none
SELECT prefix, name, campaign_id, role, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at, prefix

-- name: revoke
-- Revokes a key, once; no row if there is none. $1 prefix.
-- scope: none
UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE prefix = $1 RETURNING prefix
