"""What the dispatch overlay says and shows: axis, labels, values; the look itself is for eyes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from figure_words import bars, words
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from trading_frames import BATTERY, day_ahead, system_price

from bess_pipeline.figures.dispatch import dispatch_overlay
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.trading.dispatch import idle_day
from bess_pipeline.trading.market_replay import idle_market_day

DAY = date(2024, 2, 20)
SIMULATED = Provenance("simulated", "neso_n2ex", 2026)
OPENING_MWH = 20.0


def overlay(day: date = DAY, provenance: Provenance = SIMULATED, drop: int = 0) -> Figure:
    dispatch = idle_day(day, "rule_based", 50.0)
    dispatch.loc[4:7, "charge_mw"] = 20.0
    dispatch.loc[36, "discharge_mw"] = 30.0
    prices = day_ahead(day, day, lambda t: t.hour - 3.0, source=provenance.day_ahead_source)
    return dispatch_overlay(dispatch, prices.iloc[drop:], BATTERY, provenance)


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


def activated_day() -> pd.DataFrame:
    """A day of a strategy of all markets: at 08:00 it sells 10 MWh and trades 4 back; services move energy all day."""
    rows = idle_market_day(DAY, "co_optimised", OPENING_MWH, BATTERY)
    rows["dcl_mw"], rows["dch_mw"], rows["nqr_mw"] = 6.0, 30.0, 4.0
    rows["activation_import_mwh"], rows.loc[18, "activation_export_mwh"] = 0.75, 0.5
    rows.loc[18, ["discharge_mw", "day_ahead_mwh", "intraday_mwh", "contracted_mwh"]] = 12.0, 10.0, -4.0, 6.0
    rows["imbalance_mwh"] = 0.25
    rows["energy_mwh"] = OPENING_MWH + 0.5 * np.arange(1.0, 49.0)
    return rows


def activated(rows: pd.DataFrame, opening_mwh: float | None = OPENING_MWH) -> Figure:
    prices, system = day_ahead(DAY, DAY, lambda _: 40.0), system_price(DAY, DAY, -7.0)
    return dispatch_overlay(rows, prices, BATTERY, SIMULATED, system_price=system, opening_energy_mwh=opening_mwh)


def line(axes: Axes, label: str) -> np.ndarray:
    (found,) = (np.asarray(one.get_ydata(), dtype=float) for one in axes.get_lines() if one.get_label() == label)
    return found


def test_stored_energy_starts_at_the_state_that_is_given_whatever_services_moved() -> None:
    _, _, _, energy = activated(activated_day()).axes
    assert line(energy, "state of energy")[:3].tolist() == [20.0, 20.5, 21.0]
    _, _, _, later = activated(activated_day(), None).axes
    shown = next(one for one in later.get_lines() if one.get_label() == "state of energy")
    assert (shown.get_xdata()[0], shown.get_ydata()[0]) == (0.5, 20.5)


def test_contracts_day_ahead_and_with_intraday_are_two_lines_and_one_where_they_are_equal() -> None:
    power = activated(activated_day()).axes[1]
    assert line(power, "sold day-ahead")[[17, 18, 19]].tolist() == [0.0, 20.0, 0.0]
    assert line(power, "sold, with intraday")[[17, 18, 19]].tolist() == [0.0, 12.0, 0.0]
    untraded = activated(activated_day().assign(contracted_mwh=lambda rows: rows["day_ahead_mwh"]))
    assert line(untraded.axes[1], "sold day-ahead")[18] == 20.0
    assert "with intraday" not in words(untraded)


def test_activation_has_bars_of_its_own_outwards_from_the_baseline() -> None:
    figure = activated(activated_day())
    power = figure.axes[1]
    at = {x: {(low, high) for place, low, high in bars(power) if place == x and low != high} for x in (8.0, 9.0)}
    assert at[8.0] == {(0.0, -1.5)}
    assert at[9.0] == {(0.0, 12.0), (12.0, 13.0), (0.0, -1.5)}
    assert words(figure).count("activation") == 1
    low, high = power.get_ylim()
    assert low <= -1.5
    assert high >= 20.0
    assert "activation" not in words(overlay())


def test_capacity_held_is_a_panel_low_up_and_high_down() -> None:
    capacity = activated(activated_day()).axes[2]
    held = {(low, high) for _, low, high in bars(capacity)}
    assert held == {(0.0, 6.0), (0.0, -30.0), (-30.0, -34.0)}
    assert capacity.get_ylabel().startswith("Capacity held, MW")
    assert [text.get_text() for text in capacity.get_legend().get_texts()] == ["DC", "QR"]
    assert len(activated(activated_day().assign(dcl_mw=0.0, dch_mw=0.0, nqr_mw=0.0)).axes) == 3


def test_the_system_price_is_drawn_where_there_is_imbalance() -> None:
    price = activated(activated_day()).axes[0]
    assert line(price, "system price").tolist() == [-7.0] * 49
    assert price.get_ylim()[0] < -7.0
    assert "system price" not in words(activated(activated_day().assign(imbalance_mwh=0.0)))
