-- name: remember_event
INSERT INTO inbox (source, id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true

-- name: forget_old_events
DELETE FROM inbox WHERE (source, id) IN (
    SELECT source, id FROM inbox WHERE handled_at < now() - $1::interval ORDER BY handled_at LIMIT 5000
)

-- name: add_outgoing
WITH added AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
    SELECT id, topic, key, topic, payload
    FROM unnest($1::text[], $2::text[], $3::text[], $4::json[]) WITH ORDINALITY AS event (id, topic, key, payload, place)
    ORDER BY place
)
SELECT pg_notify($5, '')

-- name: lead
SELECT pg_try_advisory_lock(hashtextextended('assay.relay.' || $1, 0))

-- name: take_outgoing
SELECT seq, id, aggregatetype, aggregateid, payload
FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED

-- name: mark_published
UPDATE outbox SET published_at = now() WHERE seq = ANY($1::bigint[])

-- name: count_unpublished
SELECT count(*) FROM outbox WHERE published_at IS NULL

-- name: forget_published
DELETE FROM outbox WHERE seq IN (
    SELECT seq FROM outbox WHERE published_at < now() - $1::interval ORDER BY published_at LIMIT 5000
)
