CREATE TABLE risk.measure (
    as_of      DATE NOT NULL,
    strategy   VARCHAR NOT NULL,
    basis      VARCHAR NOT NULL,
    "window"   VARCHAR NOT NULL,
    measure    VARCHAR NOT NULL,
    confidence DOUBLE,
    unit       VARCHAR NOT NULL,
    value      DOUBLE,
    ci_low     DOUBLE,
    ci_high    DOUBLE,
    days       BIGINT NOT NULL
);
