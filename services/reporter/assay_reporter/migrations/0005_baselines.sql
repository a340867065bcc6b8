-- What the untouched base model scored when it was first asked: what later baselines are held against.
CREATE TABLE baselines (
    key           text             PRIMARY KEY,
    experiment_id text             NOT NULL,
    value         double precision NOT NULL,
    half_width    double precision,
    measured_at   timestamptz      NOT NULL
);
