"""Which past days are forecast without themselves."""

from __future__ import annotations

import numpy as np

from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.forecasting.model import splits

SETTINGS = ForecastSettings(choice_days=28, cross_validation_folds=5, gap_days=2)


def test_every_usable_row_is_forecast_once_and_never_by_itself_or_its_neighbours() -> None:
    usable = np.ones(200, dtype=bool)
    usable[[0, 50, 120, 199]] = False
    found = splits(usable, SETTINGS)
    np.testing.assert_array_equal(np.sum([split.test for split in found], axis=0), usable.astype(int))
    for split in found:
        assert not (split.train & ~usable).any()
        near = np.abs(np.flatnonzero(split.train)[:, None] - np.flatnonzero(split.test)[None, :])
        assert near.min() > SETTINGS.gap_days


def test_the_last_weeks_are_forecast_from_what_came_before_them_alone() -> None:
    usable = np.ones(200, dtype=bool)
    forward = [split for split in splits(usable, SETTINGS) if split.forward]
    assert [int(split.test.sum()) for split in forward] == [7, 7, 7, 7]
    assert sum(int(split.test[-28:].sum()) for split in forward) == 28
    for split in forward:
        assert np.flatnonzero(split.train).max() < np.flatnonzero(split.test).min() - SETTINGS.gap_days


def test_no_usable_row_gives_no_split() -> None:
    assert splits(np.zeros(30, dtype=bool), SETTINGS) == []
