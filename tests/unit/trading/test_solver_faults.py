"""Days whose optimisation fails: refused with one sentence, and the days around them as if nothing had been."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from replay_tools import Desk, write_prices

from bess_pipeline import gb_time
from bess_pipeline.ingestion.outcomes import COMPLETE
from bess_pipeline.optimisation.solver import Solver
from bess_pipeline.sample_market import MarketTables, simulate
from bess_pipeline.settings import SolverSettings
from bess_pipeline.trading.stamps import CASHFLOW, DISPATCH, PLAN
from bess_pipeline.verdict import not_complete

RULE, ROLL, BOUND = "rule_based", "day_ahead_rolling", "day_ahead_perfect_foresight"
SHORT_DAY = date(2026, 3, 29)  # of 23 hours, by which the faults know it
DAYS = gb_time.days_between(date(2026, 3, 28), date(2026, 3, 30))
HARD_LIMIT_S = 20.0
BAD = "solver_faults:{}_on_the_short_day"
INITIAL_MWH = 50.0


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("prices"))
    market: MarketTables = simulate()
    write_prices(desk.lake, market, date(2026, 3, 18), date(2026, 4, 4))
    return desk


def run(prices: Desk, root: Path, solver: Solver) -> Desk:
    desk = prices.copy(root)
    desk.solver = solver
    desk.run(DAYS)
    return desk


def require_only_the_short_day_refused(desk: Desk, sentence: str) -> None:
    found = desk.statuses(DAYS)
    status, reason = found.pop((SHORT_DAY, ROLL))
    assert status == "refused"
    assert sentence in reason
    assert "\n" not in reason
    assert set(found.values()) == {(COMPLETE, "")}
    lake = desk.lake
    assert set(lake.read(PLAN, SHORT_DAY, SHORT_DAY)["strategy"]) == {RULE}  # no numbers of what failed
    idle = lake.read(DISPATCH, SHORT_DAY, SHORT_DAY).query("strategy == @ROLL")
    assert len(idle) == 46
    assert (idle[["charge_mw", "discharge_mw", "contracted_mwh"]] == 0.0).all(axis=None)
    after = lake.read(DISPATCH, DAYS[2], DAYS[2]).query("strategy == @ROLL")
    assert after["discharge_mw"].max() > 10.0
    assert lake.read(CASHFLOW, DAYS[2], DAYS[2]).query("strategy == @ROLL")["amount_gbp"].abs().sum() > 100.0
    assert [problem.day for problem in not_complete(lake, DAYS) if problem.what == ROLL] == [SHORT_DAY]  # exit status


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("answer_none", "is no schedule"),
        ("answer_an_infeasible_schedule", "breaks the limit"),
        ("say_infeasible", "status infeasible"),
        ("say_unknown", "status unknown"),
        ("run_out_of_time", "time limit of 60 s"),
    ],
)
def test_fault_30_a_day_without_a_schedule_is_refused_and_other_days_continue(
    prices: Desk, tmp_path: Path, fault: str, sentence: str
) -> None:
    desk = run(prices, tmp_path, Solver(SolverSettings(guarded=False), roll=BAD.format(fault)))
    require_only_the_short_day_refused(desk, sentence)


@pytest.mark.parametrize(
    ("fault", "limit_s", "sentence"),
    [
        ("sleep_for_ever", HARD_LIMIT_S, "the solver gave no answer within its hard limit of 20 s"),
        ("crash", 600.0, "the solver crashed (signal Abort"),
    ],
)
@pytest.mark.slow
def test_fault_31_a_solver_that_hangs_or_crashes_costs_its_day_alone(
    prices: Desk, tmp_path: Path, fault: str, limit_s: float, sentence: str
) -> None:
    settings = SolverSettings(time_limit_s=10.0, hard_limit_s=limit_s)
    desk = run(prices, tmp_path, Solver(settings, roll=BAD.format(fault)))
    require_only_the_short_day_refused(desk, sentence)


def test_fault_30_a_bound_without_a_schedule_stops_no_strategy(prices: Desk, tmp_path: Path) -> None:
    """The bound is one problem over the run: its days are refused together, and nothing else is."""
    solver = Solver(SolverSettings(guarded=False), optimise="solver_faults:say_unknown")
    found = run(prices, tmp_path, solver).statuses(DAYS)
    for day in DAYS:
        assert found[day, RULE] == found[day, ROLL] == (COMPLETE, "")
        assert found[day, BOUND] == ("refused", "the solver ended with status unknown and without a schedule")
