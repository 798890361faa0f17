"""Monthly frequency files from a server into response energy by settlement date, faults included."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from faulty_server import Server, reply

from bess_pipeline import gb_time
from bess_pipeline.ancillary.activation import response_energy
from bess_pipeline.errors import OriginError
from bess_pipeline.ingestion.frequency import FrequencyRows, fetch_frequency, response_energy_dataset
from bess_pipeline.ingestion.ingest import Ingestion
from bess_pipeline.ingestion.outcomes import Outcome
from bess_pipeline.lake import Lake
from bess_pipeline.sample_market import Fault, MarketServer, simulate
from bess_pipeline.sample_market.frequency import CSV_HEADER, csv_of_day, frequency_of_day
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.neso_frequency import Month

SEED = 4
UTC_DAYS = tuple(date(2026, 3, 30) + timedelta(days=n) for n in range(4))  # 30, 31 March, 1, 2 April
DAYS = UTC_DAYS[1:3]  # settlement dates whose seconds are all there: 23:00 to 23:00 UTC
AFTER = date(2026, 4, 3)
NOW = datetime(2026, 4, 12, 8, 50, tzinfo=UTC)
MARCH, APRIL = Month(2026, 3), Month(2026, 4)
TABLE = "market/response_energy"


@pytest.fixture(scope="module")
def market() -> Iterator[MarketServer]:
    def frequency(day: date) -> np.ndarray:
        return frequency_of_day(day, SEED)

    with MarketServer(replace(simulate(), frequency=frequency, frequency_days=UTC_DAYS)) as server:
        yield server


@pytest.fixture
def server(market: MarketServer) -> Iterator[MarketServer]:
    market.requests.clear()
    yield market
    market.faults.clear()


@pytest.fixture
def ingestion(server: MarketServer, tmp_path: Path) -> Iterator[Ingestion]:
    with HttpClient(SourcesSettings(**server.base_urls, max_attempts=1), lambda: NOW) as client:
        yield Ingestion(
            tmp_path / "raw", Lake(tmp_path / "lake", tmp_path / "bad"), client, lambda: NOW, lambda _: None
        )


def build(ingestion: Ingestion, days: tuple[date, ...] = DAYS) -> list[Outcome]:
    return ingestion.build(response_energy_dataset(), days, FrequencyRows(ingestion.vault, "simulated"))


def expected(day: date) -> pd.DataFrame:
    """The energy of a settlement date, from the law's own seconds joined over UTC days."""
    start, end = gb_time.settlement_day_bounds_utc(day)
    seconds = np.concatenate([frequency_of_day(day - timedelta(days=1), SEED), frequency_of_day(day, SEED)])
    first = int((start - datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC)).total_seconds())
    return response_energy(start, seconds[first : first + int((end - start).total_seconds())], "simulated")


def test_days_are_built_across_the_edge_of_two_files(ingestion: Ingestion, server: MarketServer) -> None:
    assert fetch_frequency(ingestion, DAYS) == {MARCH: None, APRIL: None}
    assert [outcome.status for outcome in build(ingestion)] == ["complete", "complete"]
    for day in DAYS:
        stored = ingestion.lake.read(TABLE, day, day)
        wanted = expected(day).sort_values(["product", "start_utc"], ignore_index=True)
        pd.testing.assert_frame_equal(stored, wanted, check_dtype=False)
    assert len(server.requests) == 3  # the package and two files
    assert not list(ingestion.vault.incoming.iterdir())


def test_a_file_is_kept_once_with_its_hash_and_days_are_not_asked_for_again(ingestion: Ingestion) -> None:
    fetch_frequency(ingestion, DAYS)
    fetch_frequency(ingestion, DAYS)
    record = ingestion.vault.newest("raw/neso_frequency", DAYS[0])
    assert record is not None
    (body,) = record.bodies
    assert body.url.endswith("/fnew-2026-3.csv")
    assert len(ingestion.vault.body(body.sha256)) == 6 + 2 * 86_400 * 27  # and the hash fits, or body() raises
    assert len(list((ingestion.vault.root / "objects").rglob("*.gz"))) == 2
    rows = FrequencyRows(ingestion.vault, "simulated")
    assert ingestion.unanswered(response_energy_dataset(), DAYS, rows) == []  # they wait in the vault to be built
    build(ingestion)
    assert ingestion.unanswered(response_energy_dataset(), [*DAYS, AFTER], rows) == [AFTER]


def test_what_is_missing_is_listed_and_a_missing_file_is_not_published(ingestion: Ingestion) -> None:
    days = (UTC_DAYS[0], AFTER, date(2026, 5, 20))
    failures = fetch_frequency(ingestion, days)
    assert failures[MARCH] is None
    assert str(failures[Month(2026, 5)].reason) == "the portal lists no frequency file of 2026-05"  # type: ignore[union-attr]
    early, late, none = build(ingestion, days)
    assert (early.expected_rows, early.rows, early.status) == (
        288,
        276,
        "not_published",
    )
    assert early.reason.startswith("12 of 288 missing: DCL 2026-03-29T23:00Z")
    assert (late.rows, none.rows, none.status) == (12, 0, "not_published")  # 23:00Z and 23:30Z of the day before


def test_a_broken_file_leaves_everything_as_it_was(ingestion: Ingestion, server: MarketServer) -> None:
    fetch_frequency(ingestion, DAYS)
    build(ingestion)
    before = ingestion.lake.content_hash(TABLE)
    for kind in ("truncate", "html", "empty", "reset"):
        server.faults.add(Fault(kind, path="fnew-", count=2))  # type: ignore[arg-type]
        failures = fetch_frequency(ingestion, DAYS)
        assert [failure.status for failure in failures.values() if failure] == ["refused", "refused"], kind
        assert not list(ingestion.vault.incoming.iterdir()), kind
        assert [outcome.status for outcome in build(ingestion)] == ["complete", "complete"]
        assert ingestion.lake.content_hash(TABLE) == before


def test_a_shorter_file_never_takes_half_hours_away(ingestion: Ingestion, server: MarketServer) -> None:
    fetch_frequency(ingestion, DAYS)
    build(ingestion)
    before = ingestion.lake.content_hash(TABLE)
    server.faults.add(Fault("truncate_unannounced", path="fnew-", count=2))
    fetch_frequency(ingestion, DAYS)
    outcomes = build(ingestion)
    assert {outcome.status for outcome in outcomes} == {"refused"}
    assert ingestion.lake.content_hash(TABLE) == before


def damaged_code(stored: bytes) -> bytes:
    """What no decompression gets through."""
    content = bytearray(stored)
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def damaged_row(stored: bytes) -> bytes:
    """What decompresses to a row that is no number, with the checksum of the file as it was."""
    text = bytearray(gzip.decompress(stored))
    text[2000:2010] = b"no number!"
    return gzip.compress(bytes(text), compresslevel=0)[:-8] + stored[-8:]


def another_file(stored: bytes) -> bytes:
    """What is whole in itself and not what was stored; read to its end or not."""
    return gzip.compress(b"dtm,f\nnothing of the kind\n")


@pytest.mark.parametrize("damaged", [damaged_code, damaged_row, another_file])
def test_a_damaged_object_is_one_sentence_and_comes_whole_again(
    ingestion: Ingestion, damaged: Callable[[bytes], bytes]
) -> None:
    fetch_frequency(ingestion, DAYS)
    for file in (ingestion.vault.root / "objects").rglob("*.gz"):
        file.write_bytes(damaged(file.read_bytes()))
    outcomes = build(ingestion)
    assert {outcome.status for outcome in outcomes} == {"refused"}
    assert all("cannot be read" in outcome.reason and "\n" not in outcome.reason for outcome in outcomes)
    fetch_frequency(ingestion, DAYS)
    assert {outcome.status for outcome in build(ingestion)} == {"complete"}


def test_data_of_another_origin_is_refused_before_it_is_kept(ingestion: Ingestion) -> None:
    def admit(origin: str | None) -> None:
        raise OriginError(f"no {origin} data")

    ingestion.admit = admit
    with pytest.raises(OriginError, match="no simulated data"):
        fetch_frequency(ingestion, DAYS)
    assert not (ingestion.vault.root / "objects").exists()
    assert not list(ingestion.vault.incoming.iterdir())


def test_a_file_on_another_host_is_not_followed(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {MARCH: "http://elsewhere.example/fnew-2026-3.csv"}
    monkeypatch.setattr("bess_pipeline.ingestion.frequency.monthly_files", lambda client: elsewhere)
    failure = fetch_frequency(ingestion, (date(2026, 3, 10),))[MARCH]
    assert failure is not None
    assert "another host" in failure.reason


def test_a_zipped_month_is_kept_as_it_came_and_built_like_any_other(tmp_path: Path) -> None:
    """An older month from a portal that zips it: one day of 2020, with an offset in its stamps."""
    day = date(2020, 1, 15)
    rows = csv_of_day(day, frequency_of_day(day, SEED)).replace(b",", b" +0000,")
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f 2020 1.csv", CSV_HEADER + rows)
    portal = Server()

    def script(handler: Any) -> None:
        if "package_show" in handler.path:
            listed = {"success": True, "result": {"resources": [{"url": f"{portal.url}/download/fnew-2020-1.zip"}]}}
            reply(handler, json.dumps(listed).encode())
        else:
            reply(handler, body.getvalue(), content_type="application/zip", X_Bess_Market_Origin="simulated")

    portal.script = script
    lake = Lake(tmp_path / "lake", tmp_path / "bad")
    with HttpClient(SourcesSettings(neso_base_url=portal.url, max_attempts=1), lambda: NOW) as client:
        ingestion = Ingestion(tmp_path / "raw", lake, client, lambda: NOW, lambda _: None)
        assert fetch_frequency(ingestion, [day]) == {Month(2020, 1): None}
    portal.close()
    record = ingestion.vault.newest("raw/neso_frequency", day)
    assert record is not None
    assert ingestion.vault.body(record.bodies[0].sha256) == body.getvalue()
    assert [outcome.status for outcome in build(ingestion, (day,))] == ["complete"]
    pd.testing.assert_frame_equal(
        lake.read(TABLE, day, day),
        expected(day).sort_values(["product", "start_utc"], ignore_index=True),
        check_dtype=False,
    )
