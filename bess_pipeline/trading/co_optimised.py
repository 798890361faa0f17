"""Strategies `co_optimised` and `co_optimised_cvar`: day-ahead volume and services decided together, from scenarios.

What belongs here: one gate of one day, from its problem to volumes that can be offered and to plan rows. What does
not: the problem (`gate_problem.py`), its solution (`optimisation/stochastic/`), orders and their limit prices
(`orders.py`, `plan_explanation.py`), and how days are carried through the lake (`co_optimised_days.py`).

1. solve the two-stage problem under the strategy's risk aversion and limits of risk;
2. where products exclude each other, keep the better group in each block and solve again;
3. round: services down to whole MW, energy towards zero to 0.1 MW (domain reference 3.1, 4.4);
4. lay the baseline on what is expected: the schedule of the mean scenario at those volumes. A service whose energy or
   rating it cannot hold is given up MW by MW: a breach is never planned;
5. check every rule again, and the states of energy by the physics of activation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from bess_pipeline.ancillary.activation_effects import at_start_mwh, energy_path_mwh, flows_of
from bess_pipeline.ancillary.compliance import ServicePlan, require_no_planned_breach
from bess_pipeline.ancillary.energy_band import band_mwh, required_by_direction
from bess_pipeline.ancillary.products import OFFER_STEP_MW, table_of
from bess_pipeline.ancillary.rounding import ENERGY_STEP_MW, whole_offers_mw
from bess_pipeline.ancillary.rows import TOLERANCE, FloatArray
from bess_pipeline.ancillary.windows import Horizon, horizon_of
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import Availability
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.errors import SolverError
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.optimisation.stochastic.numbers import BEYOND, OUTSIDE, RESPONSE_EXCESS
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, relative_gap
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.rounding import rounded_in_order
from bess_pipeline.optimisation.stochastic.solve import Method, optimise_plan
from bess_pipeline.optimisation.stochastic.steps import DayAheadOffers, optimise_steps, product_prices
from bess_pipeline.trading.co_optimised_names import RISK_AVERSE
from bess_pipeline.trading.gate_problem import GateProblem, exclude_services, needs_exclusion
from bess_pipeline.trading.plans import with_all_columns
from bess_pipeline.trading_tables import SERVICE_COLUMNS

METHOD: Method = "decomposition"  # by scenario at any size: no plan hangs on the time limit of branch and bound
EXCESS_MWH = 1e-6
PATH_TOLERANCE_MWH = 1e-5
ENERGY_LEVELS = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Decision:
    """What a strategy decided at a gate.

    given: the problem, with the caps that it was decided under; solution: its optimum over the scenarios; expected: the
    offered volumes in the mean scenario, whose dispatch is the planned baseline; day_ahead_mw (P,), response_mw (R, B):
    volumes as offered, of a bid curve those at expected prices; notes: what a reader of the plan must know; curve: the
    day-ahead offers as price-quantity steps, None where they are single volumes.
    """

    given: GateProblem
    risk: RiskAversion
    solution: TwoStageSolution
    expected: TwoStageSolution
    day_ahead_mw: FloatArray
    response_mw: FloatArray
    notes: tuple[str, ...]
    curve: DayAheadOffers | None = None


def risk_of(strategy: str, settings: CoOptimisationSettings) -> RiskAversion:
    """How much risk weighs in a strategy."""
    return RiskAversion(settings.risk_aversion if strategy == RISK_AVERSE else 0.0, settings.confidence)


def decide(
    given: GateProblem,
    strategy: str,
    settings: CoOptimisationSettings,
    ancillary: AncillarySettings,
    availability: Availability,
) -> Decision:
    """The decision of a strategy at a gate; `availability` is of the trading day's half-hours.

    Raises SolverError where there is no plan, UserInputError where none keeps the limits of risk, and
    ContractBreachError where a rule of the services stays broken.
    """
    risk = risk_of(strategy, settings)
    given, solution = _solve(given, risk, strategy, settings)
    stepped = settings.day_ahead_orders == "steps" and given.gate == "day_ahead"
    curve = _curve(given, risk, strategy, settings) if stepped else None
    day_ahead, response = _rounded(given, solution)
    if curve is not None:
        day_ahead = curve.accepted_mw(given.problem.probability @ product_prices(given.problem))
    response, expected = _kept(given, day_ahead, response)
    _check(given, expected, response, ancillary, availability)
    notes = (*given.notes, *solution.notes, *_undelivered(given, expected))
    return Decision(given, risk, solution, expected, day_ahead, response, notes, curve)


def in_steps(given: GateProblem, strategy: str, settings: CoOptimisationSettings) -> GateProblem:
    """The problem of one scenario with its volumes given as they may be offered: services first, energy around them."""
    given, solution = _solve(given, risk_of(strategy, settings), strategy, settings)
    services = given.problem.with_plan(None, _rounded(given, solution)[1])
    return replace(given, problem=services.with_plan(rounded_in_order(services, ENERGY_STEP_MW), None))


def plan_rows(decision: Decision, strategy: str) -> pd.DataFrame:
    """Rows of `trading/co_optimised_plan`: the half-hours of the trading day."""
    given, expected = decision.given, decision.expected
    day, periods = _trading_day(given), given.problem.committed_periods
    mw = _by_half_hour(given, decision.response_mw)[:, :periods]
    energy = expected.of("energy_mwh")[0][:periods]
    floor, ceiling = _band(given, day, mw)
    low, high = _energy_quantiles(decision.solution, given.problem, periods)
    services = dict.fromkeys(SERVICE_COLUMNS, 0.0) | {f"{c.lower()}_mw": mw[k] for k, c in enumerate(given.codes)}
    frame = pd.DataFrame(
        {
            "efa_date": [given.efa_date] * periods,
            "strategy": strategy,
            "gate": given.gate,
            "start_utc": day.start_utc,
            "day_ahead_mw": _day_ahead_by_half_hour(given, decision.day_ahead_mw)[:periods],
            "charge_mw": np.maximum(expected.of("charge_mwh")[0][:periods] / HALF_HOUR_H, 0.0),
            "discharge_mw": np.maximum(expected.of("discharge_mwh")[0][:periods] / HALF_HOUR_H, 0.0),
            "energy_mwh": energy,
            **services,
            "energy_floor_mwh": floor,
            "energy_ceiling_mwh": ceiling,
            "energy_q05_mwh": low,
            "energy_q95_mwh": high,
            "activation_basis": given.activation_label,
        }
    )
    return with_all_columns(frame)


def closing_energy_mwh(decision: Decision) -> float:
    """State of energy that is expected at the end of the trading day, MWh."""
    return float(decision.expected.of("energy_mwh")[0][decision.given.problem.committed_periods - 1])


def _solve(
    given: GateProblem, risk: RiskAversion, strategy: str, settings: CoOptimisationSettings
) -> tuple[GateProblem, TwoStageSolution]:
    cvar, var = _limits_of_risk(strategy, settings)
    solve = partial(optimise_plan, risk=risk, method=METHOD, cvar_limit_gbp=cvar, var_limit_gbp=var)
    solution = solve(given.problem)
    if not needs_exclusion(given):
        return given, solution
    chosen = exclude_services(given, solution)
    found = solve(chosen.problem)
    bound = solution.bound_gbp
    return chosen, replace(found, bound_gbp=bound, gap=relative_gap(found.objective_gbp, bound))


def _limits_of_risk(strategy: str, settings: CoOptimisationSettings) -> tuple[float | None, float | None]:
    """What a strategy's plan may lose at most, CVaR and VaR; only the one that weighs risk has limits."""
    if strategy != RISK_AVERSE:
        return None, None
    return settings.cvar_limit_gbp, settings.var_limit_gbp


def _curve(given: GateProblem, risk: RiskAversion, strategy: str, settings: CoOptimisationSettings) -> DayAheadOffers:
    """The day-ahead offers as price-quantity steps, to 0.1 MW towards zero."""
    cvar, var = _limits_of_risk(strategy, settings)
    levels = 2 * settings.price_steps
    offers = optimise_steps(given.problem, levels, risk, cvar_limit_gbp=cvar, var_limit_gbp=var).offers
    mw = _towards_zero(offers.offered_mw)
    return DayAheadOffers(offers.product[mw != 0], mw[mw != 0], offers.limit_price_gbp_mwh[mw != 0])


def _towards_zero(mw: FloatArray) -> FloatArray:
    """MW in steps of day-ahead energy, none larger than given."""
    steps = np.trunc(mw / ENERGY_STEP_MW + np.sign(mw) * TOLERANCE)
    return np.asarray(np.round(steps * ENERGY_STEP_MW, 10) + 0.0)


def _rounded(given: GateProblem, solution: TwoStageSolution) -> tuple[FloatArray, FloatArray]:
    """Volumes in the steps they are offered in; those that are given stay as they are."""
    problem = given.problem
    day_ahead, response = problem.split_plan(solution.plan)
    day_ahead = _towards_zero(day_ahead)
    if problem.day_ahead_fixed_mw is not None:
        fixed = np.asarray(problem.day_ahead_fixed_mw, dtype=float)
        day_ahead = np.where(np.isnan(fixed), day_ahead, fixed)
    return day_ahead, whole_offers_mw(_level(given, response))


def _level(given: GateProblem, response: FloatArray) -> FloatArray:
    """Volumes (R, B), the same in all of an EFA block: where blocks are half-hours a solver ties them only nearly."""
    efa_block = given.horizon.block[np.flatnonzero(np.diff(given.problem.block_index, prepend=-1))]
    begins = np.flatnonzero(np.diff(efa_block, prepend=-1))
    level = response.copy()
    for k, one in enumerate(table_of(given.codes)):
        if one.window == "efa_block":
            level[k] = np.maximum.reduceat(response[k], begins)[efa_block]
    return level


def _kept(given: GateProblem, day_ahead: FloatArray, response: FloatArray) -> tuple[FloatArray, TwoStageSolution]:
    """Services that the mean scenario can hold, and its schedule at the offered volumes."""
    mean = given.problem.mean_scenario()
    while True:
        expected = optimise_plan(mean.with_plan(day_ahead, response))
        period = _first_breach(expected, given.problem)
        if period is None:
            return response, expected
        less = _with_less(given, response, period)
        if less is None:
            return response, _energy_alone(mean, day_ahead)
        response = less


def _energy_alone(mean: StochasticProblem, day_ahead: FloatArray) -> TwoStageSolution:
    """The schedule of volumes that no service stands beside: what they ask beyond the battery is left to imbalance.

    With products in the problem, energy from outside may cost less than imbalance beyond the cap; here there is none.
    """
    bare = replace(
        mean,
        block_of_period=None,
        responses=(),
        response_price_gbp_mw_h=None,
        response_cap_mw=None,
        activation_mwh_per_mw=None,
        required_mwh_per_mw=None,
        response_fixed_mw=None,
        plan_rows=None,
    )
    expected = optimise_plan(bare.with_plan(day_ahead, None))
    period = _first_breach(expected, bare)
    if period is not None:
        raise SolverError(f"the battery cannot hold its limits in half-hour {period} even without services")
    return expected


def _first_breach(expected: TwoStageSolution, problem: StochasticProblem) -> int | None:
    """The first half-hour of the trading day in which rating or energy is lacking, None where there is none."""
    held = [name for name in (*RESPONSE_EXCESS, *OUTSIDE) if name in expected.columns]
    short = sum((expected.of(name)[0] for name in held), np.zeros(problem.periods))[: problem.committed_periods]
    broken = np.flatnonzero(short > EXCESS_MWH)
    return int(broken[0]) if broken.size else None


def _with_less(given: GateProblem, response: FloatArray, period: int) -> FloatArray | None:
    """One MW less of the service that needs most energy in a half-hour; None where there is none left.

    Where no service stands in it, one of the next block that has any: it is what the state is short for later.
    """
    found = _block_to_relieve(given, response, period)
    if found is None:
        return None
    block, k = found
    less = response.copy()
    tied = np.array([block])
    if table_of(given.codes)[k].window == "efa_block":  # blocks are half-hours where reserve is on
        efa = given.horizon.block[np.flatnonzero(np.diff(given.problem.block_index, prepend=-1))]
        tied = np.flatnonzero(efa == efa[block])
    less[k, tied] = np.maximum(less[k, tied] - OFFER_STEP_MW, 0.0)
    return less


def _block_to_relieve(given: GateProblem, response: FloatArray, period: int) -> tuple[int, int] | None:
    """(block, product) that needs most energy in the block of a half-hour, else in the next ones, else before it."""
    if not response.size:
        return None
    first = max(int(given.problem.block_index[period]), 0)
    need = response * np.array([one.duration_h for one in table_of(given.codes)])[:, None]
    for block in (*range(first, response.shape[1]), *range(first - 1, -1, -1)):
        if need[:, block].max() > 0:
            return block, int(np.argmax(need[:, block]))
    return None


def _check(
    given: GateProblem,
    expected: TwoStageSolution,
    response: FloatArray,
    ancillary: AncillarySettings,
    availability: Availability,
) -> None:
    """Every rule of the services on the trading day, and states of energy by the physics of activation."""
    problem, battery, periods = given.problem, given.problem.battery, given.problem.committed_periods
    charge, discharge = (expected.of(name)[0][:periods] / HALF_HOUR_H for name in ("charge_mwh", "discharge_mwh"))
    mw, activation = _by_half_hour(given, response)[:, :periods], _mean_activation(problem)[:, :periods]
    opening = float(problem.probability @ problem.opening)
    fed_mw = problem.energy.unserved_mwh[:periods] / (battery.charge_efficiency * HALF_HOUR_H)  # to a cut-off store
    path = energy_path_mwh(battery, opening, charge + fed_mw, discharge, flows_of(given.codes, mw, activation))
    error = float(np.abs(path - expected.of("energy_mwh")[0][:periods]).max())
    if error > PATH_TOLERANCE_MWH:
        raise SolverError(f"the planned states of energy of {given.efa_date} differ by {error:.3g} MWh from physics")
    if given.codes:
        starts = at_start_mwh(opening, path)
        plan = ServicePlan(given.codes, _trading_day(given), mw, charge, discharge, starts, activation)
        require_no_planned_breach(plan, battery, ancillary, availability)


def _undelivered(given: GateProblem, expected: TwoStageSolution) -> tuple[str, ...]:
    """A sentence where what is sold cannot be dispatched within the imbalance limit even as expected."""
    periods = given.problem.committed_periods
    beyond = float(sum(expected.of(name)[0][:periods].sum() for name in BEYOND))
    if beyond <= EXCESS_MWH:
        return ()
    return (f"{beyond:.1f} MWh of what is sold and bought cannot be dispatched within the imbalance limit",)


def _trading_day(given: GateProblem) -> Horizon:
    return horizon_of(given.horizon.start_utc[: given.problem.committed_periods])


def _by_half_hour(given: GateProblem, response: FloatArray) -> FloatArray:
    """MW of blocks (R, B) as MW of half-hours (R, T); none where a half-hour has no block."""
    block = given.problem.block_index
    if not given.codes:
        return np.zeros((0, given.problem.periods))
    return np.asarray(np.where(block >= 0, response[:, np.maximum(block, 0)], 0.0))


def _day_ahead_by_half_hour(given: GateProblem, day_ahead: FloatArray) -> FloatArray:
    product = given.problem.product_index
    return np.asarray(np.where(product >= 0, day_ahead[np.maximum(product, 0)], 0.0))


def _mean_activation(problem: StochasticProblem) -> FloatArray:
    """Expected energy per MW, (R, T)."""
    return np.asarray(np.tensordot(problem.probability, np.asarray(problem.activation_mwh_per_mw), axes=1).T)


def _band(given: GateProblem, day: Horizon, mw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """States of energy that the contracts allow at the start of each half-hour, with expected activation."""
    battery = given.problem.battery
    if not given.codes:
        return np.full(day.periods, battery.energy_min_mwh), np.full(day.periods, battery.energy_max_mwh)
    activation = _mean_activation(given.problem)[:, : day.periods]
    return band_mwh(battery, required_by_direction(given.codes, day, mw, activation))


def _energy_quantiles(
    solution: TwoStageSolution, problem: StochasticProblem, periods: int
) -> tuple[FloatArray, FloatArray]:
    energy = solution.of("energy_mwh")[:, :periods]
    weights = problem.probability
    found = np.quantile(energy, ENERGY_LEVELS, axis=0, weights=weights, method="inverted_cdf")
    return found[0], found[1]
