"""Capture worked out by hand: stored energy counts on both sides, and no bound means no capture."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest

from bess_pipeline.risk.capture import capture
from bess_pipeline.trading.status import status_row
from bess_pipeline.trading.strategies import DECIDING, NAMES, STRATEGIES

FIRST = date(2026, 3, 28)
BOUND = "day_ahead_perfect_foresight"


def pnl(**gbp: float) -> pd.DataFrame:
    rows = [(FIRST, name, stream, part) for name, total in gbp.items() for stream, part in split(total).items()]
    return pd.DataFrame(rows, columns=["efa_date", "strategy", "stream", "pnl_gbp"])


def split(total: float) -> dict[str, float]:
    return {"day_ahead": total + 30.0, "wear": -30.0}


def status(strategy: str, *states: float | None) -> pd.DataFrame:
    """A day per pair of neighbouring states."""
    return pd.concat(
        [
            status_row(FIRST + timedelta(days=n), strategy, "complete", opening_energy_mwh=one, closing_energy_mwh=two)
            for n, (one, two) in enumerate(pairwise(states))
        ]
    )


def test_pnl_after_wear_and_stored_energy_over_the_same_of_the_bound() -> None:
    days = pd.concat([status("rule_based", 50.0, 95.0, 30.0), status(BOUND, 50.0, 20.0, 60.0)])
    days = days.sample(frac=1.0, random_state=3)  # in no order
    found = capture(pnl(rule_based=500.0, day_ahead_perfect_foresight=900.0), days, 10.0)
    assert found.share == {"rule_based": pytest.approx((500.0 - 200.0) / (900.0 + 100.0))}
    assert found.energy_price_gbp_mwh == 10.0


@pytest.mark.parametrize("bound_gbp", [0.0, -50.0])
def test_there_is_no_capture_of_a_bound_that_is_not_positive(bound_gbp: float) -> None:
    days = pd.concat([status("rule_based", 50.0, 50.0), status(BOUND, 50.0, 50.0)])
    assert capture(pnl(rule_based=5.0, day_ahead_perfect_foresight=bound_gbp), days, 10.0).share == {}


def test_there_is_no_capture_without_bound_price_or_state() -> None:
    days = pd.concat([status("rule_based", 50.0, 50.0), status(BOUND, 50.0, 50.0)])
    both = pnl(rule_based=5.0, day_ahead_perfect_foresight=10.0)
    assert capture(pnl(rule_based=5.0), days, 10.0).share == {}
    assert capture(both, days, float("nan")).share == {}
    assert capture(both, pd.concat([status("rule_based", None, 50.0), status(BOUND, 50.0, 50.0)]), 10.0).share == {}
    assert capture(pnl(somebody=5.0), days, 10.0).share == {}
    assert capture(both, days, 10.0).share == {"rule_based": 0.5}


def test_every_strategy_of_the_register_has_a_bound_of_its_markets() -> None:
    by_name = {strategy.name: strategy for strategy in STRATEGIES}
    assert len(by_name) == len(STRATEGIES) == len(NAMES)
    for strategy in DECIDING:
        assert strategy.bound is not None
        bound = by_name[strategy.bound]
        assert bound.bound is None
        assert set(strategy.markets) <= set(bound.markets)
