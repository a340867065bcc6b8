-- name: add_experiment
-- A row without a document is a cancel that came before its request, which takes it over and stays cancelled.
INSERT INTO experiments (id, kind, name, owner, priority, document, document_digest, dataschema, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE
   SET kind = excluded.kind, name = excluded.name, owner = excluded.owner, priority = excluded.priority,
       document = excluded.document, document_digest = excluded.document_digest, dataschema = excluded.dataschema,
       requested_at = excluded.requested_at
 WHERE experiments.document IS NULL
RETURNING id

-- name: remember_cancel
INSERT INTO experiments (id, cancelled, cancel_reason, requested_at) VALUES ($1, true, $2, $3)
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: forget_cancels
-- In parts, so that no statement holds many rows for long; what is left goes the next time.
DELETE FROM experiments WHERE id IN (
    SELECT id FROM experiments WHERE status = 'requested' AND document IS NULL AND requested_at < $1
     ORDER BY requested_at LIMIT 5000 FOR UPDATE SKIP LOCKED
)

-- name: get_experiment
SELECT id, kind, name, owner, priority, status, outcome, cancelled, cancel_reason, document, document_digest, problems,
       plan, plan_ref, result_ref, job_count, reused_count, requested_at, accepted_at, ended_at
  FROM experiments WHERE id = $1

-- name: list_experiments
SELECT id, kind, name, owner, priority, status, outcome, cancelled, problems, job_count, reused_count,
       requested_at, accepted_at, ended_at,
       (SELECT count(*) FROM wants WHERE experiment_id = experiments.id AND job_end IS NOT NULL) AS ended_jobs
  FROM experiments
 WHERE kind = 'experiment' AND document IS NOT NULL
   AND ($1::text IS NULL OR owner = $1)
   AND ($2::text IS NULL OR coalesce(outcome, status) = $2 OR $2 = 'ended' AND status = 'ended')
   AND ($3::timestamptz IS NULL OR (requested_at, id) < ($3, $4))
 ORDER BY requested_at DESC, id DESC
 LIMIT $5

-- name: claim_intake
UPDATE experiments SET lease_until = $1::timestamptz + $2::interval, tries = tries + 1
 WHERE id = (SELECT id FROM experiments
              WHERE status = 'requested' AND document IS NOT NULL
                AND (lease_until IS NULL OR lease_until < $1)
              ORDER BY requested_at FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING id, kind, owner, document, dataschema, tries, requested_at

-- name: renew_lease
UPDATE experiments SET lease_until = $2 WHERE id = $1 AND status = 'requested'

-- name: reject_experiment
UPDATE experiments
   SET status = 'ended', outcome = 'rejected', problems = $2, ended_at = $3, lease_until = NULL
 WHERE id = $1 AND status = 'requested'
RETURNING name, owner, kind

-- name: accept_experiment
UPDATE experiments
   SET plan = $2, plan_ref = $3, accepted_at = $4, job_count = $5, reused_count = $6, lease_until = NULL
 WHERE id = $1

-- name: claim_settling
UPDATE experiments SET lease_until = $1::timestamptz + $2::interval
 WHERE id = (SELECT id FROM experiments
              WHERE status = 'settling' AND (lease_until IS NULL OR lease_until < $1)
              ORDER BY requested_at FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING id, kind, name, owner, cancelled, plan, plan_ref, job_count, reused_count, requested_at,
          (SELECT coalesce(jsonb_agg(job_end ORDER BY position), '[]')
             FROM wants WHERE experiment_id = experiments.id AND job_end IS NOT NULL) AS ends

-- name: end_experiment
UPDATE experiments SET status = 'ended', outcome = $2, result_ref = $3, ended_at = $4, lease_until = NULL
 WHERE id = $1 AND status = 'settling'
RETURNING id

-- name: add_jobs
WITH added AS (
    INSERT INTO jobs (key, kind, status, body)
    SELECT key, body ->> 'kind', 'waiting', body
      FROM unnest($1::text[], $2::jsonb[]) new (key, body) ORDER BY key
    ON CONFLICT (key) DO NOTHING
    RETURNING key
), linked AS (
    INSERT INTO dependencies (job_key, needs)
    SELECT job_key, needs FROM unnest($3::text[], $4::text[]) link (job_key, needs) ORDER BY job_key, needs
    ON CONFLICT DO NOTHING
)
SELECT key FROM added

-- name: family_of
-- As lock_family.
WITH RECURSIVE below AS (
    SELECT unnest($1::text[]) AS key
    UNION
    SELECT child.job_key
      FROM below CROSS JOIN LATERAL (SELECT job_key FROM dependencies WHERE needs = below.key OFFSET 0) child
)
SELECT key FROM jobs WHERE key = ANY (ARRAY(SELECT key FROM below))
UNION
SELECT parent.needs
  FROM below CROSS JOIN LATERAL (SELECT needs FROM dependencies WHERE job_key = below.key OFFSET 0) parent

-- name: lock_family
-- OFFSET 0 keeps each step a look into an index: how many jobs a family has is guessed far too high, and a join would
-- read all dependencies there are.
WITH RECURSIVE below AS (
    SELECT unnest($1::text[]) AS key
    UNION
    SELECT child.job_key
      FROM below CROSS JOIN LATERAL (SELECT job_key FROM dependencies WHERE needs = below.key OFFSET 0) child
)
SELECT key, kind, status, priority, attempt, not_before, ready_at, requested_at, heartbeat_at, ended_at, body
  FROM jobs
 WHERE key = ANY (ARRAY(
       SELECT key FROM below
       UNION
       SELECT parent.needs
         FROM below CROSS JOIN LATERAL (SELECT needs FROM dependencies WHERE job_key = below.key OFFSET 0) parent))
 ORDER BY key FOR UPDATE

-- name: lock_jobs
SELECT key, kind, status, priority, attempt, not_before, ready_at, requested_at, heartbeat_at, ended_at, body
  FROM jobs WHERE key = ANY ($1::text[]) ORDER BY key FOR UPDATE

-- name: lock_standings
SELECT key, status, attempt FROM jobs WHERE key = ANY ($1::text[]) ORDER BY key FOR UPDATE

-- name: read_jobs
SELECT key, kind, status, priority, attempt, not_before, ready_at, requested_at, heartbeat_at, ended_at, body
  FROM jobs WHERE key = ANY ($1::text[]) ORDER BY key

-- name: open_wants
-- `open` is how many wants of the experiment are open in all, also for jobs beyond these.
WITH wanted AS (
    SELECT experiment_id, job_key, position, arm, reused, reason FROM wants
     WHERE job_key = ANY ($1::text[]) AND job_end IS NULL
)
SELECT wanted.*, counted.open
  FROM wanted
  JOIN (SELECT experiment_id, count(*) AS open FROM wants
         WHERE job_end IS NULL AND experiment_id IN (SELECT experiment_id FROM wanted)
         GROUP BY experiment_id) counted USING (experiment_id)

-- name: wanted_keys
SELECT job_key FROM wants WHERE experiment_id = $1

-- name: lock_experiments
SELECT id, owner, priority, status, cancelled, requested_at FROM experiments
 WHERE id = ANY ($1::text[] || ARRAY(SELECT experiment_id FROM wants WHERE job_key = ANY ($2::text[]) AND job_end IS NULL))
 ORDER BY id FOR UPDATE

-- name: save_world
WITH saved_jobs AS (
    UPDATE jobs
       SET status = new.status, priority = new.priority, attempt = new.attempt, not_before = new.not_before,
           ready_at = new.ready_at, requested_at = new.requested_at, heartbeat_at = new.heartbeat_at,
           ended_at = new.ended_at, body = new.body
      FROM jsonb_to_recordset($1) AS new (
           key text, status text, priority text, attempt integer, not_before timestamptz, ready_at timestamptz,
           requested_at timestamptz, heartbeat_at timestamptz, ended_at timestamptz, body jsonb)
     WHERE jobs.key = new.key
), saved_wants AS (
    INSERT INTO wants (experiment_id, job_key, position, arm, reused, reason, job_end)
    SELECT experiment_id, job_key, position, arm, reused, reason, job_end
      FROM jsonb_to_recordset($2) AS new (
           experiment_id text, job_key text, position integer, arm text, reused boolean, reason text, job_end jsonb)
    ON CONFLICT (experiment_id, job_key) DO UPDATE
       SET reused = excluded.reused, reason = excluded.reason, job_end = excluded.job_end
), saved_experiments AS (
    UPDATE experiments SET status = new.status, cancelled = new.cancelled
      FROM jsonb_to_recordset($3) AS new (id text, status text, cancelled boolean)
     WHERE experiments.id = new.id
), ended_attempts AS (
    UPDATE attempts SET ended_at = new.ended_at, outcome = new.outcome, error = new.error
      FROM jsonb_to_recordset($4) AS new (
           job_key text, attempt integer, ended_at timestamptz, outcome text, error jsonb)
     WHERE attempts.job_key = new.job_key AND attempts.attempt = new.attempt
       -- No condition that the index of open attempts answers: all of them would be read to find one.
       AND CASE WHEN attempts.ended_at IS NULL THEN true ELSE false END
)
INSERT INTO attempts (job_key, attempt, owner, share, requested_at, need)
SELECT job_key, attempt, owner, share, requested_at, need::text
  FROM jsonb_to_recordset($5) AS new (
       job_key text, attempt integer, owner text, share double precision, requested_at timestamptz, need jsonb)
ON CONFLICT (job_key, attempt) DO NOTHING

-- name: set_cancel_reason
UPDATE experiments SET cancel_reason = $2 WHERE id = $1 AND cancel_reason = ''

-- name: experiment_jobs
SELECT wants.job_key AS key, wants.arm, wants.reused, wants.reason, wants.job_end,
       jobs.kind, jobs.status, jobs.attempt, jobs.priority, jobs.not_before, jobs.progress, jobs.requested_at,
       jobs.ended_at
  FROM wants JOIN jobs ON jobs.key = wants.job_key
 WHERE wants.experiment_id = $1 ORDER BY wants.position

-- name: list_jobs
SELECT key, kind, status, priority, attempt, requested_at, ended_at, created_at, progress
  FROM jobs
 WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR kind = $2)
   AND ($3::timestamptz IS NULL OR (created_at, key) < ($3, $4))
 ORDER BY created_at DESC, key DESC
 LIMIT $5

-- name: get_job
SELECT key, kind, status, priority, attempt, not_before, ready_at, requested_at, heartbeat_at, ended_at, body,
       progress, created_at
  FROM jobs WHERE key = $1

-- name: job_attempts
SELECT attempt, owner, requested_at, ended_at, outcome, error FROM attempts WHERE job_key = $1 ORDER BY attempt

-- name: job_wants
SELECT wants.experiment_id, wants.arm, wants.reused, wants.reason, wants.job_end, experiments.name, experiments.kind,
       experiments.owner
  FROM wants JOIN experiments ON experiments.id = wants.experiment_id
 WHERE wants.job_key = $1 ORDER BY experiments.requested_at

-- name: recent_jobs
-- The newest of each kind, with the first other experiment that wanted it: what a new job is compared with.
SELECT recent.*
  FROM unnest($1::text[]) kinds (kind)
  CROSS JOIN LATERAL (
        SELECT jobs.key, jobs.kind, jobs.body -> 'inputs' AS inputs, first.arm, first.name, first.id
          FROM jobs
          CROSS JOIN LATERAL (
                SELECT wants.arm, experiments.name, experiments.id
                  FROM wants JOIN experiments ON experiments.id = wants.experiment_id
                 WHERE wants.job_key = jobs.key AND experiments.id <> $2
                 ORDER BY experiments.requested_at
                 LIMIT 1) first
         WHERE jobs.kind = kinds.kind
         ORDER BY jobs.created_at DESC, jobs.key
         LIMIT $3) recent

-- name: admission_lock
SELECT pg_advisory_xact_lock(hashtext('assay_scheduler_admission'))

-- name: ready_jobs
-- Whose a job is follows the rule of lifecycle.payer: of those who want it at its priority, who asked first.
SELECT jobs.key, jobs.kind, jobs.ready_at, jobs.body -> 'hardware' AS hardware,
       jobs.body -> 'inputs' ->> 'policy' AS policy, jobs.priority, owner.owner, owner.since
  FROM jobs
  CROSS JOIN LATERAL (
        SELECT experiments.owner, experiments.requested_at AS since
          FROM wants JOIN experiments ON experiments.id = wants.experiment_id
         WHERE wants.job_key = jobs.key AND wants.job_end IS NULL
         ORDER BY experiments.priority = jobs.priority DESC, experiments.requested_at, experiments.id
         LIMIT 1) owner
 WHERE jobs.status = 'ready' AND (jobs.not_before IS NULL OR jobs.not_before <= $1)

-- name: held_resources
-- Jobs that share a run hold together what one of them needs: they are done one after another.
SELECT need::jsonb ->> 'kind' AS kind, need::jsonb -> 'hardware' AS hardware, need::jsonb ->> 'policy' AS policy,
       owner, sum(jobs)::bigint AS jobs
  FROM (SELECT owner, need, CASE WHEN shares IS NULL THEN count(*) ELSE 1 END AS jobs
          FROM (SELECT owner, shares, coalesce(need, (
                       SELECT jsonb_build_object(
                              'kind', kind, 'hardware', body -> 'hardware', 'policy', body -> 'inputs' -> 'policy')::text
                         FROM jobs WHERE jobs.key = attempts.job_key)) AS need
                  FROM attempts WHERE ended_at IS NULL) open
         GROUP BY owner, need, shares) held
 GROUP BY need, owner

-- name: recent_usage
-- Jobs that share a run used together what one of them needs, from the first beginning to the last end.
SELECT owner, sum(CASE WHEN shares IS NULL THEN used ELSE shared END) AS used FROM (
    SELECT owner, shares, sum(share * date_part('epoch', ends - begins)) AS used,
           max(share) * date_part('epoch', max(ends) - min(begins)) AS shared
      FROM (SELECT owner, shares, share, coalesce(ended_at, $1::timestamptz) AS ends,
                   greatest(requested_at, $2::timestamptz) AS begins
              FROM attempts
             WHERE coalesce(ended_at, 'infinity'::timestamptz) > $2::timestamptz AND share > 0) lately
     GROUP BY owner, shares) parts
 GROUP BY owner

-- name: take_turn
SELECT turn FROM admissions

-- name: keep_turn
UPDATE admissions SET turn = $1

-- name: note_progress
-- Any word of an attempt is a sign of life, by the database's clock when the row is held: its lock may have been waited
-- for longer than a lease. What is shown is the newest. Sequences are the worker's time: where its clock was set back,
-- they fall for a while.
UPDATE jobs
   SET progress = CASE WHEN newest THEN news.progress ELSE jobs.progress END,
       progress_attempt = CASE WHEN newest THEN news.attempt ELSE jobs.progress_attempt END,
       progress_sequence = CASE WHEN newest THEN news.sequence ELSE jobs.progress_sequence END,
       heartbeat_at = clock_timestamp(), status = CASE WHEN jobs.status = 'requested' THEN 'running' ELSE jobs.status END
  FROM (SELECT said.*, (known.progress_attempt, known.progress_sequence) <= (said.attempt, said.sequence) AS newest
          FROM (SELECT unnest($1::text[]) AS key, unnest($2::integer[]) AS attempt, unnest($3::bigint[]) AS sequence,
                       unnest($4::jsonb[]) AS progress) said
          JOIN jobs known USING (key)) news
 WHERE jobs.key = news.key AND jobs.attempt = news.attempt
   AND jobs.status IN ('requested', 'running', 'cancelling')

-- name: note_shares
UPDATE attempts SET shares = said.shares
  FROM (SELECT unnest($1::text[]) AS key, unnest($2::integer[]) AS attempt, unnest($3::text[]) AS shares) said
 WHERE attempts.job_key = said.key AND attempts.attempt = said.attempt
   AND attempts.shares IS DISTINCT FROM said.shares AND ended_at IS NULL

-- name: silent_jobs
SELECT key, attempt, now() AS now FROM jobs
 WHERE (status = 'running' AND heartbeat_at < now() - $1::interval)
    OR (status = 'cancelling' AND coalesce(heartbeat_at, requested_at) < now() - $1::interval)
    OR (status = 'requested' AND requested_at < now() - $2::interval)
 ORDER BY key LIMIT 100

-- name: time_of_day
SELECT clock_timestamp()

-- name: what_is_due
SELECT EXISTS (SELECT 1 FROM jobs WHERE status = 'ready' AND (not_before IS NULL OR not_before <= $1)) AS ready,
       EXISTS (SELECT 1 FROM experiments
                WHERE status = 'settling' AND (lease_until IS NULL OR lease_until < $1)) AS settling,
       (SELECT min(not_before) FROM jobs WHERE status = 'ready' AND not_before > $1) AS next_retry

-- name: get_finding
SELECT finding FROM findings WHERE key = $1

-- name: put_finding
INSERT INTO findings (key, finding) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET finding = excluded.finding, found_at = now()

-- name: measure_jobs
SELECT status, priority, count(*) AS jobs,
       greatest(0, coalesce(extract(epoch FROM $1::timestamptz - min(ready_at)), 0))::double precision AS waited_s
  FROM jobs WHERE status IN ('waiting', 'ready', 'requested', 'running', 'cancelling')
 GROUP BY status, priority

-- name: measure_experiments
SELECT status, greatest(0, extract(epoch FROM $1::timestamptz - min(requested_at)))::double precision AS waited_s
  FROM experiments
 WHERE status = 'requested' AND document IS NOT NULL OR status = 'settling'
 GROUP BY status
