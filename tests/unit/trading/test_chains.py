"""Which days start a chain, and into which independent parts days fall."""

from __future__ import annotations

from datetime import date

import pytest

from bess_pipeline import gb_time
from bess_pipeline.settings import TradingSettings
from bess_pipeline.trading.chains import chains, is_chain_start, named_starts

MONTHS = TradingSettings(chain_months=True)
NAMED = TradingSettings(chain_starts=(date(2026, 2, 12),))


def test_a_month_starts_a_chain_on_its_first_trading_day() -> None:
    year = gb_time.days_between(date(2024, 1, 1), date(2024, 12, 31))
    assert [day for day in year if is_chain_start(day, MONTHS)] == [date(2024, month, 1) for month in range(1, 13)]
    assert not any(is_chain_start(day, TradingSettings()) for day in year)


def test_a_declared_day_is_named_and_starts_no_chain_by_itself() -> None:
    declared = date(2026, 2, 20)
    assert named_starts(NAMED, [declared]) == {declared, date(2026, 2, 12)}
    assert is_chain_start(date(2026, 2, 12), NAMED)
    assert not is_chain_start(declared, NAMED)


@pytest.mark.parametrize(
    ("trading", "expected"),
    [
        (TradingSettings(), [[28, 29, 30, 33, 34]]),
        (MONTHS, [[28, 29, 30, 33, 34]]),  # the start of its month is not among the days
        (TradingSettings(chain_starts=(date(2026, 1, 30), date(2026, 1, 31))), [[28, 29], [30, 33, 34]]),
    ],
)
def test_days_part_before_chain_starts_alone_and_not_at_gaps(
    trading: TradingSettings, expected: list[list[int]]
) -> None:
    """Numbers are days after New Year's Eve, so that 32 is the first of February; 31 and 32 are not asked for."""
    days = {n: date.fromordinal(date(2025, 12, 31).toordinal() + n) for n in (28, 29, 30, 33, 34)}
    assert chains(reversed(days.values()), trading) == [[days[n] for n in part] for part in expected]


def test_a_month_among_the_days_parts_them() -> None:
    days = gb_time.days_between(date(2026, 1, 30), date(2026, 3, 1))
    assert [(part[0], len(part)) for part in chains(days, MONTHS)] == [
        (date(2026, 1, 30), 2),
        (date(2026, 2, 1), 28),
        (date(2026, 3, 1), 1),
    ]
    assert chains([], MONTHS) == []
