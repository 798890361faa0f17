"""Asset `risk/bound`: upper bounds of the strategies, each one problem over a whole window of days.

What belongs here: dependencies, pool and the check. What does not: the windows and the problem (`trading/bounds.py`)
and the comparison (`trading/bound_checks.py`).

A run computes the windows that hold one of its days and writes all days of each, also those it was not asked for: a
bound over more days is another problem. Dependencies are day on day (`trading.py` says why).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.publish import PUBLISH_POOL
from bess_pipeline.orchestration.assets.trading import common
from bess_pipeline.orchestration.partitions import requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, restates, skips_finished
from bess_pipeline.runtime import Runtime
from bess_pipeline.trading.bound_checks import Comparison, compared_nowhere, comparisons, failures
from bess_pipeline.trading.bounds import READ, SolvedBound, StoredBounds
from bess_pipeline.trading.stamps import CASHFLOW, DAILY_PNL, DISPATCH, RUN_STATUS

COMPUTED_OF = (DISPATCH, MARKET_DISPATCH, CASHFLOW, RUN_STATUS, DAILY_PNL, *READ)


def bound_assets(partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The bounds."""
    return [_bound(partitions)]


def make_bounds(runtime: Runtime) -> StoredBounds:
    """`StoredBounds` on the runtime's workspace."""
    return StoredBounds(runtime.settings, runtime.workspace.lake)


def _bound(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    key = dg.AssetKey(BOUND_TABLE.split("/"))

    @dg.asset(
        **common(partitions, BOUND_TABLE, "risk"),
        deps=[table.split("/") for table in COMPUTED_OF],
        pool=PUBLISH_POOL,
        kinds={"python", "highs"},
        description=f"{metadata.describe(BOUND_TABLE)} All outcomes known, every option that a strategy has.",
        check_specs=[
            dg.AssetCheckSpec("bound_holds", asset=key, description="No strategy beats its bound; all are compared.")
        ],
    )
    @one_sentence
    def bound(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        bounds, days = make_bounds(runtime), requested_days(context)
        lake = runtime.workspace.lake
        solved = bounds.make(days, again=not (skips_finished(context) or restates(context)))
        found = [one for window in bounds.windows(days) for one in comparisons(bounds, window)]
        for words in failures(found):
            context.log.error(words)
        for words in compared_nowhere(found):
            context.log.warning(f"compared nowhere: {words}")
        told = metadata.rows_metadata(context, lake, BOUND_TABLE, days)
        return dg.MaterializeResult(
            metadata=told | metadata.notes_metadata([_words(one) for one in solved]),
            check_results=[bound_holds(key, found)],
        )

    return bound


def bound_holds(key: dg.AssetKey, found: Sequence[Comparison]) -> dg.AssetCheckResult:
    """The check: an error where a bound is beaten, a warning where a strategy was compared over no part of a window."""
    beaten, nowhere = failures(found), compared_nowhere(found)
    without = [one.words for one in found if one.reason]
    told: dict[str, Any] = {
        "beaten_by": "; ".join(beaten) or "none",
        "compared": len(found) - len(without),
        "not_compared": len(without),
        "compared_nowhere": "; ".join(nowhere) or "none",
    }
    return dg.AssetCheckResult(
        check_name="bound_holds",
        asset_key=key,
        passed=not (beaten or nowhere),
        severity=dg.AssetCheckSeverity.WARN if nowhere and not beaten else dg.AssetCheckSeverity.ERROR,
        metadata=told | ({"not_compared_because": metadata.listed(without)} if without else {}),
    )


def _words(one: SolvedBound) -> str:
    told = f"; {'; '.join(one.notes)}" if one.notes else ""
    return (
        f"{one.bound} at {one.imbalance_cap_mw:g} MW over {one.window}: {one.value_gbp:,.0f} GBP with closing energy, "
        f"gap {one.gap_gbp:,.2f} GBP, solved in {one.seconds:.1f} s{told}"
    )
