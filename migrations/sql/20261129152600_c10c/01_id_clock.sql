-- The last id: see sql/ids/next_id.sql. The sequence before it, id_sequence, stays for processes of the version before.
CREATE SEQUENCE IF NOT EXISTS id_clock AS bigint INCREMENT BY 32 MINVALUE 0 MAXVALUE 9007199254740991 START WITH 0;

-- The clock of the version before may have been set back since: begin after the newest event, which is at least as new as the newest id. A
-- database with ids has the server number 0.
SELECT setval('id_clock', time_id(newest.at) + 4096)
FROM id_clock, (SELECT max(occurred_at) AS at FROM service_event WHERE stream IN ('operational', 'analytics', 'audit')) AS newest
WHERE last_value < time_id(newest.at);
