CREATE TABLE risk.degradation (
    efa_date          DATE NOT NULL,
    strategy          VARCHAR NOT NULL,
    equivalent_cycles DOUBLE NOT NULL,
    throughput_mwh    DOUBLE NOT NULL,
    max_depth         DOUBLE NOT NULL,
    calendar_fade     DOUBLE NOT NULL,
    cycle_fade        DOUBLE NOT NULL,
    state_of_health   DOUBLE NOT NULL,
    calendar_cost_gbp DOUBLE NOT NULL,
    cycle_cost_gbp    DOUBLE NOT NULL,
    cost_gbp          DOUBLE NOT NULL,
    plan_cost_gbp     DOUBLE NOT NULL
);
