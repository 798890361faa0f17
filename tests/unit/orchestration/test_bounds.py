"""The check of the bounds: what it says of comparisons, and how severe it is."""

from __future__ import annotations

import dagster as dg
import pytest

from bess_pipeline.orchestration.assets.bounds import bound_holds
from bess_pipeline.trading.bound_checks import Comparison

KEY = dg.AssetKey(["risk", "bound"])
GOOD = Comparison("co_optimised", "perfect_foresight", "window", "2026-01")
LEFT_OUT = Comparison("co_optimised", "perfect_foresight", "window", "2026-02", reason="on a day it is provisional")
BEATEN = Comparison("co_optimised", "perfect_foresight", "window", "2026-03", failure="co_optimised earned more")
NOWHERE = Comparison("rule_based", "day_ahead_perfect_foresight", "window", "window", reason="it is provisional")
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize(
    ("found", "passed", "severity"),
    [
        ([GOOD, LEFT_OUT], True, ERROR),
        ([GOOD, LEFT_OUT, BEATEN], False, ERROR),
        ([GOOD, NOWHERE], False, WARN),
        ([BEATEN, NOWHERE], False, ERROR),
        ([], True, ERROR),
    ],
)
def test_a_beaten_bound_is_an_error_and_no_comparison_a_warning(
    found: list[Comparison], passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    check = bound_holds(KEY, found)
    assert check.passed is passed
    assert check.severity is severity


def test_what_was_compared_is_counted_and_what_was_not_is_listed() -> None:
    told = {name: value.value for name, value in bound_holds(KEY, [GOOD, LEFT_OUT, NOWHERE]).metadata.items()}
    assert told == {
        "beaten_by": "none",
        "compared": 1,
        "not_compared": 2,
        "compared_nowhere": NOWHERE.words,
        "not_compared_because": f"- {LEFT_OUT.words}\n- {NOWHERE.words}",
    }
    assert "not_compared_because" not in bound_holds(KEY, [GOOD]).metadata
