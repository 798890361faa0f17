"""Cash and daily P&L of random dispatch and prices agree with an independent recomputation to 1e-6."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from trading_frames import BATTERY, day_ahead, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.risk.pnl import daily_pnl, daily_totals
from bess_pipeline.trading.dispatch import dispatch_day
from bess_pipeline.trading.settlement import settle_day

DAYS = (date(2024, 2, 20), date(2024, 3, 31), date(2024, 10, 27))


def values(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    """Of six decimals: a volume below a milliwatt-hour is rounding to settlement, and no position."""
    return arrays("float64", 50, elements=st.floats(low, high, allow_subnormal=False)).map(lambda array: array.round(6))


@settings(max_examples=20, deadline=None)
@given(
    day=st.sampled_from(DAYS),
    sold_mw=values(-60.0, 60.0),
    net_mw=values(-80.0, 80.0),
    price=values(-500.0, 4_000.0),
    cash_out=values(-500.0, 6_000.0),
    opening_mwh=st.floats(5.0, 95.0),
)
def test_cash_equals_volumes_times_prices(
    day: date, sold_mw: np.ndarray, net_mw: np.ndarray, price: np.ndarray, cash_out: np.ndarray, opening_mwh: float
) -> None:
    starts = gb_time.efa_half_hours(day)
    n = len(starts)
    plan = pd.DataFrame({"start_utc": starts, "strategy": "rule_based", "efa_date": [day] * n}).assign(
        day_ahead_mw=sold_mw[:n], charge_mw=np.maximum(-net_mw[:n], 0.0), discharge_mw=np.maximum(net_mw[:n], 0.0)
    )
    dispatch = dispatch_day(BATTERY, plan, opening_mwh)
    sold = day_ahead(day, day, lambda _: 0.0).assign(day_ahead_price_gbp_mwh=price[:n])
    settled = settle_day(dispatch, sold, system_price(day, day, cash_out[:n]), BATTERY)
    assert settled.status == "complete"

    expected = {"day_ahead": 0.0, "imbalance": 0.0, "wear": 0.0}
    for k, row in enumerate(dispatch.itertuples()):
        metered = (row.discharge_mw - row.charge_mw) / 2.0
        expected["day_ahead"] += sold_mw[k] / 2.0 * price[k]
        expected["imbalance"] += (metered - sold_mw[k] / 2.0) * cash_out[k]
        expected["wear"] -= (row.charge_mw + row.discharge_mw) / 2.0 * 5.0
    streams = settled.cashflow.groupby("stream")["amount_gbp"].sum().to_dict()
    for stream, amount in expected.items():
        assert abs(streams[stream] - amount) < 1e-6 * max(1.0, abs(amount)), stream

    daily = daily_pnl(settled.cashflow, BATTERY.power_mw)
    assert abs(daily["pnl_gbp"].sum() - settled.cashflow["amount_gbp"].sum()) < 1e-6
    totals = daily_totals(daily).iloc[0]
    assert abs(totals["after_wear_gbp"] - sum(expected.values())) < 1e-5
    assert abs(totals["cash_gbp"] - totals["after_wear_gbp"] + expected["wear"]) < 1e-5
    assert set(schemas.columns("risk/daily_pnl")) == set(daily.columns)
