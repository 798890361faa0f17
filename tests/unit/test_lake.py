"""The lake: what a partition is, and that nothing ever replaces good rows by a half or a wrong file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest
from conftest import PROJECT
from storage_frames import auction_clearing, daily_pnl, source_status, system_price

from bess_pipeline import atomic, schemas
from bess_pipeline.errors import BessError, RefusedFrameError
from bess_pipeline.lake import Lake

TABLE = "market/system_price"
DAY = date(2024, 1, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "a=b" / "lake", tmp_path / "quarantine")


def all_files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_what_is_written_is_read(lake: Lake) -> None:
    frame = system_price(DAY, np.linspace(-80.0, 400.0, 48))
    shuffled = frame.sample(frac=1.0, random_state=1)[list(reversed(frame.columns))]
    assert lake.write(TABLE, DAY, shuffled) == 48
    read = lake.read(TABLE, DAY, DAY)
    assert read.columns.tolist() == list(schemas.columns(TABLE))
    assert read["system_price_gbp_mwh"].tolist() == np.linspace(-80.0, 400.0, 48).tolist()
    assert read["settlement_date"].tolist() == [DAY] * 48
    assert read["net_imbalance_volume_mwh"].isna().tolist() == [bool(n % 2) for n in range(48)]
    assert read["price_derivation_code"].isna().sum() == 24
    assert all_files(lake.root) == ["market/system_price/2024-01-02.parquet"]


@pytest.mark.parametrize("table", sorted(schemas.TABLES))
def test_an_empty_partition_is_legal_and_typed_in_every_table(lake: Lake, table: str) -> None:
    expected = schemas.empty_frame(table).dtypes
    assert lake.read(table, DAY, DAY).dtypes.equals(expected)
    assert lake.write(table, DAY, pd.DataFrame()) == 0
    assert lake.has(table, DAY)
    assert lake.days(table) == [DAY]
    assert lake.read(table, DAY, DAY).dtypes.equals(expected)


def test_types_survive_the_file(lake: Lake) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    assert lake.read(TABLE, DAY, DAY).dtypes.equals(schemas.empty_frame(TABLE).dtypes)
    assert parquet.read_schema(lake.path(TABLE, DAY)).remove_metadata().equals(schemas.arrow_schema(TABLE))


def test_windows_are_read_in_key_order(lake: Lake) -> None:
    days = [date(2024, 3, 30), date(2024, 3, 31), date(2024, 4, 1)]
    for day in reversed(days):
        lake.write("market/auction_clearing", day, auction_clearing(day))
        lake.write(TABLE, day, system_price(day))
    assert lake.days(TABLE) == days
    assert len(lake.read_all(TABLE)) == 48 + 46 + 48
    window = lake.read(TABLE, days[1], days[2])
    assert window["settlement_date"].unique().tolist() == days[1:]
    assert window["start_utc"].is_monotonic_increasing
    keys = lake.read_all("market/auction_clearing")[schemas.keys("market/auction_clearing")]
    assert keys.equals(keys.sort_values(keys.columns.tolist(), ignore_index=True))
    assert lake.read(TABLE, days[2], days[1]).empty


def test_the_same_rows_and_stamp_give_the_same_bytes(tmp_path: Path) -> None:
    frame = system_price(DAY)
    lakes = [Lake(tmp_path / name, tmp_path / "q") for name in ("one", "two")]
    lakes[0].write(TABLE, DAY, frame, {"seed": "1", "fingerprint": "ab"})
    lakes[1].write(TABLE, DAY, system_price(DAY, 1.0))
    lakes[1].write(TABLE, DAY, frame.iloc[::-1], {"fingerprint": "ab", "seed": "1"})
    one, two = (lake.path(TABLE, DAY).read_bytes() for lake in lakes)
    assert one == two
    assert lakes[0].stamp(TABLE, DAY) == {"seed": "1", "fingerprint": "ab"}
    assert lakes[0].stamp(TABLE, date(2024, 1, 3)) == {}


def test_content_hash_is_of_the_rows_alone(tmp_path: Path) -> None:
    one, two = (Lake(tmp_path / name, tmp_path / "q") for name in ("one", "two"))
    days = [DAY, date(2024, 1, 3)]
    for day in days:
        one.write(TABLE, day, system_price(day), {"vintage": "a"})
    for day in reversed(days):
        two.write(TABLE, day, system_price(day), {"vintage": "b"})
    os.utime(two.path(TABLE, DAY), (0, 0))
    assert one.content_hash(TABLE) == two.content_hash(TABLE)
    assert one.content_hash(TABLE, [DAY]) != one.content_hash(TABLE)
    two.write(TABLE, DAY, system_price(DAY, [*([50.0] * 47), 50.000001]))
    assert one.content_hash(TABLE) != two.content_hash(TABLE)
    assert one.content_hash(TABLE, days[1:]) == two.content_hash(TABLE, days[1:])


@pytest.mark.parametrize(
    "change",
    [
        {"net_imbalance_volume_mwh": 0.0},
        {"price_derivation_code": ""},
        {"price_derivation_code": "N"},
        {"published_utc": pd.NaT},
    ],
)
def test_content_hash_sees_every_column_and_every_null(lake: Lake, change: dict[str, Any]) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    before = lake.content_hash(TABLE)
    lake.write(TABLE, DAY, system_price(DAY, **change))
    assert lake.content_hash(TABLE) != before


def test_an_empty_partition_is_not_an_absent_one(lake: Lake) -> None:
    absent = lake.content_hash(TABLE)
    lake.write(TABLE, DAY, pd.DataFrame())
    assert lake.content_hash(TABLE) != absent


class Odd:
    def __str__(self) -> str:
        return "odd \udcff thing"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"system_price_gbp_mwh": float("nan")}, "system_price_gbp_mwh"),
        ({"system_price_gbp_mwh": float("inf")}, "system_price_gbp_mwh"),
        ({"system_price_gbp_mwh": 20_001.0}, "system_price_gbp_mwh"),
        ({"system_price_gbp_mwh": "a lot"}, "system_price_gbp_mwh"),
        ({"price_derivation_code": [Odd() for _ in range(48)], "system_price_gbp_mwh": None}, "system_price_gbp_mwh"),
        ({"surprise": [{"a": [1]}] * 48}, "surprise"),
    ],
)
def test_a_refused_frame_is_kept_apart_and_the_old_partition_stays(
    lake: Lake, change: dict[str, Any], named: str
) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    before = lake.path(TABLE, DAY).read_bytes()
    with pytest.raises(RefusedFrameError, match=named):
        lake.write(TABLE, DAY, system_price(DAY).assign(**change))
    assert lake.path(TABLE, DAY).read_bytes() == before
    kept = lake.quarantine / TABLE / "2024-01-02"
    assert all_files(kept) == ["failure_cases.csv", "frame.csv", "reason.txt"]
    assert len(pd.read_csv(kept / "frame.csv")) == 48
    assert not pd.read_csv(kept / "failure_cases.csv").empty
    assert named in (kept / "reason.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "frame"),
    [
        (TABLE, system_price(date(2024, 1, 3))),
        ("market/source_status", source_status(date(2024, 1, 3))),
        ("risk/daily_pnl", daily_pnl(date(2024, 1, 3), {"day_ahead": 1.0})),
        ("market/auction_clearing", auction_clearing(date(2024, 1, 3))),
    ],
)
def test_rows_of_another_day_are_refused(lake: Lake, table: str, frame: pd.DataFrame) -> None:
    with pytest.raises(RefusedFrameError, match="do not belong to the partition of 2024-01-02"):
        lake.write(table, DAY, frame)
    assert lake.write(table, date(2024, 1, 3), frame) == len(frame)
    assert (lake.quarantine / table / "2024-01-02" / "failure_cases.csv").is_file()


def test_an_auction_window_lies_on_the_london_day_of_its_start(lake: Lake) -> None:
    """In summer EFA block 1 of 16 July starts on 15 July 22:00Z = 23:00 London: the 15th."""
    frame = auction_clearing(date(2024, 7, 15))
    assert set(frame["efa_date"]) == {date(2024, 7, 15), date(2024, 7, 16)}
    assert lake.write("market/auction_clearing", date(2024, 7, 15), frame) == 36
    moved = frame["delivery_start_utc"].mask(frame["efa_block"] == 1, lambda s: s + pd.Timedelta(hours=2))
    with pytest.raises(RefusedFrameError, match="6 of 36 rows do not belong"):
        lake.write("market/auction_clearing", date(2024, 7, 15), frame.assign(delivery_start_utc=moved))


def test_a_period_must_start_when_it_says(lake: Lake) -> None:
    """Labels counted on the wall clock, where the hour repeats, are refused."""
    day = date(2024, 10, 27)
    good = system_price(day)
    assert lake.write(TABLE, day, good) == 50
    late = good["start_utc"].where(good["settlement_period"] != 7, good["start_utc"] + pd.Timedelta(hours=1))
    with pytest.raises(RefusedFrameError, match="1 of 50 rows have a start_utc that is not the start"):
        lake.write(TABLE, day, good.assign(start_utc=late))


def test_leftovers_of_dead_writers_are_no_partitions(lake: Lake) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    folder = lake.path(TABLE, DAY).parent
    for name in (".2024-01-03.parquet.1-ab.tmp", "2024-01-04.parquet.tmp", "20240105.parquet", "x.parquet"):
        (folder / name).write_bytes(b"half a file")
    (folder / "2024-01-06.parquet").mkdir()
    assert lake.days(TABLE) == [DAY]
    assert len(lake.read_all(TABLE)) == 48


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from bess_pipeline import atomic
from bess_pipeline.lake import Lake
from storage_frames import system_price
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = die
root, day = Path(sys.argv[1]), date(2024, 1, 2)
Lake(root, root).write("market/system_price", day, system_price(day, 9.0))
"""


def test_a_writer_killed_before_the_rename_leaves_the_old_partition(lake: Lake) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    before = lake.content_hash(TABLE)
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'tests'}"}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(lake.root)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(lake.path(TABLE, DAY).parent.iterdir())) == 2
    assert lake.content_hash(TABLE) == before
    assert lake.write(TABLE, DAY, system_price(DAY, 9.0)) == 48


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_fault_26_a_full_disk_is_one_sentence_and_the_old_file_is_intact(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    before = all_files(lake.root), lake.path(TABLE, DAY).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(BessError, match="free some space") as caught:
            lake.write(TABLE, DAY, system_price(DAY, 9.0))
    assert "2024-01-02.parquet" in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert (all_files(lake.root), lake.path(TABLE, DAY).read_bytes()) == before
    assert lake.write(TABLE, DAY, system_price(DAY, 9.0)) == 48


def test_whatever_fails_the_temporary_file_goes(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def write_half_and_stop() -> None:
        with atomic.replacing(target) as temporary:
            temporary.write_bytes(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half_and_stop()
    assert target.read_bytes() == b"old"
    assert all_files(tmp_path) == ["file"]


@pytest.mark.parametrize("content", [b"", b"PAR1 but not really"])
def test_a_broken_or_foreign_partition_is_one_sentence(lake: Lake, content: bytes) -> None:
    lake.write(TABLE, DAY, system_price(DAY))
    lake.path(TABLE, DAY).write_bytes(content)
    with pytest.raises(BessError, match=r"2024-01-02.parquet is no Parquet file: materialise"):
        lake.read(TABLE, DAY, DAY)
    system_price(DAY)[["system_price_gbp_mwh"]].to_parquet(lake.path(TABLE, DAY))
    with pytest.raises(BessError, match="other columns"):
        lake.read_all(TABLE)


def test_only_known_tables_and_calendar_days(lake: Lake) -> None:
    with pytest.raises(KeyError, match="no table"):
        lake.write("market/../../etc", DAY, pd.DataFrame())
    with pytest.raises(TypeError, match="calendar day"):
        lake.has(TABLE, datetime(2024, 1, 2))  # noqa: DTZ001


LADDER = "risk/ladder"


def test_a_partition_of_an_earlier_version_lacks_what_may_be_null(lake: Lake) -> None:
    """Columns that a table has had since are null; one that may not be is refused."""
    day, columns = date(2026, 4, 11), schemas.columns(LADDER)
    lake.write(LADDER, day, schemas.empty_frame(LADDER))
    now = parquet.read_table(lake.path(LADDER, day))
    assert columns["worth"].nullable
    assert not columns["strategy"].nullable
    parquet.write_table(now.drop_columns(["worth", "traded_cap_mw"]), lake.path(LADDER, day))
    assert list(lake.read_all(LADDER).columns) == list(columns)
    parquet.write_table(now.drop_columns(["strategy"]), lake.path(LADDER, day))
    with pytest.raises(BessError, match="other columns"):
        lake.read_all(LADDER)
