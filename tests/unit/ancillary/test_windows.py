"""Blocks of a horizon, through both clock changes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from ancillary_cases import day_of

from bess_pipeline import gb_time
from bess_pipeline.ancillary.windows import horizon_of


@pytest.mark.parametrize(("day", "first"), [(date(2026, 1, 1), 8), (date(2026, 3, 29), 6), (date(2026, 10, 25), 10)])
def test_half_hours_and_hours_of_blocks(day: date, first: int) -> None:
    horizon = day_of(day)
    assert np.bincount(horizon.block).tolist() == [first, 8, 8, 8, 8, 8]
    assert horizon.block_hours.tolist() == [first / 2, 4, 4, 4, 4, 4]
    assert horizon.periods_in_block[[0, -1]].tolist() == [first, 8]
    assert horizon.block_start.tolist() == [0, *(first + 8 * np.arange(5))]
    assert set(horizon.efa_date) == {day}
    assert horizon.spread(np.arange(6.0)).tolist() == horizon.block.tolist()


def test_two_days_have_twelve_blocks_and_a_cut_block_keeps_its_real_length() -> None:
    starts = gb_time.efa_half_hours(date(2026, 10, 24)).append(gb_time.efa_half_hours(date(2026, 10, 25))[:4])
    horizon = horizon_of(pd.DatetimeIndex(starts, name="start_utc").as_unit("us"))
    assert horizon.block[-1] == 6
    assert horizon.block_hours[-1] == 5.0
    assert horizon.periods_in_block[-1] == 10


def test_a_horizon_that_has_gaps_or_begins_within_a_block_is_refused() -> None:
    starts = gb_time.efa_half_hours(date(2026, 1, 1))
    for wrong, said in ((starts[1:], "begins with"), (starts.delete(5), "consecutive"), (starts[:0], "at least one")):
        with pytest.raises(ValueError, match=said):
            horizon_of(wrong)
