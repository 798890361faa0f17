CREATE TABLE risk.limit_status (
    efa_date   DATE NOT NULL,
    strategy   VARCHAR NOT NULL,
    limit_name VARCHAR NOT NULL,
    source     VARCHAR,
    unit       VARCHAR NOT NULL,
    measured   DOUBLE,
    allowed    DOUBLE,
    status     VARCHAR NOT NULL,
    excess     DOUBLE,
    words      VARCHAR NOT NULL
);
