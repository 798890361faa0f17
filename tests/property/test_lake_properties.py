"""Properties of the lake: whatever is written is read, in any order of writing, to the same hash."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_frames import system_price

from bess_pipeline import schemas
from bess_pipeline.lake import Lake

TABLE = "market/system_price"
FIRST = date(2024, 3, 29)  # the clock changes within the week

prices = st.floats(-20_000, 20_000, allow_nan=False)
codes = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
volumes = st.none() | st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def partitions(draw: st.DrawFn) -> dict[date, pd.DataFrame]:
    """Frames of some days of a week, with odd but legal values, each with only some of its periods."""
    offsets = draw(st.lists(st.integers(0, 6), unique=True, max_size=3))
    frames = {}
    for offset in offsets:
        day = FIRST + timedelta(days=offset)
        kept = draw(st.lists(st.integers(0, 45), unique=True, max_size=5))
        frame = system_price(day).iloc[kept]
        columns = {
            "system_price_gbp_mwh": (prices, "float64"),
            "net_imbalance_volume_mwh": (volumes, "float64"),
            "price_derivation_code": (codes, "str"),
        }
        for name, (values, dtype) in columns.items():
            drawn = draw(st.lists(values, min_size=len(frame), max_size=len(frame)))
            frame = frame.assign(**{name: pd.Series(drawn, index=frame.index, dtype=dtype)})
        frames[day] = frame
    return frames


@given(partitions(), st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_writing_is_reading_in_any_order_and_any_number_of_times(
    frames: dict[date, pd.DataFrame], random: object
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, two = (Lake(Path(folder) / name, Path(folder) / "q") for name in ("one", "two"))
        shuffled = [*frames, *frames]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        for day in frames:
            assert one.write(TABLE, day, frames[day]) == len(frames[day])
        for day in shuffled:
            two.write(TABLE, day, frames[day].iloc[::-1], {"day": day.isoformat()})
        assert one.content_hash(TABLE) == two.content_hash(TABLE)
        assert one.days(TABLE) == two.days(TABLE) == sorted(frames)
        for day in frames:
            expected = schemas.validate(TABLE, frames[day])
            pd.testing.assert_frame_equal(one.read(TABLE, day, day), expected)
        window = one.read(TABLE, FIRST, FIRST + timedelta(days=3))
        assert len(window) == sum(len(frame) for day, frame in frames.items() if day <= FIRST + timedelta(days=3))
        assert window["start_utc"].is_monotonic_increasing
