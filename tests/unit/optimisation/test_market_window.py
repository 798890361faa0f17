"""A window of all markets against the energy-only optimum, a linear programme written anew, and its own certificate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from trading_frames import BATTERY

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.market_window import Allowance, WindowProblem, WindowService
from bess_pipeline.optimisation.market_window_rows import window_arrays
from bess_pipeline.optimisation.market_window_solve import dual_bound, optimise_window
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem

DAYS, PERIODS = 2, 96


def window(seed: int = 1, level: float = 75.0, **changes: Any) -> WindowProblem:
    """Two days of hourly day-ahead prices, no trade within the day, no imbalance and no service unless changed."""
    rng = np.random.default_rng(seed)
    price = np.repeat(rng.normal(level, 45.0, PERIODS // 2), 2)
    opening = np.full(PERIODS, np.nan)
    opening[0] = 50.0
    full, none = np.full(PERIODS, BATTERY.power_mw), np.zeros(PERIODS)
    problem = WindowProblem(
        battery=BATTERY,
        day_index=np.arange(PERIODS) // 48,
        opening_energy_mwh=opening,
        charge_limit_mw=full,
        discharge_limit_mw=full,
        contract_charge_mw=full,
        contract_discharge_mw=full,
        product_of_period=np.arange(PERIODS) // 2,
        day_ahead_price_gbp_mwh=price,
        system_price_gbp_mwh=price + rng.normal(0, 30.0, PERIODS),
        imbalance_long_mwh=none,
        imbalance_short_mwh=none,
        intraday_price_gbp_mwh=price + rng.normal(0, 10.0, PERIODS),
        intraday_limit_mwh=none,
        discharge_limit_of_day_mwh=np.full(DAYS, 1.5 * BATTERY.usable_energy_mwh),
    )
    return replace(problem, **changes)


def service(code: str, direction: Any, seed: int, *, activation: float, required: float, share: float) -> WindowService:
    price = np.repeat(np.random.default_rng(seed).normal(6.0, 6.0, PERIODS // 8), 8)
    return WindowService(
        code=code,
        direction=direction,
        window_of_period=np.arange(PERIODS) // 8,
        cap_mw=np.full(PERIODS // 8, 30.0),
        price_gbp_mw_h=price,
        activation_mwh_per_mw=np.full(PERIODS, activation),
        required_mwh_per_mw=np.full(PERIODS, required),
        energy_price_gbp_mwh=np.zeros(PERIODS),
        recovery_share=np.full(PERIODS, share),
    )


def all_markets(seed: int = 1, **changes: Any) -> WindowProblem:
    cap = np.full(PERIODS, 1.25)
    low = service("DRL", "low", seed + 10, activation=0.07, required=1.0, share=0.4)
    high = service("DCH", "high", seed + 20, activation=0.004, required=0.25, share=0.1)
    held: dict[str, Any] = {"imbalance_long_mwh": cap, "imbalance_short_mwh": cap, "intraday_limit_mwh": cap}
    return window(seed, **(held | {"half_spread_gbp_mwh": 1.0, "services": (low, high)} | changes))


def value_by_linprog(problem: WindowProblem) -> float:
    """Written anew: states by sums from the start, imbalance and each half-hour's share of a contract as variables.

    With allowances exact for one service a direction.
    """
    n, b, h = problem.periods, problem.battery, 0.5
    wear, count = b.degradation_cost_gbp_per_mwh, len(problem.services)
    names = ["c", "d", "x", "i", "sold", "bought", *(f"m{k}" for k in range(count)), *(f"a{k}" for k in range(count))]
    at = {name: slice(k * n, (k + 1) * n) for k, name in enumerate(names)}  # x, m: a value for each half-hour, tied
    a = {f"n{k}": slice((len(names) + k) * n, (len(names) + k + 1) * n) for k in range(count)}  # delivered
    at |= a
    size = (len(names) + count) * n
    gain = np.zeros(size)
    gain[at["c"]] = gain[at["d"]] = -wear
    gain[at["x"]], gain[at["i"]] = problem.day_ahead_price_gbp_mwh, problem.system_price_gbp_mwh
    gain[at["sold"]] = problem.intraday_price_gbp_mwh - problem.half_spread_gbp_mwh
    gain[at["bought"]] = -problem.intraday_price_gbp_mwh - problem.half_spread_gbp_mwh
    identity, below, before = np.eye(n), np.tril(np.ones((n, n))), np.tril(np.ones((n, n)), -1)
    state = np.zeros((n, size))
    state[:, at["c"]], state[:, at["d"]] = b.charge_efficiency * identity, -identity / b.discharge_efficiency
    bounds: list[tuple[float | None, float | None]] = [(0.0, None)] * size
    for name, limit in (("c", problem.charge_limit_mw * h), ("d", problem.discharge_limit_mw * h)):
        bounds[at[name]] = [(0.0, one) for one in limit]
    bounds[at["x"]] = [(None, None)] * n
    bounds[at["i"]] = list(zip(-problem.imbalance_short_mwh, problem.imbalance_long_mwh, strict=True))
    for name in ("sold", "bought"):
        bounds[at[name]] = [(0.0, one) for one in problem.intraday_limit_mwh]
    upper: list[tuple[np.ndarray, np.ndarray]] = []
    equal: list[tuple[np.ndarray, np.ndarray]] = []
    day_row = np.zeros((problem.days, size))
    day_row[problem.day_index, np.arange(n) + at["d"].start] = 1.0
    rating = {"low": np.zeros((n, size)), "high": np.zeros((n, size))}
    rating["low"][:, at["d"]], rating["high"][:, at["c"]] = identity, identity
    need = {"low": np.zeros((n, size)), "high": np.zeros((n, size))}
    for k, one in enumerate(problem.services):
        m, available, delivered = at[f"m{k}"], at[f"a{k}"], at[f"n{k}"]
        bounds[m] = [(0.0, cap) for cap in one.cap_mw[one.window_of_period]]
        gain[m] = np.minimum(one.price_gbp_mw_h, 0.0) * h  # paid whatever is available, where it costs
        gain[available] = np.maximum(one.price_gbp_mw_h, 0.0) * h
        gain[delivered] = one.sign * one.energy_price_gbp_mwh - wear
        state[:, delivered] = (
            -1 / b.discharge_efficiency if one.direction == "low" else b.charge_efficiency
        ) * identity
        other = "high" if one.direction == "low" else "low"
        rating[one.direction][:, m], rating[other][:, m] = h * identity, h * identity * one.recovery_share[:, None]
        need[one.direction][:, available] = identity * one.required_mwh_per_mw[:, None]
        if one.direction == "low":
            day_row[problem.day_index, np.arange(n) + delivered.start] = 1.0
        row = np.zeros((n, size))
        row[:, available], row[:, m] = identity, -identity
        upper.append((row, np.zeros(n)))  # no more is available than contracted
        if not problem.may_miss:
            upper.append((-row, np.zeros(n)))  # nor less
        forced = np.broadcast_to(getattr(problem.allowance, f"undelivered_{one.direction}_mwh"), (n,))
        for first, second, left in ((delivered, m, 0.0 * forced), (available, delivered, forced)):
            # what is available delivers but for what was forced, at most all does
            row = np.zeros((n, size))
            scale = one.activation_mwh_per_mw[:, None]
            row[:, first] = identity * (scale if first is available else 1.0)
            row[:, second] = -identity * (scale if second is m else 1.0)
            upper.append((row, left))
        equal.append(_tied(one.window_of_period, m.start, size))
    stored = below @ state
    upper.append((stored, np.full(n, b.energy_max_mwh - problem.opening_energy_mwh[0])))
    upper.append((-stored, np.full(n, problem.opening_energy_mwh[0] - b.energy_min_mwh)))
    held = before @ state
    opening = problem.opening_energy_mwh[0]
    low_row = need["low"] - b.discharge_efficiency * held
    upper.append((low_row, np.full(n, b.discharge_efficiency * (opening - b.energy_min_mwh))))
    upper.append(
        (need["high"] + held / b.charge_efficiency, np.full(n, (b.energy_max_mwh - opening) / b.charge_efficiency))
    )
    upper.append((rating["low"], (problem.contract_discharge_mw + problem.allowance.rating_low_mw) * h))
    upper.append((rating["high"], (problem.contract_charge_mw + problem.allowance.rating_high_mw) * h))
    upper.append((day_row, problem.discharge_limit_of_day_mwh))
    row = np.zeros((n, size))
    for name, sign in (("d", 1.0), ("c", -1.0), ("x", -1.0), ("sold", -1.0), ("bought", 1.0), ("i", -1.0)):
        row[:, at[name]] = sign * identity
    equal.append((row, np.zeros(n)))
    equal.append(_tied(problem.product_of_period, at["x"].start, size))
    gain += problem.closing_value_gbp_mwh * stored[-1]
    rows = [
        np.vstack([one[k] for one in upper]) if k == 0 else np.concatenate([one[k] for one in upper]) for k in (0, 1)
    ]
    ties = [
        np.vstack([one[k] for one in equal]) if k == 0 else np.concatenate([one[k] for one in equal]) for k in (0, 1)
    ]
    found = linprog(-gain, A_ub=rows[0], b_ub=rows[1], A_eq=ties[0], b_eq=ties[1], bounds=bounds, method="highs")
    assert found.status == 0
    return float(-found.fun) + problem.closing_value_gbp_mwh * opening


def _tied(group: np.ndarray, start: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Each half-hour equal to the one before it in the same group."""
    same = np.flatnonzero(group[1:] == group[:-1]) + 1
    row = np.zeros((same.size, size))
    row[np.arange(same.size), start + same], row[np.arange(same.size), start + same - 1] = 1.0, -1.0
    return row, np.zeros(same.size)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_day_ahead_alone_earns_what_the_energy_problem_earns(seed: int) -> None:
    problem = window(seed)
    price = problem.day_ahead_price_gbp_mwh[::2]
    alone = EnergyProblem(price, 1.0, np.arange(48) // 24, BATTERY, 50.0, ClosingState.free())
    found = optimise_window(problem)
    assert found.value_gbp == pytest.approx(optimise_energy(alone).objective_gbp, rel=1e-6)
    assert found.gap_gbp < 1e-4


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_markets_earn_what_a_programme_written_anew_earns(seed: int) -> None:
    problem = all_markets(seed, closing_value_gbp_mwh=60.0)
    found = optimise_window(problem)
    assert any((one.price_gbp_mw_h < 0).any() for one in problem.services)
    assert found.service_mw.max() > 1.0
    assert found.bound_gbp == pytest.approx(value_by_linprog(problem), rel=1e-7)
    assert found.value_gbp + found.gap_gbp >= found.bound_gbp - 1e-6


@pytest.mark.parametrize("may_miss", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_forced_is_allowed_as_a_programme_written_anew_allows_it(seed: int, may_miss: bool) -> None:
    rng = np.random.default_rng(seed)
    low, high = rng.uniform(0.0, 0.5, (2, PERIODS)) * (rng.random((2, PERIODS)) < 0.3)
    over_low, over_high = rng.uniform(0.0, 5.0, (2, PERIODS)) * (rng.random((2, PERIODS)) < 0.3)
    plain = all_markets(seed, closing_value_gbp_mwh=60.0, may_miss=may_miss)
    without = optimise_window(plain).bound_gbp
    assert without == pytest.approx(value_by_linprog(plain), rel=1e-7)
    for allowance in (
        Allowance(low, high),
        Allowance(0.0, 0.0, over_low, over_high),
        Allowance(low, high, over_low, 0.0),
    ):
        problem = replace(plain, allowance=allowance)
        bound = optimise_window(problem).bound_gbp
        assert bound == pytest.approx(value_by_linprog(problem), rel=1e-7)
        assert bound > without + 0.01


@pytest.mark.parametrize("direction", ["low", "high"])
def test_energy_of_reserve_is_paid_for_and_what_is_not_delivered_is_never_charged_for_less(direction: Any) -> None:
    reserve = replace(
        service("PQR", direction, 5, activation=0.1, required=0.5, share=0.2),
        energy_price_gbp_mwh=np.where(np.arange(PERIODS) % 3, 120.0, -20.0),
    )
    held = all_markets(1, services=(reserve,), closing_value_gbp_mwh=60.0, may_miss=False)
    assert optimise_window(held).bound_gbp == pytest.approx(value_by_linprog(held), rel=1e-7)
    for problem in (replace(held, may_miss=True), replace(held, allowance=Allowance(0.2, 0.2))):
        exact = value_by_linprog(problem)
        assert exact > value_by_linprog(held)
        assert optimise_window(problem).bound_gbp >= exact - 1e-6 * abs(exact)


def test_more_options_never_earn_less() -> None:
    none = np.zeros(PERIODS)
    without = all_markets(imbalance_long_mwh=none, imbalance_short_mwh=none, services=(), intraday_limit_mwh=none)
    values = [
        optimise_window(one).bound_gbp
        for one in (without, all_markets(services=()), all_markets(may_miss=False), all_markets())
    ]
    assert values == sorted(values)
    assert values[0] + 100.0 < values[1]
    assert values[1] + 100.0 < values[2]


def test_a_window_earns_at_least_what_its_parts_earn_with_the_state_carried() -> None:
    whole = all_markets()
    halves, opening = 0.0, 50.0
    for part in (slice(0, 48), slice(48, 96)):
        schedule = optimise_window(_cut(whole, part, opening))
        halves, opening = halves + schedule.value_gbp, float(schedule.energy_mwh[-1])
    assert optimise_window(whole).bound_gbp >= halves - 1e-6


def test_a_chain_that_begins_anew_opens_with_its_own_state() -> None:
    opening = np.full(PERIODS, np.nan)
    opening[0], opening[48] = 50.0, 80.0
    whole = optimise_window(window(opening_energy_mwh=opening))
    parts = [
        optimise_window(_cut(window(), part, energy)).value_gbp
        for part, energy in ((slice(0, 48), 50.0), (slice(48, 96), 80.0))
    ]
    assert whole.value_gbp == pytest.approx(sum(parts), rel=1e-7)


def test_where_burning_energy_pays_the_schedule_still_excludes_and_the_gap_says_what_that_costs() -> None:
    found = optimise_window(window(level=-400.0, discharge_limit_of_day_mwh=np.full(DAYS, np.inf)))
    assert found.overlaps > 0
    assert np.minimum(found.charge_mwh, found.discharge_mwh).max() == 0.0
    assert found.gap_gbp > 1.0


@pytest.mark.parametrize("seed", [1, 2])
def test_any_duals_prove_a_bound(seed: int) -> None:
    arrays, _ = window_arrays(all_markets(seed))
    best = -optimise_window(all_markets(seed)).bound_gbp
    rng = np.random.default_rng(seed)
    for size in (0.0, 1.0, 100.0):
        assert dual_bound(arrays, rng.normal(0, size, arrays.row_lower.size)) <= best + 1e-6


def test_cash_is_the_sum_of_its_volumes_at_their_prices() -> None:
    problem = all_markets(may_miss=False)
    found = optimise_window(problem)
    traded = found.day_ahead_mwh * problem.day_ahead_price_gbp_mwh + found.intraday_mwh * problem.intraday_price_gbp_mwh
    paid = sum(0.5 * mw * one.price_gbp_mw_h for mw, one in zip(found.service_mw, problem.services, strict=True))
    imbalance = found.discharge_mwh - found.charge_mwh - found.day_ahead_mwh - found.intraday_mwh
    cash = traded + imbalance * problem.system_price_gbp_mwh - np.abs(found.intraday_mwh) + paid
    np.testing.assert_allclose(found.cash_gbp, cash, atol=1e-6)
    assert found.value_gbp == pytest.approx(float((found.cash_gbp - found.wear_gbp).sum()), rel=1e-12)


def test_what_cannot_be_used_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserInputError, match="opens with"):
        window(opening_energy_mwh=np.full(PERIODS, np.nan))
    with pytest.raises(UserInputError, match="outside 5 to 95 MWh"):
        window(opening_energy_mwh=np.concatenate([[99.0], np.full(PERIODS - 1, np.nan)]))
    with pytest.raises(UserInputError, match="not finite in half-hour 0"):
        window(system_price_gbp_mwh=np.full(PERIODS, np.nan))
    with pytest.raises(UserInputError, match="below 0"):
        window(intraday_limit_mwh=np.full(PERIODS, -1.0))


def _cut(problem: WindowProblem, part: slice, opening_mwh: float) -> WindowProblem:
    """Half-hours of a window as a window of their own."""
    held: dict[str, Any] = {
        name: np.asarray(getattr(problem, name))[part]
        for name in WindowProblem.__dataclass_fields__
        if isinstance(getattr(problem, name), np.ndarray) and getattr(problem, name).shape == (problem.periods,)
    }
    held["day_index"] = held["day_index"] - held["day_index"][0]
    held["product_of_period"] = held["product_of_period"] - held["product_of_period"][0]
    held["opening_energy_mwh"] = np.concatenate([[opening_mwh], np.full(part.stop - part.start - 1, np.nan)])
    return replace(
        problem,
        **held,
        discharge_limit_of_day_mwh=problem.discharge_limit_of_day_mwh[: held["day_index"][-1] + 1],
        services=tuple(_service_cut(one, part) for one in problem.services),
    )


def _service_cut(one: WindowService, part: slice) -> WindowService:
    first = int(one.window_of_period[part.start])
    held: dict[str, Any] = {
        name: np.asarray(getattr(one, name))[part]
        for name in WindowService.__dataclass_fields__
        if name not in ("code", "direction", "cap_mw")
    }
    held["window_of_period"] = held["window_of_period"] - first
    return replace(one, **held, cap_mw=one.cap_mw[first : int(held["window_of_period"][-1]) + first + 1])
