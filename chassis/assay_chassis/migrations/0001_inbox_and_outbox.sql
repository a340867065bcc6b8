-- Events already applied. A row is written in the transaction that applies its event.
CREATE TABLE inbox (
    source     text        NOT NULL,
    id         text        NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, id)
);
CREATE INDEX inbox_handled_at ON inbox (handled_at);

-- Events to publish. The column names are those of Debezium's outbox event router. `payload` is the
-- whole CloudEvent, as json and not jsonb, so that its text stays as it is.
CREATE TABLE outbox (
    seq           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text        NOT NULL,
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       json        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_published_at ON outbox (published_at) WHERE published_at IS NOT NULL;
