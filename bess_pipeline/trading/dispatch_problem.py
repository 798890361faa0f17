"""The linear problem behind each dispatch decision: one matrix a day, of which only numbers change.

What belongs here: columns, rows, costs and bounds of the problem of the coming half-hours at one decision, and the
exclusion of charge by discharge in the half-hour that is decided. What does not: what is known at a decision
(`market_day.py`) and what physics makes of it (`market_physics.py`).

With MWh per half-hour t, contract q (day-ahead and trades that are made), expected system price p, index x, half-spread
h, wear w, at the decision for half-hour k:

    maximise  sum over t >= k of  p_t i_t + (x_t - h) sell_t - (x_t + h) buy_t - w (c_t + d_t)  +  value e_P

    e_(t+1) = kept e_t - standing + eta_c c_t - d_t / eta_d + expected activation_t + fed_t - shed_t
    d_t - c_t = q_t + sell_t - buy_t + i_t + long_t - short_t          |i_t| <= cap
    floor_t <= e_t + below_t - above_t <= ceiling_t                    what contracts of services require at the start
    sum of d (or c + d) over a day or the horizon <= what activation and the past leave of a limit + beyond

Half-hours whose day-ahead contract is not known yet are sold at the expected day-ahead price: i_t is free there, p_t
that price. fed, shed, long, short, below, above and beyond are what is left of a limit that cannot be held. Their
penalties are so far apart that physics goes before the imbalance cap, and the cap before the band and the budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array

from bess_pipeline.ancillary.rows import FloatArray
from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import SolverError, UserInputError
from bess_pipeline.gb_time import HALF_HOUR_H
from bess_pipeline.optimisation.problem import IntArray
from bess_pipeline.optimisation.session import ArraySession, LinearArrays, Solution
from bess_pipeline.optimisation.status import SolveStatus

FAMILIES = (
    "charge",
    "discharge",
    "sell",
    "buy",
    "imbalance",
    "long",
    "short",
    "below",
    "above",
    "fed",
    "shed",
    "energy",
    "beyond",
)
ROWS = ("balance", "contract", "band", "headroom", "budget")
LEAST_PENALTY_GBP_MWH = 500.0
PENALTY_TIMES_HIGHEST_PRICE = 2.0
CAP_PENALTY_TIMES, PHYSICS_PENALTY_TIMES = 50.0, 500.0
SOONER_IS_DEARER = 0.1  # a deviation beyond the cap waits until nothing else is left
OVERLAP_MWH = 1e-7


@dataclass(frozen=True, eq=False)
class Budget:
    """A limit of the energy discharged (or charged and discharged) in the half-hours `member` (P,), AC, MWh."""

    name: str
    member: np.ndarray
    most_mwh: float
    counts_charge: bool

    def used(self, charged_mwh: FloatArray, discharged_mwh: FloatArray) -> float:
        """What flows (P,) take of it."""
        flow = charged_mwh + discharged_mwh if self.counts_charge else discharged_mwh
        return float(flow[self.member].sum())


@dataclass(frozen=True, eq=False)
class Decision:
    """What is given at the decision for half-hour k; arrays (P,), of which entries before k are not looked at.

    energy_mwh: expected state at the start of k. contract_mwh: sold, trades included; open_market: half-hours that are
    sold at the price of `price_gbp_mwh` itself. price_gbp_mwh: of imbalance, or of the open market. trade_mwh: most
    that may still be traded. activation_mwh: expected change of the stored energy. floor_mwh, ceiling_mwh: band at the
    start. net_low_mwh, net_high_mwh: limits of the net export; charge_mwh, discharge_mwh: of each direction. left_mwh:
    of each budget.
    """

    period: int
    energy_mwh: float
    contract_mwh: FloatArray
    open_market: np.ndarray
    price_gbp_mwh: FloatArray
    index_gbp_mwh: FloatArray
    trade_mwh: FloatArray
    activation_mwh: FloatArray
    floor_mwh: FloatArray
    ceiling_mwh: FloatArray
    charge_mwh: FloatArray
    discharge_mwh: FloatArray
    net_low_mwh: FloatArray
    net_high_mwh: FloatArray
    left_mwh: Sequence[float]


@dataclass(frozen=True, eq=False)
class Chosen:
    """The optimum of a decision: by half-hour (P,), MWh, zero before k; its value, GBP, penalties in it.

    energy_mwh (P + 1,): at the start of each half-hour and at the end.
    """

    charge_mwh: FloatArray
    discharge_mwh: FloatArray
    sold_mwh: FloatArray
    energy_mwh: FloatArray
    value_gbp: float


class DispatchProblem:
    """A live solver on the half-hours of one day and its look-ahead."""

    def __init__(
        self,
        battery: Battery,
        periods: int,
        budgets: Sequence[Budget],
        cap_mwh: float,
        half_spread_gbp_mwh: float,
        terminal_value_gbp_mwh: float,
        *,
        baseline_adds_headroom: bool = False,
        time_limit_s: float = 60.0,
    ) -> None:
        """UserInputError for a battery with a ramp limit or costs by depth of cycling, which it does not know."""
        if battery.ramp_limit_mw_per_hour is not None or battery.cycle_depth_cost_gbp_per_mwh:
            raise UserInputError(
                "the dispatch of strategies of all markets knows neither battery.ramp_limit_mw_per_hour nor "
                "battery.cycle_depth_cost_gbp_per_mwh: leave them out"
            )
        self._battery, self._periods, self._budgets = battery, periods, tuple(budgets)
        self._cap_mwh, self._half_spread, self._terminal = cap_mwh, half_spread_gbp_mwh, terminal_value_gbp_mwh
        self._headroom = baseline_adds_headroom
        self._columns = _slices(FAMILIES, {"energy": periods + 1, "beyond": len(self._budgets)}, periods)
        self._rows = _slices(ROWS, {"budget": len(self._budgets), "headroom": periods * self._headroom}, periods)
        width, height = self._columns["beyond"].stop, self._rows["budget"].stop
        nothing, free = np.zeros(width), np.full(height, np.inf)
        arrays = LinearArrays(self._matrix(width, height), nothing, nothing, nothing, -free, free)
        self._session = ArraySession(arrays, time_limit_s)

    def decide(self, given: Decision) -> Chosen:
        """The best dispatch from half-hour `given.period` on, in which charge and discharge exclude each other.

        Later half-hours are relaxed: where overlap would pay there, it is thought possible. SolverError without an
        answer, which the excesses leave room for whatever is given.
        """
        lower, upper = self._bounds(given)
        self._session.set_cost(self._cost(given))
        self._session.set_rows(*self._row_bounds(given))
        self._session.set_bounds(lower, upper)
        best = self._solved(given, self._session.solve())
        k, columns = given.period, self._columns
        charge, discharge = columns["charge"].start + k, columns["discharge"].start + k
        if min(best.column[charge], best.column[discharge]) > OVERLAP_MWH:  # type: ignore[index]
            directions = []
            for closed in (charge, discharge):
                one_way = upper.copy()
                one_way[closed] = 0.0
                self._session.set_bounds(lower, one_way)
                directions.append(self._session.solve())
            open_ways = [
                one for one in directions if one.status is not SolveStatus.INFEASIBLE
            ]  # headroom may ask for one
            best = min((self._solved(given, one) for one in open_ways), key=lambda one: one.cost)
        return self._chosen(best)

    def _chosen(self, solution: Solution) -> Chosen:
        column = solution.column
        assert column is not None
        sold = column[self._columns["sell"]] - column[self._columns["buy"]]
        charge, discharge = column[self._columns["charge"]], column[self._columns["discharge"]]
        return Chosen(charge, discharge, sold, column[self._columns["energy"]], -solution.cost)

    def _solved(self, given: Decision, solution: Solution) -> Solution:
        if solution.status is not SolveStatus.OPTIMAL or solution.column is None:
            raise SolverError(f"no dispatch was found at the decision for half-hour {given.period}: {solution.status}")
        return solution

    def _matrix(self, width: int, height: int) -> csc_array:
        battery, periods, t = self._battery, self._periods, np.arange(self._periods)
        kept = max(1.0 - battery.self_discharge_per_hour * HALF_HOUR_H, 0.0)
        balance = {
            "charge": -battery.charge_efficiency,
            "discharge": 1.0 / battery.discharge_efficiency,
            "fed": -1.0,
            "shed": 1.0,
            "energy": -kept,
        }
        contract = {"discharge": 1.0, "charge": -1.0, "sell": -1.0, "buy": 1.0}
        contract |= {"imbalance": -1.0, "long": -1.0, "short": 1.0}
        band = {"energy": 1.0, "below": 1.0, "above": -1.0}
        entries = [
            (self._rows[row].start + t, self._columns[name].start + t, np.full(periods, factor))
            for row, factors in (("balance", balance), ("contract", contract), ("band", band))
            for name, factor in factors.items()
        ]
        entries.append((t, self._columns["energy"].start + 1 + t, np.ones(periods)))
        if self._headroom:
            for name, factor in (("discharge", 1.0), ("charge", -1.0)):
                row = self._rows["headroom"].start + t
                entries.append((row, self._columns[name].start + t, np.full(periods, factor)))
        for number, budget in enumerate(self._budgets):
            member = np.flatnonzero(budget.member)
            row = np.full(member.size, self._rows["budget"].start + number)
            for name in ("charge", "discharge") if budget.counts_charge else ("discharge",):
                entries.append((row, self._columns[name].start + member, np.ones(member.size)))
            beyond = np.array([self._columns["beyond"].start + number])
            entries.append((row[:1], beyond, -np.ones(1)))
        row, column, value = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        return csc_array(coo_array((value, (row, column)), shape=(height, width)))

    def _cost(self, given: Decision) -> FloatArray:
        k, price, index = given.period, given.price_gbp_mwh, given.index_gbp_mwh
        wear = self._battery.degradation_cost_gbp_per_mwh
        highest = float(np.abs(price[k:]).max())
        if (given.trade_mwh[k:] > 0).any():
            highest = max(highest, float(np.abs(np.where(given.trade_mwh > 0, index, 0.0)[k:]).max()))
        penalty = max(PENALTY_TIMES_HIGHEST_PRICE * max(highest, abs(self._terminal)), LEAST_PENALTY_GBP_MWH)
        sooner = 1.0 + SOONER_IS_DEARER * np.arange(self._periods, 0, -1) / self._periods
        cap, physics = CAP_PENALTY_TIMES * penalty * sooner, PHYSICS_PENALTY_TIMES * penalty
        index = np.where(given.trade_mwh > 0, index, 0.0)
        by_name: dict[str, FloatArray | float] = {
            "charge": wear,
            "discharge": wear,
            "sell": self._half_spread - index,
            "buy": self._half_spread + index,
            "imbalance": -price,
            "long": cap - price,
            "short": cap + price,
            "below": penalty,
            "above": penalty,
            "fed": physics,
            "shed": physics,
            "beyond": penalty,
        }
        cost = np.zeros(self._columns["beyond"].stop)
        for name, values in by_name.items():
            where = self._columns[name]
            cost[where] = values
            if name != "beyond":
                cost[where][:k] = 0.0
        cost[self._columns["energy"].stop - 1] = -self._terminal
        return cost

    def _bounds(self, given: Decision) -> tuple[FloatArray, FloatArray]:
        k, columns, battery = given.period, self._columns, self._battery
        lower, upper = np.zeros(columns["beyond"].stop), np.full(columns["beyond"].stop, np.inf)
        upper[columns["charge"]], upper[columns["discharge"]] = given.charge_mwh, given.discharge_mwh
        upper[columns["sell"]] = upper[columns["buy"]] = given.trade_mwh
        cap = np.where(given.open_market, np.inf, self._cap_mwh)
        lower[columns["imbalance"]], upper[columns["imbalance"]] = -cap, cap
        for name in FAMILIES[:-2]:
            where = slice(columns[name].start, columns[name].start + k)
            lower[where] = upper[where] = 0.0
        energy = columns["energy"]
        lower[energy], upper[energy] = battery.energy_min_mwh, battery.energy_max_mwh
        lower[energy][:k] = upper[energy][:k] = 0.0
        lower[energy.start + k] = upper[energy.start + k] = given.energy_mwh
        return lower, upper

    def _row_bounds(self, given: Decision) -> tuple[FloatArray, FloatArray]:
        k, rows = given.period, self._rows
        lower, upper = np.full(rows["budget"].stop, -np.inf), np.full(rows["budget"].stop, np.inf)
        standing = self._battery.auxiliary_mw * HALF_HOUR_H
        for name, values in (("balance", given.activation_mwh - standing), ("contract", given.contract_mwh)):
            where = slice(rows[name].start + k, rows[name].stop)
            lower[where] = upper[where] = values[k:]
        band = slice(rows["band"].start + k + 1, rows["band"].stop)
        # Where floor and ceiling cross, any state between them misses as little as there is to miss.
        lower[band] = np.minimum(given.floor_mwh, given.ceiling_mwh)[k + 1 :]
        upper[band] = np.maximum(given.floor_mwh, given.ceiling_mwh)[k + 1 :]
        if self._headroom:
            where = slice(rows["headroom"].start + k, rows["headroom"].stop)
            lower[where], upper[where] = given.net_low_mwh[k:], given.net_high_mwh[k:]
        upper[rows["budget"]] = given.left_mwh
        return lower, upper


def budgets_of(battery: Battery, day_index: IntArray) -> tuple[Budget, ...]:
    """A battery's limits of energy over half-hours of some days (P,): cycles and throughput a day, and warranty."""
    found = []
    for day in np.unique(day_index):
        member = day_index == day
        if battery.max_cycles_per_day is not None:
            most = battery.max_cycles_per_day * battery.usable_energy_mwh
            found.append(Budget("cycle_limit", member, most, counts_charge=False))
        if battery.max_throughput_mwh_per_day is not None:
            found.append(Budget("throughput_limit", member, battery.max_throughput_mwh_per_day, counts_charge=True))
    if battery.warranty_cycles is not None:
        most = battery.warranty_cycles * battery.usable_energy_mwh
        found.append(Budget("warranty_budget", np.ones(day_index.size, dtype=bool), most, counts_charge=False))
    return tuple(found)


def _slices(names: Sequence[str], special: dict[str, int], usual: int) -> dict[str, slice]:
    found, start = {}, 0
    for name in names:
        stop = start + special.get(name, usual)
        found[name] = slice(start, stop)
        start = stop
    return found
