CREATE TABLE risk.warning (
    as_of    DATE NOT NULL,
    kind     VARCHAR NOT NULL,
    strategy VARCHAR NOT NULL,
    place    BIGINT NOT NULL,
    words    VARCHAR NOT NULL
);
