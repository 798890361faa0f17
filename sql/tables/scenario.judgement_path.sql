CREATE TABLE scenario.judgement_path (
    efa_date    DATE NOT NULL,
    gate        VARCHAR NOT NULL,
    scenario    BIGINT NOT NULL,
    probability DOUBLE NOT NULL,
    stream      VARCHAR NOT NULL,
    start_utc   TIMESTAMP WITH TIME ZONE NOT NULL,
    value       DOUBLE NOT NULL
);
