CREATE TABLE market.response_energy (
    product           VARCHAR NOT NULL,
    start_utc         TIMESTAMP WITH TIME ZONE NOT NULL,
    energy_mwh_per_mw DOUBLE NOT NULL,
    coverage          DOUBLE NOT NULL,
    basis             VARCHAR NOT NULL
);
