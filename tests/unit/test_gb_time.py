"""Check values of the GB clocks: Elexon settlement calendar and NESO EFA calendar, written out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import pytest

from bess_pipeline import gb_time

SPRING_2026, AUTUMN_2026 = date(2026, 3, 29), date(2026, 10, 25)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "periods"),
    [
        (date(2025, 3, 30), 46),
        (SPRING_2026, 46),
        (date(2025, 10, 26), 50),
        (AUTUMN_2026, 50),
        (date(2024, 10, 27), 50),
        (date(2026, 7, 1), 48),
        (date(2026, 1, 1), 48),
    ],
)
def test_periods_of_a_settlement_date(day: date, periods: int) -> None:
    assert gb_time.periods_in_day(day) == periods
    assert len(gb_time.settlement_half_hours(day)) == periods
    with pytest.raises(ValueError, match=f"periods 1 to {periods}, not {periods + 1}"):
        gb_time.period_start_utc(day, periods + 1)
    with pytest.raises(ValueError, match="not 0"):
        gb_time.period_start_utc(day, 0)


@pytest.mark.parametrize(
    ("day", "period", "start"),
    [
        (SPRING_2026, 1, "2026-03-29T00:00"),
        (SPRING_2026, 2, "2026-03-29T00:30"),
        (SPRING_2026, 3, "2026-03-29T01:00"),
        (SPRING_2026, 46, "2026-03-29T22:30"),
        (AUTUMN_2026, 1, "2026-10-24T23:00"),
        (AUTUMN_2026, 3, "2026-10-25T00:00"),
        (AUTUMN_2026, 5, "2026-10-25T01:00"),
        (AUTUMN_2026, 50, "2026-10-25T23:30"),
        (date(2026, 7, 1), 1, "2026-06-30T23:00"),
        (date(2026, 1, 1), 1, "2026-01-01T00:00"),
    ],
)
def test_start_of_a_settlement_period(day: date, period: int, start: str) -> None:
    assert gb_time.period_start_utc(day, period) == utc(start)
    assert gb_time.settlement_period_of(utc(start)) == (day, period)
    assert gb_time.settlement_period_of(utc(start) + timedelta(minutes=29, seconds=59)) == (day, period)


def test_london_clock_at_the_changes() -> None:
    spring = gb_time.period_start_utc(SPRING_2026, 3).astimezone(gb_time.LONDON)
    assert (spring.time(), spring.tzname()) == (time(2), "BST")
    repeated = [gb_time.period_start_utc(AUTUMN_2026, n).astimezone(gb_time.LONDON) for n in (3, 5)]
    assert [(t.time(), t.tzname()) for t in repeated] == [(time(1), "BST"), (time(1), "GMT")]


WINTER = ["-1T23:00", "0T03:00", "0T07:00", "0T11:00", "0T15:00", "0T19:00"]
SUMMER = ["-1T22:00", "0T02:00", "0T06:00", "0T10:00", "0T14:00", "0T18:00"]
SPRING = ["-1T23:00", "0T02:00", "0T06:00", "0T10:00", "0T14:00", "0T18:00"]
AUTUMN = ["-1T22:00", "0T03:00", "0T07:00", "0T11:00", "0T15:00", "0T19:00"]


@pytest.mark.parametrize(
    ("day", "starts", "end_hour", "block_1_hours"),
    [
        (date(2026, 1, 15), WINTER, 23, 4),
        (date(2026, 7, 15), SUMMER, 22, 4),
        (SPRING_2026, SPRING, 22, 3),
        (AUTUMN_2026, AUTUMN, 23, 5),
    ],
)
def test_efa_blocks(day: date, starts: list[str], end_hour: int, block_1_hours: int) -> None:
    expected = []
    for text in starts:
        offset, clock = text.split("T")
        expected.append(datetime.combine(day + timedelta(days=int(offset)), time.fromisoformat(clock), tzinfo=UTC))
    bounds = [gb_time.efa_block_bounds_utc(day, block) for block in range(1, 7)]
    assert [start for start, _ in bounds] == expected
    assert [end for _, end in bounds[:-1]] == expected[1:]
    assert bounds[-1][1] == datetime.combine(day, time(end_hour), tzinfo=UTC)
    assert bounds[0][1] - bounds[0][0] == timedelta(hours=block_1_hours)
    assert {end - start for start, end in bounds[1:]} == {timedelta(hours=4)}
    for block, (start, end) in enumerate(bounds, start=1):
        assert gb_time.efa_block_of(start) == (day, block)
        assert gb_time.efa_block_of(end - timedelta(microseconds=1)) == (day, block)


@pytest.mark.parametrize(
    ("day", "block", "payment_gbp"),
    [(date(2026, 2, 10), 1, 200.0), (SPRING_2026, 1, 150.0), (AUTUMN_2026, 1, 250.0), (SPRING_2026, 2, 200.0)],
)
def test_ten_mw_of_dynamic_regulation_at_five_pounds_is_paid_by_elapsed_hours(
    day: date, block: int, payment_gbp: float
) -> None:
    start, end = gb_time.efa_block_bounds_utc(day, block)
    assert 10.0 * 5.0 * (end - start).total_seconds() / 3600.0 == payment_gbp


@pytest.mark.parametrize("block", [0, 7, -1])
def test_there_are_six_blocks(block: int) -> None:
    with pytest.raises(ValueError, match="EFA blocks are 1 to 6"):
        gb_time.efa_block_bounds_utc(SPRING_2026, block)


def test_efa_day_is_not_the_settlement_day() -> None:
    eve = date(2026, 1, 14)
    for period in (47, 48):
        start = gb_time.period_start_utc(eve, period)
        assert gb_time.efa_block_of(start) == (date(2026, 1, 15), 1)
        assert gb_time.settlement_date_of(start) == eve
    assert gb_time.efa_date_of(gb_time.period_start_utc(eve, 46)) == eve


@pytest.mark.parametrize(("day", "count"), [(SPRING_2026, 46), (AUTUMN_2026, 50), (date(2026, 5, 1), 48)])
def test_efa_day_half_hours(day: date, count: int) -> None:
    index = gb_time.efa_half_hours(day)
    assert len(index) == count
    assert str(index.dtype) == gb_time.UTC_DTYPE


def test_feed_labels_map_to_blocks_and_periods() -> None:
    """A naive NESO label is UTC: 22:00 in summer opens EFA block 1 of the next day, 23:00 does so in winter."""
    assert gb_time.efa_block_of(utc("2026-07-28T22:00")) == (date(2026, 7, 29), 1)
    assert gb_time.efa_block_of(utc("2026-12-28T23:00")) == (date(2026, 12, 29), 1)
    assert gb_time.efa_block_of(utc("2026-12-28T22:00")) == (date(2026, 12, 28), 6)
    assert gb_time.settlement_period_of(utc("2026-07-28T22:00")) == (date(2026, 7, 28), 47)


@pytest.mark.parametrize(
    "function",
    [
        gb_time.require_utc,
        gb_time.settlement_date_of,
        gb_time.settlement_period_of,
        gb_time.efa_date_of,
        gb_time.efa_block_of,
    ],
)
def test_naive_instants_are_refused(function: object) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        function(datetime(2026, 3, 29, 1))  # type: ignore[operator]  # noqa: DTZ001


def test_naive_columns_and_windows_are_refused() -> None:
    naive = pd.date_range("2026-03-29", periods=3, freq="30min")
    for function in (gb_time.settlement_columns, gb_time.efa_columns):
        with pytest.raises(ValueError, match="no time zone"):
            function(naive)
    with pytest.raises(ValueError, match="no time zone"):
        gb_time.half_hours(datetime(2026, 3, 29), datetime(2026, 3, 30))  # noqa: DTZ001


def test_columns_keep_the_index_and_accept_any_zone() -> None:
    series = pd.Series(gb_time.settlement_half_hours(AUTUMN_2026).tz_convert("Europe/Paris"))
    series.index = pd.Index(range(100, 150))
    columns = gb_time.settlement_columns(series)
    assert columns.index.equals(series.index)
    assert columns["settlement_period"].tolist() == list(range(1, 51))
    assert set(columns["settlement_date"]) == {AUTUMN_2026}
    assert gb_time.efa_columns(series).index.equals(series.index)


def test_columns_of_nothing() -> None:
    nothing = pd.Series(dtype=gb_time.UTC_DTYPE)
    assert gb_time.settlement_columns(nothing).columns.tolist() == ["settlement_date", "settlement_period"]
    assert gb_time.efa_columns(nothing).empty


def test_days_between_includes_both_ends() -> None:
    assert gb_time.days_between(date(2024, 2, 28), date(2024, 3, 1)) == [
        date(2024, 2, 28),
        date(2024, 2, 29),
        date(2024, 3, 1),
    ]
    assert gb_time.days_between(date(2024, 3, 1), date(2024, 2, 28)) == []


def test_recorded_auction_windows_agree(realdata: object) -> None:
    """NESO's own EFA labels over 21 months, both clock changes and 3 h and 5 h blocks included."""
    windows = pd.read_parquet(f"{realdata}/tables/response_auction.parquet")
    assert (
        gb_time.efa_columns(windows["delivery_start_utc"])
        .assign(efa_date=lambda f: f["efa_date"].astype(str))
        .equals(
            pd.DataFrame(
                {
                    "efa_date": windows["efa_date"].astype(str),
                    "efa_block": windows["efa_block"].astype("int64"),
                }
            )
        )
    )


def test_recorded_system_prices_agree(realdata: object) -> None:
    """Elexon's own (date, period) labels of every half-hour of 21 months."""
    prices = pd.read_parquet(f"{realdata}/tables/system_price.parquet")
    columns = gb_time.settlement_columns(prices["start_utc"])
    assert columns["settlement_date"].astype(str).tolist() == prices["settlement_date"].astype(str).tolist()
    assert columns["settlement_period"].tolist() == prices["settlement_period"].tolist()
