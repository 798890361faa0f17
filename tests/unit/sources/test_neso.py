"""NESO: recorded results against the assembled table, paging, discovery, clock-change blocks, N2EX hours."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from faulty_server import Server, reply

from bess_pipeline import schemas
from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.sources.auction_eras import RESPONSE_PRODUCTS
from bess_pipeline.sources.neso import fetch_n2ex_prices, parse_n2ex_prices
from bess_pipeline.sources.neso_auctions import fetch_auction_results, parse_auction_results
from bess_pipeline.sources.neso_resources import covering, pinned_resources, resources_of
from bess_pipeline.sources.parsing import combine

TABLE = "market/auction_clearing"
CURRENT, ARCHIVE_25, ARCHIVE_23 = ("596f29ac-0387-4ba4-a6d3-95c243140707", "a" * 36, "b" * 36)


def auction(**changes: Any) -> dict[str, Any]:
    return {
        "auctionID": "2661",
        "auctionProduct": "DCL",
        "serviceType": "Response",
        "deliveryStart": "2026-04-01T02:00:00",
        "deliveryEnd": "2026-04-01T06:00:00",
        "clearedVolume": "499",
        "clearingPrice": "7.68",
    } | changes


def envelope(*records: dict[str, Any], **result: Any) -> bytes:
    return json.dumps({"success": True, "result": {"records": records, "fields": []} | result}).encode()


# --- auction results ----------------------------------------------------------------------------------


def test_results_of_nine_months_equal_the_assembled_table(realdata: Path) -> None:
    content = gzip.decompress((realdata / "tables/neso_eac_results_summary_2023-11_2024-08.csv.gz").read_bytes())
    parsed = schemas.validate(TABLE, parse_auction_results(content))
    table = pd.read_parquet(realdata / "tables/response_auction.parquet")
    table["product"] = table["product"].astype("str")
    both = parsed.merge(table, on=["product", "delivery_start_utc"], how="left", suffixes=("", "_table"))
    assert len(both) == 9864
    assert both["clearing_price_gbp_mw_h_table"].notna().all(), "every parsed window is in the table"
    for name in ("clearing_price_gbp_mw_h", "cleared_volume_mw", "delivery_end_utc", "efa_date", "efa_block"):
        assert (both[name] == both[f"{name}_table"]).all(), name
    hours = (parsed["delivery_end_utc"] - parsed["delivery_start_utc"]) / pd.Timedelta(hours=1)
    assert hours.value_counts().to_dict() == {4.0: 9858, 3.0: 6}


def test_the_newer_csv_with_more_columns(realdata: Path) -> None:
    content = (realdata / "payloads/neso/neso_eac_results_summary_csv_head_with_new_columns.csv").read_bytes()
    frame = schemas.validate(TABLE, parse_auction_results(content))
    first = frame[frame["product"] == "DCH"].iloc[0]
    assert first["delivery_start_utc"] == pd.Timestamp("2023-11-02T23:00Z")
    assert (first["clearing_price_gbp_mw_h"], first["cleared_volume_mw"], first["efa_block"]) == (3.86, 1195.0, 1)
    assert frame["product"].value_counts().to_dict() == {"DCH": 6, "DCL": 2}


def test_a_recorded_sql_answer_of_other_columns_is_refused(realdata: Path) -> None:
    """Its envelope is the recorded one; its rows are an aggregate and no auction windows."""
    content = (realdata / "payloads/neso/neso_datastore_search_sql_response_summary.json").read_bytes()
    with pytest.raises(PayloadError, match="no field deliveryStart"):
        parse_auction_results(content)


def test_the_recorded_sql_envelope_with_auction_rows(realdata: Path) -> None:
    envelope_of_neso = json.loads(
        (realdata / "payloads/neso/neso_datastore_search_sql_response_summary.json").read_text()
    )
    envelope_of_neso["result"]["records"] = [auction(clearingPrice="-9.05")]
    frame = parse_auction_results(json.dumps(envelope_of_neso).encode())
    assert frame["clearing_price_gbp_mw_h"].tolist() == [-9.05]


def test_numbers_as_text_and_naive_utc() -> None:
    frame = schemas.validate(TABLE, parse_auction_results(envelope(auction(), auction(auctionProduct="XYZ"))))
    assert frame["product"].tolist() == ["DCL"]
    assert frame["delivery_start_utc"].tolist() == [pd.Timestamp("2026-04-01T02:00Z")]
    assert frame["efa_block"].tolist() == [2], "03:00 London summer time"
    assert (frame["clearing_price_gbp_mw_h"].item(), frame["cleared_volume_mw"].item()) == (7.68, 499.0)


RESERVE = ("PQR", "NQR", "PBR", "NBR", "PSR", "NSR")


def reserve(product: str = "PQR", start: str = "2026-04-01T02:00:00", end: str = "2026-04-01T02:30:00") -> Any:
    return auction(auctionProduct=product, serviceType="Quick Reserve", deliveryStart=start, deliveryEnd=end)


@pytest.mark.parametrize("product", RESERVE)
def test_reserve_windows_of_half_an_hour_stand_beside_response_blocks(product: str) -> None:
    frame = schemas.validate(TABLE, parse_auction_results(envelope(auction(), reserve(product)))).set_index("product")
    hours = (frame["delivery_end_utc"] - frame["delivery_start_utc"]) / pd.Timedelta(hours=1)
    assert hours.to_dict() == {"DCL": 4.0, product: 0.5}
    assert parse_auction_results(envelope(auction(), reserve(product)), frozenset({product}))["product"].tolist() == [
        product
    ]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-04-01T02:00:00", "2026-04-01T06:00:00"),
        ("2026-04-01T02:00:00", "2026-04-01T02:00:00"),
        ("2026-04-01T02:15:00", "2026-04-01T02:45:00"),
        ("2026-04-01T02:30:00", "2026-04-01T02:00:00"),
    ],
)
def test_a_reserve_window_is_a_settlement_half_hour(start: str, end: str) -> None:
    with pytest.raises(PayloadError, match=r"a PQR window 2026-04-01T02.* is not a settlement half-hour"):
        parse_auction_results(envelope(reserve("PQR", start, end)))


# --- auctions before EAC ------------------------------------------------------------------------------


def block(**changes: Any) -> dict[str, Any]:
    """A row of the DC, DR & DM results summary: London clock time, and its EFA day and block."""
    return {
        "Service": "DCL",
        "EFA Date": "2023-07-01T00:00:00",
        "Delivery Start": "2023-07-01T03:00:00",
        "Delivery End": "2023-07-01T07:00:00",
        "EFA": "2",
        "Cleared Volume": "1200",
        "Clearing Price": "3.5",
    } | changes


@pytest.mark.parametrize(
    ("efa", "start", "end", "number", "utc_start", "hours"),
    [
        ("2023-07-01", "2023-07-01T03:00:00", "2023-07-01T07:00:00", "2", "2023-07-01T02:00Z", 4.0),
        ("2023-07-01", "2023-06-30T23:00:00", "2023-07-01T03:00:00", "1", "2023-06-30T22:00Z", 4.0),
        ("2023-10-29", "2023-10-28T23:00:00", "2023-10-29T03:00:00", "1", "2023-10-28T22:00Z", 5.0),
        ("2023-03-26", "2023-03-25T23:00:00", "2023-03-26T03:00:00", "1", "2023-03-25T23:00Z", 3.0),
        ("2023-11-02", "2023-11-02T19:00:00", "2023-11-02T23:00:00", "6", "2023-11-02T19:00Z", 4.0),
    ],
)
def test_london_clock_times_become_utc(
    efa: str, start: str, end: str, number: str, utc_start: str, hours: float
) -> None:
    changes = {"EFA Date": f"{efa}T00:00:00", "Delivery Start": start, "Delivery End": end, "EFA": number}
    frame = schemas.validate(TABLE, parse_auction_results(envelope(block(**changes))))
    assert frame["delivery_start_utc"].item() == pd.Timestamp(utc_start)
    assert (frame["delivery_end_utc"] - frame["delivery_start_utc"]).item() == pd.Timedelta(hours=hours)
    assert (str(frame["efa_date"].item()), frame["efa_block"].item()) == (efa, int(number))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Delivery Start": "2023-07-01T02:00:00"}, "says EFA day 2023-07-01 block 2, and its London time makes it"),
        ({"EFA Date": "2023-06-30T00:00:00"}, "says EFA day 2023-06-30 block 2"),
        ({"EFA": "3"}, "says EFA day 2023-07-01 block 3"),
        ({"Delivery Start": "2023-07-01T03:00:00Z"}, "is London clock time and carries a zone"),
        ({"Delivery End": "2023-07-01T06:00:00"}, "is not its EFA block 2"),
        ({"Clearing Price": None}, "has price nan and volume 1200"),
    ],
)
def test_blocks_on_another_clock_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        parse_auction_results(envelope(block(**changes)))


def test_a_window_over_the_start_of_eac_asks_both_forms(server: Server, make_client: Callable[..., Any]) -> None:
    eac = auction(deliveryStart="2023-11-02T23:00:00", deliveryEnd="2023-11-03T03:00:00")
    rows = {"888e5029-f786-41d2-bc15-cbfd1d285e96": [block()], ARCHIVE_23: [eac]}
    server.script = portal(rows, PACKAGE)
    client = make_client(neso_base_url=server.url)
    answers = fetch_auction_results(client, utc("2023-07-01T00:00") - pd.Timedelta(hours=1), utc("2023-11-04T00:00"))
    assert [len(parse_auction_results(answer.content)) for answer in answers] == [1, 1]
    blocks, summary = (query["sql"] for query in (server.queries()[0], server.queries()[2]))
    assert blocks == (
        'SELECT "Service", "EFA Date", "Delivery Start", "Delivery End", "EFA", "Cleared Volume", "Clearing Price" '
        'FROM "888e5029-f786-41d2-bc15-cbfd1d285e96" WHERE "Delivery Start" >= \'2023-07-01T00:00:00\' '
        'AND "Delivery Start" < \'2023-11-02T23:00:00\' ORDER BY "_id" LIMIT 32000 OFFSET 0'
    )
    assert "\"deliveryStart\" >= '2023-11-02T23:00:00'" in summary


# --- which resource -------------------------------------------------------------------------------------


@pytest.mark.parametrize("volume", [0, "0.0", None, ""])
def test_a_null_price_stays_null_where_nothing_cleared(volume: object) -> None:
    frame = schemas.validate(TABLE, parse_auction_results(envelope(auction(clearingPrice=None, clearedVolume=volume))))
    assert frame["clearing_price_gbp_mw_h"].isna().all()
    assert frame["cleared_volume_mw"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("start", "end", "efa_date", "block"),
    [
        ("2025-10-25T22:00:00", "2025-10-26T03:00:00", "2025-10-26", 1),  # five hours
        ("2026-03-28T23:00:00", "2026-03-29T02:00:00", "2026-03-29", 1),  # three hours
        ("2026-07-31T22:00:00", "2026-08-01T02:00:00", "2026-08-01", 1),
        ("2026-01-31T19:00:00", "2026-01-31T23:00:00", "2026-01-31", 6),
    ],
)
def test_windows_are_efa_blocks_also_on_clock_changes(start: str, end: str, efa_date: str, block: int) -> None:
    frame = parse_auction_results(envelope(auction(deliveryStart=start, deliveryEnd=end)))
    assert (str(frame["efa_date"].item()), frame["efa_block"].item()) == (efa_date, block)


def test_summer_blocks_are_kept_apart() -> None:
    """Six windows of one summer EFA day: de-duplicating on a derived local date would lose some."""
    starts = pd.date_range("2026-06-30T22:00", periods=7, freq="4h").strftime("%Y-%m-%dT%H:%M:%S").tolist()
    rows = [auction(deliveryStart=a, deliveryEnd=b) for a, b in pairwise(starts)]
    frame = parse_auction_results(envelope(*rows))
    assert frame["efa_block"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["efa_date"].astype(str).unique().tolist() == ["2026-07-01"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([auction(deliveryEnd="2026-04-01T05:00:00")], "is not its EFA block 2 of 2026-04-01"),
        ([auction(deliveryStart="2026-04-01T03:00:00", deliveryEnd="2026-04-01T07:00:00")], "is not its EFA block"),
        ([auction(deliveryStart="2025-10-25T22:00:00", deliveryEnd="2025-10-26T02:00:00")], "is not its EFA block 1"),
        ([auction(), auction(clearingPrice="7.69")], "contradict"),
        ([auction(clearingPrice=None)], "DCL at 2026-04-01T02:00:00Z has price nan and volume 499"),
        ([auction(clearedVolume=None)], "has price 7.68 and volume nan"),
        ([auction(clearingPrice="n/a")], "not a finite number"),
        ([auction(clearingPrice="inf")], "not a finite number"),
        ([auction(deliveryStart=None)], "not a time stamp"),
        ([{k: v for k, v in auction().items() if k != "clearingPrice"}], "no field clearingPrice"),
    ],
)
def test_results_out_of_form_are_refused(rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        parse_auction_results(envelope(*rows))


def test_exact_repeats_are_dropped_and_pages_joined() -> None:
    page = parse_auction_results(envelope(auction(), auction(auctionID="2662")))
    other = parse_auction_results(envelope(auction(auctionProduct="DCH")))
    keys = schemas.keys(TABLE)
    assert len(page) == 1
    assert combine([page, other, page], keys, "pages")["product"].tolist() == ["DCH", "DCL"]
    with pytest.raises(PayloadError, match="contradict"):
        combine([page, page.assign(cleared_volume_mw=1.0)], keys, "pages")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (envelope(), NotPublishedError, "nothing published"),
        (b"", NotPublishedError, "nothing published"),
        (envelope(auction(auctionProduct="XYZ")), NotPublishedError, "nothing published yet for DCH"),
        (b'{"success": false, "error": {"query": ["bad syntax"]}}', PayloadError, "bad syntax"),
        (b'{"success": true}', PayloadError, "no result"),
        (b'{"success": true, "result": {"records": {}}}', PayloadError, "not a list"),
        (b"auctionID,auctionProduct\n1", PayloadError, "neither JSON nor a whole CSV"),
        (b"auctionID,auctionProduct\n1,DCL,x", PayloadError, "neither JSON nor a whole CSV"),
        (b"{", PayloadError, "not JSON"),
    ],
)
def test_answers_without_results(content: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_auction_results(content)


# --- discovery and paging ----------------------------------------------------------------------------


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PACKAGE = {
    "resources": [
        {"name": "EAC Results Summary", "id": CURRENT},
        {"name": "EAC Daily Results Summary", "id": "c" * 36},
        {"name": "EAC Results By Unit", "id": "d" * 36},
        {"name": "EAC Buy Orders Archive FY2025", "id": "e" * 36},
        {"name": "EAC Results Summary Archive FY2025", "id": ARCHIVE_25},
        {"name": "EAC Results Summary archive Nov-2023 - Mar-2025", "id": ARCHIVE_23},
        {"name": "EAC Results Summary", "id": "'; DROP TABLE x"},
        "odd",
    ]
}


def test_resources_are_found_by_name_with_their_spans() -> None:
    spans = {r.id: (r.start_utc, r.end_utc) for r in resources_of(PACKAGE)}
    assert spans == {
        ARCHIVE_23: (utc("2023-10-31T23:00"), utc("2025-03-31T22:00")),
        ARCHIVE_25: (utc("2025-03-31T22:00"), utc("2026-03-31T22:00")),
        CURRENT: (utc("2026-03-31T22:00"), utc("2100-03-31T22:00")),
    }


@pytest.mark.parametrize(
    ("name", "first", "end"),
    [
        ("Results Summary Archive 2025-26", "2025-03-31T22:00", "2026-03-31T22:00"),
        ("Results Summary Archive 2023/2025", "2023-03-31T22:00", "2025-03-31T22:00"),
        ("Results Summary Nov 2023 to March 2025", "2023-11-01T00:00", "2025-03-31T22:00"),
        ("Results Summary old archive", "2023-11-02T23:00", "2100-03-31T22:00"),
    ],
)
def test_spans_in_names(name: str, first: str, end: str) -> None:
    [resource] = resources_of({"resources": [{"name": name, "id": CURRENT}]})
    assert abs((resource.start_utc - utc(first)).total_seconds()) <= 3600
    assert resource.end_utc == utc(end)


def test_pinned_resources_that_we_are_sure_of_have_no_hole() -> None:
    archive, current = (one for one in pinned_resources() if not one.may_be_absent)
    assert archive.end_utc == current.start_utc == utc("2025-03-31T22:00")


def test_names_that_leave_a_gap_make_every_known_resource_asked() -> None:
    """Public code calls the first archive FY2023; whether it holds 2024-25 too, that name does not say."""
    names = {"FY2023 (Archive)": ARCHIVE_23, "FY2025 (Archive)": ARCHIVE_25, "": CURRENT}
    listed = resources_of({"resources": [{"name": f"Results Summary {n}", "id": i} for n, i in names.items()]})
    inside = covering(listed, utc("2023-12-01T00:00"), utc("2023-12-02T00:00"))
    assert [one.id for one in inside] == [ARCHIVE_23]
    gap = covering(listed, utc("2024-12-01T00:00"), utc("2024-12-02T00:00"))
    assert [one.id for one in gap[:3]] == [ARCHIVE_23, ARCHIVE_25, CURRENT]
    assert "ab130833-3ce4-4361-90fb-69fa3cf30f15" in {one.id for one in gap[3:] if one.may_be_absent}
    assert all(one.may_be_absent for one in gap[3:])


def test_a_resource_that_may_be_absent_is_skipped_and_one_that_must_be_there_is_not(
    server: Server, make_client: Callable[..., Any]
) -> None:
    absent = b'{"success": false, "error": {"message": "Not found: Resource was not found."}}'
    rows = portal({"596f29ac-0387-4ba4-a6d3-95c243140707": [auction()]}, None)
    gone = ["ab130833", "be55ee51", "1b3f2ee1"]

    def script(handler: Any) -> None:
        if any(f"%22{one}" in handler.path for one in gone):
            reply(handler, absent, status=404)
        else:
            rows(handler)

    server.script = script
    client = make_client(neso_base_url=server.url)
    window = (utc("2025-04-01T00:00"), utc("2025-04-02T00:00"))
    assert len(fetch_auction_results(client, *window)) == 1
    gone.append("596f29ac")
    with pytest.raises(PayloadError, match="Not found"):
        fetch_auction_results(client, *window)


def portal(rows: dict[str, list[dict[str, Any]]], package: dict[str, Any] | None) -> Callable[[Any], None]:
    """A portal that pages rows by the LIMIT and OFFSET of the query it is asked."""

    def script(handler: Any) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        if "/package_show" in handler.path:
            known = json.dumps({"success": True, "result": package}).encode()
            reply(handler, known if package else b"{}", status=200 if package else 404)
            return
        sql = query["sql"][0]
        found = re.fullmatch(r'SELECT .* FROM "(.*)" WHERE .* ORDER BY "_id" LIMIT (\d+) OFFSET (\d+)', sql)
        assert found
        limit, offset = int(found[2]), int(found[3])
        reply(handler, envelope(*rows.get(found[1], [])[offset : offset + limit]))

    return script


def test_pages_are_asked_for_until_a_short_one(server: Server, make_client: Callable[..., Any]) -> None:
    starts = pd.date_range("2026-06-30T22:00", periods=5, freq="4h").strftime("%Y-%m-%dT%H:%M:%S").tolist()
    rows = [auction(deliveryStart=a, deliveryEnd=b) for a, b in pairwise(starts)]
    server.script = portal({CURRENT: rows}, PACKAGE)
    client = make_client(neso_base_url=server.url)
    for page_rows, pages in ((3, 2), (2, 2), (10, 1)):
        server.targets.clear()
        answers = fetch_auction_results(client, utc("2026-06-30T22:00"), utc("2026-07-01T22:00"), page_rows)
        frames = [parse_auction_results(answer.content) for answer in answers]
        assert len(answers) == pages
        assert len(combine(frames, schemas.keys(TABLE), "pages")) == 4
        assert [q["sql"].rpartition(" ")[2] for q in server.queries()[1:]] == [
            str(n) for n in range(0, 5 if page_rows < 4 else 1, page_rows)
        ]
    sql = server.queries()[1]["sql"]
    assert sql == (
        'SELECT "auctionID", "auctionProduct", "serviceType", "deliveryStart", "deliveryEnd", "clearedVolume", '
        f'"clearingPrice" FROM "{CURRENT}" WHERE "deliveryStart" >= \'2026-06-30T22:00:00\' '
        'AND "deliveryStart" < \'2026-07-01T22:00:00\' ORDER BY "_id" LIMIT 10 OFFSET 0'
    )


def test_a_truncated_page_is_not_the_last(server: Server, make_client: Callable[..., Any]) -> None:
    """NESO caps pages at its own limit and says so; the next page starts after what came."""
    pages = [envelope(auction(), records_truncated=True), envelope(auction(auctionProduct="DCH"))]
    server.script = lambda handler: reply(
        handler, b"{}" if "package_show" in handler.path else pages[len(server.targets) - 2]
    )
    client = make_client(neso_base_url=server.url)
    answers = fetch_auction_results(client, utc("2026-04-01T00:00"), utc("2026-04-02T00:00"))
    assert len(answers) == 2
    assert server.queries()[-1]["sql"].endswith("LIMIT 32000 OFFSET 1")


def test_a_window_over_april_asks_both_resources(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = portal({CURRENT: [auction()], ARCHIVE_25: [auction(auctionProduct="DCH")]}, PACKAGE)
    answers = fetch_auction_results(
        make_client(neso_base_url=server.url), utc("2026-03-30T22:00"), utc("2026-04-02T22:00")
    )
    assert len(answers) == 2


@pytest.mark.parametrize("package", [None, {"resources": []}, {}])
def test_without_a_catalogue_the_pinned_resources_are_asked(
    server: Server, make_client: Callable[..., Any], package: dict[str, Any] | None
) -> None:
    server.script = portal({CURRENT: [auction()]}, package)
    answers = fetch_auction_results(
        make_client(neso_base_url=server.url), utc("2026-04-01T00:00"), utc("2026-04-02T00:00")
    )
    assert len(answers) == 1


def test_no_rows_anywhere_is_not_published(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = portal({}, PACKAGE)
    client = make_client(neso_base_url=server.url)
    with pytest.raises(NotPublishedError, match="none published yet for 2026-06-30T22:00:00Z"):
        fetch_auction_results(client, utc("2026-06-30T22:00"), utc("2026-07-01T22:00"))
    with pytest.raises(NotPublishedError, match="none published yet for 2026-06-30 to 2026-07-01"):
        fetch_n2ex_prices(client, utc("2026-06-30T22:00"), utc("2026-07-01T22:00"))


def test_a_window_before_eac_asks_the_block_resource_alone(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = portal({}, PACKAGE)
    with pytest.raises(NotPublishedError, match="none published yet for 2023-11-01T23:00:00Z"):
        fetch_auction_results(make_client(neso_base_url=server.url), utc("2023-11-01T23:00"), utc("2023-11-02T23:00"))
    assert len(server.targets) == 1


def test_a_refused_query_is_quoted(server: Server, make_client: Callable[..., Any]) -> None:
    refusal = b'{"success": false, "error": {"info": "relation does not exist"}}'
    server.script = lambda handler: reply(handler, refusal, status=409)
    with pytest.raises(PayloadError, match="relation does not exist"):
        fetch_n2ex_prices(make_client(neso_base_url=server.url), utc("2026-06-30T22:00"), utc("2026-07-01T22:00"))


# --- N2EX ---------------------------------------------------------------------------------------------


def n2ex(day: str, hour: int, price: object, column: str = "Price") -> dict[str, Any]:
    return {"_id": 1, "Date": day, "Delivery Period": f"{hour:02d}:00 - {(hour + 1) % 24:02d}:00", column: price}


def test_n2ex_hours_fill_a_london_product_day() -> None:
    rows = [n2ex("2026-06-30T00:00:00", h, str(h)) for h in (22, 23)] + [
        n2ex("2026-07-01T00:00:00", h, f"-{h}.5") for h in range(22)
    ]
    frame = schemas.validate("market/day_ahead_price", parse_n2ex_prices(envelope(*rows)))
    assert len(frame) == 48
    assert frame["start_utc"].iloc[0] == pd.Timestamp("2026-06-30T22:00Z")
    assert frame["day_ahead_price_gbp_mwh"].iloc[:6].tolist() == [22, 22, 23, 23, -0.5, -0.5]
    assert frame["settlement_period"].iloc[:3].tolist() == [47, 48, 1]
    assert frame["source"].unique().tolist() == ["neso_n2ex"]
    assert frame["native_resolution_minutes"].unique().tolist() == [60]


@pytest.mark.parametrize("column", ["Price", "Price £/MWh", "price (GBP/MWh)"])
def test_n2ex_price_column_may_carry_its_unit(column: str) -> None:
    frame = parse_n2ex_prices(envelope(n2ex("2026-01-01", 9, 55, column)))
    assert frame["day_ahead_price_gbp_mwh"].tolist() == [55.0, 55.0]


def test_n2ex_labels_on_another_clock() -> None:
    content = envelope(n2ex("2026-07-01", 9, 55))
    assert parse_n2ex_prices(content)["start_utc"].iloc[0] == pd.Timestamp("2026-07-01T09:00Z")
    local = parse_n2ex_prices(content, "Europe/London")
    assert local["start_utc"].iloc[0] == pd.Timestamp("2026-07-01T08:00Z")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([n2ex("2026-07-01", 9, 1) | {"Delivery Period": "09:00 - 11:00"}], "Delivery Period is not an hour"),
        ([n2ex("2026-07-01", 9, 1) | {"Delivery Period": "9-10"}], "Delivery Period is not an hour"),
        ([n2ex("2026-07-01", 9, 1), n2ex("2026-07-01", 9, 2)], "contradict"),
        ([n2ex("01/07/2026", 9, 1)], "Date is not a time stamp"),
        ([n2ex("2026-07-01T01:00:00", 9, 1)], "Date is not a date"),
        ([n2ex("2026-07-01", 9, None)], "Price is null"),
        ([n2ex("2026-07-01", 9, 1, "Cost")], "Price is null"),
    ],
)
def test_n2ex_out_of_form_is_refused(rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(PayloadError, match=words):
        parse_n2ex_prices(envelope(*rows))


def test_n2ex_product_day_asks_for_both_dates(server: Server, make_client: Callable[..., Any]) -> None:
    server.script = portal({"4f27eea5-7038-4f73-9740-e3e4ad47c26a": [n2ex("2026-07-01", 9, 1)]}, None)
    client = make_client(neso_base_url=server.url)
    fetch_n2ex_prices(client, utc("2026-06-30T22:00"), utc("2026-07-01T22:00"))
    assert server.queries()[-1]["sql"] == (
        'SELECT * FROM "4f27eea5-7038-4f73-9740-e3e4ad47c26a" WHERE "Date" >= \'2026-06-30\' '
        'AND "Date" <= \'2026-07-01\' ORDER BY "_id" LIMIT 32000 OFFSET 0'
    )
    fetch_n2ex_prices(client, utc("2026-01-01T00:00"), utc("2026-01-02T00:00"))
    assert "<= '2026-01-01'" in server.queries()[-1]["sql"], "the end is not part of the window"


def test_response_products_are_the_six() -> None:
    assert {f"D{a}{b}" for a in "CMR" for b in "LH"} == RESPONSE_PRODUCTS
