-- name: experiment_accepted
INSERT INTO experiments (id, name, owner, question, status, jobs, reused, first_seen_at)
VALUES ($1, $2, $3, $4, 'running', $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, owner = excluded.owner, question = excluded.question,
    jobs = excluded.jobs, reused = excluded.reused, first_seen_at = excluded.first_seen_at;

-- name: add_experiment_job
INSERT INTO experiment_jobs (experiment_id, position, job_key, kind, title, reused)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (experiment_id, position) DO NOTHING;

-- name: experiment_rejected
INSERT INTO experiments (id, name, owner, status, problems, first_seen_at, ended_at)
VALUES ($1, $2, $3, 'rejected', $4, $5, $5)
ON CONFLICT (id) DO UPDATE SET status = 'rejected', problems = excluded.problems, ended_at = excluded.ended_at;

-- name: experiment_completed
INSERT INTO experiments (id, name, owner, status, jobs, reused, first_seen_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (id) DO UPDATE SET status = excluded.status, jobs = excluded.jobs, reused = excluded.reused,
    ended_at = excluded.ended_at;

-- name: job_heard
-- A success is what holds, of two the earlier attempt's; else the newest. So the order of coming decides nothing.
INSERT INTO jobs (job_key, attempt, sequence, state, step, total, message, eta_s, heard_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (job_key) DO UPDATE SET
    attempt = excluded.attempt, sequence = excluded.sequence, state = excluded.state, step = excluded.step,
    total = excluded.total, message = excluded.message, eta_s = excluded.eta_s, heard_at = excluded.heard_at
WHERE CASE
    WHEN jobs.state = 'succeeded' THEN excluded.state = 'succeeded' AND excluded.attempt < jobs.attempt
    ELSE excluded.state = 'succeeded' OR (jobs.attempt, jobs.sequence) < (excluded.attempt, excluded.sequence) END;

-- name: add_curve_point
INSERT INTO job_curves (job_key, attempt, bucket, step, metrics) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (job_key, attempt, bucket) DO NOTHING;

-- name: curves_of_experiment
SELECT p.title, c.step, c.metrics FROM experiment_jobs p JOIN job_curves c ON c.job_key = p.job_key
WHERE p.experiment_id = $1 AND p.kind = 'training' AND NOT p.reused
  AND c.attempt = (SELECT max(attempt) FROM job_curves l WHERE l.job_key = p.job_key)
ORDER BY p.position, c.step;

-- name: add_report
INSERT INTO reports (experiment_id, result, caused_by) VALUES ($1, $2, $3)
ON CONFLICT (experiment_id) DO NOTHING;

-- name: take_due_report
SELECT experiment_id, result, caused_by, tries FROM reports
WHERE state = 'due' AND due_at <= now()
ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: report_made
UPDATE reports SET state = 'made', failure = '' WHERE experiment_id = $1;

-- name: report_delayed
UPDATE reports SET tries = tries + 1, failure = $2, due_at = now() + make_interval(secs => $3)
WHERE experiment_id = $1;

-- name: report_waits
UPDATE reports SET due_at = now() + make_interval(secs => $2) WHERE experiment_id = $1;

-- name: report_failed
UPDATE reports SET state = 'failed', tries = tries + 1, failure = $2 WHERE experiment_id = $1;

-- name: failed_reports_again
UPDATE reports SET state = 'due', tries = $1, due_at = now() WHERE state = 'failed';

-- name: add_baseline
INSERT INTO baselines (key, experiment_id, value, half_width, measured_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (key) DO UPDATE
   SET experiment_id = excluded.experiment_id, value = excluded.value, half_width = excluded.half_width,
       measured_at = excluded.measured_at
 WHERE baselines.measured_at > excluded.measured_at;

-- name: get_baselines
SELECT key, experiment_id, value, half_width, measured_at FROM baselines WHERE key = ANY($1::text[]);

-- name: concluded
UPDATE experiments SET sentence = $2 WHERE id = $1;

-- name: list_experiments
-- What is searched for is text as it stands: no sign in it is a wildcard.
SELECT id, name, owner, status, jobs, reused, sentence, first_seen_at, ended_at FROM experiments
WHERE ($1 = '' OR owner = $1) AND ($2 = '' OR status = $2)
  AND ($3 = '' OR strpos(lower(name), lower($3)) > 0 OR strpos(lower(question), lower($3)) > 0 OR starts_with(id, $3))
  AND ($4::timestamptz IS NULL OR first_seen_at < $4)
ORDER BY first_seen_at DESC, id LIMIT $5;

-- name: list_owners
SELECT DISTINCT owner FROM experiments WHERE owner <> '' ORDER BY owner LIMIT 200;

-- name: get_experiment
SELECT e.*, r.state AS report_state, r.failure AS report_failure
FROM experiments e LEFT JOIN reports r ON r.experiment_id = e.id WHERE e.id = $1;

-- name: jobs_of_experiment
SELECT p.job_key, p.kind, p.title, p.reused, j.attempt, coalesce(j.state, 'waiting') AS state,
    coalesce(j.step, 0) AS step, coalesce(j.total, 0) AS total, coalesce(j.message, '') AS message, j.eta_s, j.heard_at
FROM experiment_jobs p LEFT JOIN jobs j ON j.job_key = p.job_key
WHERE p.experiment_id = $1 ORDER BY p.position;

-- name: expect_delivery
INSERT INTO deliveries (experiment_id, sink, state, failure) VALUES ($1, $2, $3, $4)
ON CONFLICT (experiment_id, sink) DO NOTHING;

-- name: delivery_is_due
INSERT INTO deliveries (experiment_id, sink, state, failure, published) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (experiment_id, sink) DO UPDATE SET
    state = excluded.state, failure = excluded.failure, published = excluded.published, due_at = now()
WHERE deliveries.state IN ('waiting', 'unknown');

-- name: take_due_delivery
SELECT experiment_id, sink, published, thread, tries FROM deliveries
WHERE state = 'due' AND due_at <= now()
ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: delivery_sent
UPDATE deliveries SET state = 'sent', sent_at = $4, failure = $3
 WHERE experiment_id = $1 AND sink = $2;

-- name: delivery_begun
UPDATE deliveries SET thread = $3, failure = '' WHERE experiment_id = $1 AND sink = $2;

-- name: delivery_delayed
UPDATE deliveries SET tries = tries + 1, failure = $3, due_at = now() + make_interval(secs => $4)
WHERE experiment_id = $1 AND sink = $2;

-- name: delay_sink
UPDATE deliveries SET due_at = greatest(due_at, now() + make_interval(secs => $2))
WHERE sink = $1 AND state = 'due';

-- name: delivery_failed
UPDATE deliveries SET state = $4, tries = tries + 1, failure = $3 WHERE experiment_id = $1 AND sink = $2;

-- name: deliveries_of_experiment
SELECT sink, state, tries, due_at, sent_at, failure FROM deliveries WHERE experiment_id = $1 ORDER BY sink;

-- name: add_usage
INSERT INTO job_usage (job_key, attempt, outcome, wall_s, cpu_s, gpu_s, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (job_key, attempt) DO NOTHING;

-- name: usage_of_attempts
SELECT u.job_key, u.attempt, u.wall_s, u.cpu_s, u.gpu_s
FROM unnest($1::text[], $2::int[]) AS asked (job_key, attempt) JOIN job_usage u USING (job_key, attempt);

-- name: costs_by_month
-- A job is paid for by the experiment that had it done: the first that did not reuse it. Times are UTC. What the
-- scheduler itself says, as of control's checkpoint, is part of no plan and took nothing: it is no attempt.
WITH payer AS (
    SELECT DISTINCT ON (p.job_key) p.job_key, e.id, e.owner
    FROM experiment_jobs p JOIN experiments e ON e.id = p.experiment_id
    WHERE NOT p.reused ORDER BY p.job_key, e.first_seen_at, e.id)
SELECT to_char(u.ended_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, coalesce(payer.owner, '') AS owner,
    count(DISTINCT payer.id) AS experiments, count(*) AS attempts,
    count(*) FILTER (WHERE u.outcome <> 'succeeded') AS without_result,
    sum(u.gpu_s) AS gpu_s, sum(u.cpu_s) AS cpu_s,
    sum(u.gpu_s) FILTER (WHERE u.outcome <> 'succeeded') AS lost_gpu_s
FROM job_usage u LEFT JOIN payer ON payer.job_key = u.job_key
WHERE u.ended_at >= $1 AND ($2 = '' OR payer.owner = $2) AND (payer.id IS NOT NULL OR u.wall_s > 0 OR u.cpu_s > 0)
GROUP BY 1, 2 ORDER BY 1 DESC, sum(u.gpu_s) DESC, sum(u.cpu_s) DESC, 2;

-- name: costs_by_experiment
WITH payer AS (
    SELECT DISTINCT ON (p.job_key) p.job_key, e.id
    FROM experiment_jobs p JOIN experiments e ON e.id = p.experiment_id
    WHERE NOT p.reused ORDER BY p.job_key, e.first_seen_at, e.id),
spent AS (
    SELECT payer.id, count(*) AS attempts, sum(u.gpu_s) AS gpu_s, sum(u.cpu_s) AS cpu_s
    FROM job_usage u JOIN payer ON payer.job_key = u.job_key WHERE u.ended_at >= $1 GROUP BY payer.id),
saved AS (
    SELECT p.experiment_id AS id, sum(u.gpu_s) AS gpu_s, sum(u.cpu_s) AS cpu_s
    FROM experiment_jobs p JOIN job_usage u ON u.job_key = p.job_key AND u.outcome = 'succeeded'
    WHERE p.reused GROUP BY p.experiment_id)
SELECT e.id, e.name, e.owner, e.first_seen_at, coalesce(spent.attempts, 0) AS attempts,
    coalesce(spent.gpu_s, 0) AS gpu_s, coalesce(spent.cpu_s, 0) AS cpu_s,
    coalesce(saved.gpu_s, 0) AS saved_gpu_s, coalesce(saved.cpu_s, 0) AS saved_cpu_s
FROM experiments e LEFT JOIN spent ON spent.id = e.id LEFT JOIN saved ON saved.id = e.id
WHERE ($2 = '' OR e.owner = $2) AND (spent.id IS NOT NULL OR saved.id IS NOT NULL) AND e.status <> 'rejected'
ORDER BY coalesce(spent.gpu_s, 0) DESC, coalesce(spent.cpu_s, 0) DESC, e.first_seen_at DESC LIMIT $3;
