"""The wear section: its numbers from rows made by hand, the note, and the picture of depths and costs."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.wear import wear_figure
from bess_pipeline.report.wear import wear_note, wear_table
from bess_pipeline.settings import Settings

FIRST = date(2024, 3, 30)


def wear_rows(days: int = 2) -> pd.DataFrame:
    """Each day: 400 MWh moved, 2,000 GBP in the plan and 3,000 + 100 GBP after the fact; one strategy idle."""
    busy = {
        "equivalent_cycles": 2.0, "throughput_mwh": 400.0, "max_depth": 0.9, "calendar_fade": 0.001,
        "cycle_fade": 0.0005, "calendar_cost_gbp": 100.0, "cycle_cost_gbp": 3000.0, "cost_gbp": 3100.0,
        "plan_cost_gbp": 2000.0,
    }  # fmt: skip
    rows = []
    for n in range(days):
        keys = {"efa_date": FIRST + timedelta(days=n), "state_of_health": 0.99 - 0.0015 * n}
        rows += [{**keys, "strategy": "rule_based", **busy}, {**keys, "strategy": "idle", **dict.fromkeys(busy, 0.0)}]
    return schemas.validate("risk/degradation", pd.DataFrame(rows))


def test_the_table_sums_the_window_and_calibrates_the_plan() -> None:
    table = wear_table(wear_rows()).set_index("strategy")
    assert table.loc["rule-based"].tolist() == [
        "4.0", "800", "90", "0.200", "0.100", "98.85", "4,000", "6,000", "200", "7.50",
    ]  # fmt: skip
    assert table.loc["idle", "would have matched, £/MWh"] == "none"


def test_the_note_says_what_the_costs_stand_on() -> None:
    note = wear_note(Settings())
    for part in ("£300/kWh", "at 80% of its capacity", "The plan charged £5 per MWh", "Neither cost is cash"):
        assert part in note
    assert "cycle_depth_cost" not in note
    assert re.search(r"gives (£\d+\.\d\d, ){3}£\d+\.\d\d per MWh for the 4 parts of a full cycle", note)
    assert "fade does not limit" in note
    assert "fade limits" in wear_note(Settings(degradation={"fade_limits_energy": True}))


def test_the_picture_counts_depths_and_adds_costs_up() -> None:
    starts = gb_time.efa_half_hours(FIRST)
    states = pd.DataFrame({"strategy": "rule_based", "start_utc": starts, "energy_mwh": 5.0})
    states.loc[10:20, "energy_mwh"] = 95.0  # one cycle of 90 % of 100 MWh, as two halves
    figure = wear_figure(wear_rows(3), states, 100.0, Provenance("recorded", "elexon_mid", 2026))
    depths, costs = figure.axes
    heights = [bar.get_height() for bar in depths.patches]
    assert sum(heights) == 1.0
    assert depths.patches[int(np.argmax(heights))].get_x() == pytest.approx(80.5, abs=5)
    ends = sorted(float(np.asarray(line.get_ydata())[-1]) for line in costs.lines if len(line.get_xdata()) == 4)
    assert ends == [0.0, 0.0, 6.0, 9.0]
