"""Which resource of NESO's portal holds which auction results.

What belongs here: reading the catalogue, the pinned resources and the spans in their names. What
does not: asking them (`neso_auctions.py`).

A new archive resource appears each April and the current one holds only the current financial
year, so they are discovered by name. Public code and the domain reference disagree on what the first
archive holds (to March 2025, or to March 2024 with an archive of its own after it): names decide,
and where they leave a part of the window uncovered every resource known is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from bess_pipeline.errors import SourceError
from bess_pipeline.gb_time import efa_day_bounds_utc
from bess_pipeline.sources import ckan
from bess_pipeline.sources.auction_eras import BALANCING_RESERVE_UTC, EAC_START_UTC
from bess_pipeline.sources.http import HttpClient

EAC_PACKAGE = "eac-auction-results"
BLOCK_RESOURCE = "888e5029-f786-41d2-bc15-cbfd1d285e96"  # DC, DR & DM results summary 2021-2023
_CURRENT_SUMMARY = "596f29ac-0387-4ba4-a6d3-95c243140707"
_FIRST_ARCHIVE = "be5c6b0d-a335-4859-93f2-389585b4e9a1"
_ARCHIVE_FY2024 = "ab130833-3ce4-4361-90fb-69fa3cf30f15"  # from public code, unconfirmed
_ARCHIVE_FY2025 = "be55ee51-b79e-47da-b71e-a0f8865d9d66"  # from public code, unconfirmed
_BALANCING_RESERVE = "1b3f2ee1-74a0-4939-a5a3-f01f19e663e4"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_RANGE = re.compile(r"([a-z]{3})[a-z]*[ -]*(20\d\d)\b.*?([a-z]{3})[a-z]*[ -]*(20\d\d)\b")
_FISCAL_YEARS = re.compile(r"(20\d\d)(?:\s*[-/\u2013]\s*(?:20)?(\d\d)(?!\d))?")


@dataclass(frozen=True)
class SummaryResource:
    """A results-summary resource and the deliveries it holds, [start_utc, end_utc).

    `may_be_absent`: that the portal does not know it is no fault, because we are not sure of it.
    """

    id: str
    start_utc: datetime
    end_utc: datetime
    may_be_absent: bool = False


def resources_holding(client: HttpClient, start_utc: datetime, end_utc: datetime) -> list[SummaryResource]:
    """The resources to ask for deliveries that start in [start_utc, end_utc), balancing reserve's own last."""
    chosen = covering(_listed(client), start_utc, end_utc)
    own = SummaryResource(_BALANCING_RESERVE, *BALANCING_RESERVE_UTC, may_be_absent=True)
    return [*chosen, *_overlapping([own], start_utc, end_utc)]


def covering(listed: Sequence[SummaryResource], start_utc: datetime, end_utc: datetime) -> list[SummaryResource]:
    """Those of `listed` that can hold the window; where they leave a gap, all of them and the pinned ones."""
    found = _overlapping(listed, start_utc, end_utc)
    reached = start_utc
    for resource in sorted(found, key=lambda one: one.start_utc):
        if resource.start_utc <= reached:
            reached = max(reached, resource.end_utc)
    if reached >= end_utc:
        return found
    known = {resource.id for resource in listed}
    return [*listed, *(replace(one, may_be_absent=True) for one in pinned_resources() if one.id not in known)]


def resources_of(package: Mapping[str, object]) -> list[SummaryResource]:
    """Results-summary resources named in the `result` of `package_show`, archives first.

    An archive's span is read from its name: a range of months, or financial years (`FY2025`,
    `2025-26`: EFA days from 1 April). One without either may hold anything. The current resource
    begins where the last dated archive ends.
    """
    archives, current = [], []
    resources = package.get("resources")
    for resource in resources if isinstance(resources, list) else []:
        if not isinstance(resource, dict):
            continue
        name, identity = str(resource.get("name", "")).lower(), str(resource.get("id", ""))
        if not re.fullmatch(r"[0-9a-fA-F-]{36}", identity) or not _is_summary(name):
            continue
        if "archive" in name or _span(name):
            archives.append(SummaryResource(identity, *(_span(name) or (EAC_START_UTC, _april(2100)))))
        else:
            current.append(identity)
    ends = [archive.end_utc for archive in archives if archive.end_utc < _april(2100)]
    begin = max(ends, default=EAC_START_UTC)
    return archives + [SummaryResource(identity, begin, _april(2100)) for identity in current]


def pinned_resources() -> list[SummaryResource]:
    """The resources known when this was written (domain reference 4.1; two of them from public code only)."""
    return [
        SummaryResource(_FIRST_ARCHIVE, EAC_START_UTC, _april(2025)),
        SummaryResource(_ARCHIVE_FY2024, _april(2024), _april(2025), may_be_absent=True),
        SummaryResource(_ARCHIVE_FY2025, _april(2025), _april(2026), may_be_absent=True),
        SummaryResource(_CURRENT_SUMMARY, _april(2025), _april(2100)),
    ]


def _listed(client: HttpClient) -> list[SummaryResource]:
    """Resources of the package, or the pinned ones when the portal's catalogue cannot be read."""
    try:
        found = resources_of(ckan.package(client, EAC_PACKAGE))
    except SourceError:
        found = []
    return found or pinned_resources()


def _overlapping(resources: Sequence[SummaryResource], start_utc: datetime, end_utc: datetime) -> list[SummaryResource]:
    return [one for one in resources if one.start_utc < end_utc and start_utc < one.end_utc]


def _is_summary(name: str) -> bool:
    return "summary" in name and not re.search(r"unit|order|daily", name)


def _span(name: str) -> tuple[datetime, datetime] | None:
    months = _MONTH_RANGE.search(name)
    if months and months[1] in _MONTHS and months[3] in _MONTHS:
        last = int(months[4]) * 12 + _MONTHS.index(months[3]) + 1
        first = date(int(months[2]), _MONTHS.index(months[1]) + 1, 1)
        return efa_day_bounds_utc(first)[0], efa_day_bounds_utc(date(last // 12, last % 12 + 1, 1))[0]
    years = _FISCAL_YEARS.search(name)
    if not years:
        return None
    last_year = 2000 + int(years[2]) if years[2] else int(years[1]) + 1
    return _april(int(years[1])), _april(max(last_year, int(years[1]) + 1))


def _april(year: int) -> datetime:
    """Start of the EFA day 1 April, where NESO's financial-year files are cut."""
    return efa_day_bounds_utc(date(year, 4, 1))[0]
