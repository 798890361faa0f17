"""What a plan is worth, and what uncertainty and activation cost it, as rows of tables.

What belongs here: from the problem of a gate, its twin on fresh scenarios and a plan to rows of `risk/plan_value`,
`risk/plan_outcome` and `risk/information_value`, and the sensitivity to activation. What does not: the values
themselves (`optimisation/stochastic/`), the frontier (`frontier_rows.py`), and when rows are made and written.

P&L is expected over the whole horizon, after wear, with the value of the closing energy; VaR and CVaR are of the loss
of the committed day with the value of the energy it ends with (docs/stochastic.md, section 1), positive when money is
lost. In sample, recourse sees its whole path and penalties of broken limits are in the P&L; out of sample ("oos_") a
policy that knows no future carries the plan out, and what it breaks is stated in MWh instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.stochastic.bounds import information_values
from bess_pipeline.optimisation.stochastic.gates import reserved_headroom
from bess_pipeline.optimisation.stochastic.policy import Judgement, Policy
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.optimisation.stochastic.value_of_state import promises_of
from bess_pipeline.risk.plan_judgement import committed_volumes, fresh_problem, out_of_sample
from bess_pipeline.trading.gate_problem import GateInputs, GateProblem, gate_problem

MULTIPLIERS = (0.0, 1.0, 2.0)
HEADROOM = ("headroom_day_ahead_mwh", "headroom_response_mw_h", "headroom_value_gbp")
OUTCOME = ("efa_date", "strategy", "gate", "scenario", "probability", "pnl_gbp")
SAME_OBJECTIVE = 1e-9  # relative


def plan_value_rows(
    given: GateProblem,
    fresh: GateProblem | None,
    solution: TwoStageSolution,
    risk: RiskAversion,
    *,
    strategy: str,
    headroom: bool = True,
    **options: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The row of `risk/plan_value` of a plan, and those of `risk/plan_outcome`, one a fresh scenario.

    Where it is not judged "oos_" columns are null and there are no outcomes.

    solution: of `given`; headroom: whether reserved headroom is computed (two further solves; null otherwise), its
    volumes those of the committed day; options: of `optimise_plan`, those of the plan (limits of risk). `notes` are
    those of the gate and of the plan, and why something is null. UserInputError where `fresh` is of another gate.
    """
    held, why_held = _headroom(given, solution, risk, options) if headroom else (dict.fromkeys(HEADROOM, np.nan), ())
    judged, why_judged = _judged(given, fresh, solution, risk)
    row = {
        **_keys(given, strategy),
        "risk_aversion": risk.weight,
        "confidence": risk.confidence,
        "objective_gbp": solution.objective_gbp,
        "bound_gbp": solution.bound_gbp,
        "gap": solution.gap,
        "expected_pnl_gbp": solution.expected_profit_gbp,
        "var_gbp": solution.value_at_risk_gbp,
        "cvar_gbp": solution.cvar_gbp,
        "penalty_gbp": solution.penalty_gbp,
        **out_of_sample(judged),
        **held,
        "scenarios": given.problem.scenarios,
        "fresh_scenarios": fresh.problem.scenarios if fresh is not None else 0,
        "method": solution.method,
        "binaries": solution.binaries,
        "activation_basis": given.activation_label,
        "notes": "\n".join((*given.notes, *solution.notes, *why_held, *why_judged)),
    }
    return pd.DataFrame([row]), _outcomes(given, fresh, judged, strategy)


def information_rows(
    given: GateProblem,
    risk: RiskAversion,
    solution: TwoStageSolution | None = None,
    *,
    strategy: str,
    **options: Any,
) -> pd.DataFrame:
    """Rows of `risk/information_value`, one for each part of the expected-value plan that is fixed.

    solution: the plan of `given` at this risk aversion, which saves solving it again; one that is not (made at
    another, under a limit of risk, or with directions decided by binaries) is left aside. options: of `optimise_plan`.
    All values are of the linear problem without limits of risk.
    """
    known = solution if solution is not None and _is_optimum(solution, risk) else None
    values = information_values(given.problem, risk, best=known, **options)
    shared = {
        "risk_aversion": risk.weight,
        "wait_and_see_gbp": values.wait_and_see_gbp,
        "recourse_problem_gbp": values.recourse_problem_gbp,
        "gap_gbp": values.gap_gbp,
        "mean_scenario_gbp": values.mean_scenario_gbp,
    }
    return pd.DataFrame(
        [
            {
                **_keys(given, strategy),
                "fixed": plan.fixed,
                **shared,
                "expected_value_gbp": plan.objective_gbp,
                "evpi_gbp": values.evpi_gbp,
                "vss_gbp": plan.vss_gbp,
                "slack_cost_gbp": plan.penalty_gbp,
            }
            for plan in values.fixed
        ]
    )


def activation_sensitivity(
    inputs: GateInputs,
    risk: RiskAversion,
    *,
    strategy: str,
    multipliers: Sequence[float] = MULTIPLIERS,
    problem_of: Callable[[GateInputs], GateProblem] = gate_problem,
    **options: Any,
) -> pd.DataFrame:
    """The plan made anew with all activation times each multiplier (`ancillary.activation_multiplier`), a row each.

    problem_of: from inputs to the problem (at the response gate, of what was accepted too); options: of
    `optimise_plan`. response_mw_h and equivalent_cycles, expected, are of the committed day; a cycle is the usable
    energy discharged (AC), activation included.
    """
    rows = []
    for multiplier in multipliers:
        ancillary = inputs.ancillary.model_copy(update={"activation_multiplier": multiplier})
        given = problem_of(replace(inputs, ancillary=ancillary))
        found = optimise_plan(given.problem, risk, **options)
        rows.append(
            {
                **_keys(given, strategy),
                "risk_aversion": risk.weight,
                "multiplier": multiplier,
                "expected_pnl_gbp": found.expected_profit_gbp,
                "cvar_gbp": found.cvar_gbp,
                "response_mw_h": committed_volumes(given.problem, *given.problem.split_plan(found.plan))[1],
                "equivalent_cycles": _cycles(given.problem, found),
                "activation_basis": given.activation_label,
            }
        )
    return pd.DataFrame(rows)


def _keys(given: GateProblem, strategy: str) -> dict[str, object]:
    return {"efa_date": given.efa_date, "strategy": strategy, "gate": given.gate}


def _headroom(
    given: GateProblem, solution: TwoStageSolution, risk: RiskAversion, options: dict[str, Any]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Its columns, and a note where without within-day trade no plan keeps the limit of risk."""
    try:
        found = reserved_headroom(given.problem, solution, risk, **options)
    except UserInputError as error:
        return dict.fromkeys(HEADROOM, np.nan), (f"reserved headroom is not stated: {error}",)
    volumes = committed_volumes(given.problem, found.day_ahead_mw, found.response_mw)
    return dict(zip(HEADROOM, (*volumes, found.value_gbp), strict=True)), ()


def _judged(
    given: GateProblem, fresh: GateProblem | None, solution: TwoStageSolution, risk: RiskAversion
) -> tuple[Judgement | None, tuple[str, ...]]:
    """The plan on fresh scenarios, and a note where the policy does not know the battery."""
    if fresh is None:
        return None, ("there are no fresh scenarios: the plan is not judged out of sample",)
    unseen = fresh_problem(given, fresh)
    try:
        policy = Policy(given.problem, solution)
    except UserInputError as error:
        return None, (f"the plan is not judged out of sample: {error}",)
    return policy.judge(unseen, risk.confidence), ()


def _outcomes(given: GateProblem, fresh: GateProblem | None, judged: Judgement | None, strategy: str) -> pd.DataFrame:
    """P&L of the committed day by fresh scenario."""
    if fresh is None or judged is None:
        return pd.DataFrame(columns=list(OUTCOME))
    count = fresh.problem.scenarios
    keys = {name: [value] * count for name, value in _keys(given, strategy).items()}
    outcomes = {"scenario": range(count), "probability": fresh.problem.probability, "pnl_gbp": -judged.loss_gbp}
    return pd.DataFrame({**keys, **outcomes})[[*OUTCOME]]


def _is_optimum(solution: TwoStageSolution, risk: RiskAversion) -> bool:
    """Whether a solution is of the linear problem at this risk aversion."""
    value = (1 - risk.weight) * solution.expected_profit_gbp - risk.weight * solution.cvar_gbp
    same = abs(value - solution.objective_gbp) <= SAME_OBJECTIVE * max(1.0, abs(value))
    return same and not solution.binaries and not solution.method.endswith("+limit")


def _cycles(problem: StochasticProblem, solution: TwoStageSolution) -> float:
    """Expected equivalent cycles of the committed day."""
    day = slice(0, problem.committed_periods)
    discharged = solution.of("discharge_mwh")[:, day] + promises_of(problem, solution.plan).exported_mwh[:, day]
    return float(problem.probability @ discharged.sum(axis=1)) / problem.battery.usable_energy_mwh
