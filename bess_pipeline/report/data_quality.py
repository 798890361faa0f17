"""The data-quality page of a workspace: coverage calendar, holes, lateness, revisions and quarantine.

What belongs here: gathering what the page shows and where it is written. What does not: finding it
out (`ingestion/quality.py`, `ingestion/revision_summary.py`), the picture (`figures/coverage.py`), the
look (`data_quality.html.j2`).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bess_pipeline import gb_time
from bess_pipeline.atomic import write_bytes
from bess_pipeline.figures.coverage import coverage_calendar
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes
from bess_pipeline.ingestion.quality import DataQuality, Summary, Watched, assess, duration, holes, lateness, summaries
from bess_pipeline.ingestion.revision_summary import RevisionSummary, summarise
from bess_pipeline.report.html import environment
from bess_pipeline.settings import RevisionSettings
from bess_pipeline.workspace import Workspace

PAGE_NAME = "data_quality.html"
PICTURE_NAME = "coverage.png"
MAX_LISTED = 400


@dataclass(frozen=True)
class WrittenPage:
    """The page, its picture, and the figures that are shown beside them."""

    page: Path
    picture: Path
    summaries: list[Summary]
    revisions: RevisionSummary
    open_quarantine: int


def write_data_quality(
    workspace: Workspace, watched: Sequence[Watched], settings: RevisionSettings, now: datetime
) -> WrittenPage | None:
    """Write page and picture of all known days; None before any day was asked for."""
    stamp = workspace.stamp()
    quality = assess(workspace.lake, watched, now)
    if stamp is None or quality.coverage.empty:
        return None
    provenance = Provenance(stamp.origin, stamp.day_ahead, now.year)
    png = png_bytes(coverage_calendar(quality.coverage, quality.quarantine, provenance))
    page, picture = workspace.reports / PAGE_NAME, workspace.reports / "figures" / PICTURE_NAME
    write_bytes(picture, png)
    revisions = summarise(workspace.lake, settings)
    write_bytes(page, build_page(quality, revisions, provenance, now, png).encode())
    return WrittenPage(page, picture, summaries(quality), revisions, int(quality.quarantine["open"].sum()))


def build_page(
    quality: DataQuality, revisions: RevisionSummary, provenance: Provenance, now: datetime, png: bytes
) -> str:
    """The page as HTML text; the same inputs give the same text."""
    gaps = holes(quality)
    late = quality.coverage.dropna(subset=["late_hours"]).sort_values("late_hours", ascending=False)
    changed = revisions.by_day.sort_values("settlement_date", ascending=False)
    moved = revisions.cash.sort_values(["efa_date", "strategy"], ascending=[False, True])
    kept = quality.quarantine.sort_values(["open", "table", "date"], ascending=[False, True, True])
    return (
        environment()
        .get_template("data_quality.html.j2")
        .render(
            provenance=provenance,
            first=quality.coverage["date"].min(),
            last=quality.coverage["date"].max(),
            as_of=gb_time.require_utc(now).strftime("%Y-%m-%d %H:%M UTC"),
            picture=base64.b64encode(png).decode("ascii"),
            summaries=summaries(quality),
            duration=duration,
            holes=gaps.head(MAX_LISTED).to_dict("records"),
            holes_left=max(len(gaps) - MAX_LISTED, 0),
            late=late.head(MAX_LISTED).to_dict("records"),
            late_left=max(len(late) - MAX_LISTED, 0),
            sources=lateness(quality),
            revisions=revisions,
            by_run=revisions.by_run.to_dict("records"),
            by_day=changed.head(MAX_LISTED).to_dict("records"),
            by_day_left=max(len(changed) - MAX_LISTED, 0),
            cash=moved.head(MAX_LISTED).to_dict("records"),
            cash_left=max(len(moved) - MAX_LISTED, 0),
            cash_totals=moved[["strategy", "change_gbp"]].groupby("strategy").sum().reset_index().to_dict("records"),
            quarantine=kept.head(MAX_LISTED).to_dict("records"),
            quarantine_left=max(len(kept) - MAX_LISTED, 0),
        )
    )
