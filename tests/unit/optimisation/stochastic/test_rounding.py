"""Volumes in steps, one after another: against rounding all at once, and against every combination of steps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from stochastic_oracle import best_objective
from stochastic_problems import coupled, with_response

from bess_pipeline.optimisation.problem import ClosingState
from bess_pipeline.optimisation.stochastic.numbers import ELASTIC
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.rounding import rounded_in_order
from bess_pipeline.optimisation.stochastic.solve import optimise_plan

STEP_MW = 0.1
CLOSING = ClosingState.free(60.0)


def carried_out(problem: StochasticProblem, day_ahead_mw: np.ndarray) -> tuple[float, float, float]:
    """Objective of the volumes with the best exclusive dispatch, MWh beyond limits, and the largest overlap, MWh."""
    found = optimise_plan(problem.with_plan(day_ahead_mw, None))
    beyond = sum(float(found.of(name).sum()) for name in ELASTIC if name in found.columns)
    overlap = np.minimum(found.of("charge_mwh"), found.of("discharge_mwh")).max()
    return found.objective_gbp, beyond, float(overlap)


@pytest.mark.parametrize("seed", range(6))
def test_volumes_in_order_can_be_carried_out_where_those_rounded_at_once_break_limits(seed: int) -> None:
    problem = coupled(1, seed=seed, cap_mw=0.0, closing=CLOSING)
    free = optimise_plan(problem)
    volumes = rounded_in_order(problem, STEP_MW)
    np.testing.assert_allclose(volumes / STEP_MW, np.round(volumes / STEP_MW), atol=1e-9)
    objective, beyond, overlap = carried_out(problem, volumes)
    assert beyond <= 1e-5
    assert overlap <= 1e-6
    assert objective <= free.bound_gbp + 1e-6
    assert objective >= free.objective_gbp - 0.002 * abs(free.objective_gbp)
    at_once = np.trunc(free.plan / STEP_MW) * STEP_MW
    assert carried_out(problem, at_once)[0] <= objective + 1e-6


def test_with_few_products_no_combination_of_steps_is_much_better() -> None:
    problem, step = coupled(1, periods=6, seed=3, cap_mw=0.0, closing=CLOSING), 10.0
    volumes = rounded_in_order(problem, step)
    mine = carried_out(problem, volumes)[0]
    every = [np.array(one) * step for one in product(range(-5, 6), repeat=3)]
    values = {tuple(one): best_objective(problem.with_plan(one, None), 0.0, 0.95)[0] for one in every}
    assert mine >= max(values.values()) - 0.02 * abs(max(values.values()))


def test_given_volumes_stay_and_services_are_free_to_follow() -> None:
    problem = with_response(1, periods=16, cap_mw=0.0)
    fixed = np.full(problem.products, np.nan)
    fixed[[0, 5]] = 3.33, -7.77
    volumes = rounded_in_order(problem.with_plan(fixed, None), STEP_MW)
    np.testing.assert_array_equal(volumes[[0, 5]], [3.33, -7.77])


def test_scenarios_have_no_order_of_rounding() -> None:
    with pytest.raises(ValueError, match="the volumes of 3 scenarios cannot be rounded"):
        rounded_in_order(coupled(3), STEP_MW)
