-- Annualised value in GBP/MW/year of a sum of GBP per MW over a number of days (365 days a year);
-- null for no day. Example: gbp_per_mw_year(sum(pnl_gbp_per_mw), count(DISTINCT efa_date)).
CREATE MACRO gbp_per_mw_year(sum_gbp_per_mw, days) AS sum_gbp_per_mw * 365.0 / nullif(days, 0);
