"""The calendar of outages: what it says of half-hours, what is known when, and what is refused in one sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.errors import UserInputError
from bess_pipeline.trading.availability import available, calendar_days, known_vintage, read_calendar

DAY = date(2026, 3, 30)  # EFA day from 22:00Z on the 29th, in summer time
STARTS = gb_time.efa_half_hours(DAY)
HEADER = "start_utc,end_utc,available_fraction,kind,reason,known_utc\n"
SERVICE = "2026-03-30T09:00Z,2026-03-30T10:00Z,0.5,planned,inverter service,2026-03-20T12:00Z\n"
TRIP = "2026-03-30T09:40Z,2026-03-30T10:10Z,0,forced,transformer trip,2026-03-30T09:40Z\n"


def calendar_file(folder: Path, text: str) -> Path:
    path = folder / "outages.csv"
    path.write_text(text, encoding="utf-8")
    return path


def charge_at(folder: Path, text: str, gate: datetime | None = None) -> dict[str, float]:
    """Available fraction of charge by UTC clock, where it is not 1."""
    found = available(read_calendar(calendar_file(folder, text)), STARTS, gate)
    share = np.broadcast_to(np.asarray(found.charge), (48,))
    return {f"{at:%H:%M}": round(float(one), 6) for at, one in zip(STARTS, share, strict=True) if one != 1}


def test_overlapping_outages_leave_the_lowest_and_parts_of_half_hours_their_mean(tmp_path: Path) -> None:
    """09:30-09:40 at a half, 09:40-10:00 and 10:00-10:10 at nothing, 10:10-10:30 whole."""
    expected = {"09:00": 0.5, "09:30": round(10 / 30 * 0.5, 6), "10:00": round(20 / 30, 6)}
    assert charge_at(tmp_path, HEADER + SERVICE + TRIP) == expected
    assert charge_at(tmp_path, HEADER + TRIP + SERVICE) == expected


def test_a_gate_knows_what_was_announced_by_then(tmp_path: Path) -> None:
    def known(hour: int, minute: int = 0) -> set[str]:
        gate = datetime(2026, 3, 20, hour, minute, tzinfo=UTC)
        return set(charge_at(tmp_path, HEADER + SERVICE + TRIP, gate))

    assert known(11, 59) == set()
    assert known(12) == {"09:00", "09:30"}


def test_charge_and_discharge_may_differ(tmp_path: Path) -> None:
    header = HEADER.replace("available_fraction", "charge_fraction,discharge_fraction")
    found = read_calendar(calendar_file(tmp_path, header + SERVICE.replace("0.5", "0.2,0.8")))
    both = available(found, STARTS)
    assert (np.min(both.charge), np.min(both.discharge)) == (0.2, 0.8)
    assert available(found.iloc[:0], STARTS).whole


def test_a_day_has_the_outages_that_reach_into_it_as_announced(tmp_path: Path) -> None:
    long = "2026-03-29T10:00Z,2026-03-30T22:00Z,0.9,planned,works,2026-03-01T00:00Z\n"
    calendar = read_calendar(calendar_file(tmp_path, HEADER + SERVICE + long))
    days = calendar_days(calendar, [date(2026, 3, 28), date(2026, 3, 29), DAY, date(2026, 3, 31)])
    assert {day.day: len(rows) for day, rows in days.items()} == {28: 0, 29: 1, 30: 2, 31: 0}  # ends as the 31st begins
    for rows in days.values():
        schemas.validate("trading/availability", rows)
    assert days[DAY]["start_utc"].min() == datetime(2026, 3, 29, 10, tzinfo=UTC)
    gate = datetime(2026, 3, 10, tzinfo=UTC)
    assert known_vintage(days[DAY], gate) == known_vintage(days[DAY].iloc[:1]) != known_vintage(days[DAY])
    assert known_vintage(days[date(2026, 3, 31)]) == ""


def test_no_file_is_no_outage() -> None:
    assert read_calendar(None).empty
    assert list(read_calendar(None).columns) == [c for c in schemas.columns("trading/availability") if c != "efa_date"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file"),
        ("", "must name the columns start_utc, end_utc, kind, reason, known_utc, available_fraction"),
        (HEADER.replace("reason", "why"), "not start_utc, end_utc, available_fraction, kind, why, known_utc"),
        (HEADER.replace("kind", "kind,kind") + SERVICE, "must name the columns"),
        (HEADER + SERVICE.replace(",planned", ""), "line 2: 5 cells, the first line names 6 columns"),
        (HEADER + SERVICE.replace("09:00Z", "09:00"), "line 2: start_utc '2026-03-30T09:00' is no time in UTC"),
        (HEADER + SERVICE + TRIP.replace("10:10Z", "09:40Z"), "line 3: the outage must end a minute or more after"),
        (HEADER + SERVICE.replace("0.5", "1.5"), "'1.5' is no number from 0"),
        (HEADER + SERVICE.replace("0.5", "nan"), "'nan' is no number from 0"),
        (HEADER + SERVICE.replace("0.5", ""), "'' is no number from 0"),
        (HEADER + SERVICE.replace("planned", "maybe"), "kind 'maybe' must be planned or forced"),
        (HEADER + SERVICE.replace("inverter service", ""), "the reason is empty"),
        (HEADER + SERVICE + TRIP + SERVICE, "line 4: this outage is there twice"),
        (HEADER + 'a"b', "is not a well-formed CSV|cells"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "none.csv" if text is None else calendar_file(tmp_path, text)
    with pytest.raises(UserInputError, match=words) as refused:
        read_calendar(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outages.csv"
    path.write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(UserInputError, match="is not UTF-8 text"):
        read_calendar(path)
