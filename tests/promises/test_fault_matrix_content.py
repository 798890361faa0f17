"""Fault matrix, rows 9 and 12 to 18: answers that arrive whole and do not say what they should.

Each test is named by its row; what each asserts is said in `test_fault_matrix_connection.py`.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fault_trial import AUCTION, DAY_AHEAD, MARKET_INDEX, NEXT, STORED, SYSTEM_PRICE, Trial
from ingest_tools import MARKET_TABLES, cut, dataset, lake_of

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import Dataset
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.sample_market import MarketServer, MarketTables
from bess_pipeline.sources import neso_auctions

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def stored(trial: Trial, table: str, day: date) -> pd.DataFrame:
    return lake_of(trial.root).read(table, day, day)


# --- 9: nothing there yet ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"kind": "empty"}, {"kind": "rewrite", "rewrite": "no_body"}], ids=["list", "body"])
def test_fault_09_empty_answer(trial: Trial, fault: dict[str, str]) -> None:
    """Not published yet; never a delete. The same for every source."""
    trial.arm(**fault)
    trial.refuses(r"(nothing|none) published yet|the answer is empty", status="not_published")
    trial.completes()


def test_fault_09_empty_answer_of_entsoe(entsoe_trial: Trial) -> None:
    entsoe_trial.arm("rewrite", rewrite="no_body")
    entsoe_trial.refuses("the answer is empty", [DAY_AHEAD], status="not_published")
    entsoe_trial.completes([DAY_AHEAD])


# --- 12 to 15: ENTSO-E ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
def test_fault_12_acknowledgement(entsoe_trial: Trial, status: int) -> None:
    entsoe_trial.arm("rewrite", rewrite="acknowledge", value=status)
    said = "ENTSO-E day-ahead prices: No matching data found"
    entsoe_trial.refuses(said, [DAY_AHEAD], status="not_published", max_attempts=9)
    assert len(entsoe_trial.server.requests) == 2  # one a day: asking again at once does not help
    entsoe_trial.completes([DAY_AHEAD])


def test_fault_13_only_auction_sequence_2(entsoe_trial: Trial) -> None:
    """Prices are there, of the other auction: the coupled one is missing all the same."""
    entsoe_trial.arm("rewrite", rewrite="other_sequence", value="2")
    said = "only auction sequence 2 is there, the coupled auction is not published yet"
    entsoe_trial.refuses(said, [DAY_AHEAD], status="not_published")
    entsoe_trial.completes([DAY_AHEAD])


def hours(trial: Trial, day: date) -> list[float]:
    """The market's own prices of a product day, hour by hour."""
    assert trial.server.tables.day_ahead is not None
    known = trial.server.tables.day_ahead.set_index("start_utc")["day_ahead_price_gbp_mwh"]
    return known.reindex(gb_time.efa_half_hours(day)[::2]).tolist()


def product_day(trial: Trial, day: date) -> pd.DataFrame:
    rows = lake_of(trial.root).read(DAY_AHEAD, day - timedelta(days=1), day)
    return rows[rows["start_utc"].isin(gb_time.efa_half_hours(day))]


def test_fault_14_resolutions_mixed(entsoe_trial: Trial) -> None:
    """Hours up to noon, quarter-hours after it: each is read by the resolution that its own period names."""
    following = entsoe_trial.days[1]
    entsoe_trial.arm("rewrite", rewrite="quarter_hours")
    before = entsoe_trial.files()
    found = entsoe_trial.ask([DAY_AHEAD], [following])
    assert found["status"].tolist() == ["complete"]
    assert before.items() <= {**entsoe_trial.files(), **last_hour_added(entsoe_trial, before)}.items()
    rows = product_day(entsoe_trial, following)
    known = hours(entsoe_trial, following)
    halves = [price for price in known[:12] for _ in range(2)]
    halves += [price + step for price in known[12:] for step in (-2, 2)]  # means of p-3, p-1 and of p+1, p+3
    np.testing.assert_allclose(rows["day_ahead_price_gbp_mwh"], halves, rtol=0, atol=1e-9)
    assert rows["native_resolution_minutes"].tolist() == [60] * 24 + [15] * 24
    entsoe_trial.completes([DAY_AHEAD])


def last_hour_added(trial: Trial, before: dict[str, bytes]) -> dict[str, bytes]:
    """The stored day gains the hour from 23:00, which belongs to the next product day; its other rows stay."""
    (path,) = (name for name in before if name.endswith(f"{trial.days[0]}.parquet"))
    rows = stored(trial, DAY_AHEAD, trial.days[0])
    assert trial.whole is not None
    reference = replace(trial, root=trial.whole)
    pd.testing.assert_frame_equal(rows.iloc[:46], stored(reference, DAY_AHEAD, trial.days[0]).iloc[:46])
    return {path: before[path]}


def test_fault_15_omitted_points(entsoe_trial: Trial) -> None:
    """Curve A03: filled forward inside one period, as many as were left out, and the outcome says so."""
    following = entsoe_trial.days[1]
    entsoe_trial.arm("rewrite", rewrite="omit_points")
    found = entsoe_trial.ask([DAY_AHEAD], [following])
    assert found["status"].tolist() == ["complete"]
    assert found["reason"].tolist() == ["4 half-hours filled from the position before (omitted in curve A03)"]
    known = hours(entsoe_trial, following)
    known[4:6] = [known[3]] * 2
    rows = product_day(entsoe_trial, following)
    assert rows["day_ahead_price_gbp_mwh"].tolist() == [price for price in known for _ in range(2)]
    entsoe_trial.completes([DAY_AHEAD])
    assert entsoe_trial.ask([DAY_AHEAD], [following])["reason"].tolist() == [""]


# --- 16 and 17: clock changes -----------------------------------------------------------------------


def autumn_market(spring: MarketTables) -> MarketTables:
    """Prices of the day with 50 half-hours and 25 hours, the day before and the day after."""
    days = gb_time.days_between(AUTUMN - timedelta(days=1), AUTUMN + timedelta(days=1))
    half_hours = pd.DatetimeIndex(np.concatenate([gb_time.settlement_half_hours(day) for day in days]), tz="UTC")
    prices = np.random.default_rng(50).normal(80, 40, len(half_hours)).round(2)
    starts = pd.Series(half_hours).dt.as_unit("us")
    index = gb_time.settlement_columns(starts).assign(start_utc=starts)
    windows = [(day, block, *gb_time.efa_block_bounds_utc(day, block)) for day in days for block in range(1, 7)]
    columns = ["efa_date", "efa_block", "delivery_start_utc", "delivery_end_utc"]
    auctions = pd.DataFrame(windows, columns=columns)
    for name in columns[2:]:
        auctions[name] = pd.to_datetime(auctions[name], utc=True).dt.as_unit("us")
    products = sorted(spring.response_auction["product"].unique())
    auctions = pd.concat([auctions.assign(product=product) for product in products], ignore_index=True)
    ends = half_hours[0] - pd.Timedelta(hours=1), half_hours[-1] + pd.Timedelta(hours=1)
    all_hours = pd.Series(pd.date_range(*ends, freq="h", unit="us"))
    return MarketTables(
        system_price=index.assign(system_price_gbp_mwh=prices, net_imbalance_volume_mwh=-12.5),
        market_index=index.assign(market_index_price_gbp_mwh=prices + 1, market_index_volume_mwh=100.0),
        response_auction=auctions.assign(clearing_price_gbp_mw_h=3.25, cleared_volume_mw=50.0),
        origin="simulated",
        day_ahead_leg=spring.day_ahead_leg,
        first_date=days[0],
        last_date=days[-1],
        day_ahead=pd.DataFrame({"start_utc": all_hours, "day_ahead_price_gbp_mwh": np.arange(len(all_hours)) * 1.5}),
    )


@pytest.fixture(scope="module")
def clock_changes(trial_market: MarketTables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[date, Trial]]:
    """Workspaces with the day before each clock change, by the day of the change."""
    spring = cut(trial_market, SPRING - timedelta(days=2), SPRING + timedelta(days=1))
    with MarketServer(spring) as first, MarketServer(autumn_market(trial_market)) as second:
        made = {}
        for day, server in ((SPRING, first), (AUTUMN, second)):
            root, days = tmp_path_factory.mktemp(str(day)), (day - timedelta(days=1), day)
            whole = Trial(root / "whole", server, days=days)
            begun = Trial(root / "stored", server, whole.root, days)
            now = {"now": lambda: gb_time.settlement_day_bounds_utc(AUTUMN + timedelta(days=3))[0]}
            assert set(whole.ask(**now)["status"]) == {"complete"}
            assert set(begun.ask(days=days[:1], **now)["status"]) == {"complete"}
            made[day] = begun
        yield made


@pytest.fixture
def changed(clock_changes: dict[date, Trial], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """A copy of the workspace of the clock change that the test is parametrised with."""
    made = clock_changes[request.param]
    made.server.faults.clear()
    yield made.copy(tmp_path / "workspace")
    made.server.faults.clear()


@pytest.mark.parametrize(("changed", "count"), [(SPRING, 46), (AUTUMN, 50)], indirect=["changed"])
def test_fault_16_clock_change(changed: Trial, count: int) -> None:
    """46 and 50 half-hours, each once, on the market's own starts; three and five hours in the first block."""
    changed.completes(now=after(changed))
    day = changed.days[1]
    for table in (SYSTEM_PRICE, MARKET_INDEX):
        rows = stored(changed, table, day)
        assert rows["settlement_period"].tolist() == list(range(1, count + 1))
        assert (rows["start_utc"].diff().dropna() == pd.Timedelta(minutes=30)).all()
        assert rows["start_utc"].iloc[0] == pd.Timestamp(day, tz="Europe/London").tz_convert("UTC")
    market = changed.server.tables.system_price
    published = market.loc[market["settlement_date"] == day, "system_price_gbp_mwh"]
    assert stored(changed, SYSTEM_PRICE, day)["system_price_gbp_mwh"].tolist() == published.tolist()
    assert product_day(changed, day)["day_ahead_price_gbp_mwh"].tolist() == [
        price for price in hours(changed, day) for _ in range(2)
    ]
    assert len(product_day(changed, day)) == count
    windows = lake_of(changed.root).read(AUCTION, day - timedelta(days=1), day)
    response = windows["product"].str.startswith("D")
    first = windows[response & (windows["efa_date"] == day) & (windows["efa_block"] == 1)]
    length = first["delivery_end_utc"] - first["delivery_start_utc"]
    assert set(length / pd.Timedelta(hours=1)) == {3.0 if count == 46 else 5.0}


def after(trial: Trial) -> object:
    """A clock that stands some days after the clock change."""
    return lambda: gb_time.settlement_day_bounds_utc(trial.days[1] + timedelta(days=3))[0]


@pytest.mark.parametrize(
    ("changed", "said", "rows"),
    [
        (SPRING, "2026-03-29 has periods 1 to 46, the answer has 47", 0),
        (AUTUMN, "2 of 50 missing: 2026-10-25T23:00Z, 2026-10-25T23:30Z", 48),
    ],
    indirect=["changed"],
)
def test_fault_17_periods_wrong_on_a_clock_change(changed: Trial, said: str, rows: int) -> None:
    """A server that ignores the change: what is wrong is refused, what is missing is listed, nothing is filled in."""
    before, day = changed.files(), changed.days[1]
    changed.arm("rewrite", rewrite="no_clock_change", path=f"system-prices/{day}")
    outcome = changed.ask([SYSTEM_PRICE], now=after(changed)).loc[(SYSTEM_PRICE, day)]
    assert (outcome["status"], outcome["rows"]) == ("refused", rows)
    assert said in outcome["reason"]
    assert len(stored(changed, SYSTEM_PRICE, day)) == rows
    assert before.items() <= changed.files().items()
    changed.completes([SYSTEM_PRICE], now=after(changed))


@pytest.mark.parametrize("changed", [SPRING, AUTUMN], indirect=True)
@pytest.mark.parametrize("begun", [False, True], ids=["new", "after good data"])
def test_fault_17_windows_wrong_on_a_clock_change(changed: Trial, begun: bool, tmp_path: Path) -> None:
    """The first block of four hours instead of three or five; it begins on the day before."""
    trial = changed if begun else replace(changed, root=tmp_path / "new")
    before, (eve, day) = trial.files(), changed.days
    trial.arm("rewrite", rewrite="no_clock_change", path="deliveryStart")
    found = trial.ask([AUCTION], now=after(changed))
    said = f"is not its EFA block 1 of {day}"
    assert found.loc[(AUCTION, eve), "status"] == ("complete" if begun else "refused")
    assert begun or said in found.loc[(AUCTION, eve), "reason"]
    assert before.items() <= trial.files().items()
    failure = RawVault(trial.root / "raw").failure(dataset(AUCTION).raw, eve)
    assert failure is not None
    assert said in failure.reason
    trial.completes([AUCTION], now=after(changed))


@pytest.mark.parametrize("changed", [SPRING, AUTUMN], indirect=True)
def test_fault_17_hour_missing_on_a_clock_change(changed: Trial) -> None:
    """The day-ahead source leaves out an hour: it is listed as two half-hours and not interpolated."""
    before, day = changed.files(), changed.days[1]
    changed.arm("rewrite", rewrite="drop_row")
    found = changed.ask([DAY_AHEAD], [day], now=after(changed))
    row = found.loc[(DAY_AHEAD, day)]
    expected = len(gb_time.efa_half_hours(day))
    assert row["status"] == "refused"
    assert row["reason"].startswith(f"2 of {expected} missing: {day}T")
    assert row["rows"] == expected - 2 == len(product_day(changed, day))
    assert {path for path in before if changed.files().get(path) != before[path]} <= {
        f"{DAY_AHEAD}/{changed.days[0]}.parquet"
    }
    changed.completes([DAY_AHEAD], now=after(changed))


# --- 18: duplicates ---------------------------------------------------------------------------------


def test_fault_18_exact_duplicates(trial: Trial) -> None:
    """Dropped, and counted in the outcome."""
    trial.arm("rewrite", rewrite="repeat_row")
    found = trial.ask()
    assert set(found["status"]) == {"complete"}
    noticed = found["reason"].groupby(level="date").agg(list)
    assert {len(reasons) for reasons in noticed} == {4}
    assert set(found.xs(SYSTEM_PRICE)["reason"]) == {"1 exact repeats dropped"}
    for table in (MARKET_INDEX, AUCTION):  # one answer holds both days: its middle row is of one of them
        assert sorted(found.xs(table)["reason"]) == ["", "1 exact repeats dropped"]
    assert trial.files() == trial.files(trial.whole)
    trial.completes()
    assert set(trial.ask()["reason"]) == {""}


@pytest.mark.parametrize("table", MARKET_TABLES)
def test_fault_18_contradicting_duplicates(trial: Trial, table: str) -> None:
    trial.arm("rewrite", rewrite="contradict_row")
    trial.refuses("1 rows contradict an earlier row, the first at", [table])
    trial.completes([table])


@pytest.mark.parametrize(
    ("rewrite", "status", "said"),
    [
        ("repeat_series", "complete", r"^24 exact repeats dropped$"),
        ("contradict_series", "refused", r"has two prices of one auction"),
    ],
)
def test_fault_18_duplicates_of_entsoe(entsoe_trial: Trial, rewrite: str, status: str, said: str) -> None:
    entsoe_trial.arm("rewrite", rewrite=rewrite)
    found = entsoe_trial.ask([DAY_AHEAD], entsoe_trial.days[1:])
    assert found["status"].tolist() == [status]
    assert found["reason"].str.contains(said).all(), found["reason"].tolist()
    entsoe_trial.completes([DAY_AHEAD])


def paged(table: str, rows: int) -> Dataset:
    """The auctions in pages of few rows, so that one ask has several answers."""
    whole = dataset(table)

    def fetch(client, first, last):  # type: ignore[no-untyped-def]
        start, end = gb_time.settlement_day_bounds_utc(first)[0], gb_time.settlement_day_bounds_utc(last)[1]
        return neso_auctions.fetch_auction_results(client, start, end, page_rows=rows)

    return dataclasses.replace(whole, fetch=fetch)


@pytest.mark.parametrize("off_gbp_mw_h", [0.0, 0.5], ids=["exact", "contradicting"])
def test_fault_18_duplicates_across_answers(trial: Trial, off_gbp_mw_h: float) -> None:
    """The second page tells a window of the first page again: the same is counted, another price is refused."""
    market = trial.server.tables
    windows = pd.concat([market.response_auction, market.reserve_auction])
    starts = windows["delivery_start_utc"]
    size = int(((starts >= f"{NEXT}T00:00Z") & (starts < f"{NEXT}T23:59Z")).sum()) - 10  # ten rows on a second page
    pages = paged(AUCTION, size)
    first = windows[starts == pd.Timestamp(f"{NEXT}T03:00Z")].iloc[0]
    row = {
        "auctionProduct": first["product"],
        "deliveryStart": f"{first['delivery_start_utc']:%Y-%m-%dT%H:%M:%S}",
        "deliveryEnd": f"{first['delivery_end_utc']:%Y-%m-%dT%H:%M:%S}",
        "clearedVolume": str(first["cleared_volume_mw"]),
        "clearingPrice": str(first["clearing_price_gbp_mw_h"] + off_gbp_mw_h),
    }
    trial.arm("rewrite", rewrite="insert_row", value=json.dumps(row), path=f"OFFSET {size}", date=NEXT)
    before = trial.files()
    outcome = trial.ask([pages], [NEXT]).loc[(AUCTION, NEXT)]
    assert len(trial.raw_bodies(AUCTION, NEXT)) == 2
    assert before.items() <= trial.files().items()
    if off_gbp_mw_h:
        assert outcome["status"] == "refused"
        assert "answers for raw/neso_response_auction: 1 rows contradict an earlier row" in outcome["reason"]
        assert str(first["product"]) in outcome["reason"]
        assert not lake_of(trial.root).has(AUCTION, NEXT)
    else:
        assert (outcome["status"], outcome["reason"]) == ("complete", "1 exact repeats dropped")
    trial.completes([pages])


def test_a_revision_between_asks_is_no_contradiction(trial: Trial) -> None:
    """The other side of row 18: what a later ask says replaces what an earlier one said."""
    trial.arm("rewrite", rewrite="revise", value=2.5, path="system-prices")
    assert set(trial.ask([SYSTEM_PRICE])["status"]) == {"complete"}
    shutil.rmtree(trial.root / "quarantine", ignore_errors=True)
    old, new = (stored(replace(trial, root=root), SYSTEM_PRICE, STORED) for root in (trial.whole, trial.root))  # type: ignore[type-var]
    differ = (new["system_price_gbp_mwh"] - old["system_price_gbp_mwh"]).round(6)
    assert differ[differ != 0].tolist() == [2.5]
