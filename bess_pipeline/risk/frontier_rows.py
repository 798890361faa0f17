"""The mean-CVaR frontier of a gate as rows of `risk/frontier`, in sample and out of sample.

What belongs here: the walk's rows, the proof that in-sample numbers fall as they must, and why a frontier is flat.
What does not: the walk (`optimisation/stochastic/frontier.py`), the policy that judges (`policy.py`), the days that get
a frontier, and the picture.

Columns: expected_pnl_gbp is of the whole horizon, after wear, with the value of the closing energy; var_gbp and
cvar_gbp are of the loss of the committed day, with the value of the energy it ends with (docs/stochastic.md, section
1), positive when money is lost. day_ahead_mwh and response_mw_h are volumes of the committed day.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.errors import SolverError
from bess_pipeline.optimisation.stochastic.frontier import FrontierPoint, frontier
from bess_pipeline.optimisation.stochastic.policy import Judgement, judge_frontier
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.structure import structure_of
from bess_pipeline.risk.plan_judgement import committed_volumes, fresh_problem, out_of_sample
from bess_pipeline.trading.gate_problem import GateProblem

WORTHWHILE = 0.05  # of CVaR's risk-neutral size: less of an improvement is explained
ROUNDING = 1e-9  # of sums over scenarios, relative


def frontier_rows(
    given: GateProblem, fresh: GateProblem | None, settings: CoOptimisationSettings, *, gap: float = 1e-6
) -> pd.DataFrame:
    """One row a risk aversion, rising from 0 to 1 in `frontier_points` steps; "oos_" columns are null without `fresh`,
    and for a battery whose dispatch the policy does not know (`Policy`).

    SolverError where a point is not found, and where the mean rises or CVaR worsens along the frontier by more than
    the proven gaps of its points allow. UserInputError where `fresh` is of another gate.
    """
    confidence = settings.confidence
    points = frontier(
        given.problem, np.linspace(0.0, 1.0, settings.frontier_points).tolist(), confidence=confidence, gap=gap
    )
    wrong = worsening(points)
    if wrong is not None:
        raise SolverError(wrong)
    judged = _judged(given, fresh, points, confidence)
    rows = [_row(given, point, one) for point, one in zip(points, judged, strict=True)]
    return pd.DataFrame(rows).assign(fresh_scenarios=fresh.problem.scenarios if fresh is not None else 0)


def worsening(points: Sequence[FrontierPoint]) -> str | None:
    """A sentence where, from a point to the next, the mean rises or CVaR worsens beyond gap/step; else None.

    Of optima neither can. Plans whose objectives are g and g' below theirs, at risk aversions a < a', obey
    (1 - a) dm - a dc >= -g and (1 - a') dm - a' dc <= g' with the falls dm of the mean and dc of CVaR; weighed with a'
    and a, and with 1 - a' and 1 - a, they give dm >= -(a' g + a g') / (a' - a) and
    dc >= -((1 - a') g + (1 - a) g') / (a' - a).
    """
    for one, other in pairwise(points):
        low, high = (RiskAversion(point.risk_aversion).weight for point in (one, other))
        gaps = [max(point.solution.bound_gbp - point.solution.objective_gbp, 0.0) for point in (one, other)]
        step = high - low
        rounding = ROUNDING * max(1.0, abs(one.expected_profit_gbp), abs(one.cvar_gbp)) / step
        rise = other.expected_profit_gbp - one.expected_profit_gbp
        worse = other.cvar_gbp - one.cvar_gbp
        if rise > (high * gaps[0] + low * gaps[1]) / step + rounding:
            return _sentence(one, other, f"the mean rises by {rise:.2f} GBP")
        if worse > ((1 - high) * gaps[0] + (1 - low) * gaps[1]) / step + rounding:
            return _sentence(one, other, f"CVaR worsens by {worse:.2f} GBP")
    return None


def why_flat(rows: pd.DataFrame) -> str | None:
    """Why full risk aversion improves the in-sample CVaR of a day's rows by less than `WORTHWHILE` of its risk-neutral
    size, in a sentence; None where it improves it by that or more.

    The last point is the least CVaR of all plans (to its gap), so what is not avoided there cannot be.
    """
    ordered = rows.sort_values("risk_aversion")
    neutral, averse = (ordered.iloc[k] for k in (0, -1))
    better, size = float(neutral["cvar_gbp"] - averse["cvar_gbp"]), abs(float(neutral["cvar_gbp"]))
    if better > 0 and better >= WORTHWHILE * size:
        return None
    tail = "earns" if neutral["cvar_gbp"] < 0 else "loses"
    share = f" ({better / size:.1%})" if size else ""
    return (
        f"{neutral['efa_date']}: the plan of the highest mean {tail} {size:,.0f} GBP in its worst outcomes, and no "
        f"plan does better by more than {max(better, 0.0):,.0f} GBP{share} there: there is little risk that a plan "
        "can avoid"
    )


def _sentence(one: FrontierPoint, other: FrontierPoint, what: str) -> str:
    return (
        f"the frontier is not in order: from risk aversion {one.risk_aversion:g} to {other.risk_aversion:g} {what}, "
        "more than the gaps of the two plans allow"
    )


def _judged(
    given: GateProblem, fresh: GateProblem | None, points: Sequence[FrontierPoint], confidence: float
) -> Sequence[Judgement | None]:
    if fresh is None:
        return [None] * len(points)
    unseen = fresh_problem(given, fresh)
    if structure_of(compile_programme(given.problem)) is None:
        return [None] * len(points)
    return judge_frontier(given.problem, points, unseen, confidence=confidence)


def _row(given: GateProblem, point: FrontierPoint, judged: Judgement | None) -> dict[str, object]:
    day_ahead_mwh, response_mw_h = committed_volumes(given.problem, *given.problem.split_plan(point.plan))
    return {
        "efa_date": given.efa_date,
        "risk_aversion": point.risk_aversion,
        "expected_pnl_gbp": point.expected_profit_gbp,
        "var_gbp": point.var_gbp,
        "cvar_gbp": point.cvar_gbp,
        "gap": point.gap,
        **out_of_sample(judged),
        "day_ahead_mwh": day_ahead_mwh,
        "response_mw_h": response_mw_h,
        "scenarios": given.problem.scenarios,
    }
