CREATE TABLE risk.information_value (
    efa_date             DATE NOT NULL,
    strategy             VARCHAR NOT NULL,
    gate                 VARCHAR NOT NULL,
    fixed                VARCHAR NOT NULL,
    risk_aversion        DOUBLE NOT NULL,
    wait_and_see_gbp     DOUBLE NOT NULL,
    recourse_problem_gbp DOUBLE NOT NULL,
    gap_gbp              DOUBLE NOT NULL,
    mean_scenario_gbp    DOUBLE NOT NULL,
    expected_value_gbp   DOUBLE NOT NULL,
    evpi_gbp             DOUBLE NOT NULL,
    vss_gbp              DOUBLE NOT NULL,
    slack_cost_gbp       DOUBLE NOT NULL
);
