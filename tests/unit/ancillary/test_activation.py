"""Response energy against closed forms, plain loops, and a recorded file of one-second frequency."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import pi
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import schemas
from bess_pipeline.ancillary.activation import response_energy
from bess_pipeline.ancillary.response_curves import PRODUCTS
from bess_pipeline.sample_market.frequency import frequency_of_day

START = datetime(2024, 1, 1, tzinfo=UTC)
LIMITS = {"DC": ((0.015, 0.0), (0.2, 0.05), (0.5, 1.0)), "DM": ((0.015, 0.0), (0.1, 0.05), (0.2, 1.0)),
          "DR": ((0.015, 0.0), (0.2, 1.0))}  # fmt: skip


def energy(frame: pd.DataFrame, product: str) -> list[float]:
    rows = frame[frame["product"] == product].sort_values("start_utc")
    return [float(value) for value in rows["energy_mwh_per_mw"]]


def share_by_hand(product: str, frequency: float) -> float:
    """The curve walked corner by corner in plain arithmetic."""
    deviation = round((50.0 - frequency) if product[2] == "L" else (frequency - 50.0), 6)
    corners = LIMITS[product[:2]]
    if deviation <= corners[0][0]:
        return 0.0
    for (x0, y0), (x1, y1) in pairwise(corners):
        if deviation <= x1:
            return y0 + (y1 - y0) * (deviation - x0) / (x1 - x0)
    return 1.0


def test_a_constant_frequency_gives_share_times_half_an_hour() -> None:
    frame = response_energy(START, np.full(1800, 49.9), "assumed")
    shares = {"DCL": 0.05 * 0.085 / 0.185, "DML": 0.05, "DRL": 0.085 / 0.185, "DCH": 0.0, "DMH": 0.0, "DRH": 0.0}
    assert {p: energy(frame, p)[0] for p in PRODUCTS} == pytest.approx({p: s / 2 for p, s in shares.items()})
    assert set(frame["coverage"]) == {1.0}
    assert set(frame["basis"]) == {"assumed"}
    schemas.validate("market/response_energy", frame)


def test_a_sine_inside_the_linear_part_of_dr_has_a_closed_form() -> None:
    """f = 50 + A sin: DRH earns the integral of (A sin - 0.015) / 0.185 over the angles above the deadband."""
    amplitude, cycles = 0.15, 6
    angle = 2 * pi * cycles * (np.arange(1800) + 0.5) / 1800
    frame = response_energy(START, 50 + amplitude * np.sin(angle), "assumed")
    from_angle = np.arcsin(0.015 / amplitude)
    per_cycle = (2 * amplitude * np.cos(from_angle) - 0.015 * (pi - 2 * from_angle)) / (0.185 * 2 * pi)
    assert energy(frame, "DRH")[0] == pytest.approx(0.5 * per_cycle, rel=1e-4)
    assert energy(frame, "DRL")[0] == pytest.approx(0.5 * per_cycle, rel=1e-4)


def test_sign_decides_direction_half_hour_by_half_hour() -> None:
    frame = response_energy(START, np.concatenate([np.full(1800, 49.8), np.full(1800, 50.2)]), "measured")
    assert energy(frame, "DRL") == [0.5, 0.0]
    assert energy(frame, "DRH") == [0.0, 0.5]
    assert sorted(set(frame["start_utc"])) == [pd.Timestamp(START), pd.Timestamp(START + timedelta(minutes=30))]


def test_missing_seconds_lower_coverage_and_are_never_made_up() -> None:
    values = np.full(5400, 49.8)
    values[:60] = np.nan  # 1740 of 1800 in the first half-hour
    values[1800 : 1800 + 91] = np.nan  # 1709 of 1800: below 95 %
    frame = response_energy(START, values, "measured")
    assert energy(frame, "DRL") == [pytest.approx(1740 / 3600), 0.5]
    rows = frame[frame["product"] == "DRL"]
    assert rows["coverage"].tolist() == [1740 / 1800, 1.0]
    assert rows["start_utc"].tolist() == [pd.Timestamp(START), pd.Timestamp(START + timedelta(hours=1))]
    assert response_energy(START, np.full(1800, np.nan), "measured").empty


def test_a_start_off_the_grid_or_a_broken_half_hour_is_refused() -> None:
    for start, count in ((START + timedelta(minutes=1), 1800), (START, 1799)):
        with pytest.raises(ValueError, match="whole half-hours"):
            response_energy(start, np.full(count, 50.0), "measured")


def test_a_recorded_file_equals_a_plain_loop_over_its_seconds(realdata: Path) -> None:
    recorded = pd.read_csv(realdata / "tables" / "system_frequency_2024-01-01_1264s.csv")["f"].to_numpy()
    padded = np.concatenate([recorded, np.full(1800 - len(recorded), np.nan)])
    frame = response_energy(START, padded, "measured", min_coverage=0.7)
    for product in PRODUCTS:
        by_hand = sum(share_by_hand(product, float(value)) for value in recorded) / 3600
        assert energy(frame, product) == [pytest.approx(by_hand, rel=1e-9)]
    assert set(frame["coverage"]) == {1264 / 1800}
    assert energy(frame, "DRH")[0] > energy(frame, "DRL")[0]  # midnight of the new year ran high
    assert response_energy(START, padded, "measured").empty


def test_simulated_days_move_energy_as_published() -> None:
    """Domain reference 5.4: DR 2.5 to 3.6 MWh per MW and day each way; DC far below, DM between."""
    values = np.concatenate([frequency_of_day(START.date() + timedelta(days=n), 5) for n in range(4)])
    totals = response_energy(START, values, "simulated").groupby("product")["energy_mwh_per_mw"].sum() / 4
    assert 2.0 <= totals["DRL"] <= 3.6
    assert 2.0 <= totals["DRH"] <= 3.6
    assert totals["DCL"] < totals["DML"] < totals["DRL"]
