"""What revisions came to, by run and by day, against versions written by hand; on the page and in the doctor."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline.commands.doctor import examine
from bess_pipeline.ingestion.outcomes import Outcome, source_status_frame
from bess_pipeline.ingestion.revision_summary import settlement_run, summarise
from bess_pipeline.report.data_quality import write_data_quality
from bess_pipeline.runtime import Runtime
from bess_pipeline.settings import RevisionSettings, load_settings
from bess_pipeline.trading.stamps import CASHFLOW, cash_stamp
from bess_pipeline.workspace import Workspace

FIRST, SECOND = date(2025, 1, 6), date(2025, 1, 7)  # Monday, Tuesday; II out on the 13th and 14th, SF on 28th, 29th
NOW = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
LEGACY = RevisionSettings()


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Two settlement dates, five changes of price, and a trading day settled again for one strategy."""
    workspace = Workspace(tmp_path / "place")
    workspace.ensure()
    workspace.claim("live", "neso_n2ex")
    versions = {
        FIRST: [
            (1, 1, "2025-01-06T01:00", 50.0), (1, 2, "2025-01-07T01:00", 52.0),  # before II: +2
            (1, 3, "2025-01-13T09:00", 47.0),  # II: -5
            (2, 1, "2025-01-06T01:30", 60.0), (2, 2, "2025-01-14T09:00", 60.0),  # created again, no change
            (2, 3, "2025-01-28T09:00", 61.0),  # SF: +1
        ],
        SECOND: [
            (1, 1, "2025-01-07T01:00", -10.0), (1, 2, "2025-01-14T09:00", -7.0),  # II: +3
            (1, 3, None, -27.0),  # not known when published: fetched in August 2026, after RF: -20
        ],
    }  # fmt: skip
    for day, rows in versions.items():
        frame = pd.DataFrame(rows, columns=["settlement_period", "version", "published", "system_price_gbp_mwh"])
        published = pd.to_datetime(frame.pop("published"), utc=True).dt.as_unit("us")
        fetched = published.fillna(pd.Timestamp("2026-08-03T09:00Z")) + pd.Timedelta(hours=1)
        frame = frame.assign(
            settlement_date=day, published_utc=published, fetched_utc=fetched, net_imbalance_volume_mwh=12.5
        )
        workspace.lake.write("market/system_price_revision", day, frame)
        outcome = Outcome("elexon", "market/system_price", day, "complete", "", 48, 48, NOW)
        workspace.lake.write("market/source_status", day, source_status_frame([outcome]))
    settled = {"rule_based": ("complete", 100.0), "day_ahead_perfect_foresight": ("complete", 9.0)}
    again = {"rule_based": ("complete", 87.5), "day_ahead_perfect_foresight": ("complete", 9.0)}
    stamp = cash_stamp(cash_stamp({}, "a dispatch", settled), "a dispatch", again)
    workspace.lake.write(CASHFLOW, FIRST, pd.DataFrame(), stamp)
    return workspace


def test_the_run_is_the_newest_that_was_out(place: Workspace) -> None:
    wanted = {
        date(2025, 1, 12): "before II", date(2025, 1, 13): "II", date(2025, 1, 27): "II", date(2025, 1, 28): "SF",
        date(2026, 9, 1): "RF",
    }  # fmt: skip
    assert {day: settlement_run(FIRST, day, LEGACY) for day in wanted} == wanted
    four = RevisionSettings(run_working_days=(4, 7, 30, 84))
    assert [settlement_run(FIRST, day, four) for day in (date(2025, 1, 10), date(2025, 12, 1))] == ["II", "RF"]
    odd = RevisionSettings(run_working_days=(2,))
    assert settlement_run(FIRST, date(2025, 1, 7), odd) == "before after 2 working days"


def test_changes_by_run(place: Workspace) -> None:
    found = summarise(place.lake, LEGACY)
    assert (found.periods, found.versions) == (3, 9)
    assert found.by_run.to_numpy().tolist() == [
        ["before II", 1, 1, 2.0, 2.0, 2.0],
        ["II", 2, 2, -1.0, 4.0, -5.0],
        ["SF", 1, 1, 1.0, 1.0, 1.0],
        ["RF", 1, 1, -20.0, 20.0, -20.0],
    ]


def test_changes_by_day_and_the_cash_that_moved(place: Workspace) -> None:
    found = summarise(place.lake, LEGACY)
    columns = ["settlement_date", "runs", "changes", "mean_absolute_gbp_mwh", "largest_gbp_mwh"]
    assert found.by_day[columns].to_numpy().tolist() == [
        [FIRST, "before II, II, SF", 3, pytest.approx(8 / 3), -5.0],
        [SECOND, "II, RF", 2, 11.5, -20.0],
    ]
    assert found.by_day["last_changed_utc"].iloc[0] == pd.Timestamp("2025-01-28T10:00Z")
    assert found.cash.to_numpy().tolist() == [[FIRST, "rule_based", 100.0, 87.5, -12.5]]


def test_the_page_and_the_doctor_say_the_same(place: Workspace) -> None:
    settings = load_settings(workspace=place.root, clock={"now_utc": NOW})
    findings = {finding.what: finding.text for finding in examine(settings)}
    assert findings["revisions"] == (
        "9 versions of 3 periods kept; 5 changes on 2 settlement dates (before II 1, II 2, SF 1, RF 1), the largest "
        "-20.00 GBP/MWh on 2025-01-07; cash settled again: rule_based -12.50 GBP on 1 days"
    )
    written = write_data_quality(place, Runtime(settings).watched(), settings.revisions, NOW)
    assert written is not None
    assert str(written.revisions) == findings["revisions"]
    page = " ".join(written.page.read_text().split())
    for cells in (
        '<tr><td>II</td><td class="n">2</td><td class="n">2</td><td class="n">-1.00</td><td class="n">4.00</td>',
        '<tr><td>2025-01-07</td><td>II, RF</td><td class="n">2</td><td class="n">-8.50</td><td class="n">11.50</td>',
        '<td class="n">100.00</td><td class="n">87.50</td><td class="n">-12.50</td>',
        "<tr><td>elexon</td>",
    ):
        assert cells in page, cells
    assert page.index("2025-01-07</td><td>II, RF") < page.index("2025-01-06</td><td>before II"), "newest first"


def test_without_versions_nothing_has_changed(tmp_path: Path) -> None:
    found = summarise(Workspace(tmp_path / "new").lake, LEGACY)
    assert str(found) == "0 versions of 0 periods kept, no price has changed"
    assert found.by_run.empty
    assert found.by_day.empty
    assert found.cash.empty
