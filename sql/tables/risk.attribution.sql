CREATE TABLE risk.attribution (
    efa_date              DATE NOT NULL,
    strategy              VARCHAR NOT NULL,
    confidence            DOUBLE NOT NULL,
    component_kind        VARCHAR NOT NULL,
    component             VARCHAR NOT NULL,
    expected_gbp          DOUBLE NOT NULL,
    cvar_contribution_gbp DOUBLE NOT NULL
);
