"""Frequency files: discovery, what is suspect in them, streaming to disk, and bounded memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from faulty_server import Server, reply

from bess_pipeline.errors import NotPublishedError, PayloadError, SourceError
from bess_pipeline.sample_market.frequency import CSV_HEADER, csv_of_day
from bess_pipeline.sources.download import _Decoder, downloading
from bess_pipeline.sources.http import HttpClient
from bess_pipeline.sources.neso_frequency import FrequencyMonth, Month, monthly_files, parse_frequency
from bess_pipeline.sources.pacing import NO_PACE

JANUARY = Month(2024, 1)
MakeClient = Callable[..., HttpClient]


def parse(text: str, month: Month = JANUARY) -> FrequencyMonth:
    return parse_frequency(io.BytesIO(text.encode()), month)


def rows(*pairs: tuple[int, object]) -> str:
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - as NESO writes them
    lines = [f"{start + timedelta(seconds=second):%Y-%m-%d %H:%M:%S},{value}" for second, value in pairs]
    return "dtm,f\n" + "".join(f"{line}\n" for line in lines)


# --- months and files ---------------------------------------------------------------------------


def test_months_know_their_seconds() -> None:
    assert (Month(2024, 2).start_utc, Month(2024, 2).end_utc) == (
        datetime(2024, 2, 1, tzinfo=UTC),
        datetime(2024, 3, 1, tzinfo=UTC),
    )
    assert Month(2024, 12).end_utc == datetime(2025, 1, 1, tzinfo=UTC)
    assert str(Month(2024, 2)) == "2024-02"


def package(*urls: object) -> bytes:
    return json.dumps({"success": True, "result": {"resources": [{"url": url} for url in urls]}}).encode()


def test_files_are_found_by_the_name_in_their_address(server: Server, make_client: MakeClient) -> None:
    wanted = ["https://x/a/download/fnew-2026-8.csv", "https://x/b/download/fnew-2024-11.csv"]
    zipped = ["https://x/c/f-2019-8.zip", "https://x/c/fnew-2020-1.zip"]
    other = ["https://x/d/fnew-2024-13.csv", "https://x/f-2019-8.txt", "https://x/readme.pdf", None]
    twice = "https://x/e/fnew-2026-8.zip"
    server.script = lambda handler: reply(handler, package(*other, *wanted, *zipped, twice))
    files = monthly_files(make_client(neso_base_url=server.url))
    assert files == {
        Month(2026, 8): wanted[0],
        Month(2024, 11): wanted[1],
        Month(2019, 8): zipped[0],
        Month(2020, 1): zipped[1],
    }
    assert server.targets == ["/api/3/action/package_show?id=system-frequency-data"]


@pytest.mark.parametrize("body", [package(), package("https://x/f-2019-8.doc"), b'{"success": false}', b"[]"])
def test_a_package_without_files_is_not_published(body: bytes, server: Server, make_client: MakeClient) -> None:
    server.script = lambda handler: reply(handler, body)
    with pytest.raises(NotPublishedError, match="lists no file fnew-YYYY-M"):
        monthly_files(make_client(neso_base_url=server.url))


# --- what is in a file --------------------------------------------------------------------------


def test_a_recorded_file_is_read_value_for_value(realdata: Path) -> None:
    content = (realdata / "tables" / "system_frequency_2024-01-01_1264s.csv").read_bytes()
    found = parse_frequency(io.BytesIO(content), JANUARY)
    expected = pd.read_csv(io.BytesIO(content))["f"].to_numpy()
    assert np.array_equal(found.frequency_hz[: len(expected)], expected)
    assert np.isnan(found.frequency_hz[len(expected) :]).all()
    assert len(found.frequency_hz) == 31 * 86_400
    assert found.counts() == {name: 1264 if name == "rows" else 0 for name in found.counts()}


def test_everything_suspect_is_counted_and_nothing_filled() -> None:
    pairs = [(0, 50.0), (1, 50.1), (1, 50.1), (2, 49.9), (2, 49.8), (5, 50.0), (6, 48.99), (7, 51.01), (8, ""), (9, 51)]
    found = parse(rows(*pairs, (-1, 50.0)))
    known = {second: float(f) for second, f in enumerate(found.frequency_hz[:12]) if not np.isnan(f)}
    assert known == {0: 50.0, 1: 50.1, 5: 50.0, 9: 51.0}
    counts = "rows=11 duplicates=1 conflicts=1 outside=2 blank=1 strays=1 gaps=2 missing=6"  # 2 to 4, 6 to 8
    assert " ".join(f"{name}={count}" for name, count in found.counts().items()) == counts


def test_order_and_block_edges_do_not_matter() -> None:
    values = 50 + np.round(np.sin(np.arange(45_000)), 3) / 10
    pairs = list(enumerate(values))
    forward, backward = parse(rows(*pairs)), parse(rows(*reversed(pairs)))
    repeated = parse(rows(*pairs, *pairs))  # more than a block apart
    assert np.array_equal(forward.frequency_hz[:45_000], values)
    for other in (backward, repeated):
        assert np.array_equal(other.frequency_hz, forward.frequency_hz, equal_nan=True)
    assert (repeated.duplicates, repeated.conflicts) == (45_000, 0)


def test_a_contradiction_in_a_later_block_makes_the_second_unknown() -> None:
    found = parse(rows(*enumerate([50.0] * 45_000), (7, 50.001)))
    assert found.conflicts == 1
    assert np.isnan(found.frequency_hz[7])


def test_iso_stamps_are_read_too() -> None:
    assert parse("dtm,f\n2024-01-01T00:00:03,50.02\n").frequency_hz[3] == 50.02


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a,b\n1,2\n", "no columns dtm and f"),
        ("dtm,f\n2024-01-01 00:00:00,fifty\n", "not a whole CSV"),
        ("dtm,f\nyesterday,50\n", "not a whole CSV"),
        ("dtm,f\n2024-01-01 00:00:00,50\n2024-01", "not a whole CSV"),
        ("dtm,f\n,50\n", "no time stamp"),
        ("dtm,f\n2024-02-01 00:00:00,50\n", "none of the 1 rows is of that month"),
        ("\x00\x01\x02", "not a whole CSV|no columns"),
    ],
)
def test_another_form_is_one_sentence(text: str, named: str) -> None:
    with pytest.raises(PayloadError, match=named) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "dtm,f\n"])
def test_a_file_without_rows_is_not_published(text: str) -> None:
    with pytest.raises(NotPublishedError, match="2024-01"):
        parse(text)


# --- streaming to disk --------------------------------------------------------------------------


def fetch(client: HttpClient, url: str, folder: Path, **options: Any) -> tuple[bytes, str, int, str]:
    chosen = {"pace": NO_PACE, "max_bytes": 10_000_000, "deadline_s": 5.0} | options
    with downloading(client, "neso", url, folder, **chosen) as download:
        return gzip.decompress(download.file.read_bytes()), download.sha256, download.size, download.answer.url


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_goes_to_disk_hashed(packed: bool, server: Server, make_client: MakeClient, tmp_path: Path) -> None:
    body = rows(*enumerate([50.0] * 40_000)).encode()
    headers = {"Content_Encoding": "gzip"} if packed else {}
    sent = gzip.compress(body) if packed else body
    server.script = lambda handler: reply(handler, sent, content_type="text/csv", **headers)
    content, sha256, size, url = fetch(make_client(max_bytes=100), f"{server.url}/file.csv", tmp_path)
    assert content == body
    assert (sha256, size) == (hashlib.sha256(body).hexdigest(), len(body))
    assert url == f"{server.url}/file.csv"
    assert list(tmp_path.iterdir()) == []


def cut(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/csv")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"dtm,f\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    ("script", "named"),
    [
        (cut, "truncated"),
        (lambda handler: reply(handler, b"<html>soon</html>", content_type="text/html"), "web page"),
        (lambda handler: reply(handler, b"", content_type="text/csv"), "empty file"),
        (lambda handler: reply(handler, b"x" * 2000, content_type="text/csv"), "more than 1000 bytes"),
        (lambda handler: reply(handler, b"no", Content_Encoding="gzip"), "cannot be read"),
        (lambda handler: reply(handler, gzip.compress(b"x" * 99)[:-9], Content_Encoding="gzip"), "cannot"),
        (lambda handler: reply(handler, gzip.compress(b"x") + b"tail", Content_Encoding="gzip"), "cannot"),
        (lambda handler: reply(handler, gzip.compress(b"a") + gzip.compress(b"b"), Content_Encoding="gzip"), "cannot"),
        (lambda handler: reply(handler, gzip.compress(bytes(10**7)), Content_Encoding="gzip"), "more than 1000 bytes"),
        (lambda handler: reply(handler, b"", status=302, Location="http://elsewhere/"), "redirect"),
        (lambda handler: reply(handler, b"", status=404), "HTTP 404"),
    ],
)
def test_nothing_is_left_of_a_body_that_cannot_be_used(
    script: Callable[[Any], None], named: str, server: Server, make_client: MakeClient, tmp_path: Path
) -> None:
    server.script = script
    with pytest.raises(SourceError, match=named):
        fetch(make_client(max_attempts=2), f"{server.url}/file.csv", tmp_path, max_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_a_gzip_bomb_is_undone_in_small_pieces() -> None:
    packed = io.BytesIO(gzip.compress(bytes(20_000_000)))
    decoder = _Decoder("gzip")
    sizes = [len(piece) for piece in decoder.contents(lambda: packed.read(1_000_000))]
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= 256 * 1024
    assert decoder.complete


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_gzip_is_undone_whatever_pieces_it_comes_in(size: int) -> None:
    content = b"".join(b"%d,50.01\n" % n for n in range(3000))
    packed = io.BytesIO(gzip.compress(content))
    decoder = _Decoder("gzip")
    assert b"".join(decoder.contents(lambda: packed.read(size))) == content
    assert decoder.complete


def test_a_second_attempt_mends_a_cut(server: Server, make_client: MakeClient, tmp_path: Path) -> None:
    scripts: Iterator[Callable[[Any], None]] = iter([cut, lambda handler: reply(handler, b"whole")])
    server.script = lambda handler: next(scripts)(handler)
    content, sha256, *_ = fetch(make_client(), f"{server.url}/file.csv", tmp_path)
    assert (content, sha256) == (b"whole", hashlib.sha256(b"whole").hexdigest())


# --- memory -------------------------------------------------------------------------------------


def write_month(target: Any, generator: np.random.Generator) -> None:
    """March 2024 in NESO's layout: 2,678,400 rows of 72 MB."""
    target.write(CSV_HEADER)
    for n in range(31):
        values = 50 + np.round(generator.normal(0, 0.065, 86_400), 3)
        target.write(csv_of_day(date(2024, 3, 1) + timedelta(days=n), values))


MEASURE = """
import resource, sys
from bess_pipeline.sources.neso_frequency import Month, parse_frequency
from bess_pipeline.ancillary.activation import response_energy
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
month = Month(2024, 3)
with open(sys.argv[1], "rb") as stream:
    found = parse_frequency(stream, month)
frame = response_energy(month.start_utc, found.frequency_hz, "simulated")
print(found.rows, found.missing, len(frame), peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_a_month_sized_file_is_read_in_bounded_memory(packed: bool, tmp_path: Path) -> None:
    """Its seconds take 21 MB as numbers; neither file, nor what is unpacked, nor shares are held whole."""
    file = tmp_path / ("f-2024-3.zip" if packed else "fnew-2024-3.csv")
    with file.open("wb") as target:
        if packed:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                with archive.open("f 2024 3.csv", "w") as member:
                    write_month(member, np.random.default_rng(1))
                assert archive.infolist()[0].file_size > 70_000_000
        else:
            write_month(target, np.random.default_rng(1))
    assert packed or file.stat().st_size > 70_000_000
    done = subprocess.run([sys.executable, "-c", MEASURE, str(file)], capture_output=True, text=True, check=True)
    count, missing, half_hours, grown = (int(word) for word in done.stdout.split())
    assert (count, missing, half_hours) == (31 * 86_400, 0, 31 * 48 * 6)
    assert grown < 150_000_000
