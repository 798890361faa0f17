-- Results that are too good to be true as of the last day they were looked for.
CREATE VIEW risk.latest_warning AS
SELECT *
FROM risk.warning
WHERE as_of = (SELECT max(as_of) FROM risk.warning);

COMMENT ON VIEW risk.latest_warning IS 'Results that are too good to be true as of the last day they were looked for.';
