"""Coverage, lateness and quarantine are counted as they are, against a workspace made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.commands.doctor import examine
from bess_pipeline.errors import RefusedFrameError
from bess_pipeline.ingestion.datasets import expected_datasets
from bess_pipeline.ingestion.outcomes import Outcome, source_status_frame
from bess_pipeline.ingestion.quality import assess, duration, holes, lateness, summaries, watch
from bess_pipeline.report.data_quality import write_data_quality
from bess_pipeline.settings import RevisionSettings, Settings, SourcesSettings, load_settings
from bess_pipeline.workspace import Workspace

SYSTEM, INDEX, AUCTIONS, DAY_AHEAD = (
    "market/system_price", "market/market_index_price", "market/auction_clearing", "market/day_ahead_price",
)  # fmt: skip
DAYS = gb_time.days_between(date(2026, 3, 27), date(2026, 3, 31))
FETCHED = datetime(2026, 4, 1, 4, 30, tzinfo=UTC)
NO_CHANGE = "No price has changed"
NOW = datetime(2026, 4, 1, 5, 0, tzinfo=UTC)  # 2026-03-31 ended at 23:00Z: six hours ago
DATASETS = [watch(one) for one in expected_datasets("live", "neso_n2ex", SourcesSettings())]


def put(place: Workspace, day: date, **status: tuple[str, str]) -> None:
    """source_status of a day; what is not named is complete."""
    tables = {"system": SYSTEM, "index": INDEX, "auctions": AUCTIONS, "day_ahead": DAY_AHEAD}
    rows = []
    for name, table in tables.items():
        state, reason = status.get(name, ("complete", ""))
        if state != "absent":
            source = "neso" if name in ("auctions", "day_ahead") else "elexon"
            fetched = FETCHED if name == "system" else None
            rows.append(Outcome(source, table, day, state, reason, 48, 48 if state == "complete" else 40, fetched))
    place.lake.write("market/source_status", day, source_status_frame(rows))


def absurd(day: date) -> pd.DataFrame:
    starts = gb_time.settlement_half_hours(day)
    frame = gb_time.settlement_columns(starts).assign(start_utc=starts, market_index_price_gbp_mwh=50.0)
    frame["market_index_volume_mwh"] = 1.0
    frame.loc[3, "market_index_price_gbp_mwh"] = 1e9
    return frame


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Five days: one hole of two days, one overdue day, one never asked, two quarantined days of which one mended."""
    workspace = Workspace(tmp_path / "place")
    workspace.ensure()
    workspace.claim("live", "neso_n2ex")
    for day in (DAYS[0], DAYS[1]):
        with pytest.raises(RefusedFrameError):
            workspace.lake.write(INDEX, day, absurd(day))
    workspace.lake.write(INDEX, DAYS[0], absurd(DAYS[0]).assign(market_index_price_gbp_mwh=50.0))
    put(workspace, DAYS[0])
    put(workspace, DAYS[1], index=("refused", "too high"), auctions=("refused", "6 of 36 missing: <DCH>"))
    put(workspace, DAYS[2], auctions=("refused", "6 of 36 missing: <DCH>"))
    put(workspace, DAYS[4], system=("not_published", "none yet"), day_ahead=("absent", ""))
    return workspace


def test_every_day_of_every_table_has_one_state(place: Workspace) -> None:
    coverage = assess(place.lake, DATASETS, NOW).coverage
    assert len(coverage) == 4 * 5
    states = coverage.set_index(["dataset", "date"])["state"]
    assert states[(DAY_AHEAD, DAYS[4])] == "never_asked"
    assert (states.loc[:, DAYS[3]] == "never_asked").all(), "a day between known ones without a status"
    assert states[(SYSTEM, DAYS[4])] == "not_published"
    assert states[(AUCTIONS, DAYS[1])] == states[(AUCTIONS, DAYS[2])] == "refused"
    assert (states == "complete").sum() == 4 + 2 + 3 + 2


def test_lateness_counts_from_when_the_day_was_due(place: Workspace) -> None:
    coverage = assess(place.lake, DATASETS, NOW).coverage
    late = coverage.dropna(subset=["late_hours"])
    assert late[["dataset", "date", "late_hours"]].values.tolist() == [[SYSTEM, DAYS[4], 6.0]]
    early = assess(place.lake, DATASETS, NOW - timedelta(hours=7)).coverage
    assert early["late_hours"].isna().all(), "not due yet is not late"


def test_summaries_and_what_is_sound(place: Workspace) -> None:
    found = {one.dataset: one for one in summaries(assess(place.lake, DATASETS, NOW))}
    assert str(found[SYSTEM]) == "3 of 5 days complete, 1 not published, 1 never asked, overdue by up to 6 h"
    assert str(found[AUCTIONS]) == "2 of 5 days complete, 2 refused, 1 never asked"
    assert [name for name, one in found.items() if one.sound] == [SYSTEM, DAY_AHEAD]
    assert found[AUCTIONS].last_complete == DAYS[4]
    later = {one.dataset: one for one in summaries(assess(place.lake, DATASETS, NOW + timedelta(hours=19)))}
    assert not later[SYSTEM].sound, "late for more than a day"


def test_each_source_says_how_late_it_is_and_when_it_last_answered(place: Workspace) -> None:
    elexon, neso = lateness(assess(place.lake, DATASETS, NOW))
    assert str(elexon) == (
        "1 day overdue, the longest by 6 h (market/system_price 2026-03-31), newest answer 2026-04-01T04:30Z"
    )
    assert (neso.source, str(neso)) == ("neso", "nothing overdue, no answer yet")
    put(place, DAYS[3], system=("not_published", "none yet"), index=("not_published", "none yet"))
    elexon, _ = lateness(assess(place.lake, DATASETS, NOW))
    assert str(elexon).startswith("3 days overdue, the longest by 30 h (market/system_price 2026-03-30)")


def test_a_table_no_day_waits_for_is_listed_once_asked_for_and_is_no_fault(place: Workspace) -> None:
    side = replace(DATASETS[0], table="market/settlement_stack", needed=False)
    assert len(summaries(assess(place.lake, [*DATASETS, side], NOW))) == 4
    outcome = Outcome("elexon", side.table, DAYS[0], "refused", "HTTP 503", 96, 0, None)
    known = place.lake.read("market/source_status", DAYS[0], DAYS[0])
    place.lake.write("market/source_status", DAYS[0], pd.concat([known, source_status_frame([outcome])]))
    quality = assess(place.lake, [*DATASETS, side], NOW)
    assert holes(quality).query("dataset == @side.table")["state"].tolist() == ["refused"]
    *_, found = summaries(quality)
    assert str(found) == "0 of 5 days complete, 1 refused, 4 never asked"
    assert found.sound


def test_holes_are_runs_of_one_reason(place: Workspace) -> None:
    rows = holes(assess(place.lake, DATASETS, NOW))
    mine = rows[rows["dataset"] == AUCTIONS].values.tolist()
    assert mine == [
        [AUCTIONS, DAYS[1], DAYS[2], 2, "refused", "6 of 36 missing: <DCH>"],
        [AUCTIONS, DAYS[3], DAYS[3], 1, "never_asked", ""],
    ]
    assert rows["days"].sum() == 20 - 11


def test_the_quarantine_is_read_with_counts_reasons_and_what_was_mended(place: Workspace) -> None:
    rows = assess(place.lake, DATASETS, NOW).quarantine.set_index("date")
    assert rows["rows"].to_dict() == {DAYS[0]: 48, DAYS[1]: 48}
    assert rows["failure_cases"].to_dict() == {DAYS[0]: 1, DAYS[1]: 1}
    assert rows["open"].to_dict() == {DAYS[0]: False, DAYS[1]: True}
    assert "market_index_price_gbp_mwh" in rows.loc[DAYS[1], "reason"]
    (place.quarantine / "market" / "auction_clearing" / "no-day").mkdir(parents=True)
    (place.quarantine / "market" / "auction_clearing" / "no-day" / "reason.txt").write_text("stray")
    assert len(assess(place.lake, DATASETS, NOW).quarantine) == 2


def test_an_empty_workspace_has_no_days(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "new")
    quality = assess(workspace.lake, DATASETS, NOW)
    assert quality.coverage.empty
    assert summaries(quality) == []
    assert holes(quality).empty
    assert write_data_quality(workspace, DATASETS, RevisionSettings(), NOW) is None


@pytest.mark.parametrize(("hours", "text"), [(0.4, "0 h"), (47.4, "47 h"), (48.0, "2 d 0 h"), (100.0, "4 d 4 h")])
def test_durations(hours: float, text: str) -> None:
    assert duration(hours) == text


# --- the page and the doctor --------------------------------------------------------------------------


def test_the_page_says_all_of_it_escaped_and_repeatable(place: Workspace) -> None:
    written = write_data_quality(place, DATASETS, RevisionSettings(), NOW)
    assert written is not None
    assert written.page == place.reports / "data_quality.html"
    assert written.picture.read_bytes().startswith(b"\x89PNG")
    assert written.open_quarantine == 1
    text = written.page.read_text()
    for words in (
        "6 of 36 missing: &lt;DCH&gt;",
        "2026-03-28 to 2026-03-29",
        "none yet",
        "mended",
        "late by",
        "6 h",
        NO_CHANGE,
    ):
        assert words in text, words
    assert "<DCH>" not in text
    assert "<script" not in text
    before = written.page.read_bytes(), written.picture.read_bytes()
    write_data_quality(place, DATASETS, RevisionSettings(), NOW)
    assert (written.page.read_bytes(), written.picture.read_bytes()) == before


def settings_of(place: Workspace) -> Settings:
    return load_settings(workspace=place.root, clock={"now_utc": NOW})


def test_the_doctor_lists_holes_lateness_and_quarantine(place: Workspace) -> None:
    findings = {finding.what: finding for finding in examine(settings_of(place))}
    assert findings[f"coverage of {SYSTEM}"].ok
    assert "overdue by up to 6 h" in findings[f"coverage of {SYSTEM}"].text
    auctions = findings[f"coverage of {AUCTIONS}"]
    assert not auctions.ok
    assert "refused: 2026-03-28 to 2026-03-29 (6 of 36 missing: <DCH>)" in auctions.text
    assert "1 day overdue, the longest by 6 h" in findings["lateness of elexon"].text
    assert findings["revisions"].text == "0 versions of 0 periods kept, no price has changed"
    assert not findings["quarantine"].ok
    assert findings["quarantine"].text.startswith("2 days with 96 rows, 1 of them not mended since: ")


def test_the_doctor_of_a_sound_workspace_is_content(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "sound")
    workspace.ensure()
    workspace.claim("live", "neso_n2ex")
    put(workspace, DAYS[0])
    findings = {finding.what: finding for finding in examine(settings_of(workspace))}
    assert findings["quarantine"].text == "empty"
    assert all(finding.ok for what, finding in findings.items() if what.startswith(("coverage", "quarantine")))
