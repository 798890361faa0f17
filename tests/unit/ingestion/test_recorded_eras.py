"""Recorded GB data through server, client, vault and lake: equal values, and holes that are listed and not filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import Dataset, auction_clearing, expected_datasets, market_index_price
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import Outcome
from bess_pipeline.lake import Lake
from bess_pipeline.sample_market import MarketServer, MarketTables, load_tables
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.http import HttpClient

NOW = datetime(2026, 9, 1, tzinfo=UTC)
AUCTIONS, INDEX = "market/auction_clearing", "market/market_index_price"
FIRST, LAST = date(2023, 7, 1), date(2025, 3, 31)


@pytest.fixture
def recorded(realdata: Path) -> MarketTables:
    return load_tables(realdata / "tables")


@contextmanager
def connected(root: Path, server: MarketServer) -> Iterator[Ingestion]:
    lake = Lake(root / "lake", root / "quarantine")
    with HttpClient(SourcesSettings(**server.base_urls), lambda: NOW) as client:
        yield Ingestion(root / "raw", lake, client, lambda: NOW, lambda origin: None)


def ingest(root: Path, tables: MarketTables, dataset: Dataset, first: date, last: date) -> tuple[Lake, list[Outcome]]:
    with MarketServer(tables) as server, connected(root, server) as ingestion:
        days = gb_time.days_between(first, last)
        ingestion.fetch(dataset, days)
        outcomes = ingestion.build(dataset, days)
        asked = [request for request in server.requests if "package_show" not in request]
        assert len(asked) == len(set(asked)), "nothing was asked for twice"
        return ingestion.lake, outcomes


def not_complete(outcomes: list[Outcome]) -> dict[date, tuple[int, str]]:
    """Day -> (missing rows, reason)."""
    assert {o.status for o in outcomes} <= {"complete", "refused"}
    return {o.date: (o.expected_rows - o.rows, o.reason) for o in outcomes if o.status == "refused"}


def in_settlement_days(frame: pd.DataFrame, column: str, first: date, last: date) -> pd.DataFrame:
    start, end = gb_time.settlement_day_bounds_utc(first)[0], gb_time.settlement_day_bounds_utc(last)[1]
    return frame[(frame[column] >= start) & (frame[column] < end)]


def hours(frame: pd.DataFrame) -> dict[float, int]:
    length = (frame["delivery_end_utc"] - frame["delivery_start_utc"]) / pd.Timedelta(hours=1)
    return length.value_counts().to_dict()


@pytest.mark.slow
def test_640_days_of_auctions_arrive_with_equal_prices_hours_and_product_counts(
    tmp_path: Path, realdata: Path, recorded: MarketTables
) -> None:
    lake, outcomes = ingest(tmp_path, recorded, auction_clearing(), FIRST, LAST)
    truth = pd.read_parquet(realdata / "tables/response_auction.parquet")
    truth = in_settlement_days(truth, "delivery_start_utc", FIRST, LAST)
    stored = lake.read_all(AUCTIONS)
    keys = ["product", "delivery_start_utc"]
    both = truth.merge(stored, on=keys, how="outer", suffixes=("", "_stored"), indicator=True)
    assert (both["_merge"] == "both").all()
    for name in ("delivery_end_utc", "efa_date", "efa_block", "cleared_volume_mw"):
        assert (both[name] == both[f"{name}_stored"]).all(), name
    price = both["clearing_price_gbp_mw_h"]
    assert ((price == both["clearing_price_gbp_mw_h_stored"]) | price.isna()).all()
    nulls = stored[stored["clearing_price_gbp_mw_h"].isna()]
    assert nulls["product"].value_counts().to_dict() == {"DML": 17, "DMH": 1}
    assert hours(stored) == hours(truth)
    assert {3.0, 5.0} <= set(hours(stored)), "clock changes are in the window"
    assert stored["product"].value_counts().to_dict() == truth["product"].value_counts().to_dict()
    holes = not_complete(outcomes)
    # EFA day 2023-11-02 (block 1 starts on the date before), EFA 2025-03-30 block 2, and no EFA day after the last
    assert {day: missing for day, (missing, _) in holes.items()} == {
        date(2023, 11, 1): 6,
        date(2023, 11, 2): 30,
        date(2025, 3, 30): 6,
        date(2025, 3, 31): 6,
    }
    assert "DCH 2025-03-30T02:00Z" in holes[date(2025, 3, 30)][1]


def test_the_start_of_eac_the_missing_day_and_a_long_block(
    tmp_path: Path, realdata: Path, recorded: MarketTables
) -> None:
    """As above over 2023-10-25 to 2023-11-06, for every run of the tests."""
    first, last = date(2023, 10, 25), date(2023, 11, 6)
    lake, outcomes = ingest(tmp_path, recorded, auction_clearing(), first, last)
    truth = pd.read_parquet(realdata / "tables/response_auction.parquet")
    truth = in_settlement_days(truth, "delivery_start_utc", first, last)
    truth = truth.sort_values(["product", "delivery_start_utc"], ignore_index=True)
    stored = lake.read_all(AUCTIONS)
    pd.testing.assert_frame_equal(stored, truth[list(stored.columns)], check_dtype=False, check_exact=True)
    assert hours(stored)[5.0] == 6
    assert {day: missing for day, (missing, _) in not_complete(outcomes).items()} == {
        date(2023, 11, 1): 6,
        date(2023, 11, 2): 30,
    }


def test_nine_months_in_nesos_own_layout_arrive_unchanged(
    tmp_path: Path, realdata: Path, recorded: MarketTables
) -> None:
    """NESO's file, read here without our parser, served as a market and ingested."""
    own = pd.read_csv(realdata / "tables/neso_eac_results_summary_2023-11_2024-08.csv.gz")
    start, end = (pd.to_datetime(own[name], utc=True).dt.as_unit("us") for name in ("deliveryStart", "deliveryEnd"))
    served = pd.concat([gb_time.efa_columns(start)], axis=1).assign(
        product=own["auctionProduct"],
        delivery_start_utc=start,
        delivery_end_utc=end,
        clearing_price_gbp_mw_h=own["clearingPrice"],
        cleared_volume_mw=own["clearedVolume"].astype(float),
    )
    market = replace(recorded, response_auction=served)
    lake, outcomes = ingest(tmp_path, market, auction_clearing(), date(2023, 11, 2), date(2024, 8, 2))
    stored = lake.read_all(AUCTIONS)
    wanted = served.sort_values(["product", "delivery_start_utc"], ignore_index=True)
    assert len(wanted) == len(own) == 9864
    pd.testing.assert_frame_equal(stored, wanted[list(stored.columns)], check_dtype=False, check_exact=True)
    assert hours(stored) == {4.0: 9864 - 6, 3.0: 6}, "block 1 of 2024-03-31; there is no long block in this file"
    assert stored["product"].value_counts().to_dict() == dict.fromkeys(own["auctionProduct"].unique(), 9864 // 6)
    # the EFA day before the first, and block 1 of the one after the last, are not in the file
    holes = {day: missing for day, (missing, _) in not_complete(outcomes).items()}
    assert holes == {date(2023, 11, 2): 30, date(2024, 8, 2): 6}


@pytest.mark.slow
def test_the_market_index_loses_no_half_hour_at_the_edges_of_its_chunks(
    tmp_path: Path, realdata: Path, recorded: MarketTables
) -> None:
    lake, outcomes = ingest(tmp_path, recorded, market_index_price(), FIRST, LAST)
    truth = pd.read_parquet(realdata / "tables/market_index.parquet")
    empty = (truth["market_index_price_gbp_mwh"] == 0) & (truth["market_index_volume_mwh"] == 0)
    stored = lake.read_all(INDEX)
    expected = truth[~empty].sort_values("start_utc", ignore_index=True)
    assert stored["start_utc"].tolist() == expected["start_utc"].tolist()
    assert stored["market_index_price_gbp_mwh"].tolist() == expected["market_index_price_gbp_mwh"].tolist()
    grid = {s for day in gb_time.days_between(FIRST, LAST) for s in gb_time.settlement_half_hours(day)}
    lacking = grid - set(truth["start_utc"])
    assert lacking == {pd.Timestamp("2023-11-11T07:30Z"), pd.Timestamp("2024-04-13T07:00Z")}
    absent = sorted(lacking | set(truth.loc[empty, "start_utc"]))
    named = {day: reason for day, (_, reason) in not_complete(outcomes).items()}
    assert set(named) == {gb_time.settlement_date_of(start) for start in absent}
    assert "2023-11-11T07:30Z" in named[date(2023, 11, 11)]
    assert "2024-04-13T07:00Z" in named[date(2024, 4, 13)]


def test_chunk_edges_over_two_clock_changes(tmp_path: Path, recorded: MarketTables) -> None:
    """Thirteen days are three asks; the edges 2024-04-04 and 2024-04-05 and the 46-period day are whole."""
    first, last = date(2024, 3, 29), date(2024, 4, 10)
    lake, outcomes = ingest(tmp_path, recorded, market_index_price(), first, last)
    assert not_complete(outcomes) == {}
    counts = lake.read_all(INDEX).groupby("settlement_date").size()
    assert counts.to_dict() == {day: gb_time.periods_in_day(day) for day in gb_time.days_between(first, last)}


# --- reserve in a complete day ----------------------------------------------------------------------------


def test_reserve_is_sparse_unless_a_setting_says_so() -> None:
    def grid(day: date, *wanted: str) -> dict[str, int]:
        settings = SourcesSettings(expected_reserve_products=wanted)  # type: ignore[arg-type]
        auctions = next(one for one in expected_datasets("live", "neso_n2ex", settings) if one.table == AUCTIONS)
        return auctions.grid(day)["product"].value_counts().to_dict()

    response = dict.fromkeys(("DCH", "DCL", "DMH", "DML", "DRH", "DRL"), 6)
    assert grid(date(2026, 7, 1)) == response
    assert grid(date(2026, 7, 1), "PQR", "PBR") == response | {"PQR": 48, "PBR": 48}
    assert grid(date(2025, 3, 30), "PQR") == response | {"PQR": 46}
    assert grid(date(2025, 10, 26), "PQR") == response | {"PQR": 50}
