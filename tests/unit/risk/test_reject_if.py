"""Each check of the reject-if list warns of what it is for, and of nothing else."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from trading_frames import BATTERY

from bess_pipeline import gb_time
from bess_pipeline.risk import reject_if

DAY = date(2024, 6, 3)


@pytest.mark.parametrize(
    ("kgbp", "first", "last", "hours", "warned"),
    [
        (251.0, date(2024, 1, 1), date(2024, 12, 31), 2.0, True),
        (251.0, date(2022, 6, 1), date(2023, 1, 1), 1.0, True),  # only partly in the rich years
        (250.0, date(2024, 1, 1), date(2024, 12, 31), 2.0, False),
        (300.0, date(2021, 9, 1), date(2022, 8, 31), 2.0, False),
        (300.0, date(2024, 1, 1), date(2024, 12, 31), 4.0, False),
        (float("nan"), date(2024, 1, 1), date(2024, 12, 31), 2.0, False),
    ],
)
def test_revenue_beyond_any_index(kgbp: float, first: date, last: date, hours: float, warned: bool) -> None:
    assert bool(reject_if.too_rich("a", kgbp, first, last, hours)) == warned


def test_more_than_the_bound_with_its_gap() -> None:
    pnl = {"a": 1000.0, "b": 1020.0, "bound": 1000.0}
    bounds = {"a": "bound", "b": "bound", "c": "bound", "d": "absent"}
    (warning,) = reject_if.above_bound(pnl, bounds, {"bound": 10.0}, 5.0)
    assert warning.startswith("b earned £1,020.00, £5.00 more than bound")
    assert reject_if.above_bound(pnl, bounds, {"bound": 10.0}, 10.0) == []


def test_capture_that_forecasts_cannot_reach() -> None:
    (warning,) = reject_if.captures_too_much({"a": 0.95, "b": 0.951})
    assert warning.startswith("b captures 95.1%")


def dispatch(charge_mw: float, discharge_mw: float, energy: list[float], export: float = 0.0) -> pd.DataFrame:
    starts = gb_time.efa_half_hours(DAY)
    frame = pd.DataFrame({"start_utc": starts, "charge_mw": charge_mw, "discharge_mw": discharge_mw})
    frame["energy_mwh"] = np.resize(energy, len(starts))
    return frame.assign(activation_export_mwh=export, activation_import_mwh=0.0)


def test_cycles_count_activation() -> None:
    """12.5 MW is 300 MWh a day, 3 1/3 cycles of 90 MWh; of it 6 MW may be response energy."""
    assert reject_if.cycles_too_much("a", dispatch(0.0, 11.0, [50.0]), 90.0) == []
    (warning,) = reject_if.cycles_too_much("a", dispatch(0.0, 6.5, [50.0], export=3.0), 90.0)
    assert "cycles 3.33 times a day" in warning
    assert reject_if.cycles_too_much("a", dispatch(0.0, 0.0, [50.0])[:0], 90.0) == []


def test_burning_energy_at_a_negative_price() -> None:
    negative = np.where(np.arange(48) < 4, -20.0, 30.0)
    overlap = dispatch(10.0, 10.0 * 0.88, [50.0])
    warnings = reject_if.free_lunch("a", overlap, negative, BATTERY, 50.0)
    assert len(warnings) == 1
    assert "at once in 4 half-hours of negative price, the first 2024-06-02 22:00 UTC" in warnings[0]
    assert reject_if.free_lunch("a", overlap, np.full(48, 30.0), BATTERY, 50.0) == []


def test_energy_that_goes_nowhere_at_a_negative_price() -> None:
    price = np.append(-20.0, np.full(47, 30.0))
    stored = dispatch(0.0, 0.0, [50.0 + 5.0 * BATTERY.charge_efficiency])
    stored.loc[0, "charge_mw"] = 10.0
    assert reject_if.free_lunch("a", stored, price, BATTERY, 50.0) == []
    vanished = stored.assign(energy_mwh=50.0)
    (warning,) = reject_if.free_lunch("a", vanished, price, BATTERY, 50.0)
    assert f"loses {5.0 * BATTERY.charge_efficiency:.3f} MWh" in warning
