"""One-second frequency: moments against the closed form of its law, joins between days, and NESO's layout."""

from __future__ import annotations

import io
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from bess_pipeline.sample_market.frequency import CSV_HEADER, CSV_ROW_BYTES, csv_of_day, frequency_of_day, months

DAY = date(2026, 3, 29)


def test_moments_are_those_of_the_law() -> None:
    deviation = np.concatenate([frequency_of_day(DAY + timedelta(days=n), 5) for n in range(8)]) - 50.0
    assert abs(deviation.mean()) < 0.004
    assert abs(deviation.std() - 0.065) < 0.004
    for lag in (60, 300):
        seen = np.corrcoef(deviation[:-lag], deviation[lag:])[0, 1]
        assert abs(seen - np.exp(-lag / 300.0)) < 0.03
    assert np.abs(deviation).max() < 0.5


def test_energy_of_dynamic_regulation_is_near_the_published_throughput() -> None:
    deviation = np.concatenate([frequency_of_day(DAY + timedelta(days=n), 5) for n in range(4)]) - 50.0
    low = np.clip((-deviation - 0.015) / 0.185, 0.0, 1.0)
    assert 2.0 <= 24 * low.mean() <= 3.6  # MWh per MW and day, domain reference 5.4


def test_days_join_without_a_jump_and_each_can_be_made_alone() -> None:
    first, second = frequency_of_day(DAY, 1), frequency_of_day(DAY + timedelta(days=1), 1)
    largest_step = np.abs(np.diff(first)).max()
    assert abs(second[0] - first[-1]) <= largest_step
    assert np.array_equal(second, frequency_of_day(DAY + timedelta(days=1), 1))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, frequency_of_day(DAY, 2))


def test_values_have_three_decimals_and_there_is_one_a_second() -> None:
    values = frequency_of_day(DAY, 1)
    assert len(values) == 86_400
    assert [float(f"{value:.3f}") for value in values[:5000]] == values[:5000].tolist()


def test_csv_is_nesos_layout_and_says_its_size() -> None:
    values = frequency_of_day(DAY, 1)
    content = CSV_HEADER + csv_of_day(DAY, values)
    assert len(content) == len(CSV_HEADER) + 86_400 * CSV_ROW_BYTES
    frame = pd.read_csv(io.BytesIO(content))
    assert list(frame.columns) == ["dtm", "f"]
    assert frame["f"].tolist() == values.tolist()
    stamps = pd.date_range("2026-03-29", periods=86_400, freq="s").strftime("%Y-%m-%d %H:%M:%S")
    assert frame["dtm"].tolist() == stamps.tolist()


def test_layout_is_that_of_a_recorded_file(realdata: Path) -> None:
    """The recorded file leaves trailing zeros out; header, stamps and values are the same."""
    recorded = pd.read_csv(realdata / "tables" / "system_frequency_2024-01-01_1264s.csv")
    ours = pd.read_csv(io.BytesIO(CSV_HEADER + csv_of_day(date(2024, 1, 1), recorded["f"].to_numpy())))
    pd.testing.assert_frame_equal(ours, recorded, check_exact=True)


def test_months_split_days_in_order() -> None:
    days = tuple(date(2026, 3, 30) + timedelta(days=n) for n in range(4))
    assert list(months(days)) == [(2026, 3, days[:2]), (2026, 4, days[2:])]
