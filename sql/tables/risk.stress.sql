CREATE TABLE risk.stress (
    as_of             DATE NOT NULL,
    strategy          VARCHAR NOT NULL,
    efa_date          DATE NOT NULL,
    shock             VARCHAR NOT NULL,
    words             VARCHAR NOT NULL,
    cash_gbp          DOUBLE NOT NULL,
    pnl_change_gbp    DOUBLE NOT NULL,
    undelivered_mwh   DOUBLE NOT NULL,
    margin_before_mwh DOUBLE NOT NULL,
    margin_after_mwh  DOUBLE NOT NULL,
    start_utc         TIMESTAMP WITH TIME ZONE,
    surplus_gbp       DOUBLE
);
