"""What a whole offer displaces: the objective without it, everything else of the plan as it is.

What belongs here: the average displaced value of every offer, by solving the recourse again without it. What does not:
the value of its last MW (`marginal_values.py`) and the rounding of limit prices (`trading/plan_explanation.py`).

An offer that is accepted whole or not at all is worth taking from the price at which the plan earns as much with it as
without it. The last MW of a volume between its bounds displaces its whole expected price, so a limit at that value
would refuse the volume every other day; the average over its MW is what the rest of the plan can do without it. Since
recourse gains less and less from each MW, a sale's average is at most, a purchase's at least, the value of its last MW.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.optimisation.problem import FloatArray, IntArray
from bess_pipeline.optimisation.stochastic.extensive import ExtensiveSession
from bess_pipeline.optimisation.stochastic.marginal_values import marginal_values
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion

FEW = 8


def withdrawn_values(
    problem: StochasticProblem,
    plan: FloatArray,
    risk: RiskAversion,
    group: IntArray,
    *,
    offered: NDArray[np.bool_] | None = None,
    scenarios: int = FEW,
    least_mw: float = 0.01,
) -> FloatArray:
    """Average value that each MW of an offer displaces, (C,), in the unit of its price; NaN where nothing is offered.

    plan (C,): the volumes; group (C,): the offer each column belongs to; offered (C,): the columns that are asked for,
    None for all. scenarios: taken of the problem, evenly by their number: one linear problem an offer, from the basis
    of the one before it. Weighed price - (objective with the offer - objective without it) / (MW x weight); with risk
    aversion the price is weighed as in the plan's own tail.
    """
    count = problem.scenarios
    few = problem if count <= scenarios else problem.only(np.linspace(0, count - 1, scenarios).round().astype(np.int64))
    programme = compile_programme(few)
    session = ExtensiveSession(programme)
    session.give_plan(plan)
    whole = session.solve(risk)
    values = marginal_values(programme, whole, risk)
    found = np.full(plan.size, np.nan)
    asked = np.abs(plan) > least_mw
    for one in np.unique(group[asked if offered is None else asked & offered]):
        columns = group == one
        session.give_plan(np.where(columns, 0.0, plan))
        lost = whole.objective_gbp - session.solve(risk).objective_gbp
        volume = float(values.weight[columns] @ plan[columns])
        price = float(values.weight[columns] * plan[columns] @ values.weighed_price[columns]) / volume
        found[columns] = price - lost / volume
    return found
