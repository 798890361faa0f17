"""What a plan is worth when dispatch does not know the future: judgement on scenarios the plan has not seen.

What belongs here: the carrying out of a plan, period by period, and its accounts. What does not: what is expected of
prices and what a state is worth (`value_of_state.py`), and the optimum whose recourse sees its whole path (`solve.py`).

Before each period the policy knows the day-ahead price of the period, system prices up to `lag_periods` before it, the
state and what was delivered so far. It takes the dispatch of the highest expected cash + value of the state it leads
to, with activation at its mean. What then happens is the scenario's own: activation moves the state, and what the
battery cannot do is cut and settled at the system price, inside the imbalance limit or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.problem import ClosingKind, ClosingState, FloatArray
from bess_pipeline.optimisation.stochastic.frontier import FrontierPoint
from bess_pipeline.optimisation.stochastic.numbers import ELASTIC
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.restore import restore
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution, penalties, scenario_costs
from bess_pipeline.optimisation.stochastic.structure import structure_of
from bess_pipeline.optimisation.stochastic.value_of_state import (
    Forecast,
    StateValues,
    carried_out,
    promises_of,
    state_values,
)
from bess_pipeline.risk.measures import tail

LAG_PERIODS = 5  # half-hours: decided an hour ahead, and a system price is known an hour after its period
CLOSING = "closing_missed_mwh"


@dataclass(frozen=True)
class Judgement:
    """A plan on fresh scenarios: profit of the horizon and loss of the committed day (N,), GBP, no penalties in them;
    energy by which promises were broken, expected, MWh by name; recourse by name as in `TwoStageSolution`.

    Closing energy below what the problem asks for is bought at the mean system price of the scenario.
    """

    profit_gbp: FloatArray
    loss_gbp: FloatArray
    expected_profit_gbp: float
    value_at_risk_gbp: float
    cvar_gbp: float
    violations_mwh: Mapping[str, float]
    recourse: FloatArray
    columns: Mapping[str, slice]

    def of(self, name: str) -> FloatArray:
        """A quantity of the recourse by its name in the formulation, (N, T), MWh."""
        return self.recourse[:, self.columns[name]]


class Policy:
    """What a plan's dispatch knows and wants, learned from the scenarios that the plan was made from."""

    def __init__(self, problem: StochasticProblem, solution: TwoStageSolution, lag_periods: int = LAG_PERIODS) -> None:
        if structure_of(compile_programme(problem)) is None:
            raise UserInputError("the dispatch policy knows neither a ramp limit nor costs by depth of cycling")
        if lag_periods < 1:
            raise UserInputError(f"a policy that knows prices {lag_periods} periods before them would see the future")
        self._plan = solution.plan
        self._forecast = Forecast.learned(problem, lag_periods)
        self._values: StateValues = state_values(problem, solution, self._forecast)

    def judge(self, fresh: StochasticProblem, confidence: float = 0.95) -> Judgement:
        """The plan carried out in scenarios of the same battery, periods and products."""
        charge, discharge, closing = self._carry_out(fresh)
        free = replace(fresh, closing=ClosingState.free(fresh.closing.terminal_value_gbp_mwh))
        programme = compile_programme(free)
        structure = structure_of(programme)
        assert structure is not None
        restored = restore(programme, structure, self._plan, np.stack([charge.T, discharge.T]))
        assert restored is not None  # what is carried out keeps the state within its limits
        plan, recourse = restored
        missed = _closing_missed(fresh, closing)
        bought = missed[0] / fresh.battery.charge_efficiency * fresh.system_price_gbp_mwh.mean(axis=1)
        where = programme.path.columns
        cost = scenario_costs(programme, plan, recourse) - penalties(programme, recourse) + bought
        within = np.tile(np.arange(fresh.periods) < fresh.committed_periods, len(where))  # every name has T columns
        loss = (programme.loss * recourse).sum(axis=1) + programme.plan_loss @ plan
        loss -= penalties(programme, np.where(within, recourse, 0.0))
        loss += bought if fresh.committed_periods == fresh.periods else 0.0
        worst = tail(-loss, confidence, fresh.probability)
        broken = {
            name: float(fresh.probability @ recourse[:, columns].sum(axis=1))
            for name, columns in where.items()
            if name in ELASTIC
        }
        broken[CLOSING] = float(fresh.probability @ missed.sum(axis=0))
        mean = -float(fresh.probability @ cost)
        return Judgement(-cost, loss, mean, worst.var_gbp, worst.cvar_gbp, broken, recourse, where)

    def _carry_out(self, fresh: StochasticProblem) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Charge and discharge (N, T), MWh, and closing energy (N,)."""
        values = self._values
        promises = promises_of(fresh, self._plan)
        price = self._forecast.expected_price(fresh)
        shape = (fresh.scenarios, fresh.periods)
        charge, discharge, state = np.zeros(shape), np.zeros(shape), fresh.opening.copy()
        left = [np.full(fresh.scenarios, budget.most_mwh) for budget in values.budgets]
        for t in range(fresh.periods):
            flows = values.choose(t, state, price[:, t])
            for budget, rest in zip(values.budgets, left, strict=True):
                if budget.member[t]:
                    flows = budget.within(flows, rest)
            moved = (promises.exported_mwh[:, t], promises.imported_mwh[:, t])
            charge[:, t], discharge[:, t], state = carried_out(fresh.energy, t, state, flows, moved)
            for budget, rest in zip(values.budgets, left, strict=True):
                if budget.member[t]:
                    rest -= budget.used((charge[:, t] + moved[1], discharge[:, t] + moved[0]))
        return charge, discharge, state


def judge_frontier(
    problem: StochasticProblem,
    points: Sequence[FrontierPoint],
    fresh: StochasticProblem,
    *,
    confidence: float = 0.95,
    lag_periods: int = LAG_PERIODS,
) -> list[Judgement]:
    """Every point of a frontier of `problem`, carried out in fresh scenarios."""
    return [Policy(problem, point.solution, lag_periods).judge(fresh, confidence) for point in points]


def _closing_missed(fresh: StochasticProblem, closing: FloatArray) -> FloatArray:
    """MWh below and above what is asked of the closing energy, (2, N)."""
    low, high = fresh.closing.bounds_mwh(fresh.battery)
    above = np.maximum(closing - high, 0.0) if fresh.closing.kind is ClosingKind.FIXED else np.zeros_like(closing)
    return np.stack([np.maximum(low - closing, 0.0), above])
