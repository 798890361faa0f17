"""Asset `risk/bound`: upper bounds of the strategies, each one problem over a whole window of days.

What belongs here: dependencies, pool and the check. What does not: the windows and the problem (`trading/bounds.py`)
and the comparison (`trading/bound_checks.py`).

A run computes the windows that hold one of its days and writes all days of each, also those it was not asked for: a
bound over more days is another problem. Dependencies are day on day (`trading.py` says why).
"""

from __future__ import annotations

import dagster as dg

from bess_pipeline.bound_tables import BOUND_TABLE
from bess_pipeline.market_tables import MARKET_DISPATCH
from bess_pipeline.orchestration import metadata
from bess_pipeline.orchestration.assets.publish import PUBLISH_POOL
from bess_pipeline.orchestration.assets.trading import check_result, common
from bess_pipeline.orchestration.partitions import requested_days
from bess_pipeline.orchestration.resources import RUNTIME, one_sentence, restates, skips_finished
from bess_pipeline.runtime import Runtime
from bess_pipeline.trading.bound_checks import bound_failures
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
            dg.AssetCheckSpec("bound_holds", asset=key, description="No strategy earned more than its bound and gap.")
        ],
    )
    @one_sentence
    def bound(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runtime: Runtime = getattr(context.resources, RUNTIME)
        bounds, days = make_bounds(runtime), requested_days(context)
        lake = runtime.workspace.lake
        solved = bounds.make(days, again=not (skips_finished(context) or restates(context)))
        failures = [words for window in bounds.windows(days) for words in bound_failures(bounds, window)]
        for words in failures:
            context.log.error(words)
        found = metadata.rows_metadata(context, lake, BOUND_TABLE, days)
        return dg.MaterializeResult(
            metadata=found | metadata.notes_metadata([_words(one) for one in solved]),
            check_results=[
                check_result(key, "bound_holds", not failures, {"beaten_by": "; ".join(failures) or "none"})
            ],
        )

    return bound


def _words(one: SolvedBound) -> str:
    told = f"; {'; '.join(one.notes)}" if one.notes else ""
    return (
        f"{one.bound} at {one.imbalance_cap_mw:g} MW over {one.window}: {one.value_gbp:,.0f} GBP with closing energy, "
        f"gap {one.gap_gbp:,.2f} GBP, solved in {one.seconds:.1f} s{told}"
    )
