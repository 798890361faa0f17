"""Calendar features against dates whose meaning is written out."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from bess_pipeline.forecasting.calendar_features import FEATURES, WEEKDAYS, calendar_features

DAYS = {
    date(2026, 3, 29): {"sunday", "clock_change"},
    date(2026, 3, 30): {"monday", "working_day"},
    date(2026, 4, 3): {"friday", "bank_holiday"},  # Good Friday
    date(2026, 4, 6): {"monday", "bank_holiday"},  # Easter Monday
    date(2026, 10, 25): {"sunday", "clock_change"},
    date(2024, 12, 27): {"friday", "working_day", "bridge_day"},  # between Boxing Day and a Saturday
    date(2021, 12, 25): {"saturday", "bank_holiday"},
    date(2021, 12, 28): {"tuesday", "bank_holiday"},  # the substitute day
    date(2024, 7, 3): {"wednesday", "working_day"},
}
WAVES = [name for name in FEATURES if name.startswith("year_")]


@pytest.mark.parametrize("day", DAYS)
def test_flags_of_known_days(day: date) -> None:
    features = calendar_features([day])
    flags = {name for name in features.names if name not in WAVES and features.column(name)[0] == 1.0}
    assert flags == DAYS[day]
    assert set(np.unique([features.column(name)[0] for name in FEATURES if name not in WAVES])) == {0.0, 1.0}


def test_a_lead_looks_at_a_later_day() -> None:
    days = sorted(DAYS)
    later = calendar_features([date(2026, 3, 28), date(2026, 4, 5)], lead=1)
    assert later.column("clock_change").tolist() == [1.0, 0.0]
    assert later.column("bank_holiday").tolist() == [0.0, 1.0]
    assert calendar_features(days).value.shape == (len(days), len(FEATURES))
    assert calendar_features([]).value.shape == (0, len(FEATURES))


def test_each_day_is_one_day_of_the_week_and_the_year_goes_round() -> None:
    year = [date.fromordinal(date(2025, 1, 1).toordinal() + n) for n in range(365)]
    features = calendar_features(year)
    assert sum(features.column(name) for name in WEEKDAYS).tolist() == [1.0] * 365  # type: ignore[union-attr]
    assert len(WAVES) == 4
    for name in WAVES:
        wave = features.column(name)
        assert abs(wave).max() == pytest.approx(1.0, abs=1e-3)
        assert np.abs(np.diff(wave)).max() < 0.05
        assert wave[0] == pytest.approx(wave[-1], abs=0.06)
    np.testing.assert_allclose(features.column("year_sin_1") ** 2 + features.column("year_cos_1") ** 2, 1.0)
    with pytest.raises(ValueError, match="not in"):
        features.column("full_moon")
