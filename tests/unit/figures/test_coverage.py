"""The coverage calendar: every state has its colour and place, three days and five years stay legible."""

from __future__ import annotations

import io
from datetime import date, timedelta

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from bess_pipeline.figures.coverage import COLOURS, STATES, coverage_calendar
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes
from bess_pipeline.ingestion import quality

TABLES = ("market/system_price", "market/auction_clearing")
NOTHING = pd.DataFrame(columns=list(quality.QUARANTINE_COLUMNS)).astype({"open": bool})
PROVENANCE = Provenance("recorded", "elexon_mid", 2026)


def coverage(first: date, days: int, bad: dict[tuple[str, int], str], late_hours: float = 30.0) -> pd.DataFrame:
    rows = []
    for table in TABLES:
        for n in range(days):
            state = bad.get((table, n), "complete")
            late = late_hours if state == "not_published" else np.nan
            rows.append(("elexon", table, first + timedelta(days=n), state, "", late, pd.NaT, True))
    return pd.DataFrame(rows, columns=list(quality.COVERAGE_COLUMNS))


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_text() for text in (*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels())]
        texts += [axes.get_title(loc="left"), axes.get_title()]
    return "\n".join(texts)


def pixels(figure: Figure, state: str) -> int:
    """Pixels of a state's colour, the legend's patch among them."""
    image = matplotlib.image.imread(io.BytesIO(png_bytes(figure)))[:, :, :3]
    return int((np.abs(image - np.array(to_rgb(COLOURS[STATES.index(state)]))).max(axis=2) < 0.01).sum())


def test_states_are_those_of_the_assessment() -> None:
    assert quality.STATES == STATES


def test_three_days() -> None:
    bad = {(TABLES[0], 2): "not_published", (TABLES[1], 1): "refused"}
    figure = coverage_calendar(coverage(date(2026, 3, 28), 3, bad), NOTHING, PROVENANCE)
    text = words(figure)
    assert "28 Mar 2026 to 30 Mar 2026" in text
    for said in ("system price  2/3", "auction clearing  2/3", "28 Mar", "29 Mar", "30 Mar", "nothing was refused"):
        assert said in text, said
    assert "system price 2026-03-30" in text
    assert "1.2" in text, "thirty hours are 1.2 days"
    assert "recorded GB data" in text
    assert "Contains BMRS data" in text


@pytest.mark.parametrize("day", [date(2023, 11, 11), date(2024, 2, 29), date(2024, 4, 1), date(2025, 12, 31)])
@pytest.mark.parametrize("state", ["refused", "not_published", "never_asked"])
def test_one_bad_day_of_five_years_can_be_seen(day: date, state: str) -> None:
    """Also on the first of a month, where a line is drawn."""
    first = date(2021, 7, 1)
    bad = coverage(first, 1826, {(TABLES[0], (day - first).days): state}, late_hours=np.nan)
    good = coverage_calendar(coverage(first, 1826, {}), NOTHING, PROVENANCE)
    figure = coverage_calendar(bad, NOTHING, PROVENANCE)
    assert pixels(figure, state) - pixels(good, state) >= 30, "at least 2 by 15 pixels"
    assert "system price  1,825/1,826" in words(figure)
    years = [label.get_text() for label in figure.axes[0].get_yticklabels()][:6]
    assert years == [f"{year}" for year in range(2021, 2027)]


def test_quarantine_and_many_late_days() -> None:
    bad = {(table, n): "not_published" for table in TABLES for n in range(5)}
    kept = pd.DataFrame(
        [(TABLES[0], date(2026, 3, n), 48, 1, "x", n == 1) for n in (1, 2)], columns=list(quality.QUARANTINE_COLUMNS)
    )
    text = words(coverage_calendar(coverage(date(2026, 3, 1), 60, bad), kept, PROVENANCE))
    assert "the longest 6 of 10" in text
    assert "96 on 2 days, 1 open" in text


def test_the_same_data_gives_the_same_bytes_and_one_day_is_enough() -> None:
    frame = coverage(date(2026, 3, 1), 1, {})
    first, second = (png_bytes(coverage_calendar(frame, NOTHING, PROVENANCE)) for _ in range(2))
    assert first == second
    assert "Data coverage, 1 Mar 2026\n" in words(coverage_calendar(frame, NOTHING, PROVENANCE)) + "\n"
