"""What the dispatch overlay says and shows: axis, labels, values; the look itself is for eyes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from trading_frames import BATTERY, day_ahead

from bess_pipeline.figures.dispatch import dispatch_overlay
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading.dispatch import idle_day

DAY = date(2024, 2, 20)
SIMULATED = Provenance("simulated", "neso_n2ex", 2026)


def overlay(day: date = DAY, provenance: Provenance = SIMULATED, drop: int = 0) -> Figure:
    dispatch = idle_day(day, "rule_based", 50.0)
    dispatch.loc[4:7, "charge_mw"] = 20.0
    dispatch.loc[36, "discharge_mw"] = 30.0
    prices = day_ahead(day, day, lambda t: t.hour - 3.0, source=provenance.day_ahead_source)
    return dispatch_overlay(dispatch, prices.iloc[drop:], BATTERY, provenance)


def words(figure: Figure) -> str:
    legends = [t.get_text() for axes in figure.axes if axes.get_legend() for t in axes.get_legend().get_texts()]
    return " | ".join([*(t.get_text() for t in figure.texts), *legends])


@pytest.mark.parametrize(
    ("day", "hours", "ticks"),
    [
        (DAY, 24.0, [0, 4, 8, 12, 16, 20, 24]),
        (date(2024, 3, 31), 23.0, [0, 3, 7, 11, 15, 19, 23]),
        (date(2024, 10, 27), 25.0, [0, 5, 9, 13, 17, 21, 25]),
    ],
)
def test_the_axis_is_as_long_as_the_day_and_labels_london_clock_time(day: date, hours: float, ticks: list[int]) -> None:
    figure = overlay(day)
    axes = figure.axes[-1]
    assert axes.get_xlim() == (0.0, hours)
    assert list(axes.get_xticks()) == ticks
    assert [t.get_text() for t in axes.get_xticklabels()] == [
        "23:00", "03:00", "07:00", "11:00", "15:00", "19:00", "23:00",
    ]  # fmt: skip
    note = {23.0: "clocks go forward at 01:00", 25.0: "clocks go back at 02:00"}.get(hours)
    assert ("clocks go" in words(figure)) is (note is not None)
    assert (note or "") in words(figure)


def test_price_power_and_energy_are_drawn_with_their_units() -> None:
    price_axes, power_axes, energy_axes = overlay().axes
    drawn = price_axes.get_lines()[0].get_ydata()
    assert len(drawn) == 49
    assert drawn[0] == 20.0
    assert drawn[2] == -3.0  # midnight
    bars = np.array([(b.get_x(), b.get_height()) for b in power_axes.patches if b.get_height() in (30.0, -20.0)])
    assert bars.tolist() == [[18.0, 30.0], [2.0, -20.0], [2.5, -20.0], [3.0, -20.0], [3.5, -20.0]]
    assert energy_axes.get_lines()[0].get_ydata()[-1] == 50.0
    labels = [axes.get_ylabel() for axes in (price_axes, power_axes, energy_axes)]
    assert labels == ["Price, £/MWh", "Power, MW", "Energy, MWh"]


def test_origin_source_and_attribution_are_stated() -> None:
    simulated = words(overlay())
    assert "simulated data" in simulated
    assert "N2EX day-ahead" in simulated
    assert "Elexon" not in simulated
    recorded = words(overlay(provenance=Provenance("recorded", "elexon_mid", 2024)))
    assert recorded.count("market index standing in for day-ahead") == 2  # subtitle and legend
    assert "Recorded GB data. Contains BMRS data © Elexon Limited copyright and database right 2024." in recorded
    assert "Supported by National Energy SO Open Data." in recorded


def test_a_missing_price_is_a_gap_and_is_counted() -> None:
    figure = overlay(drop=2)
    assert np.isnan(figure.axes[0].get_lines()[0].get_ydata()[:2]).all()
    assert "no price in 2 half-hours" in words(figure)
    assert "no price in 48 half-hours" in words(overlay(drop=48))


def test_more_than_one_day_or_strategy_is_refused() -> None:
    both = pd.concat([idle_day(DAY, "rule_based", 50.0), idle_day(DAY, "other", 50.0)])
    with pytest.raises(ValueError, match="one day of one strategy, not 2"):
        dispatch_overlay(both, day_ahead(DAY, DAY, lambda _: 1.0), BATTERY, SIMULATED)
