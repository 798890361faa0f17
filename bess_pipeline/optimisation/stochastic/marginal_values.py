"""What one more MW of each first-stage volume is paid and what it takes away elsewhere, from the duals of a plan.

What belongs here: expected price, displaced value and margin of every column of the plan, and the displaced value by
kind of limit. What does not: which limits bind, in words (`binding_limits.py`), and orders or sentences about them
(`trading/plan_explanation.py`).

With w = (1 - a) x probability + the scenario's price through CVaR (in the committed day alone; `Duals.tail`), column k
of h hours earns its own payment sum(w h price); one more MW of it costs the rest of the problem what the duals say.
Both divided by sum(w h) are in the unit of the price, and

    weighed price - displaced value = margin = - reduced cost / sum(w h),

0 for a volume between its bounds, >= 0 at its upper bound, <= 0 at its lower bound (linear programming duality; Fleten
and Kristoffersen 2007 use it for bids). Imbalance is settled at the system price, so a MWh sold and not dispatched
displaces the system price: that cash is part of the displaced value, never of the price.

A day-ahead volume stands in the row of imbalance alone, so its displaced value in a scenario and half-hour is that
row's. It is told as the system price where the imbalance limit leaves the choice, else by what dispatches: optimality
of that flow turns the row's dual into wear, stored energy and ratings, an identity and no estimate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.certificate import Duals, Reduced, admissible, reduced_costs
from bess_pipeline.optimisation.stochastic.programme import Programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion

IMBALANCE_ROW = "imbalance"
DISCHARGE_RATING, CHARGE_RATING = "discharge rating", "charge rating"
SYSTEM_PRICE, IMBALANCE_LIMIT = "system price", "imbalance limit"
STORED, WEAR, ACTIVATION = "stored energy", "wear", "energy that activation moves"
ENERGY_FOR_LOW, ROOM_FOR_HIGH = "energy held for low response", "room held for high response"
ACTIVATION_AT_SYSTEM_PRICE, OTHER_RULES = "activation settled at the system price", "rules of the offer"
KIND_OF_ROW: Mapping[str, str] = {
    "rating_low": DISCHARGE_RATING,
    "rating_high": CHARGE_RATING,
    "band_low": ENERGY_FOR_LOW,
    "band_high": ROOM_FOR_HIGH,
    "energy_balance": STORED,
    "segments_in": STORED,
    "segments_out": STORED,
    "cycle_limit": "cycles a day",
    "throughput_limit": "throughput a day",
    "warranty_budget": "warranted cycles",
    "ramp_up": "ramp limit",
    "ramp_down": "ramp limit",
    "usable_energy": "usable energy",
}
TO_THE_PENNY = 0.01  # GBP per MWh or MW h: a limit worth less is not said to bind
MOVES_MWH = 1e-3  # a flow below this does not dispatch
SAME_WEIGHT = 1e-3  # duals whose CVaR weighs otherwise come from a limit of risk


@dataclass(frozen=True, eq=False)
class MarginalValues:
    """The values of each column of a plan (C,), laid out by `StochasticProblem.plan_names`.

    Prices and values in GBP/MWh (day-ahead) or GBP/MW/h (response). mw: the plan; hours: of the column's product or
    block within the horizon; weight: sum of w h that turns GBP of the objective into them; expected_price: plain
    expectation; weighed_price: as the objective weighs scenarios; displaced: what one more MW takes away elsewhere, and
    by_kind the same split by kind of limit (C,) each; margin: of one more MW. stored_gbp_mwh (T,): what a MWh more in
    the store is worth at the end of a period, as weighed; w (N, T): weight of a pound in scenario and period; duals,
    reduced, programme and solution: where all this is from.
    """

    programme: Programme
    solution: TwoStageSolution
    duals: Duals
    reduced: Reduced
    w: FloatArray
    hours: FloatArray
    weight: FloatArray
    expected_price: FloatArray
    weighed_price: FloatArray
    by_kind: Mapping[str, FloatArray]
    margin: FloatArray
    stored_gbp_mwh: FloatArray

    @property
    def mw(self) -> FloatArray:
        """The plan, MW."""
        return self.solution.plan

    @cached_property
    def displaced(self) -> FloatArray:
        """The displaced value: the sum of all kinds."""
        return np.asarray(sum(self.by_kind.values(), np.zeros(self.margin.size)))

    def split(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values by column as day-ahead (P,) and response (R, B)."""
        return self.programme.problem.split_plan(values)


def marginal_values(programme: Programme, solution: TwoStageSolution, risk: RiskAversion) -> MarginalValues:
    """The values of a plan's columns from the duals that its solution carries.

    risk: that of the solution; where a limit of CVaR decided the plan, the weight that its duals say is taken. With
    binaries the duals are those of the linear problem, and values hold up to the solution's gap.
    """
    priced = float(solution.duals.tail.sum())
    if abs(priced - risk.weight) > SAME_WEIGHT:
        risk = replace(risk, weight=priced)
    duals = admissible(programme, risk, solution.duals)
    reduced = reduced_costs(programme, risk, duals)
    problem = programme.problem
    committed = np.arange(problem.periods) < problem.committed_periods
    w = (1 - risk.weight) * programme.probability[:, None] + duals.tail[:, None] * committed
    hours, weight, weighed = _own_payment(programme, w)
    expected = _own_payment(programme, np.broadcast_to(programme.probability[:, None], w.shape))[2]
    balance = duals.rows[:, programme.path.rows["energy_balance"]]
    worth = {name: values / weight for name, values in _displaced(programme, solution, duals, reduced, w).items()}
    return MarginalValues(
        programme=programme,
        solution=solution,
        duals=duals,
        reduced=reduced,
        w=w,
        hours=hours,
        weight=weight,
        expected_price=expected,
        weighed_price=weighed,
        by_kind=worth,
        margin=-reduced.plan / weight,
        stored_gbp_mwh=-balance.sum(axis=0) / w.sum(axis=0),
    )


def places(programme: Programme) -> Iterator[tuple[str, int, IntArray]]:
    """Name of each first-stage column without its index, the column, and the periods it stands in."""
    problem = programme.problem
    for p in range(problem.products):
        yield "day_ahead", p, np.flatnonzero(problem.product_index == p)
    column = problem.products
    for one in problem.responses:
        for b in range(problem.blocks):
            yield one.code, column, np.flatnonzero(problem.block_index == b)
            column += 1


def _own_payment(programme: Programme, w: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hours, weight (sum of w h) and price weighed by w of every column."""
    problem, durations = programme.problem, programme.problem.energy.durations
    columns = len(problem.plan_names)
    hours, weight, paid = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    response_price = np.asarray(problem.response_price_gbp_mw_h).reshape(problem.scenarios, -1)
    for _, k, at in places(programme):
        held = w[:, at] * durations[at]
        price = problem.day_ahead_price_gbp_mwh[:, at]
        if k >= problem.products:
            price = response_price[:, [k - problem.products]]
        hours[k], weight[k], paid[k] = durations[at].sum(), held.sum(), (held * price).sum()
    return hours, weight, paid / weight


def _displaced(
    programme: Programme, solution: TwoStageSolution, duals: Duals, reduced: Reduced, w: FloatArray
) -> dict[str, FloatArray]:
    """What one more MW of each column takes away, in GBP of the objective, by kind."""
    found: dict[str, FloatArray] = {}
    columns, products = len(programme.problem.plan_names), programme.problem.products

    def add(kind: str, values: FloatArray) -> None:
        if np.any(values):
            found[kind] = found.get(kind, np.zeros(columns)) + values

    for kind, by_period in sold_energy(programme, solution, duals, reduced, w).items():
        add(kind, _by_product(programme, by_period.sum(axis=0)))
    technology = programme.technology
    moved = -(technology.value * duals.rows[:, technology.row]).sum(axis=0)
    for name, rows in programme.path.rows.items():
        if name != IMBALANCE_ROW:
            at = (technology.row >= rows.start) & (technology.row < rows.stop)
            kind = ACTIVATION if KIND_OF_ROW.get(name) == STORED else KIND_OF_ROW.get(name, OTHER_RULES)
            add(kind, np.bincount(technology.column[at], weights=moved[at], minlength=columns).astype(np.float64))
    for r, full_name in enumerate(programme.plan.row_names):
        add(KIND_OF_ROW.get(full_name.split("[")[0], OTHER_RULES), -duals.plan_rows[r] * programme.plan.matrix[r])
    for kind, response in _activation(programme, w).items():
        add(kind, np.concatenate([np.zeros(products), response]))
    return found


def sold_energy(
    programme: Programme, solution: TwoStageSolution, duals: Duals, reduced: Reduced, w: FloatArray
) -> dict[str, FloatArray]:
    """What a MWh sold in each scenario and period displaces, (N, T) by kind, in GBP of the objective.

    Their sum is w x system price + dual of the imbalance row, whichever way it is told.
    """
    path, problem = programme.path, programme.problem
    row = duals.rows[:, path.rows[IMBALANCE_ROW]]
    charge, discharge = solution.of("charge_mwh"), solution.of("discharge_mwh")
    bound = np.abs(row) > TO_THE_PENNY * w
    sells = bound & (discharge > MOVES_MWH) & (discharge >= charge)
    buys = bound & ~sells & (charge > MOVES_MWH)
    settles = ~sells & ~buys
    found = {
        SYSTEM_PRICE: np.where(settles, w * problem.system_price_gbp_mwh, 0.0),
        IMBALANCE_LIMIT: np.where(settles, row, 0.0),
    }
    for name, chosen, sign, rating in (
        ("discharge_mwh", sells, 1.0, DISCHARGE_RATING),
        ("charge_mwh", buys, -1.0, CHARGE_RATING),
    ):
        for kind, values in _dispatched(programme, duals, reduced, w, name, rating).items():
            found[kind] = found.get(kind, 0.0) + np.where(chosen, sign * values, 0.0)
    return found


def _dispatched(
    programme: Programme, duals: Duals, reduced: Reduced, w: FloatArray, flow: str, rating: str
) -> dict[str, FloatArray]:
    """What a MWh of a flow costs beside the imbalance row, (N, T) by kind: reduced cost = cost - (rows)' duals."""
    path = programme.path
    column = path.columns[flow]
    found = {
        WEAR: w * programme.problem.battery.degradation_cost_gbp_per_mwh,
        rating: -reduced.recourse[:, column],
    }
    matrix = path.matrix[:, column].tocsr()
    for name, rows in path.rows.items():
        if name != IMBALANCE_ROW and matrix[rows].nnz:
            kind = rating if name == "shared_power" else KIND_OF_ROW.get(name, OTHER_RULES)
            found[kind] = found.get(kind, 0.0) - (matrix[rows].T @ duals.rows[:, rows].T).T
    return found


def _by_product(programme: Programme, by_period: FloatArray) -> FloatArray:
    """Values per MWh sold in each period as values per MW of each column."""
    problem, found = programme.problem, np.zeros(len(programme.problem.plan_names))
    sold = problem.product_index >= 0
    np.add.at(found, problem.product_index[sold], (problem.energy.durations * by_period)[sold])
    return found


def _activation(programme: Programme, w: FloatArray) -> dict[str, FloatArray]:
    """Cash and wear of what activation moves, by kind, for each response column (R x B,)."""
    problem = programme.problem
    wear, cash = np.zeros((2, len(problem.responses), problem.blocks))
    within = problem.block_index >= 0
    for k, one in enumerate(problem.responses):
        moved = w * np.asarray(problem.activation_mwh_per_mw)[:, :, k]
        sign = 0.0 if problem.absvd_applies else (1.0 if one.direction == "low" else -1.0)
        worn = problem.battery.degradation_cost_gbp_per_mwh * moved.sum(axis=0)
        paid = -sign * (moved * problem.system_price_gbp_mwh).sum(axis=0)
        np.add.at(wear[k], problem.block_index[within], worn[within])
        np.add.at(cash[k], problem.block_index[within], paid[within])
    return {WEAR: wear.ravel(), ACTIVATION_AT_SYSTEM_PRICE: cash.ravel()}
