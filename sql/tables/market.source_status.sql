CREATE TABLE market.source_status (
    source        VARCHAR NOT NULL,
    dataset       VARCHAR NOT NULL,
    date          DATE NOT NULL,
    status        VARCHAR NOT NULL,
    reason        VARCHAR NOT NULL,
    expected_rows BIGINT NOT NULL,
    rows          BIGINT NOT NULL,
    fetched_utc   TIMESTAMP WITH TIME ZONE
);
