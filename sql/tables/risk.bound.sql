CREATE TABLE risk.bound (
    "window"             VARCHAR NOT NULL,
    bound                VARCHAR NOT NULL,
    imbalance_cap_mw     DOUBLE NOT NULL,
    efa_date             DATE NOT NULL,
    pnl_gbp              DOUBLE NOT NULL,
    cash_gbp             DOUBLE NOT NULL,
    wear_gbp             DOUBLE NOT NULL,
    opening_energy_mwh   DOUBLE NOT NULL,
    closing_energy_mwh   DOUBLE NOT NULL,
    energy_price_gbp_mwh DOUBLE NOT NULL,
    gap_gbp              DOUBLE NOT NULL,
    status               VARCHAR NOT NULL,
    notes                VARCHAR
);
