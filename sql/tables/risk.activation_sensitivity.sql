CREATE TABLE risk.activation_sensitivity (
    efa_date          DATE NOT NULL,
    multiplier        DOUBLE NOT NULL,
    expected_pnl_gbp  DOUBLE NOT NULL,
    cvar_gbp          DOUBLE NOT NULL,
    response_mw_h     DOUBLE NOT NULL,
    equivalent_cycles DOUBLE NOT NULL,
    activation_basis  VARCHAR
);
