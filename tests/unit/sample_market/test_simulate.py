"""The simulated market obeys its law: calendar, levels, tails and correlations, measured on its output."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from bess_pipeline.gb_time import (
    LONDON,
    days_between,
    efa_block_bounds_utc,
    efa_columns,
    efa_half_hours,
    periods_in_day,
    settlement_half_hours,
)
from bess_pipeline.sample_dates import DEMO_FIRST_DAY, DEMO_LAST_DAY, FIRST_DATE, LAST_DATE, NOW_UTC
from bess_pipeline.sample_market import MarketTables, simulate
from bess_pipeline.sample_market.simulate import (
    MarketLaw,
)

SEEDS = (20260329, 1, 2, 3, 4)


def panel(market: MarketTables) -> pd.DataFrame:
    """Half-hourly prices side by side, with their London clock."""
    assert market.day_ahead is not None
    frame = market.system_price.merge(market.market_index[["start_utc", "market_index_price_gbp_mwh"]], on="start_utc")
    hourly = market.day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    frame["day_ahead"] = hourly.reindex(frame["start_utc"].dt.floor("h")).to_numpy()
    local = frame["start_utc"].dt.tz_convert(LONDON)
    frame["clock"] = local.dt.hour * 2 + local.dt.minute // 30
    frame["weekend"] = local.dt.day_of_week >= 5
    frame["week"] = (local.dt.tz_localize(None).dt.normalize() - pd.Timestamp(FIRST_DATE)) // pd.Timedelta(days=7)
    return frame.rename(columns={"system_price_gbp_mwh": "system", "net_imbalance_volume_mwh": "niv"}).dropna()


def residual(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column minus its expectation given clock time, weekend and season (least squares on the calendar)."""
    cells = pd.get_dummies(frame["clock"].astype(str) + frame["weekend"].astype(str)).to_numpy(dtype=float)
    angle = 2 * np.pi * frame["start_utc"].dt.day_of_year.to_numpy(dtype=float) / 365
    design = np.column_stack([cells, np.cos(angle), np.sin(angle)])
    values = frame[column].to_numpy(dtype=float)
    return values - design @ np.linalg.solve(design.T @ design, design.T @ values)


def test_dates_leave_120_days_before_the_first_traded_day_and_28_traded_days() -> None:
    assert (DEMO_FIRST_DAY - FIRST_DATE).days >= 120
    assert len(days_between(DEMO_FIRST_DAY, DEMO_LAST_DAY)) == 28
    assert DEMO_FIRST_DAY < date(2026, 3, 29) < DEMO_LAST_DAY
    assert NOW_UTC.astimezone(LONDON).strftime("%Y-%m-%d %H:%M") == "2026-04-12 09:50"


def test_every_settlement_period_and_product_hour_is_there_once(market: MarketTables) -> None:
    wanted = [s for day in days_between(FIRST_DATE, LAST_DATE) for s in settlement_half_hours(day)]
    assert market.system_price["start_utc"].tolist() == wanted
    assert market.market_index["start_utc"].tolist() == wanted
    counts = market.system_price.groupby("settlement_date").size()
    assert counts[date(2026, 3, 29)] == 46
    assert all(counts[day] == periods_in_day(day) for day in counts.index)
    hours = [s for day in days_between(FIRST_DATE, LAST_DATE) for s in efa_half_hours(day)[::2]]
    assert market.day_ahead is not None
    assert market.day_ahead["start_utc"].tolist() == hours
    product_day = efa_columns(market.day_ahead["start_utc"])["efa_date"]
    assert (product_day == date(2026, 3, 29)).sum() == 23


def test_response_windows_are_the_efa_blocks(market: MarketTables) -> None:
    rows = market.response_auction
    assert not rows.duplicated(["product", "delivery_start_utc"]).any()
    assert len(rows) == 6 * 6 * len(days_between(FIRST_DATE, LAST_DATE))
    for day, block, start, end in rows[["efa_date", "efa_block", "delivery_start_utc", "delivery_end_utc"]].itertuples(
        index=False
    ):
        assert (start, end) == efa_block_bounds_utc(day, block)
    change = rows[(rows["efa_date"] == date(2026, 3, 29)) & (rows["efa_block"] == 1)]
    assert set(change["delivery_end_utc"] - change["delivery_start_utc"]) == {pd.Timedelta(hours=3)}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(market: MarketTables) -> None:
    again, other = simulate(), simulate(7)
    for name in ("system_price", "market_index", "response_auction", "day_ahead", "fundamentals"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(market, name), check_exact=True)
        assert not getattr(other, name).equals(getattr(market, name)), name
    assert again.frequency is not None
    assert other.frequency is not None
    assert not np.array_equal(again.frequency(DEMO_FIRST_DAY), other.frequency(DEMO_FIRST_DAY))


@pytest.mark.parametrize("seed", SEEDS)
def test_system_price_residuals_correlate_with_those_of_day_ahead(seed: int) -> None:
    frame = panel(simulate(seed))
    correlation = np.corrcoef(residual(frame, "system"), residual(frame, "day_ahead"))[0, 1]
    assert 0.5 <= correlation < 0.9


def test_default_market_has_the_level_spread_and_negative_hours_of_gb(market: MarketTables) -> None:
    assert market.day_ahead is not None
    price = market.day_ahead["day_ahead_price_gbp_mwh"]
    by_day = price.groupby(efa_columns(market.day_ahead["start_utc"])["efa_date"])
    assert 75 <= price.mean() <= 90
    assert 60 <= (by_day.max() - by_day.min()).mean() <= 90
    assert 0.01 <= (price < 0).mean() <= 0.06
    demo = efa_columns(market.day_ahead["start_utc"])["efa_date"].between(DEMO_FIRST_DAY, DEMO_LAST_DAY)
    assert (price[demo] < 0).sum() >= 5


def test_shape_follows_the_london_clock_on_both_sides_of_the_clock_change(market: MarketTables) -> None:
    frame = panel(market)
    for days in (
        frame["settlement_date"] < date(2026, 3, 29),
        frame["settlement_date"] >= date(2026, 3, 29),
    ):
        by_hour = frame[days & ~frame["weekend"]].groupby(frame["clock"] // 2)["day_ahead"].mean()
        assert by_hour.idxmax() in (17, 18)
        assert by_hour.idxmin() in (2, 3, 4)
        assert by_hour[8] > by_hour[13]
    means = frame.groupby("weekend")["day_ahead"].mean()
    assert means[True] < means[False]


def test_wind_depresses_prices_and_lasts_for_days(market: MarketTables) -> None:
    assert market.fundamentals is not None
    frame = panel(market).merge(market.fundamentals, on="start_utc")
    wind = residual(frame, "wind_mw")
    assert np.corrcoef(wind, residual(frame, "day_ahead"))[0, 1] < -0.5
    daily = market.fundamentals.set_index("start_utc")["wind_mw"].resample("D").mean()
    assert daily.autocorr(1) > 0.4
    assert market.fundamentals["wind_mw"].between(0, MarketLaw().wind_capacity_mw).all()
    negative = frame.loc[frame["day_ahead"] < 0, "wind_mw"]
    assert negative.mean() > frame["wind_mw"].quantile(0.75)


def test_imbalance_volume_drives_the_system_price_with_a_heavy_short_tail(market: MarketTables) -> None:
    frame = panel(market)
    assert 0.5 <= frame["niv"].corr(frame["system"]) <= 0.7
    assert 0.35 <= (frame["niv"] > 0).mean() <= 0.6
    premium = frame["system"] - frame["day_ahead"]
    assert premium[frame["niv"] > 0].median() > 8
    assert premium[frame["niv"] < 0].median() < -8
    assert premium.quantile(0.999) > 2 * -premium.quantile(0.001)
    assert frame["system"].max() > 300
    assert frame["system"].min() < -20


def test_derivation_code_follows_the_sign_of_the_imbalance(market: MarketTables) -> None:
    frame = panel(market)
    expected = np.select([frame["niv"] > 0, frame["niv"] < 0], ["P", "N"], "K")
    assert (frame["price_derivation_code"] == expected).all()
    balanced = frame[frame["niv"] == 0]
    assert len(balanced)
    assert (balanced["system"] == balanced["market_index_price_gbp_mwh"]).all()


def test_market_index_follows_day_ahead_at_the_distance_seen_in_gb(market: MarketTables) -> None:
    frame = panel(market)
    assert frame["market_index_price_gbp_mwh"].corr(frame["day_ahead"]) > 0.73
    assert 5 <= (frame["market_index_price_gbp_mwh"] - frame["day_ahead"]).abs().mean() <= 15
    assert (market.market_index["market_index_volume_mwh"] > 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_response_prices_and_volumes_have_the_scale_of_gb(seed: int) -> None:
    rows = simulate(seed).response_auction
    means = rows.groupby("product")["clearing_price_gbp_mw_h"].mean()
    assert 10 <= means["DRL"] <= 16
    assert -8 <= means["DRH"] <= -3
    assert 2 <= means["DCL"] <= 4
    assert 1 <= means["DCH"] <= 4
    assert 2.5 <= (means["DML"] + means["DMH"]) / 2 <= 5
    negative = (rows["clearing_price_gbp_mw_h"] < 0).groupby(rows["product"]).mean()
    assert negative["DRH"] > 0.8
    assert negative["DMH"] > 0.05
    volume = rows.groupby("product")["cleared_volume_mw"].agg(["min", "max"])
    assert volume.loc["DCL"].between(1000, 1300).all()
    assert volume.drop(["DCL", "DCH"]).stack().between(150, 500).all()
    assert rows["clearing_price_gbp_mw_h"].abs().max() < 1000


def test_response_prices_move_with_energy_prices(market: MarketTables) -> None:
    rows = market.response_auction
    daily = rows.groupby(["efa_date", "product"])["clearing_price_gbp_mw_h"].mean().unstack()
    assert market.day_ahead is not None
    level = market.day_ahead["day_ahead_price_gbp_mwh"].groupby(efa_columns(market.day_ahead["start_utc"])["efa_date"])
    correlation = daily.corrwith(level.mean())
    assert correlation["DRH"] < -0.2
    assert correlation["DRL"] > 0.2


def test_prices_are_multiples_of_a_penny(market: MarketTables) -> None:
    assert market.day_ahead is not None
    for series in (
        market.day_ahead["day_ahead_price_gbp_mwh"],
        market.system_price["system_price_gbp_mwh"],
        market.market_index["market_index_price_gbp_mwh"],
        market.response_auction["clearing_price_gbp_mw_h"],
    ):
        assert [float(f"{value:.2f}") for value in series] == series.tolist()
        assert np.isfinite(series).all()


def test_parameters_of_the_law_are_used() -> None:
    calm = simulate(law=replace(MarketLaw(), wind_effect=0.0, spike_probability=0.0))
    assert calm.day_ahead is not None
    assert (calm.day_ahead["day_ahead_price_gbp_mwh"] > 0).all()


def test_publication_time_of_a_system_price_is_an_hour_after_its_period(market: MarketTables) -> None:
    lag = market.system_price["published_utc"] - market.system_price["start_utc"]
    assert set(lag) == {timedelta(minutes=90)}
