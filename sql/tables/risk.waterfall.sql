CREATE TABLE risk.waterfall (
    as_of            DATE NOT NULL,
    strategy         VARCHAR NOT NULL,
    place            BIGINT NOT NULL,
    step             VARCHAR NOT NULL,
    from_replay      VARCHAR,
    from_basis       VARCHAR,
    to_replay        VARCHAR NOT NULL,
    to_basis         VARCHAR NOT NULL,
    change_gbp       DOUBLE,
    level_gbp        DOUBLE NOT NULL,
    stored_gbp       DOUBLE,
    first_date       DATE NOT NULL,
    days             BIGINT NOT NULL,
    imbalance_cap_mw DOUBLE
);
