"""Cash of all markets against the vectors of the settlement rules, and hand cases of every stream."""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pandas as pd
import pytest
from settlement_cases import one_half_hour, prices, random_day, settings, still_day
from trading_frames import BATTERY

from bess_pipeline import schemas
from bess_pipeline.errors import BessError
from bess_pipeline.trading.market_settlement import MarketPrices, settle_market_day, throughput_mwh
from bess_pipeline.trading.settlement import SettledDay

DAY, SPRING, AUTUMN = date(2026, 1, 15), date(2026, 3, 29), date(2026, 10, 25)
STREAMS = {"day_ahead", "intraday", "imbalance", "response", "reserve", "penalty", "wear"}
PLAIN = settings()


def cash(settled: SettledDay, stream: str) -> float:
    rows = settled.cashflow
    return float(rows.loc[rows["stream"] == stream, "amount_gbp"].sum())


def settled(rows: pd.DataFrame, market: MarketPrices) -> SettledDay:
    return settle_market_day(rows, market, BATTERY, PLAIN)


def test_a_still_day_has_every_stream_at_nothing_and_needs_no_price() -> None:
    empty = {name: schemas.empty_frame(f"market/{name}") for name in ("day_ahead_price", "system_price")}
    found = settled(still_day(AUTUMN), MarketPrices(**empty, auctions=schemas.empty_frame("market/auction_clearing")))
    assert (found.status, found.reason, found.cash_gbp) == ("complete", "", 0.0)
    assert set(found.cashflow["stream"]) == STREAMS
    assert len(schemas.validate("trading/cashflow", found.cashflow)) == 50 * len(STREAMS)
    assert not np.signbit(found.cashflow["amount_gbp"]).any()


@pytest.mark.parametrize(
    ("contracted", "metered", "absvd", "accepted", "price", "expected"),
    [
        (10.0, 8.0, 0.0, 0.0, 150.0, -300.0),
        (10.0, 8.0, 0.0, 0.0, -50.0, 100.0),
        (10.0, 13.0, 3.0, 0.0, 150.0, 0.0),  # all of it response energy
        (10.0, 13.0, 1.0, 4.0, 150.0, -300.0),
        (-4.0, -6.0, 0.0, -1.0, 20.0, -20.0),
    ],
)
def test_imbalance_vectors(
    contracted: float, metered: float, absvd: float, accepted: float, price: float, expected: float
) -> None:
    volumes = {"day_ahead_mwh": contracted, "contracted_mwh": contracted, "metered_mwh": metered, "absvd_mwh": absvd}
    imbalance = metered - contracted - absvd - accepted
    bought = {"accepted_mwh": accepted, "accepted_price_gbp_mwh": 99.0, "imbalance_mwh": imbalance}
    found = settled(one_half_hour(DAY, 20, **volumes, **bought), prices(DAY, energy=0.0, cash_out=price))
    assert cash(found, "imbalance") == pytest.approx(expected)
    assert cash(found, "balancing_mechanism") == pytest.approx(accepted * 99.0)
    assert found.status == "complete"


@pytest.mark.parametrize(("day", "expected"), [(DAY, 200.0), (SPRING, 150.0), (AUTUMN, 250.0)])
@pytest.mark.parametrize("price", [5.0, -5.0])
def test_10_mw_of_dr_at_5_gbp_in_block_1_is_paid_by_real_hours_and_a_negative_price_is_paid_by_us(
    day: date, expected: float, price: float
) -> None:
    rows = still_day(day)
    first = rows.index[: {SPRING: 6, AUTUMN: 10}.get(day, 8)]
    rows.loc[first, "drl_mw"] = 10.0
    found = settled(rows, prices(day, DRL=[price, *[999.0] * 5]))
    assert cash(found, "response") == pytest.approx(expected * price / 5.0)
    assert (cash(found, "penalty"), found.status) == (0.0, "complete")


@pytest.mark.parametrize(("day", "periods"), [(DAY, 8), (SPRING, 6), (AUTUMN, 10)])
def test_a_half_hour_outside_the_requirement_costs_its_part_of_the_block(day: date, periods: int) -> None:
    """1/8 of 200, 1/6 of 150, 1/10 of 250: 25 each; the other direction, and a negative payment, lose nothing."""
    rows = still_day(day)
    rows.loc[: periods - 1, ["drl_mw", "drh_mw", "dcl_mw"]] = 10.0
    rows.loc[3, "missing_low_mwh"] = 0.01
    found = settled(rows, prices(day, DRL=5.0, DRH=5.0, DCL=-3.0))
    assert cash(found, "penalty") == pytest.approx(-25.0)
    penalties = found.cashflow[(found.cashflow["stream"] == "penalty") & (found.cashflow["amount_gbp"] != 0)]
    assert penalties["start_utc"].tolist() == [rows["start_utc"][3]]


def test_reserve_is_paid_for_its_half_hour_and_its_energy_at_the_utilisation_price() -> None:
    """4 MW of PQR at 6 and 2 MW of NQR at -1; called: PQR a fifth of its half-hour, NQR 15 %."""
    called = 4.0 * 0.5 * 0.2 - 2.0 * 0.5 * 0.15
    flows = {"activation_export_mwh": 0.4, "activation_import_mwh": 0.15, "metered_mwh": called, "absvd_mwh": called}
    rows = one_half_hour(DAY, 30, pqr_mw=4.0, nqr_mw=2.0, reserve_mwh=called, **flows)
    found = settled(rows, prices(DAY, PQR=6.0, NQR=-1.0))
    capacity = 4.0 * 6.0 * 0.5 - 2.0 * 1.0 * 0.5
    assert cash(found, "reserve") == pytest.approx(capacity + 0.4 * 120.0 - 0.15 * -15.0)
    assert cash(found, "wear") == pytest.approx(-0.55 * 5.0)
    assert cash(found, "imbalance") == 0.0


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (0.25, 0.4 * 120.0 + 0.15 * 15.0),  # as expected: 0.4 exported, 0.15 imported
        (0.20, 0.35 * 120.0 + 0.15 * 15.0),  # 0.05 less was exported
        (0.30, 0.4 * 120.0 + 0.10 * 15.0),  # 0.05 less was imported
        (0.50, 0.5 * 120.0),  # nothing was imported and more exported
        (-0.20, 0.2 * 15.0),
    ],
)
def test_a_net_of_two_directions_is_short_where_it_has_too_much(net: float, expected: float) -> None:
    rows = one_half_hour(DAY, 30, pqr_mw=4.0, nqr_mw=2.0, reserve_mwh=net, absvd_mwh=net, metered_mwh=net)
    assert cash(settled(rows, prices(DAY, PQR=0.0, NQR=0.0)), "reserve") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (0.3, 0.3 * 120.0),  # less exported than called for
        (0.9, 0.9 * 120.0),  # more
        (-0.2, 0.2 * 15.0),  # only the other direction can have been called, at -15: it is paid to import
    ],
)
def test_reserve_energy_of_one_contract_or_of_none(net: float, expected: float) -> None:
    held = {"pqr_mw": 4.0} if net > 0 else {"nqr_mw": 4.0}
    rows = one_half_hour(DAY, 30, reserve_mwh=net, absvd_mwh=net, metered_mwh=net, **held)
    assert cash(settled(rows, prices(DAY, PQR=0.0, NQR=0.0)), "reserve") == pytest.approx(expected)
    with pytest.raises(BessError, match=r"reserve energy of 0\.[239] MWh has no (low|high) contract"):
        settled(rows.assign(pqr_mw=0.0, nqr_mw=0.0), prices(DAY))


def test_reserve_energy_without_a_utilisation_price_is_refused() -> None:
    rows = one_half_hour(DAY, 30, psr_mw=1.0, reserve_mwh=0.1, absvd_mwh=0.1, metered_mwh=0.1)
    with pytest.raises(BessError, match="PSR was called for and has no utilisation price"):
        settle_market_day(rows, prices(DAY, PSR=1.0), BATTERY, settings(ancillary={}))
    priced = {"reserve_utilisation_price_gbp_mwh": {"PSR": 1.0}}
    with pytest.raises(BessError, match=r"PSR has no .*reserve_utilisation_probability"):
        settle_market_day(rows, prices(DAY, PSR=1.0), BATTERY, settings(ancillary=priced))


def test_wear_counts_baseline_and_activation() -> None:
    rows = one_half_hour(DAY, 9, charge_mw=4.0, discharge_mw=1.0, activation_export_mwh=0.5, activation_import_mwh=0.25)
    found = settled(rows, prices(DAY))
    assert throughput_mwh(rows).sum() == pytest.approx(3.25)
    assert cash(found, "wear") == pytest.approx(-16.25)
    assert found.cash_gbp == 0.0


def test_the_two_knobs_take_their_part_of_what_is_left() -> None:
    """Half of the low energy delivered pays 80 % here; 90 % of all positive payments are kept; nothing off a loss."""
    knobs = settings(ancillary={"availability_factor": 0.9, "perf_penalty_curve": ((0.0, 0.6), (1.0, 1.0))})
    rows = still_day(DAY)
    rows.loc[:7, ["dcl_mw", "dch_mw", "dmh_mw"]] = 10.0
    rows.loc[2, ["delivered_low_share", "missing_high_mwh"]] = [0.5, 1.0]
    found = settle_market_day(rows, prices(DAY, DCL=4.0, DCH=2.0, DMH=-7.0), BATTERY, knobs)
    low = 7 * 20.0 * 0.1 + 20.0 * (1.0 - 0.9 * 0.8)
    high = 10.0 + 7 * 10.0 * 0.1  # one half-hour lost whole
    assert cash(found, "penalty") == pytest.approx(-(low + high))
    assert cash(found, "response") == pytest.approx(8 * (20.0 + 10.0 - 35.0))


def test_every_missing_price_makes_the_day_provisional_and_is_named() -> None:
    volumes = {"day_ahead_mwh": 1.0, "intraday_mwh": 1.0, "contracted_mwh": 2.0, "metered_mwh": 4.0}
    rows = one_half_hour(DAY, 5, **volumes, accepted_mwh=0.5, imbalance_mwh=1.5, dmh_mw=3.0)
    market = prices(DAY, DCL=4.0)
    without = dataclasses.replace(
        market, day_ahead_price=market.day_ahead_price.drop(index=5), system_price=market.system_price.drop(index=5)
    )
    found = settled(rows, without)
    assert found.status == "provisional"
    assert found.cash_gbp == 0.0
    at = "the first in settlement date 2026-01-15 period 4"
    assert found.reason == "; ".join([
        f"no day-ahead price for 1 half-hour in which energy was sold or bought, {at}",
        f"no intraday price for 1 half-hour in which energy was traded within the day, {at}",
        f"no system price for 1 half-hour in which there was imbalance, {at}",
        f"no acceptance price for 1 half-hour in which energy was accepted, {at}",
        f"no clearing price for 1 half-hour in which capacity was accepted, {at}",
    ])  # fmt: skip
    nothing_cleared = dataclasses.replace(market, auctions=market.auctions.assign(clearing_price_gbp_mw_h=np.nan))
    assert "no clearing price for 8" in settled(still_day(DAY, dcl_mw=([2.0] * 8 + [0.0] * 40)), nothing_cleared).reason


def test_rows_in_any_order_settle_alike() -> None:
    rows, market = random_day(AUTUMN, 5)
    shuffled = MarketPrices(
        market.day_ahead_price[::-1], market.system_price[::-1], market.auctions.sample(frac=1.0, random_state=1)
    )
    pd.testing.assert_frame_equal(settled(rows, market).cashflow, settled(rows[::-1], shuffled).cashflow)


def test_rows_that_contradict_themselves_are_refused() -> None:
    rows, market = random_day(DAY, 6)
    with pytest.raises(BessError, match="its imbalance is not metered - contracted - absvd - accepted at 2026-01-15"):
        settled(rows.assign(imbalance_mwh=rows["imbalance_mwh"] + (rows.index == 20) * 0.001), market)
    with pytest.raises(BessError, match="its contracted energy is not what was sold day-ahead and within the day"):
        settled(rows.assign(intraday_mwh=0.0), market)
    with pytest.raises(BessError, match="not the half-hours of that day"):
        settled(rows[1:], market)
    with pytest.raises(BessError, match="one trading day and strategy"):
        settled(rows.assign(strategy=["a", *["b"] * 47]), market)
    with pytest.raises(BessError, match="one trading day and strategy"):
        settled(rows[:0], market)
