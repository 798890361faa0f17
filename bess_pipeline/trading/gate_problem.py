"""The two-stage problem of one gate of one trading day, from stored scenarios.

What belongs here: what a gate is given, and its `StochasticProblem` with the clocks that name its columns; the problem
once the day-ahead result is known; and caps that leave one group of products where they exclude each other. What does
not: services (`gate_services.py`), laying streams on half-hours (`gate_streams.py`), solving and orders.

Horizon: half-hours from 23:00 London on the day before, all of the trading day at least, at most as far as the
scenarios go. Results of auctions are those known at the gate (`timeline.known_by`).

"auto" values a MWh stored at the end at what it would fetch at the expected mean day-ahead price of the horizon:
discharge efficiency x (mean - wear).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ancillary.exclusions import Exclusion
from bess_pipeline.ancillary.windows import FloatArray, Horizon, horizon_of
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import Availability, power_limits
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecasting.streams import MARKET_INDEX, SYSTEM_PRICE
from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.gates import at_response_gate
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.gate_services import NO_ACTIVATION, Services, services, tied_blocks
from bess_pipeline.trading.gate_streams import covered, horizon_half_hours, path_on, period_of_half_hour

DAY_AHEAD = "day_ahead"
LEAST_MW = 1e-6


@dataclass(frozen=True, eq=False)
class GateInputs:
    """What is known of a day at a gate.

    scenarios: of that day and gate, over it and the day after it. opening_energy_mwh: stored at 23:00 on the day
    before, or one per scenario, (N,). availability: of a day, as known at the gate. auctions: `market/auction_clearing`
    rows; those not known at the gate are cut off here.
    """

    efa_date: date
    gate: timeline.Gate
    scenarios: ScenarioSet
    battery: Battery
    opening_energy_mwh: float | FloatArray
    availability: Callable[[date], Availability]
    auctions: pd.DataFrame
    ancillary: AncillarySettings
    co_optimisation: CoOptimisationSettings
    rolling: RollingSettings


@dataclass(frozen=True, eq=False)
class GateProblem:
    """The problem of a gate, and what its columns mean.

    codes: products in the order of `problem.responses`; day_ahead_start_utc (P,), block_start_utc (B,): starts of the
    day-ahead products and of the response blocks (EFA blocks, half-hours where reserve is on); activation_label: basis
    of the energy that services move; notes: what is off or fell back; exclusions: of the products on the horizon.
    """

    efa_date: date
    gate: timeline.Gate
    horizon: Horizon
    problem: StochasticProblem
    codes: tuple[str, ...]
    day_ahead_start_utc: pd.DatetimeIndex
    block_start_utc: pd.DatetimeIndex
    activation_label: str
    notes: tuple[str, ...]
    exclusions: tuple[Exclusion, ...] = ()


def gate_problem(inputs: GateInputs) -> GateProblem:
    """The problem of a gate. UserInputError with one sentence where the scenarios or the settings allow none."""
    _check(inputs)
    horizon, notes = _horizon(inputs)
    available = _availability(inputs, horizon)
    limits = power_limits(inputs.battery, available, (horizon.periods,))
    auctions = _known_auctions(inputs)
    offered, off = services(inputs.scenarios, horizon, auctions, inputs.ancillary, limits)
    problem, product_starts, fell_back = _problem(inputs, horizon, available, offered)
    block = problem.block_index
    return GateProblem(
        efa_date=inputs.efa_date,
        gate=inputs.gate,
        horizon=horizon,
        problem=problem,
        codes=offered.codes if offered else (),
        day_ahead_start_utc=product_starts,
        block_start_utc=horizon.start_utc[np.flatnonzero(np.diff(block, prepend=-1))],
        activation_label=offered.activation_label if offered else NO_ACTIVATION,
        notes=notes + fell_back + off,
        exclusions=offered.exclusions if offered else (),
    )


def after_day_ahead(given: GateProblem, accepted_mw: FloatArray, cleared_gbp_mwh: FloatArray) -> GateProblem:
    """The problem at the response gate, once the day-ahead result of the day is known.

    accepted_mw: sold (below 0: bought) of each product, cleared_gbp_mwh: price of each half-hour; those of the day
    alone, or of the whole horizon with NaN after the day. UserInputError where one is given without the other.
    """
    problem = given.problem
    accepted = _filled_up(accepted_mw, problem.products)
    cleared = _filled_up(cleared_gbp_mwh, problem.periods)
    return replace(given, gate="response", problem=at_response_gate(problem, accepted, cleared))


def needs_exclusion(given: GateProblem) -> bool:
    """Whether some products exclude each other on the horizon."""
    return bool(given.exclusions)


def exclude_services(given: GateProblem, solution: TwoStageSolution) -> GateProblem:
    """The problem with caps that leave one group of products in each EFA block where groups exclude each other.

    solution: of `given`, which allows all of them. Kept is the group that is paid most in expectation there; where
    none is contracted, the one that could be paid most. The bound of `given` stays a bound.
    """
    problem, cap = given.problem, np.array(given.problem.response_cap_mw)
    _, mw = problem.split_plan(solution.plan)
    hours = np.bincount(problem.block_index, weights=problem.energy.durations)
    price = np.tensordot(problem.probability, np.asarray(problem.response_price_gbp_mw_h), axes=1)
    efa_block = given.horizon.block[np.flatnonzero(np.diff(problem.block_index, prepend=-1))]
    for rule in given.exclusions:
        members = [np.array([given.codes.index(code) for code in group]) for group in rule.groups]
        for number in np.unique(given.horizon.block[rule.holds]):
            within = np.flatnonzero(efa_block == number)
            worth = [_worth(mw, price * hours, cap, np.ix_(group, within)) for group in members]
            kept = worth.index(max(worth))
            for g, group in enumerate(members):
                if g != kept:
                    cap[np.ix_(group, within)] = 0.0
    rules = dict.fromkeys(rule.rule for rule in given.exclusions)
    notes = tuple(f"{rule}: an EFA block has only the products that are paid most in it" for rule in rules)
    return replace(given, problem=replace(problem, response_cap_mw=cap), notes=given.notes + notes)


def _worth(
    mw: FloatArray, payment_gbp_mw: FloatArray, cap_mw: FloatArray, where: tuple[np.ndarray, ...]
) -> tuple[bool, float, float]:
    contracted = np.where(cap_mw[where] > 0, mw[where], 0.0)
    could = np.maximum(payment_gbp_mw[where], 0.0) * cap_mw[where]
    paid = float((contracted * payment_gbp_mw[where]).sum())
    return bool(contracted.max(initial=0.0) > LEAST_MW), paid, float(could.sum())


def _check(inputs: GateInputs) -> None:
    of = inputs.scenarios
    if (of.efa_date, of.gate) != (inputs.efa_date, inputs.gate):
        raise UserInputError(
            f"the scenarios are of EFA day {of.efa_date} at the gate {of.gate}, not of {inputs.efa_date} at the gate "
            f"{inputs.gate}"
        )
    opening = np.asarray(inputs.opening_energy_mwh, dtype=float)
    count = of.probability.size
    if opening.shape not in {(), (count,)} or not np.isfinite(opening).all():
        raise UserInputError(f"the opening energy must be one finite number, or one for each of {count} scenarios")


def _horizon(inputs: GateInputs) -> tuple[Horizon, tuple[str, ...]]:
    wanted = horizon_half_hours(inputs.efa_date, inputs.rolling.look_ahead_hours)
    held = covered(inputs.scenarios, DAY_AHEAD, wanted)
    committed = len(gb_time.efa_half_hours(inputs.efa_date))
    if held < committed:
        raise UserInputError(
            f"the scenarios have the day-ahead price of {held} of the {committed} half-hours of EFA day "
            f"{inputs.efa_date}: make them anew"
        )
    note = f"the scenarios end after {held * gb_time.HALF_HOUR_H:g} h: the plan looks no further ahead"
    return horizon_of(wanted[:held]), (note,) if held < len(wanted) else ()


def _availability(inputs: GateInputs, horizon: Horizon) -> Availability:
    """As known at the gate, of each half-hour of the horizon."""
    charge, discharge = [], []
    for day in dict.fromkeys(horizon.efa_date):
        known, shape = inputs.availability(day), (len(gb_time.efa_half_hours(day)),)
        charge.append(np.broadcast_to(np.asarray(known.charge, dtype=float), shape))
        discharge.append(np.broadcast_to(np.asarray(known.discharge, dtype=float), shape))
    periods = horizon.periods
    return Availability(np.concatenate(charge)[:periods], np.concatenate(discharge)[:periods])


def _known_auctions(inputs: GateInputs) -> pd.DataFrame:
    """The results of the days that an expectation may look back on, as far as known at the gate."""
    if inputs.auctions.empty:
        return pd.DataFrame(columns=["product", "delivery_start_utc", "efa_date", "cleared_volume_mw"])
    gate = timeline.gate_utc(inputs.efa_date, inputs.gate)
    return timeline.known_by(inputs.auctions, "auction_clearing", gate)


def _problem(
    inputs: GateInputs, horizon: Horizon, available: Availability, offered: Services | None
) -> tuple[StochasticProblem, pd.DatetimeIndex, tuple[str, ...]]:
    """The problem, the starts of its day-ahead products, and what stands in for a price that is not there."""
    scenarios, battery = inputs.scenarios, inputs.battery
    day_ahead = path_on(scenarios, DAY_AHEAD, horizon.start_utc)
    assert day_ahead is not None  # the horizon is as long as it
    system, notes = _system_price(scenarios, horizon, day_ahead)
    place = period_of_half_hour(scenarios.streams[DAY_AHEAD].clock, scenarios.start_utc[DAY_AHEAD], horizon.start_utc)
    starts = scenarios.start_utc[DAY_AHEAD][place[0] : place[-1] + 1]
    problem = StochasticProblem(
        battery=battery,
        hours=gb_time.HALF_HOUR_H,
        day_index=np.array([(day - inputs.efa_date).days for day in horizon.efa_date]),
        committed_periods=len(gb_time.efa_half_hours(inputs.efa_date)),
        product_of_period=place - place[0],
        day_ahead_price_gbp_mwh=day_ahead,
        system_price_gbp_mwh=system,
        probability=scenarios.probability,
        opening_energy_mwh=np.clip(inputs.opening_energy_mwh, battery.energy_min_mwh, battery.energy_max_mwh),
        closing=ClosingState.free(terminal_value_gbp_mwh(scenarios.probability @ day_ahead, battery, inputs.rolling)),
        imbalance_limit_mw=inputs.co_optimisation.imbalance_limit_of(battery.power_mw),
        charge_availability=available.charge,
        discharge_availability=available.discharge,
        baseline_adds_headroom=inputs.ancillary.baseline_adds_headroom,
        absvd_applies=inputs.ancillary.absvd_applies,
    )
    return (_with_services(problem, offered, horizon) if offered else problem), starts, notes


def _with_services(problem: StochasticProblem, offered: Services, horizon: Horizon) -> StochasticProblem:
    return replace(
        problem,
        block_of_period=offered.block_of_period,
        responses=offered.responses,
        response_price_gbp_mw_h=offered.price_gbp_mw_h,
        response_cap_mw=offered.cap_mw,
        activation_mwh_per_mw=offered.activation_mwh_per_mw,
        required_mwh_per_mw=offered.required_mwh_per_mw,
        plan_rows=tied_blocks(offered, horizon, problem.products),
    )


def terminal_value_gbp_mwh(expected_price_gbp_mwh: FloatArray, battery: Battery, rolling: RollingSettings) -> float:
    """Worth of a MWh stored at the end of the look-ahead, GBP/MWh: the setting, or the estimate above."""
    if rolling.terminal_value_gbp_mwh != "auto":
        return rolling.terminal_value_gbp_mwh
    return battery.discharge_efficiency * (float(expected_price_gbp_mwh.mean()) - battery.degradation_cost_gbp_per_mwh)


def _system_price(
    scenarios: ScenarioSet, horizon: Horizon, day_ahead: FloatArray
) -> tuple[FloatArray, tuple[str, ...]]:
    """Scenarios of the system price; where there are none, of the market index, else of the day-ahead price."""
    system = path_on(scenarios, SYSTEM_PRICE.name, horizon.start_utc)
    if system is not None:
        return system, ()
    index = path_on(scenarios, MARKET_INDEX.name, horizon.start_utc)
    instead = "day-ahead price" if index is None else MARKET_INDEX.label
    note = f"there are no scenarios of the {SYSTEM_PRICE.label}: the {instead} stands in for it"
    return (day_ahead if index is None else index), (note,)


def _filled_up(values: FloatArray, count: int) -> FloatArray:
    """`values` with NaN for what follows the day."""
    given = np.asarray(values, dtype=float)
    return np.concatenate([given, np.full(max(count - given.size, 0), np.nan)])
