CREATE TABLE risk.explain (
    as_of        DATE NOT NULL,
    strategy     VARCHAR NOT NULL,
    efa_date     DATE NOT NULL,
    before_date  DATE NOT NULL,
    stream       VARCHAR NOT NULL,
    price_gbp    DOUBLE NOT NULL,
    volume_gbp   DOUBLE NOT NULL,
    revision_gbp DOUBLE NOT NULL,
    change_gbp   DOUBLE NOT NULL
);
