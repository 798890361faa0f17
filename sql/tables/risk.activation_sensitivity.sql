CREATE TABLE risk.activation_sensitivity (
    efa_date          DATE NOT NULL,
    strategy          VARCHAR NOT NULL,
    gate              VARCHAR NOT NULL,
    risk_aversion     DOUBLE NOT NULL,
    multiplier        DOUBLE NOT NULL,
    expected_pnl_gbp  DOUBLE NOT NULL,
    cvar_gbp          DOUBLE NOT NULL,
    response_mw_h     DOUBLE NOT NULL,
    equivalent_cycles DOUBLE NOT NULL,
    activation_basis  VARCHAR
);
