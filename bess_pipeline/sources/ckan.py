"""CKAN, the software of NESO's data portal: envelopes, pages and rows.

What belongs here: what every query of the portal shares. What does not: which resource holds what
(`neso_resources.py`) and the columns of a resource (`neso.py`, `neso_auctions.py`).

Rules (neso.energy api-guidance): numbers come back from SQL as text; at most 32,000 rows a request,
so pages are asked for until one is short. The portal may cut at fewer rows without a word: from
CHECKED_ROWS on, the rows must be as many as the portal counts, which costs one more request.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import datetime

from bess_pipeline.errors import PayloadError
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.pacing import NESO_CKAN_PACE, NESO_DATASTORE_PACE
from bess_pipeline.sources.parsing import field, load_json, quoted, rows_of, utc_text, whole_number

PAGE_ROWS = 32_000
CHECKED_ROWS = 1_000  # a day has some 300 rows and is judged by its grid; each request waits half a minute
_STATUSES = frozenset({200, 400, 404, 409})  # CKAN explains a refused query in the body of these


def package(client: HttpClient, name: str) -> Mapping[str, object]:
    """The `result` of `package_show`; SourceError when the portal does not give it."""
    url = f"{base(client)}/api/3/action/package_show"
    answer = client.get("neso", url, {"id": name}, accept_statuses=_STATUSES, pace=NESO_CKAN_PACE)
    return result(answer.content, f"NESO package {name}")


def pages(
    client: HttpClient, query: str, what: str, page_rows: int = PAGE_ROWS, *, may_be_absent: bool = False
) -> list[Answer]:
    """Answers of a query page by page, in the order of `_id`, until all rows are there; empty pages are left out.

    With `may_be_absent`, a resource that the portal does not (or no longer) have gives no page. Raises
    PayloadError when the portal counts another number of rows than it sent.
    """
    url = f"{base(client)}/api/3/action/datastore_search_sql"
    answers: list[Answer] = []
    offset = 0
    while True:
        sql = f'{query} ORDER BY "_id" LIMIT {page_rows} OFFSET {offset}'
        answer = client.get("neso", url, {"sql": sql}, accept_statuses=_STATUSES, pace=NESO_DATASTORE_PACE)
        if may_be_absent and _absent(answer):
            return answers
        found = result(answer.content, what)
        rows = field(found, "records", what)
        count = len(rows) if isinstance(rows, list) else 0
        if count:
            answers.append(answer)
        offset += count
        if count and (count >= page_rows or found.get("records_truncated") is True):
            continue
        total = offset if offset < CHECKED_ROWS else _count(client, query, what)
        if total == offset:
            return answers
        if total < offset or not count:
            raise PayloadError(
                f"{what}: NESO counts {total} rows and sent {offset}: its table may have changed while it was "
                "read, nothing of it was used, try again later"
            )


def _count(client: HttpClient, query: str, what: str) -> int:
    """How many rows the portal says a query has."""
    sql = f"SELECT COUNT(*) AS total FROM {query.partition(' FROM ')[2]}"
    url = f"{base(client)}/api/3/action/datastore_search_sql"
    answer = client.get("neso", url, {"sql": sql}, accept_statuses=_STATUSES, pace=NESO_DATASTORE_PACE)
    return whole_number(records(answer.content, what)[0], "total", what)


def records(content: bytes, what: str) -> list[Mapping[str, object]]:
    """Rows of a CKAN answer or of a CSV."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return rows_of(field(result(content, what), "records", what), what)
    return rows_of(_csv_rows(content, what), what)


def result(content: bytes, what: str) -> Mapping[str, object]:
    """The `result` of a CKAN envelope; PayloadError with CKAN's own words when `success` is not true."""
    body = load_json(content, what)
    if not isinstance(body, dict) or body.get("success") is not True:
        error = body.get("error", "no reason given") if isinstance(body, dict) else "not a CKAN answer"
        raise PayloadError(f"{what}: NESO refused the query: {quoted(error)}")
    found = body.get("result")
    if not isinstance(found, dict):
        raise PayloadError(f"{what}: the answer has no result")
    return found


def base(client: HttpClient) -> str:
    """Address of the portal, without a trailing slash."""
    return client.settings.neso_base_url.rstrip("/")


def naive(when: datetime) -> str:
    """UTC without a zone, as the datastore keeps its time stamps."""
    return utc_text(when).removesuffix("Z")


def _absent(answer: Answer) -> bool:
    return answer.status == 404 or (answer.status == 409 and b"does not exist" in answer.content)


def _csv_rows(content: bytes, what: str) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        rows = [{}]
    if any(None in row or None in row.values() for row in rows):
        rows = [{}]
    if rows and not rows[0]:
        raise PayloadError(f"{what}: the answer is neither JSON nor a whole CSV (truncated?)")
    return rows
