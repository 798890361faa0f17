-- Wall-clock time in London of an instant, e.g. london_time(start_utc).
CREATE MACRO london_time(instant) AS timezone('Europe/London', instant);
