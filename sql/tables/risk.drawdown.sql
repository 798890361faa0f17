CREATE TABLE risk.drawdown (
    as_of            DATE NOT NULL,
    strategy         VARCHAR NOT NULL,
    basis            VARCHAR NOT NULL,
    depth_gbp        DOUBLE NOT NULL,
    depth_gbp_per_mw DOUBLE NOT NULL,
    current_gbp      DOUBLE NOT NULL,
    peak_date        DATE,
    trough_date      DATE,
    recovery_date    DATE,
    length_days      BIGINT NOT NULL,
    longest_days     BIGINT NOT NULL
);
