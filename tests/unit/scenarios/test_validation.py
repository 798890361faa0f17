"""Validation on past days, on markets whose right answers are known: a fortnight of a quiet and of a wandering one.

Quiet: every day is the same shape with a level that both markets share, drawn anew each day, and noise. The mean of
past days is then the best forecast there is, and the correlation of the markets' daily means follows from the law.
Wandering: the level is a random walk, so that the last day known says much more than the mean of twenty.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from planted import daily_shape

from bess_pipeline import gb_time
from bess_pipeline.forecast_settings import ForecastSettings, ModelName
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames
from bess_pipeline.scenarios.validation import (
    ValidatedDay,
    Validation,
    mean_residuals,
    scenario_mean_residuals,
)
from bess_pipeline.scenarios.validation_report import Summary, failures, lines, summarise

FIRST, LAST = date(2025, 1, 8), date(2025, 6, 30)
DAYS = gb_time.days_between(date(2025, 6, 10), date(2025, 6, 23))
LEVEL_SD, NOISE_SD, WALK_SD = 4.0, 5.0, 12.0
BOTH = ("day_ahead", "system_price")


def _panel(wandering: bool, later: float = 0.0) -> MarketPanel:
    """Both markets over the same days; outcomes `later` GBP/MWh higher from the first validated day on."""
    rng = np.random.default_rng(5)
    starts = gb_time.half_hours(gb_time.efa_day_bounds_utc(FIRST)[0], gb_time.efa_day_bounds_utc(LAST)[1])
    day = ((starts - starts[0]) // pd.Timedelta(days=1)).to_numpy()
    drawn = rng.standard_normal(int(day[-1]) + 1)
    level = (WALK_SD * np.cumsum(drawn) if wandering else LEVEL_SD * drawn)[day]
    local = starts.tz_convert(gb_time.LONDON)
    usual = daily_shape(48)[np.asarray((local.hour * 60 + local.minute + 60) % 1440) // 30]
    moved = np.where(starts >= gb_time.efa_day_bounds_utc(DAYS[0])[0], later, 0.0)
    hourly = np.repeat(NOISE_SD * rng.standard_normal(starts.size // 2), 2)
    own = NOISE_SD * rng.standard_normal(starts.size)
    start = pd.DataFrame({"start_utc": starts})
    day_ahead = start.assign(
        day_ahead_price_gbp_mwh=np.repeat(usual.reshape(-1, 2).mean(axis=1), 2) + level + hourly + moved,
        source="neso_n2ex",
        native_resolution_minutes=60,
    )
    system = start.assign(
        system_price_gbp_mwh=usual + level + own + moved, net_imbalance_volume_mwh=np.nan, published_utc=pd.NaT
    )
    return panel_of_frames(FIRST, LAST, day_ahead_price=day_ahead, system_price=system)


def _walk(panel: MarketPanel, came: MarketPanel, models: tuple[ModelName, ...], days: list[date]) -> list[ValidatedDay]:
    settings = ForecastSettings(
        calibration_days=140, models=models, similar_days=40, error_half_life_days=1000.0, minimum_history_days=28
    )
    validation = Validation(panel, came, "day_ahead", settings, count=200, seed=3)
    return [validation.day(day) for day in days]


@pytest.fixture(scope="module")
def quiet() -> list[ValidatedDay]:
    panel = _panel(wandering=False)
    return _walk(panel, panel, ("similar_day",), DAYS)


@pytest.fixture(scope="module")
def summary(quiet: list[ValidatedDay]) -> Summary:
    return summarise(quiet, seed=1)


@pytest.fixture(scope="module")
def wandering() -> Summary:
    panel = _panel(wandering=True)
    return summarise(_walk(panel, panel, ("persistence", "similar_day"), DAYS[:9]), seed=1)


def test_intervals_of_a_market_of_the_assumed_kind_hold_nine_in_ten(summary: Summary) -> None:
    assert summary.uncertain == BOTH
    for name in BOTH:
        assert summary.row(name, "coverage_90")["value"] == pytest.approx(0.9, abs=0.05)
        assert summary.row(name, "coverage_90")["days"] == len(DAYS)


def test_the_crps_is_what_the_law_makes_it(summary: Summary) -> None:
    """Of a normal law known exactly: sd / sqrt(pi) (Gneiting and Raftery 2007)."""
    exact = np.hypot(LEVEL_SD, NOISE_SD) / np.sqrt(np.pi)
    for name in BOTH:
        assert summary.row(name, "crps")["value"] == pytest.approx(exact, rel=0.15)


def test_the_yardstick_itself_shows_no_skill_and_that_is_said(summary: Summary) -> None:
    assert summary.row("day_ahead", "crps")["skill"] == 0.0
    said = [line for line in lines(summary) if line.startswith("FAILS: ")]
    assert len(said) == 4
    assert all("no skill shown over similar_day" in line for line in said)


def test_residuals_of_daily_means_correlate_as_the_law_says(quiet: list[ValidatedDay]) -> None:
    """Means of a day share the level's variance; noise leaves 1/24 of its own in an hourly mean, 1/48 in the other."""
    variance = LEVEL_SD**2
    truth = variance / np.sqrt((variance + NOISE_SD**2 / 24) * (variance + NOISE_SD**2 / 48))
    simulated = scenario_mean_residuals(quiet).corr().loc[BOTH]
    assert simulated == pytest.approx(truth, abs=0.05)
    came = mean_residuals([(day.forecast, day.outcomes) for day in quiet])
    assert len(came) == len(DAYS)
    assert came.corr().loc[BOTH] > 0.8


def test_markets_taken_as_independent_are_seen_to_be_worse(summary: Summary) -> None:
    joint = summary.row("all", "cross_variogram_score", "independent")
    assert joint["skill"] > 0.05
    assert joint["p_better"] < 0.05
    assert any(line.startswith("variogram score over cross-market pairs") for line in lines(summary))


def test_outcomes_far_above_what_was_forecast_fail_by_name(summary: Summary) -> None:
    walked = _walk(_panel(wandering=False), _panel(wandering=False, later=500.0), ("similar_day",), DAYS[:2])
    moved = summarise(walked, seed=1)
    found = failures(moved)
    for name in BOTH:
        assert moved.row(name, "coverage_90")["value"] == 0.0
        assert f"{name}: the 90 % interval held 0.0 % of outcomes, asked for are 85 to 95 %" in found
        before = summary.row(name, "crps")["value"]
        assert moved.row(name, "crps")["value"] == pytest.approx(500.0 - before, abs=6 * before)


def test_the_model_that_follows_a_wandering_level_shows_its_skill(wandering: Summary) -> None:
    for name in BOTH:
        row = wandering.row(name, "crps")
        assert row["skill_low"] > 0.2
        assert row["p_better"] < 0.01
    assert not [one for one in failures(wandering) if "no skill" in one]


def test_without_the_yardstick_there_is_nothing_to_compare_with() -> None:
    panel = _panel(wandering=False)
    settings = ForecastSettings(calibration_days=60, models=("similar_day",), minimum_history_days=28)
    one = Validation(panel, panel, "day_ahead", settings, count=20, seed=3, yardstick=False).day(DAYS[0])
    assert not one.rows["score"].str.endswith("similar_day").any()
    assert one.rows["score"].str.endswith("independent").any()
    with pytest.raises(KeyError, match="no crps_none of day_ahead against similar_day"):
        summarise([one], seed=1).row("day_ahead", "crps_none")


def test_a_price_that_is_out_at_the_gate_is_no_forecast() -> None:
    panel = _panel(wandering=False)
    settings = ForecastSettings(calibration_days=60, models=("similar_day",), minimum_history_days=28)
    validation = Validation(panel, panel, "response", settings, count=20, seed=3)
    summary = summarise([validation.day(day) for day in DAYS[:2]], seed=1)
    assert summary.uncertain == ("system_price",)
    assert DAYS[0] - timedelta(days=60) > FIRST
