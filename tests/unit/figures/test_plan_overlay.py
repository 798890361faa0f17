"""The picture of a plan shows the rows it was given: prices, stacked capacity, state of energy and its band."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from decision_frames import plan_rows, price_rows
from figure_words import bars, words
from matplotlib.collections import PolyCollection
from trading_frames import BATTERY

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures.plan_overlay import plan_overlay
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes

DAY, SPRING, AUTUMN = date(2025, 2, 4), date(2026, 3, 29), date(2025, 10, 26)
SIMULATED, RECORDED = Provenance("simulated", "neso_n2ex", 2026), Provenance("recorded", "elexon_mid", 2026)
CAPACITY = {"DCL": 10.0, "DRL": 6.0, "DCH": 12.0, "DMH": 3.0}


@pytest.mark.parametrize(
    ("day", "hours", "blocks_2_and_3", "note"),
    [(DAY, 24.0, (4.0, 12.0), ""), (SPRING, 23.0, (3.0, 11.0), "23-hour day"), (AUTUMN, 25.0, (5.0, 13.0), "25-hour")],
)
def test_capacity_lies_in_its_blocks_low_above_and_high_below(
    day: date, hours: float, blocks_2_and_3: tuple[float, float], note: str
) -> None:
    figure = plan_overlay(plan_rows(day, CAPACITY), price_rows(day), BATTERY, SIMULATED)
    _, power, energy = figure.axes
    assert energy.get_xlim() == (0.0, hours)
    first, last = blocks_2_and_3
    held = {(bottom, top) for x, bottom, top in bars(power) if first <= x < last}
    assert held == {(0.0, 10.0), (10.0, 16.0), (0.0, -12.0), (-12.0, -15.0)}
    assert {x for x, bottom, top in bars(power) if (bottom, top) == (10.0, 16.0)} == set(np.arange(first, last, 0.5))
    assert note in words(figure)
    for part in (
        "(activation): assumed",
        "simulated data",
        "N2EX day-ahead",
        "day-ahead gate",
        "DC",
        "DM",
        "DR",
        "rating",
    ):
        assert part in words(figure), part
    assert [axes.get_ylabel().split(",")[0] for axes in figure.axes] == ["Price", "Power and capacity", "Energy"]


def test_capacity_stands_on_what_the_plan_discharges_or_charges() -> None:
    plan = plan_rows(DAY, CAPACITY)
    plan.loc[10, "discharge_mw"], plan.loc[12, "charge_mw"] = 20.0, 7.0
    power = plan_overlay(plan, price_rows(DAY), BATTERY, SIMULATED).axes[1]
    at = {x: sorted((low, high) for place, low, high in bars(power) if place == x) for x in (5.0, 6.0)}
    assert at[5.0] == sorted([(0.0, 20.0), (20.0, 30.0), (30.0, 36.0), (0.0, -12.0), (-12.0, -15.0)])
    assert at[6.0] == sorted([(0.0, -7.0), (-7.0, -19.0), (-19.0, -22.0), (0.0, 10.0), (10.0, 16.0)])


def test_prices_are_the_mean_with_the_outer_quantiles_of_that_day_alone() -> None:
    rows = price_rows(DAY, -90.0)
    axes = plan_overlay(plan_rows(DAY), rows, BATTERY, RECORDED).axes[0]
    ahead, system = (line for line in axes.lines if len(line.get_xdata()) > 2)
    mean = rows[rows["stream"] == "day_ahead"]["mean"].to_numpy()[:24]
    assert list(ahead.get_ydata()) == [*mean, mean[-1]]
    assert (len(system.get_xdata()), max(system.get_xdata())) == (49, 24.0)
    bands = [one.get_paths()[0].vertices[:, 1] for one in axes.collections if isinstance(one, PolyCollection)]
    assert (bands[0].min(), bands[0].max()) == pytest.approx((mean.min() - 12.0, mean.max() + 18.0))
    assert mean.min() < 0.0 < mean.max()
    assert any(set(line.get_ydata()) == {0.0} for line in axes.lines), "zero stands out where prices cross it"


def test_a_price_known_at_the_gate_or_not_forecast_is_said() -> None:
    rows = price_rows(DAY, gate="response")
    known = rows["stream"] == "day_ahead"
    rows["q05"], rows["q95"] = rows["q05"].mask(known, rows["mean"]), rows["q95"].mask(known, rows["mean"])
    said = words(plan_overlay(plan_rows(DAY, gate="response"), rows[known], BATTERY, SIMULATED))
    for part in ("N2EX day-ahead (known)", "no forecast: system price", "response gate", "| no response capacity |"):
        assert part in said, part
    assert "activation" not in said


def test_energy_with_its_spread_and_the_band_of_contracts() -> None:
    plan = plan_rows(DAY, CAPACITY)
    axes = plan_overlay(plan, price_rows(DAY), BATTERY, SIMULATED, opening_energy_mwh=50.0).axes[2]
    line = next(line for line in axes.lines if line.get_label() == "planned state of energy")
    assert list(line.get_xdata()[:2]) == [0.0, 0.5]
    assert list(line.get_ydata()) == [50.0, *plan["energy_mwh"]]
    areas = {one.get_label(): one.get_paths()[0].vertices for one in axes.collections if len(one.get_paths()[0]) > 4}
    assert areas["5 to 95 % of scenarios"][:, 1].max() == pytest.approx(plan["energy_q95_mwh"].max())
    floor, ceiling = (one for one in axes.collections if one.get_hatch())
    assert floor.get_paths()[0].vertices[:, 1].max() == 5.0 + 10.0 * 0.25 + 6.0 * 1.0
    assert ceiling.get_paths()[0].vertices[:, 1].min() == 95.0 - 12.0 * 0.25 - 3.0 * 0.5
    late = plan_overlay(plan_rows(DAY), price_rows(DAY), BATTERY, SIMULATED).axes[2]
    line = next(line for line in late.lines if line.get_label() == "planned state of energy")
    assert line.get_xdata()[0] == 0.5, "without an opening state nothing is said of 23:00"
    assert not [one for one in late.collections if one.get_hatch()]


def test_a_plan_of_the_day_ahead_market_alone_has_no_capacity_columns_filled() -> None:
    plan = plan_rows(DAY)
    empty = [name for name in plan.columns if name[3:] == "_mw" or name.startswith(("energy_floor", "energy_ceiling"))]
    plan[[*empty, "energy_q05_mwh", "energy_q95_mwh"]] = np.nan
    plan["activation_basis"] = None
    figure = plan_overlay(plan, price_rows(DAY), Battery(100.0, 50.0), SIMULATED)
    assert "no response" in words(figure)
    assert "scenarios" not in words(figure)
    assert {top for _, _, top in bars(figure.axes[1])} == {30.0, -30.0}
    assert "rating" not in words(plan_overlay(plan, price_rows(DAY), Battery(100.0), SIMULATED)), "none is infinite"


def test_capacity_without_a_basis_is_said_and_bases_are_joined() -> None:
    plan = plan_rows(DAY, CAPACITY)
    assert "basis not stated" in words(
        plan_overlay(plan.assign(activation_basis=""), price_rows(DAY), BATTERY, SIMULATED)
    )
    plan.loc[5:, "activation_basis"] = "measured"
    assert "(activation): assumed; measured" in words(plan_overlay(plan, price_rows(DAY), BATTERY, SIMULATED))


def test_two_plans_or_prices_of_another_gate_are_refused_and_one_is_the_same_bytes() -> None:
    plan, prices = plan_rows(DAY, CAPACITY), price_rows(DAY)
    with pytest.raises(ValueError, match="one gate, not day_ahead, response"):
        plan_overlay(pd.concat([plan, plan.assign(gate="response")]), prices, BATTERY, SIMULATED)
    with pytest.raises(ValueError, match="one gate, not day_ahead, response"):
        plan_overlay(plan, price_rows(DAY, gate="response"), BATTERY, SIMULATED)
    with pytest.raises(ValueError, match="one day of one strategy, not 0"):
        plan_overlay(plan.iloc[:0], prices, BATTERY, SIMULATED)
    first, shuffled = (plan_overlay(rows, prices, BATTERY, SIMULATED) for rows in (plan, plan.sample(frac=1.0)))
    assert png_bytes(first) == png_bytes(shuffled)
