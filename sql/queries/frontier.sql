-- What does risk aversion give up of the expected P&L per pound of CVaR, and does the gain last on fresh scenarios?
SELECT
    efa_date,
    risk_aversion,
    expected_pnl_gbp,
    cvar_gbp,
    first_value(expected_pnl_gbp) OVER day - expected_pnl_gbp AS mean_given_up_gbp,
    first_value(cvar_gbp) OVER day - cvar_gbp AS cvar_improved_gbp,
    mean_given_up_gbp / nullif(cvar_improved_gbp, 0) AS given_up_per_gbp_of_cvar,
    oos_expected_pnl_gbp,
    oos_cvar_gbp,
    first_value(oos_cvar_gbp) OVER day - oos_cvar_gbp AS oos_cvar_improved_gbp,
    oos_violation_mwh
FROM risk.frontier
WINDOW day AS (PARTITION BY efa_date ORDER BY risk_aversion)
ORDER BY efa_date DESC, risk_aversion;
