CREATE TABLE risk.frontier (
    efa_date             DATE NOT NULL,
    risk_aversion        DOUBLE NOT NULL,
    expected_pnl_gbp     DOUBLE NOT NULL,
    var_gbp              DOUBLE NOT NULL,
    cvar_gbp             DOUBLE NOT NULL,
    gap                  DOUBLE NOT NULL,
    oos_expected_pnl_gbp DOUBLE,
    oos_var_gbp          DOUBLE,
    oos_cvar_gbp         DOUBLE,
    oos_violation_mwh    DOUBLE,
    day_ahead_mwh        DOUBLE NOT NULL,
    response_mw_h        DOUBLE NOT NULL,
    scenarios            BIGINT NOT NULL,
    fresh_scenarios      BIGINT NOT NULL
);
