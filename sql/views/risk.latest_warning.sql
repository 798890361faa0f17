-- Results that are too good to be true, and broken limits, as of the last day of the measures.
CREATE VIEW risk.latest_warning AS
SELECT *
FROM risk.warning
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_warning IS 'Results that are too good to be true, and broken limits, as of the last day of the measures.';
