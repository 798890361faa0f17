"""Random stochastic problems: optimal against an independent formulation, true to physics, bounds true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stochastic_oracle import best_objective, sorted_tail_loss
from stochastic_physics import TOLERANCE, promises_broken, violations
from stochastic_problems import problems

from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

risks = st.builds(RiskAversion, st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.sampled_from([0.5, 0.8, 0.95]))
slowly = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(problems(), risks, st.sampled_from(["extensive", "decomposition"]))
def test_optimal_and_proven(problem: StochasticProblem, risk: RiskAversion, method: str) -> None:
    expected, _ = best_objective(problem, risk.weight, risk.confidence)
    found = optimise_plan(problem, risk, method=method, exclusive=False)  # type: ignore[arg-type]
    rounding = 1e-6 * max(1.0, abs(expected))
    assert found.objective_gbp <= expected + rounding
    assert found.bound_gbp >= expected - rounding
    assert found.gap <= 1.1e-6
    worst = sorted_tail_loss(found.loss_gbp, problem.probability, risk.confidence)
    assert found.cvar_gbp == pytest.approx(worst, rel=1e-9, abs=1e-6)


@slowly
@given(problems(), risks, st.sampled_from(["extensive", "decomposition"]))
def test_no_scenario_breaks_physics_or_promise_beyond_its_stored_slack(
    problem: StochasticProblem, risk: RiskAversion, method: str
) -> None:
    found = optimise_plan(problem, risk, method=method, time_limit_s=5.0)  # type: ignore[arg-type]
    assert violations(problem, found) == []
    assert {name: by for name, by in promises_broken(problem, found).items() if by > TOLERANCE} == {}
    assert all((slack >= -TOLERANCE).all() for slack in found.slack_mwh.values())
    assert found.objective_gbp <= found.bound_gbp + 1e-6 * max(1.0, abs(found.bound_gbp))
    caps = np.asarray(problem.response_cap_mw)
    assert (problem.split_plan(found.plan)[1] <= caps + TOLERANCE).all()
