CREATE TABLE risk.forecast_pnl (
    efa_date     DATE NOT NULL,
    strategy     VARCHAR NOT NULL,
    source       VARCHAR NOT NULL,
    confidence   DOUBLE NOT NULL,
    gate         VARCHAR,
    mean_gbp     DOUBLE,
    var_gbp      DOUBLE NOT NULL,
    cvar_gbp     DOUBLE NOT NULL,
    realised_gbp DOUBLE
);
