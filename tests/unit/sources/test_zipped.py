"""Zipped frequency files: read as a stream, and refused where they are damaged or could grow without bound."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import datetime, timedelta

import numpy as np
import pytest

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.sources import zipped
from bess_pipeline.sources.neso_frequency import FrequencyMonth, Month, parse_frequency

JULY = Month(2020, 7)
ROWS = 4000


def csv(offset: str = "", count: int = ROWS) -> bytes:
    start = datetime(2020, 7, 1)  # noqa: DTZ001 - as NESO writes them
    stamps = (f"{start + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}{offset}" for n in range(count))
    return ("dtm,f\n" + "".join(f"{stamp},{value(n):.3f}\n" for n, stamp in enumerate(stamps))).encode()


def value(second: int) -> float:
    return 50 + round(0.1 * np.sin(second), 3)


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return body.getvalue()


def parse(body: bytes) -> FrequencyMonth:
    return parse_frequency(io.BytesIO(body), JULY)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_the_one_csv_of_a_zip_file_is_read_as_the_csv_itself(method: int) -> None:
    whole = parse(csv())
    found = parse(
        packed(("__MACOSX/._f 2020 7.csv", b"x"), ("readme.txt", b"y"), ("f 2020 7.CSV", csv()), method=method)
    )
    assert np.array_equal(found.frequency_hz, whole.frequency_hz, equal_nan=True)
    assert found.counts() == whole.counts()
    assert found.rows == ROWS
    assert found.frequency_hz[7] == value(7)


@pytest.mark.parametrize("offset", [" +0100", "+0100", "+01:00"])
def test_a_stamp_with_an_offset_is_that_instant(offset: str) -> None:
    """00:00 +0100 on 1 July is 23:00 UTC of 30 June: that hour belongs to the month before."""
    found = parse(packed(("f.csv", csv(offset))))
    assert (found.rows, found.strays) == (ROWS, 3600)
    assert found.frequency_hz[:400].tolist() == pytest.approx([value(n) for n in range(3600, ROWS)], abs=1e-9)
    assert np.isnan(found.frequency_hz[400:]).all()
    zero = parse(csv(" +0000"))
    assert (zero.strays, zero.frequency_hz[0]) == (0, value(0))


def declare(body: bytes, *, size: int | None = None, members: int | None = None) -> bytes:
    """The zip file with another size of its CSV, or number of members, in its directory."""
    changed = bytearray(body)
    if size is not None:
        struct.pack_into("<L", changed, body.rindex(b"PK\x01\x02") + 24, size)
    if members is not None:
        struct.pack_into("<HH", changed, body.rindex(b"PK\x05\x06") + 8, members, members)
    return bytes(changed)


def flipped(body: bytes) -> bytes:
    changed = bytearray(body)
    changed[len(body) // 2] ^= 0xFF
    return bytes(changed)


GOOD = packed(("f.csv", csv()))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (GOOD[:-100], "truncated"),
        (GOOD[:40], "truncated"),
        (b"PK\x03\x04", "truncated"),
        (flipped(GOOD), "CRC|error|CSV"),
        (packed(("a.csv", csv()), ("b.csv", csv())), "2 CSV files"),
        (packed(("a.txt", csv())), "0 CSV files"),
        (packed(), "0 CSV files"),
        (packed(("f.csv", csv()), method=zipfile.ZIP_BZIP2), "unusual"),
        (packed(*((f"{n}.txt", b"") for n in range(zipped.MAX_MEMBERS)), ("f.csv", csv())), "holds 17 files"),
        (declare(GOOD, members=60_000), "holds 60000 files"),
        (declare(GOOD, size=600 * 1024 * 1024), "larger than 536870912 bytes"),
        (packed(("f.csv", b"0" * 5_000_000)), "more than 200 times"),
        (declare(GOOD, size=len(csv()) - 1), "CRC|error|whole CSV"),
        (packed(("f.csv", b"a,b\n1,2\n")), "no columns dtm and f"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_zip_file_that_is_not_read_is_one_sentence(body: bytes, named: str) -> None:
    with pytest.raises(PayloadError, match=named) as caught:
        parse(body)
    assert "2020-07" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encrypted_member_and_a_zip64_file_are_refused() -> None:
    encrypted = bytearray(GOOD)
    encrypted[GOOD.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(PayloadError, match="encrypted"):
        parse(bytes(encrypted))
    at = GOOD.rindex(b"PK\x05\x06")
    with pytest.raises(PayloadError, match="beyond 4 GB"):
        parse(GOOD[:at] + b"PK\x06\x07" + bytes(16) + GOOD[at:])


def test_a_zipped_csv_without_rows_is_not_published() -> None:
    with pytest.raises(NotPublishedError, match="2020-07"):
        parse(packed(("f.csv", b"dtm,f\n")))
