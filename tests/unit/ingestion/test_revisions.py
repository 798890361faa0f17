"""Versions of the system price: kept, numbered, compared, and asked for again when they are due."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.ingestion.datasets import system_price
from bess_pipeline.ingestion.revisions import (
    SYSTEM_PRICE_RAW,
    TABLE,
    Revisions,
    add_working_days,
    changes,
    due_days,
    last_fetched_utc,
    timetable,
)
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.lake import Lake
from bess_pipeline.settings import RevisionSettings
from bess_pipeline.sources.http import Answer
from bess_pipeline.warehouse import sql_files

DAY = date(2026, 4, 1)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def answer(prices: dict[int, tuple[float, str | None]], day: date = DAY, niv_mwh: float | None = None) -> Answer:
    """System prices of periods: (GBP/MWh, createdDateTime), and the net imbalance volume of all of them."""
    rows = [
        {
            "settlementDate": day.isoformat(),
            "settlementPeriod": period,
            "startTime": gb_time.period_start_utc(day, period).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "systemSellPrice": price,
            "systemBuyPrice": price,
            "netImbalanceVolume": niv_mwh,
            **({} if created is None else {"createdDateTime": created}),
        }
        for period, (price, created) in prices.items()
    ]
    return raw_answer(json.dumps({"data": rows}).encode())


def raw_answer(content: bytes) -> Answer:
    return Answer("elexon", "https://x/y", 200, "application/json", content, at(2), "simulated")


class Kept:
    """A vault and a lake to which answers are added by fetch time."""

    def __init__(self, root: Path) -> None:
        self.vault = RawVault(root / "raw")
        self.lake = Lake(root / "lake", root / "quarantine")
        self.revisions = Revisions(system_price(), self.vault, self.lake)

    def add(self, when: datetime, one: Answer, day: date = DAY) -> None:
        self.vault.keep(SYSTEM_PRICE_RAW, [day], [one], when)

    def built(self) -> pd.DataFrame:
        self.revisions.build([DAY])
        return self.lake.read(TABLE, DAY, DAY)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_every_version_is_kept_once_in_the_order_it_was_seen(kept: Kept) -> None:
    kept.add(at(2), answer({1: (50.0, "2026-04-01T01:00:00Z"), 2: (60.0, "2026-04-01T01:30:00Z")}))
    kept.add(at(3), answer({1: (50.0, "2026-04-02T01:00:00Z"), 2: (60.0, "2026-04-01T01:30:00Z")}))  # re-created
    kept.add(at(4), answer({1: (55.5, "2026-04-03T01:00:00Z"), 2: (60.0, "2026-04-01T01:30:00Z")}))
    kept.add(at(5), answer({1: (50.0, "2026-04-04T01:00:00Z"), 2: (61.0, "2026-04-01T01:30:00Z")}))  # silently changed
    found = kept.built()
    first = found[found["settlement_period"] == 1]
    assert first["version"].tolist() == [1, 2, 3, 4]
    assert first["system_price_gbp_mwh"].tolist() == [50.0, 50.0, 55.5, 50.0]
    assert first["fetched_utc"].tolist() == [pd.Timestamp(at(n)) for n in (2, 3, 4, 5)]
    second = found[found["settlement_period"] == 2]
    assert second["system_price_gbp_mwh"].tolist() == [60.0, 61.0]
    assert second["fetched_utc"].tolist() == [pd.Timestamp(at(2)), pd.Timestamp(at(5))]


def test_several_versions_in_one_answer_are_all_kept(kept: Kept) -> None:
    both = json.loads(answer({1: (50.0, "2026-04-02T01:00:00Z")}).content)["data"]
    both += json.loads(answer({1: (48.0, "2026-04-01T01:00:00Z")}).content)["data"]
    kept.add(at(2), raw_answer(json.dumps({"data": both}).encode()))
    assert kept.built()["system_price_gbp_mwh"].tolist() == [48.0, 50.0]


def test_where_no_publication_time_is_known_a_new_price_is_a_new_version(kept: Kept) -> None:
    for day, price in ((2, 50.0), (3, 50.0), (4, 51.0), (5, 50.0)):
        kept.add(at(day), answer({1: (price, None)}))
    found = kept.built()
    assert found["system_price_gbp_mwh"].tolist() == [50.0, 51.0, 50.0]
    assert found["published_utc"].isna().all()
    assert found["fetched_utc"].tolist() == [pd.Timestamp(at(n)) for n in (2, 4, 5)]


@pytest.mark.parametrize("created", [None, "2026-04-01T01:00:00Z"])
def test_a_changed_imbalance_volume_is_a_new_version_too(kept: Kept, created: str | None) -> None:
    for day, volume in ((2, None), (3, None), (4, 120.5), (5, 120.5), (6, -3.0)):
        kept.add(at(day), answer({1: (50.0, created)}, niv_mwh=volume))
    found = kept.built()
    assert found["version"].tolist() == [1, 2, 3]
    assert found["net_imbalance_volume_mwh"].isna().tolist() == [True, False, False]
    assert found["net_imbalance_volume_mwh"].tolist()[1:] == [120.5, -3.0]
    assert found["fetched_utc"].tolist() == [pd.Timestamp(at(n)) for n in (2, 4, 6)]
    assert changes(found).empty  # the price did not change


def test_an_unreadable_answer_says_nothing_and_hides_nothing(kept: Kept) -> None:
    kept.add(at(2), answer({1: (50.0, None)}))
    kept.add(at(3), raw_answer(b"<html>maintenance</html>"))
    kept.add(at(4), answer({1: (52.0, None)}))
    assert kept.built()["system_price_gbp_mwh"].tolist() == [50.0, 52.0]


def test_the_same_answers_give_the_same_bytes_and_are_not_written_twice(kept: Kept, tmp_path: Path) -> None:
    answers = [(at(2), answer({1: (50.0, None)})), (at(3), answer({1: (52.0, None)}))]
    for when, one in answers:
        kept.add(when, one)
    kept.built()
    path = kept.lake.path(TABLE, DAY)
    content, written = path.read_bytes(), path.stat().st_mtime_ns
    kept.built()
    assert path.stat().st_mtime_ns == written
    again = Kept(tmp_path / "other")
    for when, one in answers:
        again.add(when, one)
        again.built()
    assert again.lake.path(TABLE, DAY).read_bytes() == content


def test_a_damaged_body_is_one_line_and_the_stored_versions_stay(kept: Kept) -> None:
    kept.add(at(2), answer({1: (50.0, None)}))
    stored = kept.built()
    kept.add(at(3), answer({1: (52.0, None)}))
    newest = kept.vault.newest(SYSTEM_PRICE_RAW, DAY)
    assert newest is not None
    (kept.vault.root / "objects" / newest.bodies[0].sha256[:2] / f"{newest.bodies[0].sha256}.gz").unlink()
    rows, problems = Revisions(system_price(), kept.vault, kept.lake).build([DAY])
    assert rows == 0
    assert len(problems) == 1
    assert "2026-04-01: raw answer" in problems[0]
    pd.testing.assert_frame_equal(kept.lake.read(TABLE, DAY, DAY), stored)


def test_what_changed_and_by_how_much_is_the_same_in_python_and_in_sql(kept: Kept) -> None:
    kept.add(at(2), answer({1: (50.0, "2026-04-01T01:00:00Z"), 2: (60.0, "2026-04-01T01:30:00Z")}))
    kept.add(at(3), answer({1: (50.0, "2026-04-02T01:00:00Z"), 2: (60.0, "2026-04-02T01:30:00Z")}))
    kept.add(at(4), answer({1: (47.25, "2026-04-03T01:00:00Z"), 2: (60.0, "2026-04-02T01:30:00Z")}))
    versions = kept.built()
    found = changes(versions)
    assert found["settlement_period"].tolist() == [1]
    assert found["version"].tolist() == [3]
    assert found["change_gbp_mwh"].tolist() == [-2.75]
    assert found["changed_utc"].tolist() == [pd.Timestamp(at(4))]
    view = next(file for file in sql_files("views") if file.stem == "market.system_price_change")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'; CREATE SCHEMA market")
        connection.register("versions", versions)
        connection.execute("CREATE TABLE market.system_price_revision AS SELECT * FROM versions")
        connection.execute(view.read_text(encoding="utf-8"))
        rows = connection.execute("SELECT settlement_period, version, change_gbp_mwh FROM market.system_price_change")
        assert rows.fetchall() == [(1, 3, -2.75)]


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 3, 30), 5, date(2026, 4, 8)),  # over Good Friday (3 April) and Easter Monday (6 April)
        (date(2026, 3, 29), 1, date(2026, 3, 30)),  # a Sunday
        (date(2026, 4, 13), 5, date(2026, 4, 20)),
        (date(2025, 12, 22), 5, date(2025, 12, 31)),  # Christmas and Boxing Day
        (date(2025, 1, 2), 292, date(2026, 3, 4)),  # 304 weekdays later less 8 + 1 bank holidays … counted below
    ],
)
def test_working_days_leave_out_weekends_and_english_bank_holidays(day: date, count: int, expected: date) -> None:
    closed = {
        date(2025, 1, 1), date(2025, 4, 18), date(2025, 4, 21), date(2025, 5, 5), date(2025, 5, 26), date(2025, 8, 25),
        date(2025, 12, 25), date(2025, 12, 26), date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 4),
    }  # fmt: skip
    counted = day
    for _ in range(count):
        counted += timedelta(days=1)
        while counted.isoweekday() > 5 or counted in closed:
            counted += timedelta(days=1)
    assert add_working_days(day, count) == counted
    if count < 100:
        assert counted == expected


def test_the_timetable_falls_due_on_the_weekday_after_each_run() -> None:
    found = timetable(date(2026, 3, 30), RevisionSettings(run_working_days=(5, 16), weekday=1))
    assert found == [date(2026, 4, 13), date(2026, 4, 27)]  # II on 8 April, SF on 23 April


def test_recent_days_are_due_daily_and_older_ones_after_their_runs() -> None:
    settings = RevisionSettings(recent_days=3, run_working_days=(5,), weekday=1)
    stored = gb_time.days_between(date(2026, 3, 28), date(2026, 4, 12))
    fetched = dict.fromkeys(stored, at(12, 11))

    def due(now: datetime) -> list[date]:
        return due_days(now, settings, stored, fetched.get)

    assert due(at(12, 20)) == []  # all were fetched today
    # Monday 13 April: the three days before it, and those whose II run came out since they were fetched is none
    # before the 12th; days with a run from 6 to 12 April have their check on the 13th
    after = due(at(13, 11))
    runs = {day for day in stored if date(2026, 4, 6) <= add_working_days(day, 5) <= date(2026, 4, 12)}
    assert set(after) == runs | {date(2026, 4, n) for n in (10, 11, 12)}
    assert date(2026, 3, 30) in runs
    for day in after:
        fetched[day] = at(13, 11)
    assert due(at(13, 12)) == []
    # the day after, recent days only: 11 and 12 April; the 13th is not stored, and the 10th is four days back
    assert due(at(14, 11)) == [date(2026, 4, 11), date(2026, 4, 12)]


def test_a_missed_week_is_caught_up_once_and_a_day_never_fetched_is_not_due() -> None:
    settings = RevisionSettings(recent_days=0, run_working_days=(5, 16))
    stored = [date(2026, 3, 30), date(2026, 3, 31)]
    fetched = {date(2026, 3, 30): at(1)}
    assert due_days(datetime(2026, 6, 1, tzinfo=UTC), settings, stored, fetched.get) == [date(2026, 3, 30)]
    fetched[date(2026, 3, 30)] = datetime(2026, 6, 1, tzinfo=UTC)
    assert due_days(datetime(2026, 6, 20, tzinfo=UTC), settings, stored, fetched.get) == []


def test_nothing_is_due_where_the_settings_say_never(kept: Kept) -> None:
    never = RevisionSettings(recent_days=0, run_working_days=())
    kept.add(at(2), answer({1: (50.0, None)}))
    assert last_fetched_utc(kept.vault, DAY) == at(2)
    assert last_fetched_utc(kept.vault, DAY + timedelta(days=1)) is None
    assert due_days(at(30), never, [DAY], lambda day: last_fetched_utc(kept.vault, day)) == []
