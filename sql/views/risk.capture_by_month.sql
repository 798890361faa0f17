-- Share of its bound that each strategy earned by month, as of the last day of the measures, beside the month's cash.
-- Days are those that strategy and bound both have; days_of_strategy those behind the cash, all in risk.monthly_total.
CREATE VIEW risk.capture_by_month AS
SELECT
    capture.strategy,
    capture."month",
    capture.bound,
    capture.imbalance_cap_mw,
    capture.traded_cap_mw,
    capture.capture,
    capture.pnl_gbp,
    capture.bound_gbp,
    capture.stored_gbp,
    capture.bound_stored_gbp,
    capture.days,
    total.days AS days_of_strategy,
    total.days_in_month,
    total.cash_gbp_per_mw_year
FROM risk.capture AS capture
LEFT JOIN risk.monthly_total AS total USING (strategy, "month")
WHERE capture.as_of = (SELECT max(as_of) FROM risk.measure)
ORDER BY capture.strategy, capture.imbalance_cap_mw, capture."month";

COMMENT ON VIEW risk.capture_by_month IS 'Share of its bound that each strategy earned by month, by imbalance cap, beside its cash in GBP/MW/year.';
