CREATE TABLE risk.plan_outcome (
    efa_date    DATE NOT NULL,
    strategy    VARCHAR NOT NULL,
    gate        VARCHAR NOT NULL,
    scenario    BIGINT NOT NULL,
    probability DOUBLE NOT NULL,
    pnl_gbp     DOUBLE NOT NULL
);
