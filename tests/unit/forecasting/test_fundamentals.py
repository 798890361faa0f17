"""What many gates know of the fundamentals at once: a brute-force oracle, and cases by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.forecasting.fundamentals import LOOK_BACK, Publications, instants, publications

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


def rows(*published: tuple[str, str, float], series: str = "demand") -> pd.DataFrame:
    """Rows of market/fundamental_forecast: (published, start, value)."""
    frame = pd.DataFrame(published, columns=["published_utc", "start_utc", "value"])
    for name in ("published_utc", "start_utc"):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
    return frame.assign(series=series, unit="MW")


def us(*texts: str) -> np.ndarray:
    return instants(pd.DatetimeIndex(list(texts), tz="UTC"))


def test_the_newest_publication_at_or_before_each_gate() -> None:
    published = Publications.of(
        rows(
            ("2026-03-28T09:00", "2026-03-29T10:00", 3.0),
            ("2026-03-28T02:00", "2026-03-29T10:00", 2.0),
            ("2026-03-28T02:00", "2026-03-29T10:30", 20.0),
            ("2026-03-28T12:00", "2026-03-29T10:00", 4.0),
        ),
        hourly=False,
    )
    gates = us("2026-03-28T01:59", "2026-03-28T02:00", "2026-03-28T09:00", "2026-03-28T11:59", "2026-03-28T12:00")
    at_ten = published.known(us(*["2026-03-29T10:00"] * 5), gates)
    np.testing.assert_array_equal(at_ten, [np.nan, 2.0, 3.0, 3.0, 4.0])
    others = published.known(us("2026-03-29T09:30", "2026-03-29T10:30", "2026-03-29T11:00"), gates[[4, 4, 4]])
    np.testing.assert_array_equal(others, [np.nan, 20.0, np.nan])


def test_an_hourly_series_stands_in_both_half_hours_and_another_one_does_not() -> None:
    found = rows(("2026-03-28T09:00", "2026-03-29T10:00", 3.0))
    both, gate = us("2026-03-29T10:00", "2026-03-29T10:30"), us("2026-03-28T09:50", "2026-03-28T09:50")
    by_name = publications(pd.concat([found, found.assign(series="wind")]))
    np.testing.assert_array_equal(by_name["wind"].known(both, gate), [3.0, 3.0])
    np.testing.assert_array_equal(by_name["demand"].known(both, gate), [3.0, np.nan])


def test_what_was_published_days_ago_is_no_forecast_of_today() -> None:
    published = Publications.of(rows(("2026-03-20T09:00", "2026-03-24T10:00", 3.0)), hourly=False)
    first = datetime(2026, 3, 20, 9, tzinfo=UTC)
    gates = instants(pd.DatetimeIndex([first + LOOK_BACK - timedelta(seconds=1), first + LOOK_BACK]))
    np.testing.assert_array_equal(published.known(us(*["2026-03-24T10:00"] * 2), gates), [3.0, np.nan])


@pytest.mark.parametrize("seed", range(3))
def test_random_publications_against_a_search_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "series": rng.choice(["wind", "demand"], 500),
        "published_utc": pd.Timestamp(NOON) + pd.to_timedelta(rng.integers(-400, 40, 500) * 15, unit="min"),
        "start_utc": pd.Timestamp(NOON) + pd.to_timedelta(rng.integers(0, 24, 500), unit="h"),
        "value": rng.normal(0, 1000, 500).round(),
        "unit": "MW",
    }).drop_duplicates(["series", "published_utc", "start_utc"])  # fmt: skip
    gate = pd.Timestamp(NOON) + pd.to_timedelta(rng.integers(-450, 60, 300) * 15, unit="min")
    start = pd.Timestamp(NOON) + pd.to_timedelta(rng.integers(-2, 52, 300) * 30, unit="min")
    assert frame["published_utc"].isin(gate).any()  # a publication at the gate counts
    by_name = publications(frame)
    for series in ("wind", "demand"):
        wanted = []
        for at, half_hour in zip(gate, start, strict=True):
            asked = half_hour.floor("h") if series == "wind" else half_hour
            mine = frame[(frame["series"] == series) & (frame["start_utc"] == asked) & (frame["published_utc"] <= at)]
            mine = mine[mine["published_utc"] > at - LOOK_BACK].sort_values("published_utc")
            wanted.append(mine["value"].iloc[-1] if len(mine) else np.nan)
        assert 0 < np.isnan(wanted).sum() < len(wanted)
        np.testing.assert_array_equal(by_name[series].known(instants(start), instants(gate)), wanted)


@pytest.mark.parametrize("wrong", [pd.DatetimeIndex(["2026-03-28"]), pd.DatetimeIndex(["2026-03-28", None], tz="UTC")])
def test_instants_without_a_zone_or_missing_are_refused(wrong: pd.DatetimeIndex) -> None:
    with pytest.raises(ValueError, match="time zone"):
        instants(wrong)
