"""Drivers by hand: each volume of a half-hour finds its decision, and nothing is left over."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.risk.drivers import DRIVERS, driver_cash, market_volumes, volumes

DAY = date(2026, 10, 25)  # 25 hours
WEAR = 5.0
DAY_AHEAD_GBP_MWH = 70.0


def replay(seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, np.ndarray]:
    """plan, dispatch, cashflow and system price of a day in which everything differs, settled here by domain.md 6."""
    draw = np.random.default_rng(seed)
    starts = gb_time.efa_half_hours(DAY)
    count = len(starts)
    plan = pd.DataFrame({"start_utc": starts, "day_ahead_mw": draw.uniform(-50, 50, count)})
    plan["charge_mw"], plan["discharge_mw"] = draw.uniform(0, 20, (2, count))
    charge, discharge, out, back = draw.uniform(0, 10, (4, count))
    intraday = draw.uniform(-3, 3, count)
    contracted = plan["day_ahead_mw"].to_numpy() * 0.5 + intraday
    metered = (discharge - charge) * 0.5 + out - back - 0.25  # some of it physics, not activation
    imbalance = metered - contracted - (out - back)
    dispatch = pd.DataFrame({"start_utc": starts, "charge_mw": charge, "discharge_mw": discharge})
    dispatch = dispatch.assign(activation_export_mwh=out, activation_import_mwh=back, contracted_mwh=contracted)
    dispatch = dispatch.assign(metered_mwh=metered, imbalance_mwh=imbalance)
    price = draw.uniform(-80, 300, count)
    streams = {
        "day_ahead": plan["day_ahead_mw"].to_numpy() * 0.5 * DAY_AHEAD_GBP_MWH,
        "intraday": intraday * 60.0,
        "imbalance": imbalance * price,
        "response": np.full(count, 12.0),
        "penalty": np.full(count, -1.0),
        "wear": -WEAR * ((charge + discharge) * 0.5 + out + back),
    }
    cash = pd.concat(pd.DataFrame({"start_utc": starts, "stream": s, "amount_gbp": a}) for s, a in streams.items())
    return plan, dispatch, cash, price


def by_driver(
    plan: pd.DataFrame, dispatch: pd.DataFrame, cash: pd.DataFrame, system_price: np.ndarray, **changes: np.ndarray
) -> pd.DataFrame:
    """Drivers at a flat day-ahead price, or at the one of `changes`."""
    day_ahead = changes.get("day_ahead_price", np.full(len(dispatch), DAY_AHEAD_GBP_MWH))
    return driver_cash(volumes(plan, dispatch), cash, dispatch["start_utc"], day_ahead, system_price, WEAR)


def test_every_pound_of_every_half_hour_has_one_driver() -> None:
    plan, dispatch, cash, price = replay()
    rows = by_driver(plan, dispatch, cash, price)
    assert set(rows["driver"]) == set(DRIVERS)
    assert set(rows["efa_date"]) == {DAY}
    per_half_hour = rows.groupby("start_utc")["amount_gbp"].sum()
    assert len(per_half_hour) == 50
    assert per_half_hour.to_numpy() == pytest.approx(cash.groupby("start_utc")["amount_gbp"].sum().to_numpy(), abs=1e-9)


def test_one_half_hour_by_hand() -> None:
    """Sold 20 MWh at 100, planned 22, traded 3 more intraday, dispatched 24, metered 26, of which 1 response energy."""
    starts = gb_time.efa_half_hours(DAY)[:1]
    plan = pd.DataFrame({"start_utc": starts, "day_ahead_mw": 40.0, "charge_mw": 0.0, "discharge_mw": 44.0})
    dispatch = pd.DataFrame({"start_utc": starts, "charge_mw": 0.0, "discharge_mw": 48.0, "contracted_mwh": 23.0})
    dispatch = dispatch.assign(
        activation_export_mwh=1.0, activation_import_mwh=0.0, metered_mwh=26.0, imbalance_mwh=2.0
    )
    cash = {
        "day_ahead": 2000.0,
        "intraday": 330.0,
        "imbalance": 260.0,
        "response": 50.0,
        "penalty": -7.0,
        "wear": -125.0,
    }
    rows = pd.DataFrame({"start_utc": starts[0], "stream": list(cash), "amount_gbp": list(cash.values())})
    found = by_driver(plan, dispatch, rows, np.array([130.0]), day_ahead_price=np.array([100.0]))
    assert found.set_index("driver")["amount_gbp"].to_dict() == pytest.approx(
        {
            "plan": 22.0 * 100.0 + 50.0 - 22.0 * WEAR,
            "spread_position": 2.0 * 130.0 - 2.0 * 100.0,  # sold at 130 and not at 100
            "re_dispatch": 330.0 - 3.0 * 130.0 + (24.0 - 22.0) * 130.0 - 2.0 * WEAR,
            "activation": (26.0 - 24.0 - 1.0) * 130.0 - 7.0 - 1.0 * WEAR,
        }
    )


def test_the_spread_position_is_what_another_day_ahead_contract_would_have_changed() -> None:
    """Against the same day with all of the plan sold day-ahead: half of the difference is cash, half is imbalance."""
    plan, dispatch, cash, price = replay()
    day_ahead = np.random.default_rng(8).uniform(-20, 150, len(plan))
    contracted = plan["day_ahead_mw"].to_numpy() * 0.5
    at_gate = cash["stream"] == "day_ahead"
    cash.loc[at_gate, "amount_gbp"] = contracted * day_ahead
    found = by_driver(plan, dispatch, cash, price, day_ahead_price=day_ahead)

    planned_mw = plan["discharge_mw"] - plan["charge_mw"]
    more = planned_mw.to_numpy() * 0.5 - contracted
    sold = plan.assign(day_ahead_mw=planned_mw)
    other = dispatch.assign(
        contracted_mwh=dispatch["contracted_mwh"] + more, imbalance_mwh=dispatch["imbalance_mwh"] - more
    )
    settled = cash.copy()
    settled.loc[at_gate, "amount_gbp"] = planned_mw.to_numpy() * 0.5 * day_ahead
    settled.loc[cash["stream"] == "imbalance", "amount_gbp"] = other["imbalance_mwh"].to_numpy() * price
    hedged = by_driver(sold, other, settled, price, day_ahead_price=day_ahead)

    amounts, others = (one.pivot(index="start_utc", columns="driver", values="amount_gbp") for one in (found, hedged))
    earned = cash.groupby("start_utc")["amount_gbp"].sum() - settled.groupby("start_utc")["amount_gbp"].sum()
    assert amounts["spread_position"].to_numpy() == pytest.approx(earned.to_numpy(), abs=1e-9)
    assert np.abs(earned).min() > 0.0
    for driver in ("plan", "re_dispatch", "activation"):
        assert amounts[driver].to_numpy() == pytest.approx(others[driver].to_numpy(), abs=1e-9)
    assert others["spread_position"].to_numpy() == pytest.approx(np.zeros(len(plan)), abs=1e-9)


def test_without_one_of_the_prices_no_leg_is_moved() -> None:
    """No system price at 4: no imbalance was paid. No day-ahead price at 7: nothing was sold there."""
    plan, dispatch, cash, price = replay()
    price[4] = np.nan
    day_ahead = np.full(len(plan), DAY_AHEAD_GBP_MWH)
    day_ahead[7] = np.nan
    four, seven = (cash["start_utc"] == dispatch["start_utc"][k] for k in (4, 7))
    cash.loc[four & (cash["stream"] == "imbalance") | seven & (cash["stream"] == "day_ahead"), "amount_gbp"] = 0.0
    rows = by_driver(plan, dispatch, cash, price, day_ahead_price=day_ahead)
    assert rows["amount_gbp"].sum() == pytest.approx(cash["amount_gbp"].sum(), abs=1e-9)
    spread = rows[rows["driver"] == "spread_position"].set_index("start_utc")["amount_gbp"]
    net = plan["discharge_mw"] - plan["charge_mw"] - plan["day_ahead_mw"]
    assert spread[dispatch["start_utc"][4]] == 0.0
    assert spread[dispatch["start_utc"][7]] == pytest.approx(net[7] * 0.5 * price[7])


def test_rows_of_different_replays_and_unknown_streams_are_refused() -> None:
    plan, dispatch, cash, price = replay()
    with pytest.raises(ValueError, match="unexplained"):
        by_driver(plan, dispatch, cash, price + 1.0)
    with pytest.raises(ValueError, match="no driver owns the stream lottery"):
        by_driver(plan, dispatch, cash.replace("intraday", "lottery"), price)
    with pytest.raises(ValueError, match="1 half-hours were dispatched without a plan"):
        volumes(plan[1:], dispatch)


def test_acceptances_and_the_capacity_market_by_hand() -> None:
    """Planned and sold 20 MWh, traded 1 more, dispatched 21 and 4 more for an offer at 150; a system price of 100."""
    columns = {"charge_mw": 0.0, "discharge_mw": 50.0, "contracted_mwh": 21.0, "day_ahead_mwh": 20.0}
    columns |= {"planned_charge_mw": 0.0, "planned_discharge_mw": 40.0, "accepted_mwh": 4.0}
    columns |= {"metered_mwh": 25.0, "imbalance_mwh": 0.0}
    dispatch = pd.DataFrame({"start_utc": gb_time.efa_half_hours(DAY)[:1], **columns})
    cash = {"day_ahead": 1400.0, "intraday": 60.0, "imbalance": 0.0, "balancing_mechanism": 600.0}
    cash |= {"capacity_market": 9.0, "wear": -125.0}
    rows = pd.DataFrame(
        {"start_utc": dispatch["start_utc"][0], "stream": list(cash), "amount_gbp": list(cash.values())}
    )
    prices = np.array([70.0]), np.array([100.0])
    found = driver_cash(market_volumes(dispatch), rows, dispatch["start_utc"], *prices, WEAR)
    assert found.set_index("driver")["amount_gbp"].to_dict() == pytest.approx(
        {
            "plan": 1400.0 + 9.0 - 20.0 * WEAR,
            "spread_position": 0.0,
            "re_dispatch": 60.0 - 1.0 * WEAR,
            "activation": 600.0 - 4.0 * WEAR,
        }
    )
