"""NESO's data portal (CKAN) as the sample market speaks it: packages, datastore, dumps and files.

What belongs here: package and resource ids and names, which rows a resource holds, NESO's column
names and clocks, and CKAN's envelopes (domain reference, section 4, and the recorded answers). What
does not: the tables behind the datastore and the SQL guard (`datastore.py`) and HTTP (`server.py`).

Results of the Enduring Auction Capability live in the resource of their financial year (EFA days
April to March), in naive UTC; the block auctions before 2023-11-02T23:00Z in a resource of their
own, in London clock time; balancing reserve up to autumn 2025 in a package of its own. Day-ahead hours
carry UTC labels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from uuid import NAMESPACE_URL, uuid5

import pandas as pd

from bess_pipeline.gb_time import LONDON
from bess_pipeline.sample_market.datastore import (
    ROW_CAP,
    Datastore,
    FirewallError,
    Found,
    QueryError,
    Resource,
    UnknownResourceError,
    json_value,
    sql_value,
)
from bess_pipeline.sample_market.frequency import CSV_HEADER, CSV_ROW_BYTES, SECONDS_PER_DAY, csv_of_day, months
from bess_pipeline.sample_market.reply import Query, Reply, first, json_reply
from bess_pipeline.sample_market.tables import BALANCING_RESERVE, MarketTables

ACTIONS = "/api/3/action/"
DUMP = "/datastore/dump/"
CSV = "text/csv; charset=utf-8"
FIREWALL_PAGE = (
    b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body><h1>403 Forbidden</h1></body>\r\n</html>\r\n"
)

EAC_GO_LIVE = pd.Timestamp("2023-11-02T23:00Z")
EAC_PACKAGE = ("eac-auction-results", "291e3c28-75f2-4a8f-b5f5-008bebaac368")
BALANCING_RESERVE_END = pd.Timestamp("2025-10-29T23:00Z")
BALANCING_RESERVE_PACKAGE = ("eac-br-auction-results", "94c65383-a108-468f-aad4-1d96380be93f")
BLOCK_PACKAGE = ("dynamic-containment-data", "aca07dcb-f807-409c-a4ec-da5dc052b8ba")
N2EX_PACKAGE = ("day-ahead-power-exchange-prices-nordpool", "8e3cc601-1fab-4325-82ca-d8a0daeddf73")
FREQUENCY_PACKAGE = ("system-frequency-data", str(uuid5(NAMESPACE_URL, "system-frequency-data")))
BALANCING_RESERVE_SUMMARY = "1b3f2ee1-74a0-4939-a5a3-f01f19e663e4"
BLOCK_SUMMARY = "888e5029-f786-41d2-bc15-cbfd1d285e96"
N2EX_PRICE = "4f27eea5-7038-4f73-9740-e3e4ad47c26a"
_SUMMARY = "NESO Response-Reserve Results Summary"
# (id, name, first EFA day or None, EFA day after the last or None)
EAC_SUMMARIES: tuple[tuple[str, str, date | None, date | None], ...] = (
    ("596f29ac-0387-4ba4-a6d3-95c243140707", _SUMMARY, date(2026, 4, 1), None),
    ("be55ee51-b79e-47da-b71e-a0f8865d9d66", f"{_SUMMARY} FY2025 (Archive)", date(2025, 4, 1), date(2026, 4, 1)),
    ("be5c6b0d-a335-4859-93f2-389585b4e9a1", f"{_SUMMARY} Nov 2023 - Mar 2025 (Archive)", None, date(2025, 4, 1)),
)
# Listed by the portal beside the summaries; this market holds no rows of them.
EAC_NOT_HELD = (
    ("a63ab354-7e68-44c2-ad96-c6f920c30e85", "NESO Response-Reserve Results By Unit"),
    ("1cf68f59-8eb8-4f1d-bccf-11b5a47b24e5", "NESO Response-Reserve Buy Orders"),
    ("13b511df-d6ec-4143-afb1-0ecc6fd19810", "NESO Response-Reserve Sell Orders"),
    ("3c51a666-1c33-450e-a6eb-c9b4a0c91584", "NESO Response-Reserve Daily Results Summary"),
    ("8ba48f26-d73e-4094-a90d-ba075eb739c1", "NESO Response-Reserve Daily Sell Orders"),
    ("c312358e-87da-480e-88cc-d45c1dce1b41", "NESO Response-Reserve Results By Unit FY2025 (Archive)"),
    ("7505ec16-e1e7-432e-8abd-a554e03e4f02", "NESO Response-Reserve Results By Unit FY2023-24 (Archive)"),
)
EAC_FIELDS = {
    "auctionID": "int4",
    "auctionProduct": "text",
    "serviceType": "text",
    "deliveryStart": "timestamp",
    "deliveryEnd": "timestamp",
    "clearedVolume": "numeric",
    "clearingPrice": "numeric",
    "linkedServiceWindowID": "int4",
}
BLOCK_FIELDS = {
    "Service": "text",
    "EFA Date": "timestamp",
    "Delivery Start": "timestamp",
    "Delivery End": "timestamp",
    "EFA": "int4",
    "Cleared Volume": "numeric",
    "Clearing Price": "numeric",
}
PACKAGES = (EAC_PACKAGE, BALANCING_RESERVE_PACKAGE, BLOCK_PACKAGE, N2EX_PACKAGE, FREQUENCY_PACKAGE)
_SERVICES = {"QR": "Quick Reserve", "BR": "Balancing Reserve", "SR": "Slow Reserve"}
N2EX_FIELDS = {"Date": "date", "Delivery Period": "text", "Price": "numeric"}


class NesoWire:
    """Answers NESO requests from published tables."""

    def __init__(self, tables: MarketTables) -> None:
        (*eac, reserve), blocks = _eac_resources(tables), _block_resource(tables)
        n2ex = _n2ex_resource(tables)
        self._datastore = Datastore([*eac, reserve, blocks, n2ex])
        self._frequency = tables.frequency
        self._files = {} if tables.frequency is None else _frequency_files(tables)
        held = [_listing(resource.id, resource.name, held=True) for resource in eac]
        other = [_listing(resource_id, name, held=False) for resource_id, name in EAC_NOT_HELD]
        self._packages: dict[str, list[dict[str, object]]] = {
            EAC_PACKAGE[0]: held + other,
            BALANCING_RESERVE_PACKAGE[0]: [_listing(reserve.id, reserve.name, held=True)],
            BLOCK_PACKAGE[0]: [_listing(blocks.id, blocks.name, held=True)],
            N2EX_PACKAGE[0]: [_listing(n2ex.id, n2ex.name, held=True)],
            FREQUENCY_PACKAGE[0]: [
                _listing(_file_id(name), name.removesuffix(".csv"), held=False, path=path)
                for path, (name, _) in self._files.items()
            ],
        }

    def close(self) -> None:
        """Close the datastore."""
        self._datastore.close()

    def reply(self, path: str, query: Query, base_url: str) -> Reply | None:
        """The answer to a path of the portal, or None where it has no such path."""
        if path.startswith(ACTIONS):
            return self._action(path.removeprefix(ACTIONS).strip("/"), query, base_url)
        if path.startswith(DUMP):
            return self._dump(path.removeprefix(DUMP).strip("/"))
        if path in self._files:
            return self._file(path)
        return None

    def _action(self, action: str, query: Query, base_url: str) -> Reply | None:
        actions: Mapping[str, Callable[[Query, str], object]] = {
            "package_show": self._package_show,
            "resource_show": self._resource_show,
            "datastore_search": self._search,
            "datastore_search_sql": self._search_sql,
        }
        if action not in actions:
            return None
        help_url = f"{base_url}{ACTIONS}help_show?name={action}"
        try:
            return json_reply({"help": help_url, "success": True, "result": actions[action](query, base_url)})
        except FirewallError:
            return Reply(FIREWALL_PAGE, "text/html", 403)
        except UnknownResourceError as error:
            problem, status = {"message": f"Not found: {error}", "__type": "Not Found Error"}, 404
        except QueryError as error:
            problem, status = {"message": str(error), "__type": "Validation Error"}, 409
        return json_reply({"help": help_url, "success": False, "error": problem}, status=status)

    def _package_show(self, query: Query, base_url: str) -> object:
        wanted = first(query, "id")
        for name, package_id in PACKAGES:
            if wanted in (name, package_id):
                listed = [_placed(item, package_id, base_url) for item in self._packages[name]]
                return {
                    "id": package_id,
                    "name": name,
                    "state": "active",
                    "num_resources": len(listed),
                    "resources": listed,
                }
        raise UnknownResourceError(wanted)

    def _resource_show(self, query: Query, base_url: str) -> object:
        wanted = first(query, "id")
        for name, package_id in PACKAGES:
            for item in self._packages[name]:
                if item["id"] == wanted:
                    return _placed(item, package_id, base_url)
        raise UnknownResourceError(wanted)

    def _search(self, query: Query, base_url: str) -> object:
        resource_id = first(query, "resource_id")
        limit, offset = _count(query, "limit", 100), _count(query, "offset", 0)
        found = self._datastore.search(
            resource_id,
            limit=limit,
            offset=offset,
            sort=first(query, "sort"),
            filters=_filters(first(query, "filters")),
            fields=first(query, "fields"),
        )
        names = found.columns
        return {
            "include_total": True,
            "limit": min(limit, ROW_CAP),
            **({"offset": offset} if offset else {}),
            "records_format": "objects",
            "resource_id": resource_id,
            "records": [dict(zip(names, map(json_value, row), strict=True)) for row in found.rows],
            "fields": _fields(found),
            "total": found.total,
            "total_was_estimated": False,
        }

    def _search_sql(self, query: Query, base_url: str) -> object:
        statement = first(query, "sql")
        found = self._datastore.sql(statement)
        names = found.columns
        return {
            "records": [
                {name: sql_value(name, value) for name, value in zip(names, row, strict=True)} for row in found.rows
            ],
            "fields": _fields(found),
            "sql": statement,
            **({"records_truncated": True} if found.truncated else {}),
        }

    def _dump(self, resource_id: str) -> Reply | None:
        resource = self._datastore.resources.get(resource_id)
        if resource is None:
            return None
        frame = resource.frame.reset_index(drop=True)
        for name, kind in resource.fields.items():
            if kind == "timestamp":
                frame[name] = frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S")
        if resource.dump_has_id:
            frame.insert(0, "_id", range(1, len(frame) + 1))
        return Reply(frame.to_csv(index=False, lineterminator="\n").encode(), CSV)

    def _file(self, path: str) -> Reply:
        _, days = self._files[path]

        def stream() -> Iterator[bytes]:
            yield CSV_HEADER
            for day in days:
                if self._frequency is not None:
                    yield csv_of_day(day, self._frequency(day))

        return Reply(
            content_type=CSV, stream=stream, length=len(CSV_HEADER) + len(days) * SECONDS_PER_DAY * CSV_ROW_BYTES
        )


def _eac_resources(tables: MarketTables) -> list[Resource]:
    """The summaries by financial year, and last the one of balancing reserve alone."""
    rows = pd.concat([tables.response_auction, tables.reserve_auction])  # a table that is None adds nothing
    rows = rows.sort_values(["delivery_start_utc", "product"], kind="stable")
    apart = rows["product"].isin(BALANCING_RESERVE) & (rows["delivery_start_utc"] < BALANCING_RESERVE_END)
    era = rows[(rows["delivery_start_utc"] >= EAC_GO_LIVE) & ~apart]
    resources = []
    for resource_id, name, begin, end in EAC_SUMMARIES:
        inside = era["efa_date"].map(lambda day, a=begin, b=end: (a is None or day >= a) and (b is None or day < b))
        resources.append(Resource(resource_id, name, EAC_FIELDS, _eac_frame(era[inside.astype(bool)], tables.origin)))
    name, frame = "Balancing Reserve Results Summary", _eac_frame(rows[apart], tables.origin)
    return [*resources, Resource(BALANCING_RESERVE_SUMMARY, name, EAC_FIELDS, frame)]


def _eac_frame(rows: pd.DataFrame, origin: str) -> pd.DataFrame:
    """NESO's columns. Recorded tables do not know the auction's number, so it stays null there."""
    number = rows["efa_date"].map(lambda day: (day - EAC_GO_LIVE.date()).days) if origin == "simulated" else None
    return pd.DataFrame(
        {
            "auctionID": pd.Series(number, index=rows.index, dtype="Int64"),
            "auctionProduct": rows["product"],
            "serviceType": rows["product"].str[1:].map(_SERVICES).fillna("Response"),
            "deliveryStart": rows["delivery_start_utc"].dt.tz_localize(None),
            "deliveryEnd": rows["delivery_end_utc"].dt.tz_localize(None),
            "clearedVolume": rows["cleared_volume_mw"],
            "clearingPrice": rows["clearing_price_gbp_mw_h"],
            "linkedServiceWindowID": pd.Series(None, index=rows.index, dtype="Int64"),
        }
    )


def _block_resource(tables: MarketTables) -> Resource:
    response = tables.response_auction
    rows = response[response["delivery_start_utc"] < EAC_GO_LIVE]
    frame = pd.DataFrame(
        {
            "Service": rows["product"],
            "EFA Date": pd.to_datetime(rows["efa_date"]),
            "Delivery Start": rows["delivery_start_utc"].dt.tz_convert(LONDON).dt.tz_localize(None),
            "Delivery End": rows["delivery_end_utc"].dt.tz_convert(LONDON).dt.tz_localize(None),
            "EFA": rows["efa_block"],
            "Cleared Volume": rows["cleared_volume_mw"],
            "Clearing Price": rows["clearing_price_gbp_mw_h"],
        }
    )
    return Resource(BLOCK_SUMMARY, "DC, DR & DM Results Summary Master Data 2021-2023", BLOCK_FIELDS, frame)


def _n2ex_resource(tables: MarketTables) -> Resource:
    hours = tables.day_ahead
    if hours is None:
        hours = pd.DataFrame(
            {"start_utc": pd.Series(dtype="datetime64[us, UTC]"), "day_ahead_price_gbp_mwh": pd.Series(dtype=float)}
        )
    start = hours["start_utc"]
    end = start + pd.Timedelta(hours=1)
    frame = pd.DataFrame(
        {
            "Date": start.dt.date,
            "Delivery Period": start.dt.strftime("%H:%M") + " - " + end.dt.strftime("%H:%M"),
            "Price": hours["day_ahead_price_gbp_mwh"],
        }
    )
    return Resource(N2EX_PRICE, " N2EX GB Day-Ahead Price", N2EX_FIELDS, frame, dump_has_id=False)


def _frequency_files(tables: MarketTables) -> dict[str, tuple[str, tuple[date, ...]]]:
    files = {}
    for year, month, days in months(tables.frequency_days):
        name = f"fnew-{year}-{month}.csv"
        files[f"/dataset/{FREQUENCY_PACKAGE[1]}/resource/{_file_id(name)}/download/{name}"] = (name, days)
    return files


def _file_id(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"system-frequency-data/{name}"))


def _listing(resource_id: str, name: str, *, held: bool, path: str = "") -> dict[str, object]:
    return {
        "id": resource_id,
        "name": name,
        "format": "CSV",
        "datastore_active": held,
        "url": path or f"{DUMP}{resource_id}",
    }


def _placed(item: Mapping[str, object], package_id: str, base_url: str) -> dict[str, object]:
    return {**item, "package_id": package_id, "state": "active", "url": f"{base_url}{item['url']}"}


def _fields(found: Found) -> list[dict[str, str]]:
    return [{"type": kind, "id": name} for name, kind in zip(found.columns, found.types, strict=True)]


def _count(query: Query, name: str, default: int) -> int:
    text = first(query, name) or str(default)
    if not text.isdecimal():
        raise QueryError(f"{name}: '{text}' is not a natural number")
    return int(text)


def _filters(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise QueryError("filters: not a JSON object")
    return value
