"""Orders of a plan: their rows, their clearing against written-out results, and accepted volumes read back."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stochastic_problems import coupled, price_paths

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.stochastic.steps import optimise_steps
from bess_pipeline.trading.orders import (
    COLUMNS,
    accepted_capacity_mw,
    accepted_day_ahead_mw,
    basket_orders,
    bid_curve,
    capacity_orders,
    clear,
    day_ahead_orders,
    stepped_orders,
)

DAY = date(2024, 3, 7)
KEY = {"efa_date": DAY, "strategy": "co_optimised", "gate": "day_ahead"}
START = gb_time.efa_half_hours(DAY)
HOURS = START[::2]
BLOCKS = START[::8]
BLOCK_ENDS = BLOCKS + pd.Timedelta(hours=4)


def day_ahead(prices: Any, starts: pd.DatetimeIndex = START) -> pd.DataFrame:
    return pd.DataFrame({"start_utc": starts, "day_ahead_price_gbp_mwh": np.broadcast_to(prices, len(starts))})


def auctions(rows: list[tuple[str, int, float]]) -> pd.DataFrame:
    """Rows of product, block and price."""
    return pd.DataFrame(
        {
            "product": [code for code, _, _ in rows],
            "delivery_start_utc": pd.DatetimeIndex([BLOCKS[b] for _, b, _ in rows], tz="UTC").as_unit("us"),
            "clearing_price_gbp_mw_h": np.array([price for _, _, price in rows], dtype=float),
        }
    )


NO_AUCTION = auctions([])
NO_PRICE = day_ahead(50.0)[:0]


def capacity(mw: Any, limit: Any, codes: tuple[str, ...] = ("DCL", "DRH"), *, basket: bool = False) -> pd.DataFrame:
    make = basket_orders if basket else capacity_orders
    shape = (len(codes), 6)
    volume, price = (np.zeros(shape), np.zeros(shape))
    volume[:, 1], price[:, 1] = mw, limit
    return make(KEY, codes, volume, price, BLOCKS, BLOCK_ENDS)


def test_rows_of_single_volumes() -> None:
    volume = np.zeros(24)
    volume[[3, 20]] = -12.5, 40.0
    orders = day_ahead_orders(KEY, HOURS, 60, volume, np.where(volume, 51.239, np.nan))
    assert list(orders.columns) == list(COLUMNS)
    assert orders["offered_mw"].tolist() == [-12.5, 40.0]
    assert orders["limit_price"].tolist() == [51.24, 51.24]
    assert orders["start_utc"].tolist() == [HOURS[3], HOURS[20]]
    assert (orders["end_utc"] - orders["start_utc"] == pd.Timedelta(hours=1)).all()
    assert set(orders["product"]) == {"hour"}
    assert set(orders["step"]) == {0}
    assert orders[["basket", "clearing_price", "accepted_mw"]].isna().all(axis=None)
    assert orders["start_utc"].dtype == gb_time.UTC_DTYPE
    assert str(orders["basket"].dtype) == "Int64"


def test_the_look_ahead_is_not_offered() -> None:
    starts = START.append(gb_time.efa_half_hours(date(2024, 3, 8)))
    orders = day_ahead_orders(KEY, starts, 30, np.ones(96), np.full(96, 10.0))
    assert orders["start_utc"].tolist() == START.tolist()


@pytest.mark.parametrize("offered", [10.0, -10.0])
@pytest.mark.parametrize(("price", "reaches"), [(39.99, -1), (40.0, 0), (40.01, 1)])
def test_the_limit_itself_is_accepted(offered: float, price: float, reaches: int) -> None:
    orders = day_ahead_orders(KEY, HOURS[:1], 60, [offered], [40.0])
    cleared = clear(orders, day_ahead(price), NO_AUCTION)
    expected = offered if reaches * offered >= 0 else 0.0
    assert cleared["accepted_mw"].tolist() == [expected]
    assert cleared["clearing_price"].tolist() == [price]
    assert accepted_day_ahead_mw(cleared, HOURS[:2]).tolist() == [expected, 0.0]
    assert accepted_day_ahead_mw(cleared, START[:4]).tolist() == [expected, expected, 0.0, 0.0]


def test_an_hour_clears_at_the_mean_of_both_half_hours_or_not_yet() -> None:
    orders = day_ahead_orders(KEY, HOURS[:2], 60, [5.0, 5.0], [50.0, 50.0])
    prices = day_ahead([30.0, 71.0, 90.0, 90.0], START[:4])
    assert clear(orders, prices, NO_AUCTION)["clearing_price"].tolist() == [50.5, 90.0]
    half = clear(orders, prices[:3], NO_AUCTION)
    assert half["accepted_mw"].isna().tolist() == [False, True]
    assert np.isnan(accepted_day_ahead_mw(half, HOURS[:2])).tolist() == [False, True]


def test_half_hour_products_clear_at_their_own_price() -> None:
    orders = day_ahead_orders(KEY, START[:2], 30, [5.0, -5.0], [50.0, 50.0])
    cleared = clear(orders, day_ahead([49.0, 51.0], START[:2]), NO_AUCTION)
    assert cleared["product"].tolist() == ["half_hour"] * 2
    assert cleared["accepted_mw"].tolist() == [0.0, 0.0]


@given(limit=st.floats(-200.0, 300.0), mw=st.sampled_from([-12.5, 7.0]), price=st.floats(-100.0, 200.0))
def test_volumes_of_an_index_are_accepted_whatever_their_limit(limit: float, mw: float, price: float) -> None:
    orders = day_ahead_orders(KEY, START[:2], 30, [mw, mw], [limit, limit])
    cleared = clear(orders, day_ahead([price], START[:1]), NO_AUCTION, volumes_as_offered=True)
    assert cleared["accepted_mw"][0] == mw
    assert np.isnan(cleared["accepted_mw"][1])  # no price yet


def test_steps_of_a_curve_are_cleared_at_the_index() -> None:
    orders = stepped_orders(KEY, START[:1], 30, [0, 0], [5.0, 5.0], [40.0, 60.0])
    cleared = clear(orders, day_ahead([50.0], START[:1]), NO_AUCTION, volumes_as_offered=True)
    assert cleared["accepted_mw"].tolist() == [5.0, 0.0]


def test_capacity_is_whole_and_cleared_by_product_and_block() -> None:
    orders = capacity([20.9, 7.0], [3.0, -2.0])
    assert orders["offered_mw"].tolist() == [20.0, 7.0]
    assert orders["end_utc"].tolist() == [BLOCK_ENDS[1]] * 2
    results = auctions([("DCL", 1, 3.0), ("DRH", 1, -2.5), ("DCL", 2, 99.0)])
    cleared = clear(orders, NO_PRICE, results)
    assert cleared["accepted_mw"].tolist() == [20.0, 0.0]
    expected = np.zeros((2, 6))
    expected[0, 1] = 20.0
    np.testing.assert_array_equal(accepted_capacity_mw(cleared, ("DCL", "DRH"), BLOCKS), expected)
    np.testing.assert_array_equal(
        accepted_capacity_mw(cleared, ("DRH", "dcl"), START)[1].reshape(6, 8).max(1), expected[0]
    )


def test_an_auction_without_a_price_accepts_nothing_and_no_auction_leaves_it_open() -> None:
    cleared = clear(capacity([20.0, 7.0], 0.0), NO_PRICE, auctions([("DCL", 1, np.nan)]))
    assert cleared["accepted_mw"].tolist()[0] == 0.0
    assert np.isnan(cleared["accepted_mw"].tolist()[1])
    assert cleared["clearing_price"].isna().all()
    mw = accepted_capacity_mw(cleared, ("DCL", "DRH"), BLOCKS)
    assert mw[0].tolist() == [0.0] * 6
    assert np.isnan(mw[1]).tolist() == [False, True, False, False, False, False]


def test_half_hours_of_a_response_block_make_one_offer_and_reserve_stays_by_half_hour() -> None:
    volume = np.zeros((2, 48))
    volume[0, 8:16], volume[1, [9, 10]] = 12.0, 6.0
    volume[0, 11] = 11.0
    orders = capacity_orders(KEY, ("DCL", "PQR"), volume, np.full((2, 48), 4.0), START, START + gb_time.HALF_HOUR)
    assert orders["market"].tolist() == ["reserve", "reserve", "response"]
    assert orders["offered_mw"].tolist() == [6.0, 6.0, 11.0]
    assert orders["end_utc"].tolist() == [START[10], START[11], BLOCKS[2]]
    cleared = clear(orders, NO_PRICE, auctions([("DCL", 1, 5.0)]))
    assert accepted_capacity_mw(cleared, ("DCL",), START)[0].tolist() == [0.0] * 8 + [11.0] * 8 + [0.0] * 32


def test_a_basket_is_taken_whole_though_one_part_clears_below_its_limit() -> None:
    orders = capacity([30.0, 10.0], [2.0, 6.0], basket=True)
    assert orders["limit_price"].tolist() == [3.0, 3.0]
    assert orders["basket"].nunique() == 1
    taken = clear(orders, NO_PRICE, auctions([("DCL", 1, 5.0), ("DRH", 1, -3.0)]))  # 150 - 30 = 40 x 3
    assert taken["accepted_mw"].tolist() == [30.0, 10.0]
    refused = clear(orders, NO_PRICE, auctions([("DCL", 1, 4.99), ("DRH", 1, -3.0)]))
    assert refused["accepted_mw"].tolist() == [0.0, 0.0]
    waiting = clear(orders, NO_PRICE, auctions([("DCL", 1, 4.99)]))
    assert waiting["accepted_mw"].isna().all()
    without = clear(orders, NO_PRICE, auctions([("DCL", 1, 50.0), ("DRH", 1, np.nan)]))
    assert without["accepted_mw"].tolist() == [0.0, 0.0]


def test_baskets_of_other_blocks_are_cleared_on_their_own() -> None:
    orders = basket_orders(KEY, ("DCL", "DRH"), np.full((2, 6), 5.0), np.full((2, 6), 4.0), BLOCKS, BLOCK_ENDS)
    assert orders.groupby("basket")["start_utc"].nunique().tolist() == [1] * 6
    prices = [(code, b, 2.0 + b + (1.0 if code == "DCL" else -1.0)) for b in range(6) for code in ("DCL", "DRH")]
    mw = accepted_capacity_mw(clear(orders, NO_PRICE, auctions(prices)), ("DCL", "DRH"), BLOCKS)
    np.testing.assert_array_equal(mw, [[0, 0, 5, 5, 5, 5]] * 2)


def test_steps_count_in_merit_order_and_round_in_sum() -> None:
    orders = stepped_orders(
        KEY, HOURS, 60, [2, 2, 2, 2, 0], [10.04, 5.04, -3.0, -4.0, 0.02], [60.0, 40.0, 10.0, 20.0, 5.0]
    )
    assert orders["step"].tolist() == [1, 2, 3, 4]
    assert orders["limit_price"].tolist() == [40.0, 60.0, 20.0, 10.0]
    np.testing.assert_allclose(orders["offered_mw"], [5.0, 10.1, -4.0, -3.0])
    curve = bid_curve(orders)
    assert curve["side"].tolist() == ["purchase", "purchase", "sale", "sale"]
    np.testing.assert_allclose(curve["cumulated_mw"], [-4.0, -7.0, 5.0, 15.1])
    assert (curve["start_utc"] == HOURS[2]).all()


def test_cleared_steps_contract_what_the_programme_planned_in_each_scenario() -> None:
    rng = np.random.default_rng(4)
    price = price_paths(6, 48, 4)[0] + 40 * rng.standard_normal((6, 24)).repeat(2, axis=1)
    problem = coupled(6, cap_mw=1.0, day_ahead_price_gbp_mwh=price)
    plan = optimise_steps(problem, 3, exclusive=False)
    offers = plan.offers
    orders = stepped_orders(KEY, HOURS, 60, offers.product, offers.offered_mw, offers.limit_price_gbp_mwh)
    assert (orders["limit_price"] * 100 % 1).round(6).isin([0.0, 1.0]).all()
    for n in range(6):
        cleared = clear(orders, day_ahead(price[n]), NO_AUCTION)
        np.testing.assert_allclose(accepted_day_ahead_mw(cleared, HOURS), plan.contracted_mw[n], atol=0.1001)


money = st.integers(-5_000, 20_000).map(lambda pence: pence / 100)


@settings(max_examples=25, deadline=None)
@given(
    mw=st.integers(-50, 50).filter(bool),
    limit=money,
    prices=st.tuples(money, money),
)
def test_a_higher_price_never_accepts_less_of_a_sale_or_more_of_a_purchase(
    mw: int, limit: float, prices: tuple[float, float]
) -> None:
    orders = day_ahead_orders(KEY, HOURS[:1], 60, [mw], [limit])
    low, high = (float(clear(orders, day_ahead(p), NO_AUCTION)["accepted_mw"].iloc[0]) for p in sorted(prices))
    assert low <= high
    assert {low, high} <= {0.0, float(mw)}


@settings(max_examples=25, deadline=None)
@given(
    mw=st.lists(st.integers(0, 30), min_size=3, max_size=3),
    limit=st.lists(money, min_size=3, max_size=3),
    price=st.lists(st.one_of(money, st.just(float("nan"))), min_size=3, max_size=3),
)
def test_baskets_are_all_or_nothing(mw: list[int], limit: list[float], price: list[float]) -> None:
    codes = ("DCL", "DMH", "DRH")
    orders = capacity(mw, limit, codes, basket=True)
    cleared = clear(orders, NO_PRICE, auctions([(code, 1, p) for code, p in zip(codes, price, strict=True)]))
    accepted = cleared["accepted_mw"].to_numpy(dtype="float64")
    assert (accepted == cleared["offered_mw"]).all() or (accepted == 0).all()
    offered = [(m, p) for m, p in zip(mw, price, strict=True) if m]
    if offered and not any(np.isnan(p) for _, p in offered):
        asked = float(cleared["limit_price"].iloc[0]) * sum(m for m, _ in offered)
        worth = sum(m * p for m, p in offered)
        if abs(worth - asked) > 1e-3:
            assert bool((accepted > 0).all()) is (worth > asked)
    elif offered:
        assert (accepted == 0).all()


@settings(max_examples=25, deadline=None)
@given(limits=st.lists(money, min_size=1, max_size=5), price=money)
def test_steps_accept_what_a_count_of_them_says(limits: list[float], price: float) -> None:
    volume = [1.0 + k for k in range(len(limits))]
    orders = stepped_orders(KEY, HOURS, 60, np.zeros(len(limits), dtype=int), volume, limits)
    cleared = clear(orders, day_ahead(price), NO_AUCTION)
    expected = sum(mw for mw, limit in zip(volume, limits, strict=True) if price >= limit)
    assert accepted_day_ahead_mw(cleared, HOURS[:1])[0] == pytest.approx(expected)


def test_no_offers_make_an_empty_table_that_clears() -> None:
    for orders in (
        day_ahead_orders(KEY, HOURS, 60, np.zeros(24), np.full(24, np.nan)),
        stepped_orders(KEY, HOURS, 60, [], [], []),
        capacity(0.4, 5.0),
        capacity(0.4, 5.0, basket=True),
        capacity_orders(KEY, (), np.zeros((0, 6)), np.zeros((0, 6)), BLOCKS, BLOCK_ENDS),
    ):
        cleared = clear(orders, day_ahead(5.0), auctions([("DCL", 1, 5.0)]))
        assert list(cleared.columns) == list(COLUMNS)
        assert cleared.empty
        assert accepted_day_ahead_mw(cleared, HOURS).tolist() == [0.0] * 24
        assert accepted_capacity_mw(cleared, ("DCL",), BLOCKS).tolist() == [[0.0] * 6]
        assert bid_curve(cleared).empty


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: day_ahead_orders(KEY, HOURS, 60, np.ones(24), np.full(24, np.nan)), "limit price"),
        (lambda: day_ahead_orders(KEY, HOURS, 60, np.ones(23), np.ones(24)), "shape"),
        (lambda: day_ahead_orders(KEY, HOURS, 45, np.ones(24), np.ones(24)), "45 minutes"),
        (lambda: day_ahead_orders(KEY, HOURS, 60, np.full(24, np.nan), np.ones(24)), "finite"),
        (lambda: stepped_orders(KEY, HOURS, 60, [24], [1.0], [1.0]), "none of the 24"),
        (lambda: capacity(5.0, np.nan), "limit price"),
        (lambda: capacity(5.0, 5.0, ("DCX",)), "DCX"),
    ],
)
def test_offers_that_cannot_be_made_are_refused(make: Any, words: str) -> None:
    with pytest.raises(UserInputError, match=words):
        make()


def test_clock_changes_and_short_days_keep_their_blocks() -> None:
    day = date(2024, 3, 31)  # 46 half-hours
    starts = gb_time.efa_half_hours(day)
    volume = np.ones((1, len(starts)))
    orders = capacity_orders({**KEY, "efa_date": day}, ("DRL",), volume, volume, starts, starts + gb_time.HALF_HOUR)
    assert len(orders) == 6
    assert (orders["end_utc"] - orders["start_utc"]).dt.total_seconds().tolist() == [3 * 3600.0] + [4 * 3600.0] * 5
