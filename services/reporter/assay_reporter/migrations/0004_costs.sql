-- What every attempt cost, whatever became of it, and when it ended.
CREATE TABLE job_usage (
    job_key  text             NOT NULL,
    attempt  integer          NOT NULL,
    outcome  text             NOT NULL,
    wall_s   double precision NOT NULL,
    cpu_s    double precision NOT NULL,
    gpu_s    double precision NOT NULL,
    ended_at timestamptz      NOT NULL,
    PRIMARY KEY (job_key, attempt)
);
CREATE INDEX job_usage_by_time ON job_usage (ended_at);
