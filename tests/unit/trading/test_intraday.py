"""The rules of trade within the day: size, price, deadline, and where there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from market_days import market
from pydantic import ValidationError

from bess_pipeline.intraday_settings import IntradaySettings
from bess_pipeline.settings import load_settings
from bess_pipeline.trading.intraday import has_intraday_market


def test_the_most_is_the_smaller_of_power_and_share_of_the_expected_volume() -> None:
    trade = market(np.array([50.0, np.nan]), 300.0, share=0.05, max_mw=20.0)
    assert trade.most_mwh.tolist() == [10.0, 10.0]  # whether there will be an index is not known
    assert market(np.array([50.0]), 100.0, share=0.05, max_mw=20.0).most_mwh.tolist() == [5.0]
    assert market(np.array([50.0]), np.nan).most_mwh.tolist() == [0.0]


def test_a_fill_is_cut_to_the_share_of_the_volume_that_came_out() -> None:
    trade = replace(
        market(np.array([50.0, 50.0, 50.0, np.nan]), 300.0), realised_volume_mwh=np.array([40, 0, np.nan, 9])
    )
    assert trade.filled_mwh(np.array([-4.0, 4.0, 4.0, 4.0])).tolist() == [-2.0, 0.0, 4.0, 0.0]
    assert trade.filled_mwh(np.array([1.5])).tolist() == [1.5]


def test_who_knows_the_outcome_decides_nothing_that_is_not_filled() -> None:
    index, realised = np.array([50.0, 50.0, 50.0, 50.0, np.nan]), np.array([40.0, 900.0, np.nan, 0.0, 300.0])
    trade = replace(market(index, 100.0, max_mw=50.0), realised_volume_mwh=realised).as_it_came_out()
    assert trade.most_mwh.tolist() == [2.0, 5.0, 5.0, 0.0, 0.0]


def test_half_the_spread_is_lost_either_way_and_at_a_negative_index_too() -> None:
    trade = market(np.array([50.0, -20.0]), half_spread_gbp_mwh=3.0)
    assert trade.fill_price_gbp_mwh(0, 4.0) == 47.0
    assert trade.fill_price_gbp_mwh(0, -4.0) == 53.0
    assert trade.fill_price_gbp_mwh(1, 0.1) == -23.0
    assert math.isnan(trade.fill_price_gbp_mwh(0, 0.0))


@pytest.mark.parametrize(("minutes", "lead"), [(60, 0), (61, 1), (90, 1), (91, 2), (120, 2)])
def test_a_deadline_is_met_by_the_last_decision_before_it(minutes: int, lead: int) -> None:
    assert market(np.array([50.0]), notification_minutes=minutes).lead_periods == lead


def test_a_deadline_after_the_dispatch_decision_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 60"):
        IntradaySettings(notification_minutes=30)


@pytest.mark.parametrize("source", ["neso_n2ex", "entsoe", "file"])
def test_there_is_no_market_where_it_is_off_or_where_the_index_stands_in_for_day_ahead(source: str) -> None:
    assert has_intraday_market(IntradaySettings(), source)
    assert not has_intraday_market(IntradaySettings(enabled=False), source)
    assert not has_intraday_market(IntradaySettings(), "elexon_mid")


def test_trade_within_the_day_changes_dispatch_and_no_plan() -> None:
    usual, other = load_settings(), load_settings(intraday={"half_spread_gbp_mwh": 2.5})
    assert usual.market_dispatch_fingerprint() != other.market_dispatch_fingerprint()
    assert usual.co_optimisation_fingerprint() == other.co_optimisation_fingerprint()
    planned = load_settings(co_optimisation={"imbalance_limit_mw": 0.0})
    assert planned.market_dispatch_fingerprint() != usual.market_dispatch_fingerprint()
