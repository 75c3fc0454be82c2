-- What version 0007 of the program wrote: a pooled campaign (1) and one with its own partitions (2), with something of everything, in November 2026.
-- It is from pg_dump; the positions of the events in the log are left to the server.
INSERT INTO api_key (prefix, digest, name, campaign_id, role, created_at, expires_at, revoked_at) VALUES
	('sg37xakv9xh4', '\x05ab987d21bcb64630d84713d1d6b66bdafaac9c53dfa7b385591e2216b6b5ab', 'of old', 0, 'admin', '2026-11-29 15:47:54.491823+00', NULL, NULL);
INSERT INTO master (id, uuid, campaign_id, type, name, status, version, created_at, updated_at) VALUES
	(893462419337217, '01a227fd-c9ff-7001-9410-807e457adc6d', 1, 'campaign', 'kbd0a0a615836', 1, 1, '2026-11-29 15:47:53.471+00', '2026-11-29 15:47:53.471+00'),
	(893462419505154, '01a227fd-ca28-7002-bcdd-2b8930580c3f', 2, 'campaign', 'kb5fcc985cb00', 1, 1, '2026-11-29 15:47:53.512+00', '2026-11-29 15:47:53.512+00'),
	(893462422949891, '01a227fd-cd71-7003-9ae3-e922905ce684', 1, 'content', 'decimal numbers', 1, 1, '2026-11-29 15:47:54.353+00', '2026-11-29 15:47:54.353+00'),
	(893462423126020, '01a227fd-cd9c-7004-babb-f8aafd59d6f6', 1, 'comment', 'exactly', 1, 1, '2026-11-29 15:47:54.396+00', '2026-11-29 15:47:54.396+00'),
	(893462423171078, '01a227fd-cda7-7006-be28-01a19f494e57', 1, 'content', 'gone', 2, 2, '2026-11-29 15:47:54.407+00', '2026-11-29 15:47:54.421+00'),
	(893462423261192, '01a227fd-cdbd-7008-b84d-bea746b63519', 1, 'operation', 'contents_export', 1, 1, '2026-11-29 15:47:54.429+00', '2026-11-29 15:47:54.429+00'),
	(893462423339017, '01a227fd-cdd0-7009-a081-9ef501a3c8da', 2, 'content', 'decimal numbers', 1, 1, '2026-11-29 15:47:54.448+00', '2026-11-29 15:47:54.448+00'),
	(893462423392266, '01a227fd-cddd-700a-93c1-aa97dceed74a', 2, 'comment', 'exactly', 1, 1, '2026-11-29 15:47:54.461+00', '2026-11-29 15:47:54.461+00'),
	(893462423412748, '01a227fd-cde2-700c-a7b3-4dcd79c5b5ae', 2, 'content', 'gone', 2, 2, '2026-11-29 15:47:54.466+00', '2026-11-29 15:47:54.471+00'),
	(893462423457806, '01a227fd-cded-700e-8190-1348ca51f9fc', 2, 'operation', 'contents_export', 1, 1, '2026-11-29 15:47:54.477+00', '2026-11-29 15:47:54.477+00');
INSERT INTO idempotency (campaign_id, key, digest, master_id) VALUES
	(1, '1', '\x1d37ad656a89487bde39e569e819a921ae51bc59e2b6d518c07045ac4587f6be', 893462422949891),
	(2, '1', '\x1d37ad656a89487bde39e569e819a921ae51bc59e2b6d518c07045ac4587f6be', 893462423339017);
INSERT INTO master_key (campaign_id, type, field, value, master_id) VALUES
	(1, 'content', 'slug', 'a', 893462422949891),
	(2, 'content', 'slug', 'a', 893462423339017);
INSERT INTO operation_output (campaign_id, operation_id, number, data) VALUES
	(1, 893462423261192, 1, 'piece'),
	(2, 893462423457806, 1, 'piece');
INSERT INTO operation_work (campaign_id, operation_id, service, target, request, actor, actor_campaign_id, actor_role, correlation_id, causation_id, attempts, not_before, marker, so_far, outputs, cancelled_by) VALUES
	(1, 893462423261192, 'nobody', NULL, '{}', 'system:test', 0, 'admin', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, 0, '-infinity', 'null', 'null', 1, NULL),
	(2, 893462423457806, 'nobody', NULL, '{}', 'system:test', 0, 'admin', 'qpH9mvw75NcLoD4gZFOfRg', NULL, 0, '-infinity', 'null', 'null', 1, NULL);
INSERT INTO service_campaign_main (campaign_id, created_at, master_id, slug, title, description, kind, state, dedicated, owner_id, starts_at, ends_at, metadata, updated_at, deleted_at) VALUES
	(1, '2026-11-29 15:47:53.471+00', 893462419337217, 'kbd0a0a615836', 'kbd0a0a615836', '', 'evergreen', 'active', false, NULL, NULL, NULL, '{}', '2026-11-29 15:47:53.471+00', NULL),
	(2, '2026-11-29 15:47:53.512+00', 893462419505154, 'kb5fcc985cb00', 'kb5fcc985cb00', '', 'evergreen', 'active', false, NULL, NULL, NULL, '{}', '2026-11-29 15:47:53.512+00', NULL);
INSERT INTO service_content_comment (campaign_id, created_at, master_id, content_id, body, author_id, reply_to_id, metadata, updated_at, deleted_at) VALUES
	(2, '2026-11-29 15:47:54.461+00', 893462423392266, 893462423339017, 'exactly', NULL, NULL, '{}', '2026-11-29 15:47:54.461+00', NULL);
INSERT INTO service_content_comment (campaign_id, created_at, master_id, content_id, body, author_id, reply_to_id, metadata, updated_at, deleted_at) VALUES
	(1, '2026-11-29 15:47:54.396+00', 893462423126020, 893462422949891, 'exactly', NULL, NULL, '{}', '2026-11-29 15:47:54.396+00', NULL);
INSERT INTO service_content_main (campaign_id, created_at, master_id, title, body, slug, kind, visibility, tags, media_urls, author_id, parent_id, state, published_at, comment_count, reaction_count, metadata, updated_at, deleted_at) VALUES
	(2, '2026-11-29 15:47:54.448+00', 893462423339017, 'decimal numbers', '', 'a', 'article', 'public', '{x}', '{}', NULL, NULL, 'draft', NULL, 1, 0, '{}', '2026-11-29 15:47:54.448+00', NULL),
	(2, '2026-11-29 15:47:54.466+00', 893462423412748, 'gone', '', 'b', 'article', 'public', '{}', '{}', NULL, NULL, 'draft', NULL, 0, 0, '{}', '2026-11-29 15:47:54.471+00', '2026-11-29 15:47:54.471+00');
INSERT INTO service_content_main (campaign_id, created_at, master_id, title, body, slug, kind, visibility, tags, media_urls, author_id, parent_id, state, published_at, comment_count, reaction_count, metadata, updated_at, deleted_at) VALUES
	(1, '2026-11-29 15:47:54.353+00', 893462422949891, 'decimal numbers', '', 'a', 'article', 'public', '{x}', '{}', NULL, NULL, 'draft', NULL, 1, 0, '{}', '2026-11-29 15:47:54.353+00', NULL),
	(1, '2026-11-29 15:47:54.407+00', 893462423171078, 'gone', '', 'b', 'article', 'public', '{}', '{}', NULL, NULL, 'draft', NULL, 0, 0, '{}', '2026-11-29 15:47:54.421+00', '2026-11-29 15:47:54.421+00');
INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor, correlation_id, causation_id, payload) VALUES
	('audit', '2026-11-29 15:47:53.471+00', 893462419337217, 1, 893462419337217, 'campaign:create:v1:success', 1, 'system:test', 'eazNg-Vrx4qihP-53JT43Q', NULL, '{"kind": "evergreen", "slug": "kbd0a0a615836", "state": "active", "title": "kbd0a0a615836", "ends_at": null, "metadata": {}, "owner_id": null, "dedicated": false, "starts_at": null, "description": ""}'),
	('audit', '2026-11-29 15:47:53.512+00', 893462419505154, 2, 893462419505154, 'campaign:create:v1:success', 1, 'system:test', '7xiSGe56aY44JgthKhljfw', NULL, '{"kind": "evergreen", "slug": "kb5fcc985cb00", "state": "active", "title": "kb5fcc985cb00", "ends_at": null, "metadata": {}, "owner_id": null, "dedicated": false, "starts_at": null, "description": ""}');
INSERT INTO service_event (stream, occurred_at, id, campaign_id, master_id, event_type, version, actor, correlation_id, causation_id, payload) VALUES
	('operational', '2026-11-29 15:47:54.353+00', 893462422949891, 1, 893462422949891, 'content:create:v1:success', 1, 'system:test', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, '{"body": "", "kind": "article", "slug": "a", "tags": ["x"], "state": "draft", "title": "decimal numbers", "metadata": {}, "author_id": null, "parent_id": null, "media_urls": [], "visibility": "public", "published_at": null, "comment_count": 0, "reaction_count": 0}'),
	('operational', '2026-11-29 15:47:54.396+00', 893462423126020, 1, 893462423126020, 'content:create_comment:v1:success', 1, 'system:test', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, '{"body": "exactly", "metadata": {}, "author_id": null, "content_id": 893462422949891, "reply_to_id": null}'),
	('operational', '2026-11-29 15:47:54.403+00', 893462423154693, 1, 893462422949891, 'content:count_comments:v1:success', NULL, 'system:test', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, '{"comment_count": 1}'),
	('operational', '2026-11-29 15:47:54.407+00', 893462423171078, 1, 893462423171078, 'content:create:v1:success', 1, 'system:test', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, '{"body": "", "kind": "article", "slug": "b", "tags": [], "state": "draft", "title": "gone", "metadata": {}, "author_id": null, "parent_id": null, "media_urls": [], "visibility": "public", "published_at": null, "comment_count": 0, "reaction_count": 0}'),
	('operational', '2026-11-29 15:47:54.421+00', 893462423228423, 1, 893462423171078, 'content:delete:v1:success', 2, 'system:test', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, '{}'),
	('operational', '2026-11-29 15:47:54.429+00', 893462423261192, 1, 893462423261192, 'operation:create:v1:success', 1, 'system:test', 'bR3GaEB7qL0sx6NQOgp_7g', NULL, '{"done": 0, "kind": "contents_export", "error": null, "state": "queued", "total": null, "result": null, "metadata": {}, "started_at": null, "finished_at": null, "request_digest": ""}'),
	('operational', '2026-11-29 15:47:54.448+00', 893462423339017, 2, 893462423339017, 'content:create:v1:success', 1, 'system:test', 'qpH9mvw75NcLoD4gZFOfRg', NULL, '{"body": "", "kind": "article", "slug": "a", "tags": ["x"], "state": "draft", "title": "decimal numbers", "metadata": {}, "author_id": null, "parent_id": null, "media_urls": [], "visibility": "public", "published_at": null, "comment_count": 0, "reaction_count": 0}'),
	('operational', '2026-11-29 15:47:54.461+00', 893462423392266, 2, 893462423392266, 'content:create_comment:v1:success', 1, 'system:test', 'qpH9mvw75NcLoD4gZFOfRg', NULL, '{"body": "exactly", "metadata": {}, "author_id": null, "content_id": 893462423339017, "reply_to_id": null}'),
	('operational', '2026-11-29 15:47:54.463+00', 893462423400459, 2, 893462423339017, 'content:count_comments:v1:success', NULL, 'system:test', 'qpH9mvw75NcLoD4gZFOfRg', NULL, '{"comment_count": 1}'),
	('operational', '2026-11-29 15:47:54.466+00', 893462423412748, 2, 893462423412748, 'content:create:v1:success', 1, 'system:test', 'qpH9mvw75NcLoD4gZFOfRg', NULL, '{"body": "", "kind": "article", "slug": "b", "tags": [], "state": "draft", "title": "gone", "metadata": {}, "author_id": null, "parent_id": null, "media_urls": [], "visibility": "public", "published_at": null, "comment_count": 0, "reaction_count": 0}'),
	('operational', '2026-11-29 15:47:54.471+00', 893462423433229, 2, 893462423412748, 'content:delete:v1:success', 2, 'system:test', 'qpH9mvw75NcLoD4gZFOfRg', NULL, '{}'),
	('operational', '2026-11-29 15:47:54.477+00', 893462423457806, 2, 893462423457806, 'operation:create:v1:success', 1, 'system:test', 'qpH9mvw75NcLoD4gZFOfRg', NULL, '{"done": 0, "kind": "contents_export", "error": null, "state": "queued", "total": null, "result": null, "metadata": {}, "started_at": null, "finished_at": null, "request_digest": ""}');
INSERT INTO service_operation_main (campaign_id, created_at, master_id, kind, request_digest, state, done, total, result, error, started_at, finished_at, metadata, updated_at, deleted_at) VALUES
	(2, '2026-11-29 15:47:54.477+00', 893462423457806, 'contents_export', '', 'queued', 1, NULL, NULL, NULL, NULL, NULL, '{}', '2026-11-29 15:47:54.477+00', NULL);
INSERT INTO service_operation_main (campaign_id, created_at, master_id, kind, request_digest, state, done, total, result, error, started_at, finished_at, metadata, updated_at, deleted_at) VALUES
	(1, '2026-11-29 15:47:54.429+00', 893462423261192, 'contents_export', '', 'queued', 1, NULL, NULL, NULL, NULL, NULL, '{}', '2026-11-29 15:47:54.429+00', NULL);
SELECT setval('campaign_number', 2, true);
SELECT setval('id_sequence', 14, true);
