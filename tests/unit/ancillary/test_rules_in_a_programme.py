"""The linear rows in a linear programme of one day: with all of them no rule is broken, without one it is.

The programme is written here with SciPy: MW of each response product and EFA block, charge, discharge and stored energy
of each half-hour; it earns random prices under activation. It stands for whatever optimiser calls the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest
from ancillary_cases import RESPONSE, day_of
from scipy.optimize import linprog

from bess_pipeline.ancillary.activation_effects import (
    at_start_mwh,
    energy_path_mwh,
    flows_of,
    stored_change_mwh_per_mw,
)
from bess_pipeline.ancillary.compliance import ServicePlan, planned_breaches
from bess_pipeline.ancillary.energy_band import band_rows
from bess_pipeline.ancillary.exclusions import offer_limits_mw
from bess_pipeline.ancillary.offers import offered_plan
from bess_pipeline.ancillary.rating import rating_rows
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.parameters import Battery

BATTERY = Battery(50.0, 50.0, 0.94, 0.94, 0.05, 0.95, 0.5, 0.5)
HORIZON = day_of(date(2025, 1, 15))
T, K = HORIZON.periods, len(RESPONSE)
CHARGE, DISCHARGE, STATE, BLOCK_MW = 0, T, 2 * T, 3 * T + 1
SIZE = BLOCK_MW + K * 6


@dataclass(frozen=True)
class Day:
    """Random prices of a day, and expected activation (products, half-hours)."""

    energy_price: np.ndarray
    response_price: np.ndarray
    energy_mwh_per_mw: np.ndarray
    cap_mw: np.ndarray


def random_day(seed: int) -> Day:
    rng = np.random.default_rng(seed)
    busy = rng.uniform(0, 0.08, (K, T)) * np.array([0.1, 0.1, 0.5, 0.5, 1, 1])[:, None]
    cap = np.repeat(rng.integers(8, 40, (K, 1)).astype(float), T, axis=1)
    return Day(rng.normal(80, 60, T), rng.uniform(-3, 25, (K, 6)), busy, cap)


def mw_columns(t: int) -> list[int]:
    return [BLOCK_MW + k * 6 + int(HORIZON.block[t]) for k in range(K)]


def optimum(day: Day, without: str = "") -> ServicePlan:
    """The best plan under every row but those named `without`."""
    upper, right = [], []
    for rows, own in (
        (rating_rows(RESPONSE, HORIZON, 50.0, 50.0), lambda t: [CHARGE + t, DISCHARGE + t]),
        (band_rows(RESPONSE, HORIZON, BATTERY, day.energy_mwh_per_mw), lambda t: [STATE + t]),
    ):
        for t in range(T):
            for r, name in enumerate(rows.names):
                if name != without:
                    line = np.zeros(SIZE)
                    line[[*mw_columns(t), *own(t)]] = rows.coefficient[t, r]
                    upper.append(line)
                    right.append(rows.limit[t, r])
    balance, change = np.zeros((T + 1, SIZE)), stored_change_mwh_per_mw(RESPONSE, BATTERY, day.energy_mwh_per_mw)
    for t in range(T):
        balance[t, [STATE + t, STATE + t + 1, CHARGE + t, DISCHARGE + t]] = -1, 1, -0.5 * 0.94, 0.5 / 0.94
        balance[t, mw_columns(t)] = -change[:, t]
    balance[T, STATE] = 1.0
    hourly = np.zeros((T, SIZE))
    for t in range(0, T, 2):  # the net export of both half-hours of an hour is one
        hourly[t, [CHARGE + t, CHARGE + t + 1, DISCHARGE + t, DISCHARGE + t + 1]] = 1, -1, -1, 1
    cost = np.zeros(SIZE)
    cost[CHARGE : CHARGE + T], cost[DISCHARGE : DISCHARGE + T] = day.energy_price / 2 + 5, 5 - day.energy_price / 2
    cost[BLOCK_MW:] = -4 * day.response_price.ravel()
    most = np.minimum(offer_limits_mw(RESPONSE, HORIZON), np.inf if without == "volume cap" else day.cap_mw)
    bounds = [(0, 200 if without else 50)] * (2 * T) + [(2.5, 47.5)] * (T + 1)
    bounds += [(0, most[k, HORIZON.block_start[b]]) for k in range(K) for b in range(6)]
    found = linprog(
        cost,
        np.array(upper),
        right,
        np.vstack([balance, hourly]),
        [0.0] * T + [25.0] + [0.0] * T,
        bounds,
        method="highs",
    )
    assert found.success, found.message
    x = found.x
    net = x[DISCHARGE : DISCHARGE + T] - x[CHARGE : CHARGE + T]
    return ServicePlan(
        RESPONSE,
        HORIZON,
        HORIZON.spread(x[BLOCK_MW:].reshape(K, 6)),
        x[CHARGE : CHARGE + T] if without else np.maximum(-net, 0),
        x[DISCHARGE : DISCHARGE + T] if without else np.maximum(net, 0),
        x[STATE : STATE + T],
        day.energy_mwh_per_mw,
        day.cap_mw,
    )


def rules(plan: ServicePlan) -> set[str]:
    return {one.rule for one in planned_breaches(plan, BATTERY, AncillarySettings())} - {"whole MW"}


@pytest.mark.parametrize("seed", range(4))
def test_with_all_rows_the_best_plan_keeps_every_rule_and_so_does_what_is_offered(seed: int) -> None:
    plan = optimum(random_day(seed))
    assert plan.mw.max() > 5  # there is something to offer
    assert rules(plan) == set()
    offered = offered_plan(plan, BATTERY, AncillarySettings(), 25.0, np.arange(T) // 2)
    assert planned_breaches(offered, BATTERY, AncillarySettings()) == []
    assert (offered.mw <= plan.mw + 1e-6).all()
    assert offered.mw.sum() > 0.8 * plan.mw.sum()
    flows = flows_of(RESPONSE, offered.mw, plan.energy_mwh_per_mw)
    path = energy_path_mwh(BATTERY, 25.0, offered.charge_mw, offered.discharge_mw, flows)
    assert at_start_mwh(25.0, path) == pytest.approx(offered.energy_at_start_mwh)
    assert BATTERY.energy_min_mwh - 1e-6 <= path.min() <= path.max() <= BATTERY.energy_max_mwh + 1e-6
    net = offered.discharge_mw - offered.charge_mw
    assert net * 10 == pytest.approx(np.rint(net * 10), abs=1e-6)
    assert net[::2] == pytest.approx(net[1::2])


@pytest.mark.parametrize(
    "rule", ["discharge rating", "charge rating", "energy to discharge", "room to charge", "volume cap"]
)
def test_without_a_rule_the_best_plan_breaks_it(rule: str) -> None:
    assert any(rule in rules(optimum(random_day(seed), without=rule)) for seed in range(3))


def test_without_the_rule_of_usable_energy_an_empty_battery_sells_more_room_than_it_has_energy() -> None:
    """45 MWh at the store are a room of 47.9 at the grid; the rule counts volumes against 45."""
    day = random_day(1)
    only_drh = np.broadcast_to(np.where(np.arange(K)[:, None] == 5, 25.0, -9.0), (K, 6))
    plenty = Day(day.energy_price * 0, only_drh, day.energy_mwh_per_mw * 0, day.cap_mw * 10)
    assert rules(optimum(plenty)) == set()
    assert optimum(plenty).mw.max() == pytest.approx(45.0)
    assert "usable energy" in rules(optimum(plenty, without="usable energy"))
