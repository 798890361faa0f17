"""Sections of a report page as words: tables of text cells, lists and pictures, which one template draws.

What belongs here: the form, and how numbers with intervals become cells. What does not: what a section says
(`captured.py`, `risk.py`, `not_included.py`) and its look (`templates/section.html.j2`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bess_pipeline.report.tables import NONE, number
from bess_pipeline.risk.bootstrap import LEAST_BLOCKS


@dataclass(frozen=True)
class ReportFigure:
    """A PNG with its caption, which is also its text alternative."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class TextTable:
    """Cells as text, a row each; `words`: cells are sentences and stand to the left; `title` stands above."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    words: bool = False


@dataclass(frozen=True)
class Section:
    """A heading; sentences before, tables, list items, pictures, and a note in small print after."""

    title: str
    lead: str = ""
    tables: Sequence[TextTable] = ()
    items: Sequence[str] = ()
    figures: Sequence[ReportFigure] = ()
    note: str = ""


def with_interval(value: float, low: float, high: float, decimals: int = 0) -> str:
    """The value, and on a second line its interval where it has one."""
    if not known(value):
        return NONE
    ends = f"\n{number(low, decimals)} to {number(high, decimals)}" if known(low) and known(high) else ""
    return number(value, decimals) + ends


def without_interval(rows: pd.DataFrame) -> list[str]:
    """Why rows (value, ci_low, days) have no interval, where some have none for being of too few days."""
    bare = rows[rows["value"].notna() & rows["ci_low"].isna()]
    if bare.empty:
        return []
    return [
        f"No intervals of {day_counts(bare['days'])}: that is less than {LEAST_BLOCKS} mean blocks of the bootstrap, "
        "and of so few blocks it covers far less than it says."
    ]


def day_counts(days: pd.Series) -> str:
    """The least and the largest of numbers of days."""
    least, most = int(days.min()), int(days.max())
    return f"{least} to {most} days" if least < most else f"{most} {'day' if most == 1 else 'days'}"


def share(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A share in per cent, and on a second line its interval where it has one."""
    if not known(value):
        return NONE
    ends = f"\n{low:.1%} to {high:.1%}" if known(low) and known(high) else ""
    return f"{value:.1%}{ends}"


def plain(value: float, decimals: int = 0) -> str:
    """A number, or a dash where there is none."""
    return number(value, decimals) if known(value) else NONE


def known(value: float) -> bool:
    """Whether there is a number."""
    return value is not None and math.isfinite(value)
