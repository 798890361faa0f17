"""Cash of all markets agrees with an independent recomputation, per half-hour and stream, to 1e-6; so do drivers."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st
from settlement_cases import CALL_PRICE, CALLED, LOW, RESERVE, RESERVE_SETTINGS, RESPONSE, random_day, settings
from trading_frames import BATTERY

from bess_pipeline.risk.drivers import driver_cash, market_volumes
from bess_pipeline.trading.imbalance_split import imbalance_split
from bess_pipeline.trading.market_settlement import MarketPrices, settle_market_day
from bess_pipeline.trading.plans import values_at

DAYS = (date(2026, 1, 15), date(2026, 3, 29), date(2026, 10, 25))
COSTS = {
    "day_ahead_fee_gbp_per_mwh": 0.3,
    "intraday_fee_gbp_per_mwh": 0.5,
    "clearing_fee_gbp_per_mwh": 0.05,
    "network_import_gbp_per_mwh": 2.0,
    "network_export_gbp_per_mwh": -0.7,
    "supplier_import_gbp_per_mwh": 1.1,
    "supplier_gbp_per_day": 96.0,
    "optimiser_share": 0.08,
    "capacity_market_gbp_per_mw_year": 7300.0,
}
Cash = dict[tuple[pd.Timestamp, str], float]
AGREEMENT_GBP = 1e-6
HALF_HOUR = pd.Timedelta(minutes=30)


def oracle(rows: pd.DataFrame, market: MarketPrices, factor: float, costs: dict[str, float]) -> Cash:
    """The formula of domain.md 6 in plain loops over half-hours, products and auction windows."""
    found: Cash = defaultdict(float)
    energy = dict(zip(market.day_ahead_price.start_utc, market.day_ahead_price.day_ahead_price_gbp_mwh, strict=True))
    cash_out = dict(zip(market.system_price.start_utc, market.system_price.system_price_gbp_mwh, strict=True))
    for row in rows.to_dict("records"):
        t = row["start_utc"]
        found[t, "day_ahead"] += row["day_ahead_mwh"] * energy[t]
        if row["intraday_mwh"] != 0:
            found[t, "intraday"] += row["intraday_mwh"] * row["intraday_price_gbp_mwh"]
        if row["accepted_mwh"] != 0:
            found[t, "balancing_mechanism"] += row["accepted_mwh"] * row["accepted_price_gbp_mwh"]
        sold = row["day_ahead_mwh"] + row["intraday_mwh"]
        found[t, "imbalance"] += (row["metered_mwh"] - sold - row["absvd_mwh"] - row["accepted_mwh"]) * cash_out[t]
        moved = (row["charge_mw"] + row["discharge_mw"]) / 2
        found[t, "wear"] -= 5.0 * (moved + row["activation_export_mwh"] + row["activation_import_mwh"])
        _reserve_energy(found, row)
    by_start = {row["start_utc"]: row for row in rows.to_dict("records")}
    for window in market.auctions.itertuples():
        half_hours = int((window.delivery_end_utc - window.delivery_start_utc) / HALF_HOUR)
        inside = [by_start[window.delivery_start_utc + k * HALF_HOUR] for k in range(half_hours)]
        _window(found, inside, window, factor)
    _costs(found, rows, costs)
    return found


def _reserve_energy(found: Cash, row: dict[Any, Any]) -> None:
    for code in RESERVE:
        low = code in LOW
        delivered = row[f"{code.lower()}_mw"] / 2 * CALLED[code] * row[f"delivered_{'low' if low else 'high'}_share"]
        found[row["start_utc"], "reserve"] += (delivered if low else -delivered) * CALL_PRICE[code]


def _window(found: Cash, inside: list[dict[Any, Any]], window: Any, factor: float) -> None:
    """Availability of one auction window: its payment in equal parts, what is lost of it, and the knob."""
    hours = (window.delivery_end_utc - window.delivery_start_utc).total_seconds() / 3600
    stream = "response" if window.product in RESPONSE else "reserve"
    missing = "missing_low_mwh" if window.product in LOW else "missing_high_mwh"
    for row in inside:
        payment = row[f"{window.product.lower()}_mw"] * window.clearing_price_gbp_mw_h * hours
        part = payment / len(inside)
        found[row["start_utc"], stream] += part
        lost = max(payment, 0.0) / len(inside) if row[missing] > 0 else 0.0
        found[row["start_utc"], "penalty"] -= lost + max(part - lost, 0.0) * (1.0 - factor)


def _costs(found: Cash, rows: pd.DataFrame, costs: dict[str, float]) -> None:
    if not costs:
        return
    count = len(rows)
    for row in rows.to_dict("records"):
        fee = abs(row["day_ahead_mwh"]) * 0.35 + abs(row["intraday_mwh"]) * 0.55 + 96.0 / count
        metered = row["metered_mwh"]
        fee += -metered * 3.1 if metered < 0 else metered * -0.7
        found[row["start_utc"], "fee"] -= fee
    shared = sum(amount for (_, stream), amount in found.items() if stream != "wear")
    for t in rows["start_utc"]:
        found[t, "fee"] -= 0.08 * max(shared, 0.0) / count
        found[t, "capacity_market"] += 7300.0 * 50.0 / 365 / count


@trials(max_examples=25, deadline=None)
@given(
    day=st.sampled_from(DAYS),
    seed=st.integers(0, 10_000),
    absvd_applies=st.booleans(),
    factor=st.sampled_from([1.0, 0.9]),
    costs=st.sampled_from([{}, COSTS]),
)
def test_every_amount_is_that_of_the_rules(
    day: date, seed: int, absvd_applies: bool, factor: float, costs: dict[str, float]
) -> None:
    rows, market = random_day(day, seed, absvd_applies=absvd_applies)
    chosen = settings(ancillary=RESERVE_SETTINGS | {"availability_factor": factor}, costs=costs)
    settled = settle_market_day(rows, market, BATTERY, chosen)
    assert settled.status == "complete"
    expected = oracle(rows, market, factor, costs)
    paid = settled.cashflow.set_index(["start_utc", "stream"])["amount_gbp"]
    assert paid.index.is_unique
    keys = set(paid.index) | set(expected)
    worst = max(keys, key=lambda key: abs(paid.get(key, 0.0) - expected[key]))
    assert abs(paid.get(worst, 0.0) - expected[worst]) < AGREEMENT_GBP, worst
    assert ("fee" in set(settled.cashflow["stream"])) == bool(costs)


@trials(max_examples=15, deadline=None)
@given(day=st.sampled_from(DAYS), seed=st.integers(0, 10_000), absvd_applies=st.booleans())
def test_drivers_and_the_two_parts_of_imbalance_add_up(day: date, seed: int, absvd_applies: bool) -> None:
    rows, market = random_day(day, seed, absvd_applies=absvd_applies)
    cashflow = settle_market_day(rows, market, BATTERY, settings(costs=COSTS)).cashflow
    prices = (
        values_at(table, column, rows["start_utc"])
        for table, column in (
            (market.day_ahead_price, "day_ahead_price_gbp_mwh"),
            (market.system_price, "system_price_gbp_mwh"),
        )
    )
    drivers = driver_cash(market_volumes(rows), cashflow, rows["start_utc"], *prices, 5.0)
    by_half_hour = drivers.groupby("start_utc")["amount_gbp"].sum()
    np.testing.assert_allclose(by_half_hour, cashflow.groupby("start_utc")["amount_gbp"].sum(), atol=1e-9)

    parts = imbalance_split(rows, market.system_price)
    both = parts["spread_position_gbp"] + parts["physical_deviation_gbp"]
    imbalance = cashflow[cashflow["stream"] == "imbalance"].set_index("start_utc")["amount_gbp"]
    np.testing.assert_allclose(both, imbalance.reindex(parts["start_utc"]), atol=1e-9)
    np.testing.assert_allclose(
        parts["spread_position_mwh"] + parts["physical_deviation_mwh"], rows["imbalance_mwh"], atol=1e-12
    )
