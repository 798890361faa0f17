"""The eras of GB market data: one row per date on which a format, a clock or a product changed, and why.

Each row's check runs our code on both sides of the change. A new change is a new row.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.ingestion.datasets import auction_clearing, expected_datasets
from bess_pipeline.sample_market.reserve import ReserveLaw, reserve_auction
from bess_pipeline.settings import DataSettings, SourcesSettings, StackSettings
from bess_pipeline.sources import elexon, entsoe, neso_frequency, neso_resources
from bess_pipeline.sources.neso_auctions import parse_auction_results

ONE_DAY = timedelta(days=1)
BR_RESOURCE, BLOCK_RESOURCE = "1b3f2ee1-74a0-4939-a5a3-f01f19e663e4", "888e5029-f786-41d2-bc15-cbfd1d285e96"


@dataclass(frozen=True)
class Era:
    """A change that holds from `start` (an EFA day or a settlement date, as `what` says)."""

    start: date
    what: str
    why: str
    check: Callable[[date], None]


# --- what the checks use --------------------------------------------------------------------------------


def eac(product: str, start: str, end: str) -> bytes:
    row = {"auctionProduct": product, "deliveryStart": start, "deliveryEnd": end}
    row |= {"clearedVolume": "1", "clearingPrice": "2"}
    return json.dumps({"success": True, "result": {"records": [row]}}).encode()


def block(efa: date, number: int, start: str, end: str) -> bytes:
    row = {
        "Service": "DCL", "EFA Date": f"{efa}T00:00:00", "Delivery Start": start, "Delivery End": end, "EFA": number,
        "Cleared Volume": 1, "Clearing Price": 2,
    }  # fmt: skip
    return json.dumps({"success": True, "result": {"records": [row]}}).encode()


def starts(content: bytes) -> list[pd.Timestamp]:
    return parse_auction_results(content)["delivery_start_utc"].tolist()


class Portal:
    """A client that records which resources a fetch asks; every resource is empty, the catalogue unreadable."""

    settings: Any

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.settings = type("Settings", (), {"neso_base_url": "http://127.0.0.1:9"})

    def get(self, source: str, url: str, params: dict[str, str], **options: object) -> Any:
        empty = b'{"success": true, "result": {"records": []}}'
        if "sql" in params:
            self.asked.append(params["sql"].split('FROM "')[1].split('"')[0])
        return type("Answer", (), {"status": 200, "content": empty})


def resources_asked(first: date, last: date) -> set[str]:
    """Resources that an ask for settlement dates goes to."""
    from bess_pipeline.errors import NotPublishedError

    portal = Portal()
    with pytest.raises(NotPublishedError):
        auction_clearing().fetch(portal, first, last)  # type: ignore[arg-type]
    return set(portal.asked)


def expected(day: date, *reserve: str) -> set[str]:
    """Products that a complete settlement date has in every window of the whole day."""
    grid = auction_clearing(reserve).grid(day)
    return set(grid["product"])


def simulated(first: date, last: date) -> pd.DataFrame:
    return reserve_auction(ReserveLaw(), first, last, np.random.default_rng(1))


# --- one check per row ------------------------------------------------------------------------------------


def efa_blocks_begin(day: date) -> None:
    dataset = auction_clearing()
    assert dataset.first_day == day
    assert dataset.first_day > date(2021, 9, 15), "the settlement date before has one block only"
    assert len(dataset.grid(day)) == 6
    assert expected(day) == {"DCL"}


def dch_is_expected(day: date) -> None:
    assert expected(day - 2 * ONE_DAY) == {"DCL"}
    assert expected(day) == {"DCL", "DCH"}
    by_block = auction_clearing().grid(day - ONE_DAY).groupby("product").size()
    assert by_block.to_dict() == {"DCL": 6, "DCH": 1}, "block 1 of the EFA day starts on the date before"


def dm_and_dr_are_expected(day: date) -> None:
    assert expected(day - 2 * ONE_DAY) == {"DCL", "DCH"}
    assert expected(day) == {"DCL", "DCH", "DML", "DMH", "DRL", "DRH"}


def eac_replaces_block_auctions(day: date) -> None:
    """The same wall-clock text is London time before and UTC since, and lies in another resource."""
    assert resources_asked(day - 9 * ONE_DAY, day - 2 * ONE_DAY) == {BLOCK_RESOURCE}
    assert BLOCK_RESOURCE not in resources_asked(day, day + ONE_DAY)
    assert {BLOCK_RESOURCE} < resources_asked(day - ONE_DAY, day - ONE_DAY), "its last hour is EAC's first block"
    summer = date(2023, 7, 1)
    london = block(summer, 2, "2023-07-01T03:00:00", "2023-07-01T07:00:00")
    assert starts(london) == [pd.Timestamp("2023-07-01T02:00Z")]
    utc = eac("DCL", "2024-07-01T02:00:00", "2024-07-01T06:00:00")
    assert starts(utc) == [pd.Timestamp("2024-07-01T02:00Z")]
    for wrong in (
        block(summer, 2, "2023-07-01T02:00:00", "2023-07-01T06:00:00"),
        eac("DCL", "2024-07-01T03:00:00", "2024-07-01T07:00:00"),
    ):
        with pytest.raises(PayloadError):
            parse_auction_results(wrong)


def balancing_reserve_begins(day: date) -> None:
    assert "PBR" not in expected(day - 2 * ONE_DAY, "PBR")
    assert "PBR" in expected(day, "PBR")
    assert BR_RESOURCE not in resources_asked(day - 9 * ONE_DAY, day - 2 * ONE_DAY)
    assert BR_RESOURCE in resources_asked(day, day)
    rows = simulated(day - 5 * ONE_DAY, day + 20 * ONE_DAY)
    assert set(rows["product"]) == {"PBR", "NBR"}
    assert rows["efa_date"].min() >= day


def first_archive_may_end(day: date) -> None:
    """Sources disagree on where the first archive ends: since then both it and a FY2024 archive are asked."""
    before = resources_asked(date(2024, 1, 10), date(2024, 1, 11))
    since = resources_asked(day + ONE_DAY, day + 2 * ONE_DAY) - {BR_RESOURCE}
    assert before == {"be5c6b0d-a335-4859-93f2-389585b4e9a1"}
    assert since == before | {"ab130833-3ce4-4361-90fb-69fa3cf30f15"}


def quick_reserve_begins(day: date) -> None:
    assert "PQR" not in expected(day - 2 * ONE_DAY, "PQR")
    assert "PQR" in expected(day, "PQR")
    before, since = simulated(day - 20 * ONE_DAY, day - ONE_DAY), simulated(day, day + 20 * ONE_DAY)
    assert not {"PQR", "NQR"} & set(before["product"])
    assert {"PQR", "NQR"} <= set(since["product"])
    half_hour = eac("PQR", "2024-12-04T10:00:00", "2024-12-04T10:30:00")
    assert starts(half_hour) == [pd.Timestamp("2024-12-04T10:00Z")]


def financial_year_begins(day: date) -> None:
    """Rows move to an archive each April: EFA day 1 April is the first of the new resource."""
    named = {"resources": [
        {"name": "Results Summary Nov 2023 - Mar 2025 (Archive)", "id": "b" * 36},
        {"name": "Results Summary", "id": "c" * 36},
    ]}  # fmt: skip
    archive, current = neso_resources.resources_of(named)
    assert archive.end_utc == current.start_utc == gb_time.efa_day_bounds_utc(day)[0]


def balancing_reserve_joins(day: date) -> None:
    assert BR_RESOURCE in resources_asked(day - ONE_DAY, day - ONE_DAY)
    assert BR_RESOURCE not in resources_asked(day + ONE_DAY, day + ONE_DAY)


def clock_forward(day: date) -> None:
    assert (gb_time.periods_in_day(day - ONE_DAY), gb_time.periods_in_day(day)) == (48, 46)
    short = eac("DCL", f"{day - ONE_DAY}T23:00:00", f"{day}T02:00:00")
    assert starts(short) == [pd.Timestamp(f"{day - ONE_DAY}T23:00Z")]
    with pytest.raises(PayloadError):
        parse_auction_results(eac("DCL", f"{day - ONE_DAY}T23:00:00", f"{day}T03:00:00"))


def clock_back(day: date) -> None:
    assert (gb_time.periods_in_day(day - ONE_DAY), gb_time.periods_in_day(day)) == (48, 50)
    long = eac("DCL", f"{day - ONE_DAY}T22:00:00", f"{day}T03:00:00")
    assert starts(long) == [pd.Timestamp(f"{day - ONE_DAY}T22:00Z")]
    with pytest.raises(PayloadError):
        parse_auction_results(eac("DCL", f"{day - ONE_DAY}T22:00:00", f"{day}T02:00:00"))


def single_price(day: date) -> None:
    """Both prices are equal since P305: a row in which they differ is of another era, and no system price."""
    row = {
        "settlementDate": f"{day}",
        "settlementPeriod": 1,
        "startTime": f"{day}T00:00:00Z",
        "netImbalanceVolume": None,
    }
    equal = json.dumps({"data": [row | {"systemSellPrice": 5.0, "systemBuyPrice": 5.0}]}).encode()
    assert elexon.parse_system_prices(equal)["system_price_gbp_mwh"].tolist() == [5.0]
    apart = json.dumps({"data": [row | {"systemSellPrice": 5.0, "systemBuyPrice": 6.0}]}).encode()
    with pytest.raises(PayloadError):
        elexon.parse_system_prices(apart)


def parameters_of_the_price(day: date) -> None:
    """The defaults of the recomputed price are the rules since then; days before it need other settings."""
    rules = StackSettings()
    assert (rules.dmat_mwh, rules.par_mwh) == (0.1, 1.0)
    assert day <= DataSettings().first_date, "no day that is taken by default is under the rules before"


def gb_leaves_the_european_coupling(day: date) -> None:
    """ENTSO-E has no GB price since: the default source is another, and days are taken from then on."""
    assert DataSettings().first_date == day
    assert {one.source for one in expected_datasets("live", "neso_n2ex", SourcesSettings())} == {"elexon", "neso"}
    with pytest.raises(NotPublishedError):
        entsoe.parse_day_ahead(NO_MATCHING_DATA)


def quarter_hours_in_europe(day: date) -> None:
    """The European day-ahead product is an hour before and a quarter of one since; GB stays hourly at N2EX."""
    before = entsoe.parse_day_ahead(a44(day - ONE_DAY, "PT60M", [10.0] * 24))
    since = entsoe.parse_day_ahead(a44(day, "PT15M", [float(n % 4) for n in range(96)]))
    assert set(before["native_resolution_minutes"]) == {60}
    assert set(since["native_resolution_minutes"]) == {15}
    assert len(before) == len(since) == 48
    assert since["day_ahead_price_gbp_mwh"].tolist() == [0.5, 2.5] * 24


def frequency_files_have_another_name(day: date) -> None:
    """Names in public code: f-2019-12.zip, fnew-2020-1.zip to -12.zip, fnew-2022-9.csv; those of 2021 not seen."""
    names = {"f-2019-12.zip": (2019, 12), "fnew-2020-1.zip": (2020, 1), "fnew-2022-9.csv": (2022, 9)}
    listed = [{"url": f"https://x/download/{name}"} for name in names]
    body = json.dumps({"success": True, "result": {"resources": listed}}).encode()
    client: Any = Portal()
    client.get = lambda *args, **options: type("Answer", (), {"status": 200, "content": body})
    found = neso_frequency.monthly_files(client)
    assert {(month.year, month.month) for month in found} == set(names.values())
    assert (day.year, day.month) == names["fnew-2020-1.zip"]


def non_bm_quick_reserve(day: date) -> None:
    """Units outside the Balancing Mechanism join: nothing changes in the results."""
    for when in (day - ONE_DAY, day):
        assert starts(eac("PQR", f"{when}T10:00:00", f"{when}T10:30:00")) == [pd.Timestamp(f"{when}T10:00Z")]
    assert expected(day - 2 * ONE_DAY, "PQR") == expected(day, "PQR")


def response_may_be_split(day: date) -> None:
    """One unit may hold several response services since: rows are keyed by product, so nothing else changes."""
    assert expected(day - 2 * ONE_DAY) == expected(day + ONE_DAY)
    assert schemas.keys("market/auction_clearing") == ["product", "delivery_start_utc"]


def another_financial_year_begins(day: date) -> None:
    named = {"resources": [
        {"name": "Results Summary Nov 2023 - Mar 2025 (Archive)", "id": "b" * 36},
        {"name": "Results Summary FY2025 (Archive)", "id": "a" * 36},
        {"name": "Results Summary", "id": "c" * 36},
    ]}  # fmt: skip
    _, archive, current = neso_resources.resources_of(named)
    assert archive.start_utc == gb_time.efa_day_bounds_utc(date(2025, 4, 1))[0]
    assert archive.end_utc == current.start_utc == gb_time.efa_day_bounds_utc(day)[0]


def clock_back_before_eac(day: date) -> None:
    wire = block(day, 1, f"{day - ONE_DAY}T23:00:00", f"{day}T03:00:00")
    frame = parse_auction_results(wire)
    assert (frame["delivery_end_utc"] - frame["delivery_start_utc"]).tolist() == [pd.Timedelta(hours=5)]


NO_MATCHING_DATA = b"""<?xml version="1.0" encoding="UTF-8"?>
<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"><Reason>
<code>999</code><text>No matching data found for Data item ENERGY_PRICES [12.1.D]</text></Reason>
</Acknowledgement_MarketDocument>"""


def a44(day: date, resolution: str, prices: list[float]) -> bytes:
    """A day-ahead document over 24 hours from midnight UTC."""
    points = "".join(
        f"<Point><position>{n}</position><price.amount>{price}</price.amount></Point>"
        for n, price in enumerate(prices, start=1)
    )
    span = f"<start>{day}T00:00Z</start><end>{day + ONE_DAY}T00:00Z</end>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><TimeSeries>
<auction.type>A01</auction.type><contract_MarketAgreement.type>A01</contract_MarketAgreement.type>
<currency_Unit.name>GBP</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>
<curveType>A01</curveType><Period><timeInterval>{span}</timeInterval><resolution>{resolution}</resolution>
{points}</Period></TimeSeries></Publication_MarketDocument>""".encode()


ERAS = (
    Era(date(2015, 11, 5), "one system price", "P305: sell and buy price are equal since", single_price),
    Era(date(2019, 4, 1), "CADL 10 min, DMAT 0.1 MWh", "Elexon's change of April 2019 (PAR 1 MWh since November 2018)",
        parameters_of_the_price),
    Era(date(2020, 1, 1), "frequency files are named fnew-…, not f-…", "names in public code; zipped at least in 2020",
        frequency_files_have_another_name),
    Era(date(2021, 1, 1), "no GB price on ENTSO-E", "GB left the single day-ahead coupling; the last GB day is not "
        "proven", gb_leaves_the_european_coupling),
    Era(date(2021, 9, 16), "auctions by EFA block; first public day of results", "the resource of DC, DR and DM begins "
        "at 2021-09-15T23:00 London; nothing before it is in this form", efa_blocks_begin),
    Era(date(2021, 12, 1), "DCH expected", "high-frequency DC came in November 2021; public to the month",
        dch_is_expected),
    Era(date(2022, 7, 1), "DM and DR expected", "both came in the second quarter of 2022; public to the quarter",
        dm_and_dr_are_expected),
    Era(date(2023, 10, 29), "a 5 h block on London clock text", "clocks go back; 23:00 to 03:00 reads as 4 h",
        clock_back_before_eac),
    Era(date(2023, 11, 2), "a unit may split response services", "Response Service Terms, from a secondary source",
        response_may_be_split),
    Era(date(2023, 11, 3), "EAC: other columns, UTC text, another resource, negative prices", "the Enduring Auction "
        "Capability replaced the block auctions at 2023-11-02T23:00Z", eac_replaces_block_auctions),
    Era(date(2024, 3, 13), "balancing reserve PBR, NBR in half-hours", "first auction on 12 March 2024; own resource",
        balancing_reserve_begins),
    Era(date(2024, 4, 1), "the first EAC archive may end", "public code names an archive of FY2024, unconfirmed",
        first_archive_may_end),
    Era(date(2024, 12, 4), "quick reserve PQR, NQR in half-hours", "first auction on 3 December 2024 (BM units)",
        quick_reserve_begins),
    Era(date(2025, 3, 30), "46 periods, a 3 h block", "clocks go forward", clock_forward),
    Era(date(2025, 4, 1), "results move to another resource", "NESO archives each financial year in April",
        financial_year_begins),
    Era(date(2025, 9, 2), "quick reserve outside the Balancing Mechanism", "phase 2 of the service",
        non_bm_quick_reserve),
    Era(date(2025, 10, 1), "quarter-hours on ENTSO-E", "the European market time unit is 15 minutes since",
        quarter_hours_in_europe),
    Era(date(2025, 10, 26), "50 periods, a 5 h block", "clocks go back", clock_back),
    Era(date(2025, 10, 29), "balancing reserve leaves its own resource", "its last start there is 2025-10-29T22:30Z; "
        "the common resource carries it since", balancing_reserve_joins),
    Era(date(2026, 3, 29), "46 periods, a 3 h block", "clocks go forward", clock_forward),
    Era(date(2026, 4, 1), "results move to another resource", "the archive of FY2025; the current one begins anew",
        another_financial_year_begins),
    Era(date(2026, 10, 25), "50 periods, a 5 h block", "clocks go back", clock_back),
)  # fmt: skip


@pytest.mark.parametrize("era", ERAS, ids=lambda era: f"{era.start} {era.what}")
def test_before_and_since(era: Era) -> None:
    assert era.why
    era.check(era.start)


def test_eras_are_in_order_and_each_change_has_one_row() -> None:
    rows = [(era.start, era.what) for era in ERAS]
    assert rows == sorted(rows, key=lambda row: row[0])
    assert len(set(rows)) == len(rows)


def test_a_product_whose_first_day_was_not_found_is_taken_at_its_word() -> None:
    """Slow reserve: no go-live is public, so a user who expects it expects it on every day."""
    assert {"PSR", "NSR"} <= expected(date(2022, 1, 1), "PSR", "NSR")
