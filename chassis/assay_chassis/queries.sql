-- name: remember_events
INSERT INTO inbox (source, id)
SELECT source, id FROM unnest($1::text[], $2::text[]) AS event (source, id) ORDER BY source, id
ON CONFLICT DO NOTHING RETURNING source, id

-- name: forget_old_events
DELETE FROM inbox WHERE (source, id) IN (
    SELECT source, id FROM inbox WHERE handled_at < now() - $1::interval ORDER BY handled_at LIMIT 5000
)

-- name: add_outgoing
WITH added AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)
    SELECT id, topic, key, topic, payload::json
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS event (id, topic, key, payload, place)
    ORDER BY place
)
SELECT pg_notify(channel, news) FROM unnest($5::text[], $6::text[]) AS told (channel, news)

-- name: lead
SELECT pg_try_advisory_lock(hashtextextended('assay.relay.' || $1, 0))

-- name: take_outgoing
SELECT seq, aggregatetype, aggregateid, payload::text
FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT $1

-- name: mark_published
UPDATE outbox SET published_at = now() WHERE seq = ANY($1::bigint[])

-- name: publish_again
UPDATE outbox SET published_at = NULL WHERE published_at IS NOT NULL RETURNING seq

-- name: count_unpublished
SELECT count(*) AS count, coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision AS age_s
  FROM outbox WHERE published_at IS NULL

-- name: forget_published
DELETE FROM outbox WHERE seq IN (
    SELECT seq FROM outbox WHERE published_at < now() - $1::interval ORDER BY published_at LIMIT 5000
)
