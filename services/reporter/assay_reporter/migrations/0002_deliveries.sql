-- Which sinks an experiment asked for, and what became of each: sent once, whatever is started again.
-- waiting (for the report) -> due -> sent | failed; unknown: not declared here.
CREATE TABLE deliveries (
    experiment_id text        NOT NULL,
    sink          text        NOT NULL,
    state         text        NOT NULL DEFAULT 'waiting',
    published     jsonb,
    thread        text,
    tries         integer     NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    sent_at       timestamptz,
    failure       text        NOT NULL DEFAULT '',
    PRIMARY KEY (experiment_id, sink)
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'due';
