-- What running jobs said of themselves, step by step: at most a thousand points a job and attempt, spread evenly.
CREATE TABLE job_curves (
    job_key text    NOT NULL,
    attempt integer NOT NULL,
    bucket  integer NOT NULL,
    step    integer NOT NULL,
    metrics jsonb   NOT NULL,
    PRIMARY KEY (job_key, attempt, bucket)
);
