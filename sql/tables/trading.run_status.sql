CREATE TABLE trading.run_status (
    efa_date           DATE NOT NULL,
    strategy           VARCHAR NOT NULL,
    status             VARCHAR NOT NULL,
    reason             VARCHAR NOT NULL,
    opening_energy_mwh DOUBLE,
    closing_energy_mwh DOUBLE,
    chain_start        DATE
);
