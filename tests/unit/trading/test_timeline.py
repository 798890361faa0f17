"""Gates and known-when rules against instants written out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import pytest
from trading_frames import day_ahead, system_price

from bess_pipeline.trading import timeline


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "gate", "expected"),
    [
        (date(2024, 1, 10), "day_ahead", "2024-01-09T09:50"),
        (date(2024, 1, 10), "response", "2024-01-09T14:00"),
        (date(2024, 7, 2), "day_ahead", "2024-07-01T08:50"),
        (date(2024, 7, 2), "response", "2024-07-01T13:00"),
        (date(2024, 3, 31), "day_ahead", "2024-03-30T09:50"),  # the gate is before the clock change
        (date(2024, 4, 1), "day_ahead", "2024-03-31T08:50"),  # and after it
        (date(2024, 10, 28), "day_ahead", "2024-10-27T09:50"),
    ],
)
def test_gates_are_london_clock_times_of_the_day_before(day: date, gate: timeline.Gate, expected: str) -> None:
    assert timeline.gate_utc(day, gate) == utc(expected)


def test_dispatch_is_fixed_sixty_minutes_ahead() -> None:
    assert timeline.decision_utc(utc("2024-01-10T17:30")) == utc("2024-01-10T16:30")


def _known_at(frame: pd.DataFrame, kind: timeline.Kind, start: str, **options: int) -> datetime:
    row = frame["start_utc"] == pd.Timestamp(start, tz="UTC")
    (value,) = timeline.known_utc(frame, kind, **options)[row]
    return value.to_pydatetime()


def test_an_auction_price_is_known_from_ten_the_day_before_its_efa_day() -> None:
    frame = day_ahead(date(2024, 7, 2), date(2024, 7, 3), lambda _: 50.0)
    assert _known_at(frame, "day_ahead_price", "2024-07-01T22:00") == utc("2024-07-01T09:00")
    assert _known_at(frame, "day_ahead_price", "2024-07-02T21:30") == utc("2024-07-01T09:00")
    assert _known_at(frame, "day_ahead_price", "2024-07-02T22:00") == utc("2024-07-02T09:00")


def test_the_index_standing_in_for_day_ahead_is_known_only_after_its_half_hour() -> None:
    frame = day_ahead(date(2024, 7, 2), date(2024, 7, 2), lambda _: 50.0, source="elexon_mid", resolution=30)
    assert _known_at(frame, "day_ahead_price", "2024-07-02T10:30") == utc("2024-07-02T11:00")
    assert _known_at(frame, "market_index_price", "2024-07-02T10:30") == utc("2024-07-02T11:00")


def test_the_system_price_is_known_a_lag_after_its_half_hour() -> None:
    frame = system_price(date(2024, 1, 10), date(2024, 1, 10), 80.0)
    assert _known_at(frame, "system_price", "2024-01-10T10:00") == utc("2024-01-10T11:30")
    assert _known_at(frame, "system_price", "2024-01-10T10:00", system_price_lag_minutes=5) == utc("2024-01-10T10:35")


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        (date(2024, 1, 10), None, "2024-01-09T15:00"),
        (date(2024, 7, 2), None, "2024-07-01T14:00"),
        (date(2024, 10, 27), time(16), "2024-10-26T15:00"),  # still summer time
        (date(2024, 10, 28), time(16), "2024-10-27T16:00"),
    ],
)
def test_results_of_the_response_auction_are_known_in_the_afternoon_before(
    day: date, clock: time | None, expected: str
) -> None:
    options = {} if clock is None else {"response_result_clock": clock}
    (known,) = timeline.known_utc(pd.DataFrame({"efa_date": [day]}), "auction_clearing", **options)
    assert known == utc(expected)
    assert timeline.known_utc(pd.DataFrame({"efa_date": []}), "auction_clearing").empty


def test_response_energy_is_known_some_days_after_its_months_end() -> None:
    starts = pd.Series(pd.DatetimeIndex(["2024-01-31T23:30", "2024-02-01T00:00", "2023-12-05T12:00"], tz="UTC"))
    frame = pd.DataFrame({"start_utc": starts.dt.as_unit("us")})
    known = timeline.known_utc(frame, "response_energy")
    assert known.tolist() == [utc("2024-02-16T00:00"), utc("2024-03-16T00:00"), utc("2024-01-16T00:00")]
    sooner = timeline.known_utc(frame, "response_energy", frequency_publication_days=0)
    assert sooner.tolist() == [utc("2024-02-01T00:00"), utc("2024-03-01T00:00"), utc("2024-01-01T00:00")]


def test_known_by_includes_the_instant_itself_and_nothing_later() -> None:
    frame = day_ahead(date(2024, 1, 10), date(2024, 1, 10), lambda _: 50.0)
    result = utc("2024-01-09T10:00")
    assert len(timeline.known_by(frame, "day_ahead_price", result)) == 48
    assert timeline.known_by(frame, "day_ahead_price", result - timedelta(microseconds=1)).empty
    assert timeline.known_by(frame.iloc[:0], "day_ahead_price", result).empty


@pytest.mark.parametrize(
    ("source", "gate", "expected"),
    [
        ("neso_n2ex", "day_ahead", date(2024, 1, 9)),
        ("file", "day_ahead", date(2024, 1, 9)),
        ("neso_n2ex", "response", date(2024, 1, 9)),
        ("elexon_mid", "day_ahead", date(2024, 1, 8)),
        ("elexon_mid", "response", date(2024, 1, 8)),
    ],
)
def test_last_day_wholly_known(source: str, gate: timeline.Gate, expected: date) -> None:
    assert timeline.last_day_known(date(2024, 1, 10), gate, source) == expected


def test_an_unknown_kind_is_refused() -> None:
    frame = system_price(date(2024, 1, 10), date(2024, 1, 10), 80.0)
    with pytest.raises(ValueError, match="no rule says when a gossip"):
        timeline.known_utc(frame, "gossip")  # type: ignore[arg-type]
