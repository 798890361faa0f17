"""A day of settlement stacks from a served market: kept, built, checked, and safe from a worse answer."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from ingest_tools import connected, dataset, ingest

from bess_pipeline.ingestion.stack import CHECK, RAW, STACK, StackIngestion
from bess_pipeline.sample_market import MarketServer
from bess_pipeline.sample_market.faults import Fault
from bess_pipeline.settings import StackSettings

DAY = date(2026, 3, 29)


def test_a_day_of_stacks_is_kept_built_and_agrees_with_its_prices(tmp_path: Path, server: MarketServer) -> None:
    with connected(tmp_path, server) as ingestion:
        ingest(ingestion, [DAY], [dataset("market/system_price"), dataset("market/market_index_price")])
        stacks = StackIngestion(ingestion)
        server.requests.clear()
        assert stacks.fetch([DAY]) == {DAY: None}
        assert len(server.requests) == 92
        assert [outcome.status for outcome in stacks.build([DAY])] == ["complete"]
        assert stacks.unfinished([DAY]) == []
        rows = stacks.check([DAY], StackSettings())
        assert set(rows.loc[rows["method"] == "own_tagging", "status"]) == {"agrees"}
        assert len(ingestion.lake.read(CHECK, DAY, DAY)) == 2 * 46
        stored = ingestion.lake.content_hash(STACK)

        server.faults.add(Fault(kind="empty", path="/stack/all/"))
        assert stacks.fetch([DAY]) == {DAY: None}  # empty sides are answers, an empty day is not a stack
        (outcome,) = stacks.build([DAY])
        assert (outcome.status, outcome.reason) == ("not_published", "no action is published in any period of the day")
        server.faults.clear()
        server.faults.add(Fault(kind="status", status=503, path="/stack/all/bid/2026-03-29/7"))
        failure = stacks.fetch([DAY])[DAY]
        assert failure is not None
        assert failure.status == "refused"
        assert ingestion.lake.content_hash(STACK) == stored
        assert len(list(ingestion.vault.records(RAW, DAY))) >= 1


def test_a_day_that_was_never_fetched_or_has_not_begun_says_so(tmp_path: Path, server: MarketServer) -> None:
    with connected(tmp_path, server) as ingestion:
        stacks = StackIngestion(ingestion)
        assert stacks.build([DAY])[0].reason == f"{RAW} was never fetched for {DAY}"
        coming = date(2026, 4, 20)
        failure = stacks.fetch([coming])[coming]
        assert failure is not None
        assert failure.status == "not_published"
        assert stacks.check([DAY], StackSettings()).empty
