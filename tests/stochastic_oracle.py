"""An independent SciPy extensive form of the stochastic problem, and CVaR by sorting.

It shares no code with the package: powers in MW, one coefficient at a time, `scipy.optimize.milp` on all scenarios.
What a problem means is read from its public fields alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from bess_pipeline.optimisation.problem import ClosingKind
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem

MANY = 20


@dataclass
class Rows:
    """Columns with bounds and costs, rows as lists of (column, coefficient)."""

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def column(self, low: float = 0.0, high: float = np.inf, whole: int = 0) -> int:
        self.low.append(low)
        self.high.append(high)
        self.mean.append(0.0)
        self.whole.append(whole)
        return len(self.low) - 1

    def row(self, terms: list[tuple[int, float]], least: float, most: float) -> None:
        self.entries.extend((len(self.least), column, value) for column, value in terms)
        self.least.append(least)
        self.most.append(most)


Contracted = Callable[[Rows, int, list[int]], list[int]]


def best_objective(
    problem: StochasticProblem,
    weight: float,
    confidence: float,
    *,
    exclusive: bool = False,
    contracted: Contracted | None = None,
) -> tuple[float, np.ndarray]:
    """Most of (1 - weight) x mean profit - weight x CVaR of the committed loss, and a plan that attains it.

    contracted: columns of the day-ahead volumes of a scenario, where they are not the plan's own.
    """
    rows = Rows()
    day_ahead, response = _plan(rows, problem)
    value_at_risk = rows.column(-np.inf)
    rows.mean[value_at_risk] = weight
    for n, chance in enumerate(problem.probability):
        sold = day_ahead if contracted is None else contracted(rows, n, day_ahead)
        cost, loss = _scenario(rows, problem, n, sold, response, exclusive)
        for column, value in cost.items():
            rows.mean[column] += (1 - weight) * chance * value
        over = rows.column()
        rows.mean[over] = weight * chance / (1 - confidence)
        rows.row([*loss.items(), (value_at_risk, -1.0), (over, -1.0)], -np.inf, 0.0)
    matrix = csr_array(
        ([e[2] for e in rows.entries], ([e[0] for e in rows.entries], [e[1] for e in rows.entries])),
        shape=(len(rows.least), len(rows.low)),
    )
    if problem.scenarios > MANY:
        objective, column = _by_interior_point(rows, matrix)
        return objective, column[:value_at_risk]
    answer = milp(
        np.array(rows.mean),
        integrality=np.array(rows.whole),
        bounds=Bounds(np.array(rows.low), np.array(rows.high)),
        constraints=LinearConstraint(matrix, np.array(rows.least), np.array(rows.most)),
        options={"mip_rel_gap": 1e-10},
    )
    assert answer.x is not None, answer.message
    return -float(answer.fun), answer.x[:value_at_risk]


def _by_interior_point(rows: Rows, matrix: csr_array) -> tuple[float, np.ndarray]:
    """The same linear problem by HiGHS's interior point method, for scenarios too many for its simplex."""
    least, most = np.array(rows.least), np.array(rows.most)
    same = least == most
    below, above = ~same & np.isfinite(most), ~same & np.isfinite(least)
    answer = linprog(
        np.array(rows.mean),
        A_ub=vstack([matrix[below], -matrix[above]]),
        b_ub=np.concatenate([most[below], -least[above]]),
        A_eq=matrix[same],
        b_eq=most[same],
        bounds=np.column_stack([rows.low, rows.high]),
        method="highs-ipm",
    )
    assert answer.x is not None, answer.message
    return -float(answer.fun), answer.x


def _plan(rows: Rows, problem: StochasticProblem) -> tuple[list[int], list[list[int]]]:
    battery, hours = problem.battery, np.asarray(problem.energy.durations)
    charge, discharge = _ratings(problem)
    day_ahead = []
    for p in range(problem.products):
        member = np.flatnonzero(problem.product_index == p)
        day_ahead.append(rows.column(-charge[member].max(), discharge[member].max()))
    response = [[rows.column(0.0, float(cap)) for cap in caps] for caps in np.asarray(problem.response_cap_mw)]
    for given, columns in (
        (problem.day_ahead_fixed_mw, day_ahead),
        (problem.response_fixed_mw, [one for block in response for one in block]),
    ):
        for column, value in zip(columns, [] if given is None else np.ravel(given), strict=False):
            if not np.isnan(value):
                rows.low[column] = rows.high[column] = float(value)
    for b in range(problem.blocks if problem.responses else 0):
        member = np.flatnonzero(problem.block_index == b)
        for direction, rating in (("low", discharge), ("high", charge)):
            shares = [1.0 if one.direction == direction else one.recovery_share for one in problem.responses]
            if not problem.baseline_adds_headroom:
                terms = [(response[k][b], share) for k, share in enumerate(shares)]
                rows.row(terms, -np.inf, float(rating[member].min()))
        volume = [(response[k][b], one.volume_mwh_per_mw) for k, one in enumerate(problem.responses)]
        rows.row(volume, -np.inf, (battery.soc_max - battery.soc_min) * battery.energy_mwh)
    assert hours.size == problem.periods
    return day_ahead, response


def _ratings(problem: StochasticProblem) -> tuple[np.ndarray, np.ndarray]:
    battery = problem.battery
    ones = np.ones(problem.periods)
    charge = battery.power_mw * ones * np.asarray(problem.charge_availability)
    discharge = battery.power_mw * ones * np.asarray(problem.discharge_availability)
    return (
        np.minimum(charge, np.inf if battery.import_limit_mw is None else battery.import_limit_mw),
        np.minimum(discharge, np.inf if battery.export_limit_mw is None else battery.export_limit_mw),
    )


def _scenario(
    rows: Rows, problem: StochasticProblem, n: int, day_ahead: list[int], response: list[list[int]], exclusive: bool
) -> tuple[dict[int, float], dict[int, float]]:
    """All columns and rows of one scenario; its cost and its loss by column."""
    battery, hours, rating = problem.battery, problem.energy.durations, _ratings(problem)
    low, high = battery.soc_min * battery.energy_mwh, battery.soc_max * battery.energy_mwh
    money: list[dict[int, float]] = [{} for _ in range(problem.periods)]
    before, flows = None, []

    def pay(t: int, column: int, value: float) -> int:
        money[t][column] = money[t].get(column, 0.0) + value
        return column

    def penal(t: int) -> int:
        return pay(t, rows.column(), problem.penalty)

    for t, h in enumerate(hours.tolist()):
        wear, p = battery.degradation_cost_gbp_per_mwh, int(problem.product_index[t])
        da, system = problem.day_ahead_price_gbp_mwh[n, t], problem.system_price_gbp_mwh[n, t]
        price = system if p >= 0 else da
        charge = pay(t, rows.column(0.0, rating[0][t]), h * (price + wear))
        discharge = pay(t, rows.column(0.0, rating[1][t]), h * (wear - price))
        stored = rows.column(low, high)
        _direction(rows, rating, t, charge, discharge, exclusive)
        if p >= 0:
            pay(t, day_ahead[p], h * (system - da))
            limit = float(np.asarray(problem.imbalance_limit_mw)[t])
            terms = [(discharge, h), (charge, -h), (day_ahead[p], -h), (penal(t), -1.0), (penal(t), 1.0)]
            rows.row(terms, -limit * h, limit * h)
        contracts = _contracts(problem, n, t, response)
        for k, column, delivered, _ in contracts:
            one = problem.responses[k]
            sign = 1.0 if one.direction == "low" else -1.0
            block = int(problem.block_index[t])
            pay(t, column, wear * delivered - h * np.asarray(problem.response_price_gbp_mw_h)[n, k, block])
            if not problem.absvd_applies:
                pay(t, column, -sign * system * delivered)
        terms = [(stored, 1.0), (charge, -battery.charge_efficiency * h), (discharge, h / battery.discharge_efficiency)]
        kept, standby = 1 - battery.self_discharge_per_hour * h, -battery.auxiliary_mw * h
        for k, column, delivered, _ in contracts:
            out = problem.responses[k].direction == "low"
            terms.append(
                (column, delivered / battery.discharge_efficiency if out else -battery.charge_efficiency * delivered)
            )
        if problem.responses or battery.auxiliary_mw or battery.self_discharge_per_hour:
            terms += [(penal(t), -1.0), (penal(t), 1.0)]
        opening = float(problem.opening[n])
        start = [(before, -kept)] if before is not None else []
        right = standby + (kept * opening if before is None else 0.0)
        rows.row(terms + start, right, right)
        if problem.responses:
            _response_rows(rows, problem, t, charge, discharge, before, opening, contracts, penal)
        flows.append((charge, discharge, contracts))
        before = stored
    assert before is not None
    _close(rows, problem, before)
    _budgets(rows, problem, flows, penal)
    return _accounts(problem, money, flows, before, rows)


def _accounts(problem, money, flows, last, rows):  # type: ignore[no-untyped-def]
    cost: dict[int, float] = {}
    loss: dict[int, float] = {}
    for t, one in enumerate(money):
        for column, value in one.items():
            cost[column] = cost.get(column, 0.0) + value
            if t < problem.committed_periods:
                loss[column] = loss.get(column, 0.0) + value
    worth = problem.closing.terminal_value_gbp_mwh
    cost[last] = cost.get(last, 0.0) - worth
    # stored columns follow the two flows of their period
    at_commit = flows[problem.committed_periods - 1][1] + 1
    loss[at_commit] = loss.get(at_commit, 0.0) - worth
    return cost, loss


def _contracts(
    problem: StochasticProblem, n: int, t: int, response: list[list[int]]
) -> list[tuple[int, int, float, float]]:
    """Product, column, delivered and required MWh per MW of what is contracted in a period."""
    b = int(problem.block_index[t])
    if b < 0:
        return []
    delivered, required = np.asarray(problem.activation_mwh_per_mw), np.asarray(problem.required_mwh_per_mw)
    return [
        (k, response[k][b], float(delivered[n, t, k]), float(required[n, t, k])) for k in range(len(problem.responses))
    ]


def _direction(
    rows: Rows, rating: tuple[np.ndarray, np.ndarray], t: int, charge: int, discharge: int, exclusive: bool
) -> None:
    most = rating[0][t], rating[1][t]
    if min(most) <= 0:
        return
    if exclusive:
        up = rows.column(0, 1, 1)
        rows.row([(charge, 1.0), (up, -most[0])], -np.inf, 0.0)
        rows.row([(discharge, 1.0), (up, most[1])], -np.inf, most[1])
    else:
        rows.row([(charge, 1 / most[0]), (discharge, 1 / most[1])], -np.inf, 1.0)


def _response_rows(rows, problem, t, charge, discharge, before, opening, contracts, penal):  # type: ignore[no-untyped-def]
    battery, h = problem.battery, float(problem.energy.durations[t])
    room = float(problem.baseline_adds_headroom)
    for direction, own, other, rating in (
        ("low", discharge, charge, _ratings(problem)[1]),
        ("high", charge, discharge, _ratings(problem)[0]),
    ):
        shares = [
            (column, h * (1.0 if problem.responses[k].direction == direction else problem.responses[k].recovery_share))
            for k, column, _, _ in contracts
        ]
        rows.row([*shares, (own, h), (other, -h * room), (penal(t), -1.0)], -np.inf, h * float(rating[t]))
    low, high = battery.soc_min * battery.energy_mwh, battery.soc_max * battery.energy_mwh
    for direction, sign, limit, per in (
        ("low", -1.0, -low, 1 / battery.discharge_efficiency),
        ("high", 1.0, high, battery.charge_efficiency),
    ):
        needs = [(c, per * need) for k, c, _, need in contracts if problem.responses[k].direction == direction]
        state = [] if before is None else [(before, sign)]
        most = limit - (sign * opening if before is None else 0.0)
        rows.row([*needs, *state, (penal(t), -1.0)], -np.inf, most)


def _close(rows: Rows, problem: StochasticProblem, last: int) -> None:
    closing = problem.closing
    if closing.kind is not ClosingKind.FREE:
        rows.low[last] = max(rows.low[last], closing.energy_mwh)
    if closing.kind is ClosingKind.FIXED:
        rows.high[last] = closing.energy_mwh


def _budgets(rows, problem, flows, penal):  # type: ignore[no-untyped-def]
    battery, hours = problem.battery, problem.energy.durations
    usable, days = (battery.soc_max - battery.soc_min) * battery.energy_mwh, np.asarray(problem.energy.day_index)
    everything = [np.flatnonzero(days == day) for day in np.unique(days)]
    limits = []
    if battery.max_cycles_per_day is not None:
        limits += [(member, battery.max_cycles_per_day * usable, False) for member in everything]
    if battery.max_throughput_mwh_per_day is not None:
        limits += [(member, battery.max_throughput_mwh_per_day, True) for member in everything]
    if battery.warranty_cycles is not None:
        limits.append((np.arange(problem.periods), battery.warranty_cycles * usable, False))
    for member, most, both in limits:
        terms: dict[int, float] = {}
        for t in member.tolist():
            charge, discharge, contracts = flows[t]
            terms[discharge] = float(hours[t])
            if both:
                terms[charge] = float(hours[t])
            for k, column, delivered, _ in contracts:
                if both or problem.responses[k].direction == "low":
                    terms[column] = terms.get(column, 0.0) + delivered
        if problem.responses:
            terms[penal(int(member[-1]))] = -1.0
        rows.row(list(terms.items()), -np.inf, most)


def sorted_tail_loss(loss: np.ndarray, probability: np.ndarray, confidence: float) -> float:
    """Mean of the worst 1 - confidence of probability, walked from the worst down, the boundary atom split."""
    left = mass = 1 - confidence
    total = 0.0
    for k in np.argsort(-loss):
        taken = min(left, float(probability[k]))
        total += taken * float(loss[k])
        left -= taken
    return total / mass
