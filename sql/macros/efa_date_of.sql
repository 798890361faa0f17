-- EFA (trading) day of an instant: 23:00 London on the day before to 23:00 London.
CREATE MACRO efa_date_of(instant) AS CAST(timezone('Europe/London', instant) + INTERVAL 1 HOUR AS DATE);
