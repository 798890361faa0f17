CREATE TABLE scenario.gate_status (
    efa_date DATE NOT NULL,
    gate     VARCHAR NOT NULL,
    step     VARCHAR NOT NULL,
    status   VARCHAR NOT NULL,
    reason   VARCHAR NOT NULL,
    notes    VARCHAR NOT NULL
);
