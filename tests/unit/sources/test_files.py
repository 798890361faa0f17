"""The user's own CSV: every mistake is one sentence with file name and line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline import schemas
from bess_pipeline.errors import UserInputError
from bess_pipeline.sources.files import PriceSeries, parse_price_csv, read_file, system_price_frame, to_half_hours


def csv(*rows: str, header: str = "start_utc,price_gbp_mwh") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def series(step_minutes: int, prices: list[float], start: str = "2026-03-29T00:00Z") -> PriceSeries:
    index = pd.date_range(start, periods=len(prices), freq=f"{step_minutes}min")
    return parse_price_csv(csv(*(f"{t.isoformat()},{p}" for t, p in zip(index, prices, strict=True))), "p.csv")


def test_a_good_file() -> None:
    rows = "x, 2026-03-29T00:00:00Z ,-1.5e1,y", "", "x,2026-03-29T01:05:00+01:00,2,y"
    content = csv(*rows, header="a, start_utc ,price_gbp_mwh,b")
    read = parse_price_csv(b"\xef\xbb\xbf" + content, "p.csv")
    assert read.start_utc.tolist() == [pd.Timestamp("2026-03-29T00:00Z"), pd.Timestamp("2026-03-29T00:05Z")]
    assert str(read.start_utc.dtype) == "datetime64[us, UTC]"
    assert read.price_gbp_mwh.tolist() == [-15.0, 2.0]
    assert read.step == timedelta(minutes=5)


def test_what_pandas_writes_is_read() -> None:
    index = pd.date_range("2026-03-29", periods=3, freq="1h", tz="UTC")
    content = pd.DataFrame({"start_utc": index, "price_gbp_mwh": [1.0, 2.0, 3.0]}).to_csv(index=False).encode()
    assert parse_price_csv(content, "p.csv").start_utc.tolist() == index.tolist()


A, B, C = ("2026-03-29T00:00:00Z,1", "2026-03-29T00:30:00Z,2", "2026-03-29T01:00:00Z,3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column start_utc"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (csv(A, header="start_utc,price"), "no column price_gbp_mwh"),
        (csv(A, header="time,price_gbp_mwh"), "no column start_utc"),
        (csv(A, header="start_utc,price_gbp_mwh,start_utc"), "more than one column start_utc"),
        (csv(), "0 data rows; at least two"),
        (csv(A), "1 data rows; at least two"),
        (csv(A, "yesterday,2"), "line 3: 'yesterday' is not a time"),
        (csv(A, "1026-03-29T00:00:00Z,2"), "line 3: .* is not a time"),
        (csv(A, "2026-03-29T00:30:00,2"), "line 3: 2026-03-29T00:30:00 has no time zone"),
        (csv("2026-03-29,1", B), "line 2: 2026-03-29 has no time zone"),
        (csv(A, "2026-03-29T00:30:00Z,"), "line 3: '' is not a finite price"),
        (csv(A, "2026-03-29T00:30:00Z,NaN"), "line 3: 'NaN' is not a finite price"),
        (csv(A, "2026-03-29T00:30:00Z,-inf"), "line 3: '-inf' is not a finite price"),
        (csv(A, "2026-03-29T00:30:00Z,1_0"), "line 3: '1_0' is not a finite price"),
        (csv(A, "2026-03-29T00:30:00Z"), "line 3: 1 cells, the first line names 2"),
        (csv(A, C, B), "line 4: 2026-03-29T00:30:00Z comes after 2026-03-29T01:00:00Z"),
        (csv(B, A), "line 3: 2026-03-29T00:00:00Z comes after"),
        (csv(A, A), "line 3: 2026-03-29T00:00:00Z is there twice"),
        (csv(A, B, B), "line 4: 2026-03-29T00:30:00Z is there twice"),
        (csv(A, B, C, "2026-03-29T02:00:00Z,4"), "line 5: from 2026-03-29T01:00:00Z to 2026-03-29T02"),
        (csv('"2026-03-29T00:00:00Z,1'), "not a well-formed CSV"),
    ],
)
def test_each_mistake_is_one_sentence_with_the_file_name(content: bytes, words: str) -> None:
    with pytest.raises(UserInputError, match=words) as caught:
        parse_price_csv(content, "p.csv")
    assert str(caught.value).startswith("p.csv")
    assert "\n" not in str(caught.value)


def test_read_file(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(csv(A, B))
    answer = read_file(path)
    assert (answer.source, answer.content, answer.origin) == ("file", csv(A, B), "live")
    assert answer.fetched_utc == datetime.fromtimestamp(path.stat().st_mtime, UTC)
    with pytest.raises(UserInputError, match=r"none\.csv: there is no such file"):
        read_file(tmp_path / "none.csv")
    with pytest.raises(UserInputError, match="directory"):
        read_file(tmp_path)


@pytest.mark.parametrize(
    ("step", "prices", "expected"),
    [(15, [1, 2, 3, 5], [1.5, 4.0]), (30, [1, 2], [1, 2]), (60, [1, -2], [1, 1, -2, -2])],
)
def test_half_hours(step: int, prices: list[float], expected: list[float]) -> None:
    frame = schemas.validate("market/day_ahead_price", to_half_hours(series(step, prices)))
    assert frame["day_ahead_price_gbp_mwh"].tolist() == expected
    assert frame["settlement_period"].tolist() == list(range(1, len(expected) + 1))
    assert frame["native_resolution_minutes"].unique().tolist() == [step]
    assert frame["source"].unique().tolist() == ["file"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (series(5, [1] * 6), "the step is 5 minutes"),
        (series(120, [1, 2]), "the step is 120 minutes"),
        (series(15, [1, 2, 3]), "not made of whole half-hours"),
        (series(15, [1, 2], "2026-03-29T00:15Z"), "not made of whole half-hours"),
        (series(30, [1, 2], "2026-03-29T00:10Z"), "not made of whole half-hours"),
        (series(60, [1, 2], "2026-03-29T00:30Z"), "not made of whole hours"),
    ],
)
def test_what_does_not_fit_the_grid_is_refused(given: PriceSeries, words: str) -> None:
    with pytest.raises(UserInputError, match=words):
        to_half_hours(given)


def test_system_prices_from_a_file() -> None:
    frame = schemas.validate("market/system_price", system_price_frame(series(30, [5, -6])))
    assert frame["system_price_gbp_mwh"].tolist() == [5.0, -6.0]
    assert frame[["net_imbalance_volume_mwh", "price_derivation_code", "published_utc"]].isna().all(axis=None)
    with pytest.raises(UserInputError, match="half-hourly"):
        system_price_frame(series(60, [5, 6]))
