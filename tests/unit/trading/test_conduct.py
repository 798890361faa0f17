"""The note on conduct of stored plans; that of a decision, over its scenarios, is in `test_plan_explanation.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from gate_cases import CLOCKS_FORWARD

from bess_pipeline import gb_time
from bess_pipeline.trading.conduct import conduct_note_of_rows


def plan_rows(day: Any, charge: np.ndarray, discharge: np.ndarray, sold: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame({"start_utc": gb_time.efa_half_hours(day)})
    return frame.assign(charge_mw=charge, discharge_mw=discharge, day_ahead_mw=sold)


def test_the_note_of_stored_rows_names_the_half_hours_in_london() -> None:
    count = len(gb_time.efa_half_hours(CLOCKS_FORWARD))
    sold, discharge = np.zeros(count), np.zeros(count)
    discharge[3:5], sold[20] = 2.0, 4.0  # long an hour over the change of clocks, short half an hour later
    note = conduct_note_of_rows(plan_rows(CLOCKS_FORWARD, np.zeros(count), discharge, sold))
    assert "by 4.0 MWh (long 2.0, short 2.0) in 3 of 46 half-hours: 00:30 to 02:30, 10:00 to 10:30 London" in note
    assert conduct_note_of_rows(plan_rows(CLOCKS_FORWARD, np.zeros(count), discharge, discharge)) == ""
