CREATE TABLE trading.availability (
    efa_date           DATE NOT NULL,
    start_utc          TIMESTAMP WITH TIME ZONE NOT NULL,
    end_utc            TIMESTAMP WITH TIME ZONE NOT NULL,
    charge_fraction    DOUBLE NOT NULL,
    discharge_fraction DOUBLE NOT NULL,
    kind               VARCHAR NOT NULL,
    reason             VARCHAR NOT NULL,
    known_utc          TIMESTAMP WITH TIME ZONE NOT NULL
);
