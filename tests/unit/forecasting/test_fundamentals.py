"""What a gate knows of the fundamentals: a brute-force oracle, and the poison test."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bess_pipeline.trading.fundamentals import known_at, read_known

from bess_pipeline.lake import Lake

TABLE = "market/fundamental_forecast"
GATE = datetime(2026, 3, 28, 9, 50, tzinfo=UTC)


def publications(seed: int = 1, count: int = 400) -> pd.DataFrame:
    """Random publications around the gate, some exactly at it, shuffled."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "series": rng.choice(["wind", "demand"], count),
        "published_utc": pd.Timestamp(GATE) + pd.to_timedelta(rng.integers(-40, 40, count) * 15, unit="min"),
        "start_utc": pd.Timestamp(GATE).floor("h") + pd.to_timedelta(rng.integers(0, 24, count), unit="h"),
        "value": rng.normal(0, 1000, count).round(),
        "unit": "MW",
    })  # fmt: skip
    for name in ("published_utc", "start_utc"):
        frame[name] = frame[name].dt.as_unit("us")
    return frame.drop_duplicates(["series", "published_utc", "start_utc"]).reset_index(drop=True)


def by_hand(frame: pd.DataFrame, gate: datetime) -> dict[tuple[str, pd.Timestamp], tuple[pd.Timestamp, float]]:
    newest: dict[tuple[str, pd.Timestamp], tuple[pd.Timestamp, float]] = {}
    for row in frame.itertuples(index=False):
        key = (row.series, row.start_utc)
        if row.published_utc <= gate and (key not in newest or row.published_utc > newest[key][0]):
            newest[key] = (row.published_utc, row.value)
    return newest


@pytest.mark.parametrize("offset", [-timedelta(hours=9), timedelta(0), timedelta(minutes=10), timedelta(hours=9)])
def test_the_newest_publication_at_or_before_the_gate(offset: timedelta) -> None:
    frame = publications()
    known = known_at(frame, GATE + offset)
    found = {(row.series, row.start_utc): (row.published_utc, row.value) for row in known.itertuples(index=False)}
    assert found == by_hand(frame, GATE + offset)
    assert not known.duplicated(["series", "start_utc"]).any()
    assert (frame["published_utc"] == GATE).any()  # a publication at the gate counts


def test_poison_after_the_gate_changes_nothing_and_before_it_does() -> None:
    frame = publications()
    late = frame["published_utc"] > GATE
    assert late.any()
    clean = known_at(frame, GATE)
    poisoned = frame.assign(value=frame["value"].where(~late, 9e5))
    extra = frame[~late].head(20).assign(published_utc=pd.Timestamp(GATE + timedelta(seconds=1)), value=-9e5)
    extra["published_utc"] = extra["published_utc"].dt.as_unit("us")
    pd.testing.assert_frame_equal(known_at(pd.concat([extra, poisoned]), GATE), clean)
    pd.testing.assert_frame_equal(known_at(frame[~late], GATE), clean)
    early = frame.assign(value=frame["value"].where(late, 9e5))  # positive control
    assert (known_at(early, GATE)["value"] == 9e5).all()


def test_a_gate_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        known_at(publications(), GATE.replace(tzinfo=None))


def test_the_lake_gives_the_same_from_its_partitions_by_publication_day(tmp_path: Path) -> None:
    lake, frame = Lake(tmp_path / "lake", tmp_path / "bad"), publications()
    days = frame["published_utc"].dt.date  # winter: London days are UTC days
    assert lake.write_days(TABLE, {day: frame[days == day] for day in days.unique()}) == {}
    assert lake.days(TABLE) == [date(2026, 3, 27), date(2026, 3, 28)]
    pd.testing.assert_frame_equal(read_known(lake, GATE), known_at(frame, GATE))
    assert read_known(lake, GATE - timedelta(days=30)).empty
