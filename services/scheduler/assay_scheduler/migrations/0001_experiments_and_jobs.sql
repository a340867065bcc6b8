-- What the scheduler owns. The values of a job that only the lifecycle reads are in `body`;
-- columns are what statements search, lock or order by, and they win over `body`.

CREATE TABLE experiments (
    id             text PRIMARY KEY,
    kind           text NOT NULL DEFAULT 'experiment'
                   CHECK (kind IN ('experiment', 'training_job', 'eval_job', 'retry')),
    name           text NOT NULL DEFAULT '',
    owner          text NOT NULL DEFAULT '',
    priority       text NOT NULL DEFAULT 'MED' CHECK (priority IN ('LOW', 'MED', 'HIGH')),
    status         text NOT NULL DEFAULT 'requested'
                   CHECK (status IN ('requested', 'running', 'settling', 'ended')),
    outcome        text CHECK (outcome IN ('rejected', 'succeeded', 'partial', 'failed', 'cancelled')),
    cancelled      boolean NOT NULL DEFAULT false,
    cancel_reason  text NOT NULL DEFAULT '',
    -- null for a cancel that came before its request
    document       json,
    document_digest text NOT NULL DEFAULT '',
    dataschema     text NOT NULL DEFAULT '',
    problems       jsonb NOT NULL DEFAULT '[]',
    plan           jsonb,
    plan_ref       jsonb,
    result_ref     jsonb,
    job_count      integer NOT NULL DEFAULT 0,
    reused_count   integer NOT NULL DEFAULT 0,
    lease_until    timestamptz,
    tries          integer NOT NULL DEFAULT 0,
    requested_at   timestamptz NOT NULL,
    accepted_at    timestamptz,
    ended_at       timestamptz
);
CREATE INDEX experiments_by_time ON experiments (requested_at DESC, id DESC);
CREATE INDEX experiments_to_work_on ON experiments (requested_at) WHERE status IN ('requested', 'settling');

CREATE TABLE jobs (
    key               text PRIMARY KEY,
    kind              text NOT NULL,
    status            text NOT NULL,
    priority          text NOT NULL DEFAULT 'MED',
    attempt           integer NOT NULL DEFAULT 0,
    not_before        timestamptz,
    ready_at          timestamptz,
    requested_at      timestamptz,
    heartbeat_at      timestamptz,
    ended_at          timestamptz,
    body              jsonb NOT NULL,
    progress          jsonb,
    progress_attempt  integer NOT NULL DEFAULT 0,
    progress_sequence bigint NOT NULL DEFAULT -1,
    created_at        timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX jobs_in_work ON jobs (status) WHERE status IN ('ready', 'requested', 'running', 'cancelling');
CREATE INDEX jobs_by_time ON jobs (created_at DESC, key);
CREATE INDEX jobs_by_kind ON jobs (kind, created_at DESC);

CREATE TABLE dependencies (
    job_key text NOT NULL REFERENCES jobs (key),
    needs   text NOT NULL REFERENCES jobs (key),
    PRIMARY KEY (job_key, needs)
);
CREATE INDEX dependencies_by_needs ON dependencies (needs);

CREATE TABLE wants (
    experiment_id text NOT NULL REFERENCES experiments (id),
    job_key       text NOT NULL REFERENCES jobs (key),
    position      integer NOT NULL,
    arm           text NOT NULL DEFAULT '',
    reused        boolean NOT NULL DEFAULT false,
    reason        text NOT NULL DEFAULT '',
    job_end       jsonb,
    PRIMARY KEY (experiment_id, job_key)
);
CREATE INDEX wants_open ON wants (job_key) WHERE job_end IS NULL;
CREATE INDEX wants_by_job ON wants (job_key);

CREATE TABLE attempts (
    job_key      text NOT NULL REFERENCES jobs (key),
    attempt      integer NOT NULL,
    owner        text NOT NULL DEFAULT '',
    share        double precision NOT NULL DEFAULT 0,
    requested_at timestamptz NOT NULL,
    ended_at     timestamptz,
    outcome      text,
    error        jsonb,
    PRIMARY KEY (job_key, attempt)
);
CREATE INDEX attempts_recent ON attempts (requested_at);

-- One row: how many admissions there were, for the turn of those that have waited too long.
CREATE TABLE admissions (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    turn     bigint NOT NULL DEFAULT 0
);
INSERT INTO admissions DEFAULT VALUES;

-- What intake found out about files, by their identity: only to save time.
CREATE TABLE findings (
    key      text PRIMARY KEY,
    finding  jsonb NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);
