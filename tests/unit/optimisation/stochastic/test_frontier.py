"""The mean-CVaR frontier in sample: its shape, its warm starts, its gaps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from stochastic_problems import coupled, with_response

from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic import frontier as frontier_module
from bess_pipeline.optimisation.stochastic.frontier import FrontierPoint, frontier
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan


def assert_shape(points: list[FrontierPoint], weights: tuple[float, ...]) -> None:
    """CVaR never worsens and the mean never rises as risk weighs more, beyond what the gaps leave open.

    From weights a < b and answers within e_a, e_b of their optima: CVaR_b - CVaR_a and mean_b - mean_a are at most
    (e_a + e_b) / (b - a).
    """
    assert [point.risk_aversion for point in points] == sorted(weights)
    for before, after in pairwise(points):
        open_gbp = sum(one.gap * max(1.0, abs(one.solution.objective_gbp)) for one in (before, after))
        step = min(after.risk_aversion, 1 - 1e-4) - before.risk_aversion
        assert after.cvar_gbp <= before.cvar_gbp + open_gbp / step + 1e-6
        assert after.expected_profit_gbp <= before.expected_profit_gbp + open_gbp / step + 1e-6


CASES = {
    "coupled": coupled(12),
    "response": with_response(8),
    "two days": coupled(6, periods=96, committed_periods=48, closing=ClosingState.at_least(40.0, 30.0)),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_cvar_never_worsens_and_the_mean_never_rises(name: str, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    problem: StochasticProblem = CASES[name]
    if large:
        monkeypatch.setattr(frontier_module, "EXTENSIVE_COLUMNS", 0)
    weights = (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)
    points = frontier(problem, weights, confidence=0.8)
    assert_shape(points, weights)
    assert points[0].cvar_gbp > points[-1].cvar_gbp + 1.0
    for point in points:
        alone = optimise_plan(problem, RiskAversion(point.risk_aversion, 0.8), method="extensive", exclusive=False)
        assert point.gap <= 1e-6
        assert point.solution.objective_gbp == pytest.approx(alone.objective_gbp, rel=2e-6)
        assert (point.solution.method == "interior_point") or not large or point.solution.method == "multicut"
