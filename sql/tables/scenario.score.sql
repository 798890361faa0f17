CREATE TABLE scenario.score (
    efa_date DATE NOT NULL,
    gate     VARCHAR NOT NULL,
    stream   VARCHAR NOT NULL,
    score    VARCHAR NOT NULL,
    value    DOUBLE NOT NULL
);
