-- Cash of each strategy by month of the EFA day and stream, without wear, which is no cash. GBP/MW/year is the cash of
-- the month over the rating and the days counted, times 365: public indices quote months the same way, but include
-- streams that are not here (see the report). A month that is not whole has fewer days than days_in_month. Days that
-- were refused or are stale do not count, as in every measure of risk: they are no days without earnings.
CREATE VIEW risk.monthly_pnl AS
WITH daily AS (
    SELECT *
    FROM risk.daily_pnl
    ANTI JOIN (SELECT * FROM trading.run_status WHERE status NOT IN ('complete', 'provisional')) AS left_out
        USING (efa_date, strategy)
),

counted AS (
    SELECT strategy, date_trunc('month', efa_date)::DATE AS "month", count(DISTINCT efa_date) AS days
    FROM daily
    GROUP BY ALL
),

earned AS (
    SELECT
        strategy,
        date_trunc('month', efa_date)::DATE AS "month",
        stream,
        sum(pnl_gbp) AS cash_gbp,
        sum(pnl_gbp_per_mw) AS cash_gbp_per_mw
    FROM daily
    WHERE stream <> 'wear'
    GROUP BY ALL
)

SELECT
    strategy,
    "month",
    stream,
    days,
    day(last_day("month")) AS days_in_month,
    cash_gbp,
    cash_gbp_per_mw,
    gbp_per_mw_year(cash_gbp_per_mw, days) AS cash_gbp_per_mw_year
FROM earned
INNER JOIN counted USING (strategy, "month")
ORDER BY strategy, "month", stream;

COMMENT ON VIEW risk.monthly_pnl IS 'Cash by strategy, month and stream, GBP and GBP/MW/year of the days counted; wear is no cash and left out.';
