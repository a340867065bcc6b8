-- The reporter's read model: what pages show. All of it can be rebuilt from the events and the object store.
CREATE TABLE experiments (
    id            text        PRIMARY KEY,
    name          text        NOT NULL DEFAULT '',
    owner         text        NOT NULL DEFAULT '',
    question      text        NOT NULL DEFAULT '',
    status        text        NOT NULL,
    jobs          integer     NOT NULL DEFAULT 0,
    reused        integer     NOT NULL DEFAULT 0,
    problems      jsonb       NOT NULL DEFAULT '[]',
    sentence      text        NOT NULL DEFAULT '',
    first_seen_at timestamptz NOT NULL,
    ended_at      timestamptz
);
CREATE INDEX experiments_newest ON experiments (first_seen_at DESC, id);

-- Which jobs an experiment is made of, in the plan's order, and what each does in words.
CREATE TABLE experiment_jobs (
    experiment_id text    NOT NULL,
    position      integer NOT NULL,
    job_key       text    NOT NULL,
    kind          text    NOT NULL,
    title         text    NOT NULL,
    reused        boolean NOT NULL,
    PRIMARY KEY (experiment_id, position)
);
CREATE INDEX experiment_jobs_by_key ON experiment_jobs (job_key);

-- The latest that was heard of a job: the greatest (attempt, sequence) holds.
CREATE TABLE jobs (
    job_key    text        PRIMARY KEY,
    attempt    integer     NOT NULL,
    sequence   bigint      NOT NULL,
    state      text        NOT NULL,
    step       integer     NOT NULL DEFAULT 0,
    total      integer     NOT NULL DEFAULT 0,
    message    text        NOT NULL DEFAULT '',
    eta_s      double precision,
    heard_at   timestamptz NOT NULL
);

-- Reports to make: one for each completed experiment. `result` is the reference experiment.completed brought.
CREATE TABLE reports (
    experiment_id text        PRIMARY KEY,
    result        jsonb       NOT NULL,
    caused_by     text        NOT NULL,
    state         text        NOT NULL DEFAULT 'due',
    tries         integer     NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    failure       text        NOT NULL DEFAULT ''
);
CREATE INDEX reports_due ON reports (due_at) WHERE state = 'due';
