"""The fixed dates of the sample market, apart from it because they are needed where nothing is simulated.

What belongs here: when the sample market begins and ends, the demo's trading days and its "now". What
does not: the market itself (`sample_market/`, whose import takes seconds).
"""

from __future__ import annotations

from datetime import UTC, date, datetime

FIRST_DATE = date(2025, 11, 1)
LAST_DATE = date(2026, 4, 13)
DEMO_FIRST_DAY = date(2026, 3, 15)
DEMO_LAST_DAY = date(2026, 4, 11)
DEMO_FORECAST_FIRST_DAY = date(2026, 3, 29)  # forecasts and scenarios: of the last two weeks, clock change included
DEMO_CO_OPTIMISED_FIRST_DAY = date(2026, 4, 5)  # the last week: plans of all markets take longest
NOW_UTC = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)
