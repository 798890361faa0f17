CREATE TABLE trading.dispatch (
    efa_date              DATE NOT NULL,
    strategy              VARCHAR NOT NULL,
    start_utc             TIMESTAMP WITH TIME ZONE NOT NULL,
    charge_mw             DOUBLE NOT NULL,
    discharge_mw          DOUBLE NOT NULL,
    activation_export_mwh DOUBLE NOT NULL,
    activation_import_mwh DOUBLE NOT NULL,
    contracted_mwh        DOUBLE NOT NULL,
    metered_mwh           DOUBLE NOT NULL,
    imbalance_mwh         DOUBLE NOT NULL,
    forced_imbalance_mwh  DOUBLE NOT NULL,
    energy_mwh            DOUBLE NOT NULL
);
