"""The picture of `bess optimise`: which layout, what the calendar holds on clock-change days, refusals."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.figures.schedule import power_calendar, schedule_picture
from bess_pipeline.figures.style import png_bytes

STEP = timedelta(minutes=30)
BATTERY = Battery(100.0, 50.0, 0.9, 0.9)


def _frame(first: str, periods: int) -> pd.DataFrame:
    starts = pd.Series(pd.date_range(first, periods=periods, freq="30min", tz="UTC", unit="us"))
    power = np.tile([50.0, 0.0, -25.0, 0.0], periods // 4 + 1)[:periods]
    return pd.DataFrame(
        {
            "start_utc": starts,
            "price_gbp_mwh": np.linspace(-20.0, 90.0, periods),
            "charge_mw": np.maximum(-power, 0.0),
            "discharge_mw": np.maximum(power, 0.0),
            "energy_mwh": 50.0 + power / 4,
            "cash_gbp": power,
        }
    )


def test_a_short_series_shows_every_period() -> None:
    frame = _frame("2026-03-27", 96)
    figure = schedule_picture(frame, STEP, BATTERY, "prices.csv")
    price, power, energy = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["Price, £/MWh", "Power, MW", "Energy, MWh"]
    heights = sorted(patch.get_height() for patch in power.patches)
    assert sum(heights) == pytest.approx((frame["discharge_mw"] - frame["charge_mw"]).sum())
    assert len(price.lines[0].get_xdata()) == 97
    np.testing.assert_array_equal(energy.lines[0].get_ydata(), frame["energy_mwh"])
    texts = " ".join(text.get_text() for text in figure.texts)
    assert "27 Mar 2026 to 28 Mar 2026" in texts
    assert "prices.csv" in texts


def test_a_long_series_becomes_a_calendar_with_its_cash_by_london_day() -> None:
    frame = _frame("2026-03-20", 48 * 30)
    figure = schedule_picture(frame, STEP, BATTERY, "prices.csv")
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert "Hour of day" in labels
    cash = figure.axes[labels.index("Cash a day, £k")]
    assert sum(patch.get_height() for patch in cash.patches) == pytest.approx(frame["cash_gbp"].sum() / 1000)
    assert len(cash.patches) == 31  # 30 days of UTC reach into one London day more after the clocks go forward
    assert png_bytes(figure)[:4] == b"\x89PNG"


def test_the_calendar_of_clock_change_days() -> None:
    """01:00-02:00 does not exist on 2026-03-29 and comes twice on 2026-10-25."""
    spring = _frame("2026-03-29T00:00", 46)
    days, grid = power_calendar(spring, spring["start_utc"].dt.tz_convert("Europe/London"), STEP)
    assert days == [date(2026, 3, 29)]
    assert np.flatnonzero(np.isnan(grid[:, 0])).tolist() == [2, 3]
    autumn = _frame("2026-10-24T23:00", 50)
    days, grid = power_calendar(autumn, autumn["start_utc"].dt.tz_convert("Europe/London"), STEP)
    net = (autumn["discharge_mw"] - autumn["charge_mw"]).to_numpy()
    assert days == [date(2026, 10, 25)]
    np.testing.assert_allclose(grid[2:4, 0], [(net[2] + net[4]) / 2, (net[3] + net[5]) / 2])
    assert not np.isnan(grid).any()


def test_steps_of_a_day_and_without_a_power_limit() -> None:
    starts = pd.Series(pd.date_range("2026-01-01", periods=20, freq="D", tz="UTC", unit="us"))
    frame = _frame("2026-01-01", 20).assign(start_utc=starts)
    figure = schedule_picture(frame, timedelta(days=1), Battery(100.0), "prices.csv")
    assert "MW," not in figure.texts[1].get_text()
    assert png_bytes(figure)[:4] == b"\x89PNG"


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="without periods"):
        schedule_picture(_frame("2026-01-01", 4).iloc[:0], STEP, BATTERY, "prices.csv")
