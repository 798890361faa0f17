"""Properties of the GB clocks over 2010-2040, against `zoneinfo` and plain counting."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bess_pipeline import gb_time

FIRST, LAST = date(2010, 1, 1), date(2040, 12, 31)
days = st.dates(FIRST, LAST)
instants = st.datetimes(datetime(2010, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(days, st.integers(1, 50))
def test_period_and_utc_round_trip(day: date, period: int) -> None:
    if period > gb_time.periods_in_day(day):
        with pytest.raises(ValueError, match="has periods 1 to"):
            gb_time.period_start_utc(day, period)
    else:
        assert gb_time.settlement_period_of(gb_time.period_start_utc(day, period)) == (day, period)


@given(instants)
def test_every_instant_lies_in_its_period_and_block(instant: datetime) -> None:
    start = gb_time.period_start_utc(*gb_time.settlement_period_of(instant))
    assert start <= instant < start + gb_time.HALF_HOUR
    block_start, block_end = gb_time.efa_block_bounds_utc(*gb_time.efa_block_of(instant))
    assert block_start <= instant < block_end
    day_start, day_end = gb_time.efa_day_bounds_utc(gb_time.efa_date_of(instant))
    assert day_start <= instant < day_end


@given(days)
def test_blocks_tile_the_efa_day_and_efa_days_tile_time(day: date) -> None:
    bounds = [gb_time.efa_block_bounds_utc(day, block) for block in range(1, 7)]
    edges = [bounds[0][0], *(end for _, end in bounds)]
    assert [start for start, _ in bounds] == edges[:-1]
    assert (edges[0], edges[-1]) == gb_time.efa_day_bounds_utc(day)
    assert edges[-1] == gb_time.efa_day_bounds_utc(day + timedelta(days=1))[0]
    assert all((end - start) == timedelta(hours=4) for start, end in bounds[1:])


@given(st.integers(2010, 2040))
def test_a_year_has_as_many_half_hours_as_its_days(year: int) -> None:
    """January to January is winter time at both ends: the lost and the gained hour cancel."""
    counts = [gb_time.periods_in_day(day) for day in gb_time.days_between(date(year, 1, 1), date(year, 12, 31))]
    assert sum(counts) == 48 * len(counts)
    assert sorted(count for count in counts if count != 48) == [46, 50]
    short, long = counts.index(46), counts.index(50)
    changes = [date(year, 1, 1) + timedelta(days=n) for n in (short, long)]
    assert [(d.month, d.weekday(), d.day > 24) for d in changes] == [(3, 6, True), (10, 6, True)]


@given(days, st.integers(1, 4))
def test_vectorised_functions_equal_the_scalar_ones(day: date, length: int) -> None:
    start = gb_time.settlement_day_bounds_utc(day)[0]
    index = gb_time.half_hours(start, gb_time.settlement_day_bounds_utc(day + timedelta(days=length - 1))[1])
    instants_ = [t.to_pydatetime() for t in index]
    columns = pd.concat([gb_time.settlement_columns(index), gb_time.efa_columns(index)], axis=1)
    assert list(zip(columns["settlement_date"], columns["settlement_period"], strict=True)) == [
        gb_time.settlement_period_of(t) for t in instants_
    ]
    assert list(zip(columns["efa_date"], columns["efa_block"], strict=True)) == [
        gb_time.efa_block_of(t) for t in instants_
    ]


@given(days)
def test_efa_half_hours_cover_the_day_once(day: date) -> None:
    both = gb_time.efa_half_hours(day).append(gb_time.efa_half_hours(day + timedelta(days=1)))
    assert both.is_unique
    assert set(both.diff()[1:]) == {pd.Timedelta(minutes=30)}
    assert len(gb_time.efa_half_hours(day)) == gb_time.periods_in_day(day)


@given(st.lists(days, max_size=12), st.integers(1, 5))
def test_runs_hold_every_day_once_and_are_consecutive(some: list[date], at_most: int) -> None:
    runs = gb_time.consecutive_runs(set(some), at_most)
    assert [day for run in runs for day in run] == sorted(set(some))
    assert all(run == gb_time.days_between(run[0], run[-1]) and len(run) <= at_most for run in runs)


@given(st.datetimes(datetime(2010, 1, 1), datetime(2040, 12, 31)))  # noqa: DTZ001
def test_naive_instants_are_refused(instant: datetime) -> None:
    for function in (gb_time.settlement_period_of, gb_time.efa_block_of, gb_time.require_utc):
        with pytest.raises(ValueError, match="no time zone"):
            function(instant)
