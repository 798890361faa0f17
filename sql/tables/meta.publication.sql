-- What this file was built from. No time of day: equal inputs give an equal warehouse.
CREATE TABLE meta.publication (
    schema_version BIGINT NOT NULL,
    code_version   VARCHAR NOT NULL,
    origin         VARCHAR,
    day_ahead      VARCHAR
);

COMMENT ON TABLE meta.publication IS 'One row: what this file was built from.';
COMMENT ON COLUMN meta.publication.schema_version IS 'version of the tables';
COMMENT ON COLUMN meta.publication.code_version IS 'version of bess-pipeline that built the file';
COMMENT ON COLUMN meta.publication.origin IS 'live, recorded or simulated; null before the first data';
COMMENT ON COLUMN meta.publication.day_ahead IS 'day-ahead source; elexon_mid is a within-day index standing in';
