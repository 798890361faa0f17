"""What revisions of the system price came to: how many, by how much, by settlement run and by day, and their cash.

What belongs here: sums over the versions that are kept, and the settlement run that each of them is taken to
come from. What does not: the versions (`revisions.py`), what cash they moved (`trading/stamps.py`), and how it
is shown (`report/data_quality.py`, `commands/doctor.py`).

The rows of the provider carry no run type (domain reference 2.1). A version counts to the newest run of the
timetable in `[revisions]` that was out on the date on which it was published (where that is not known: first
fetched): an inference. What was published before the first run counts as `before II`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.ingestion.revisions import TABLE, add_working_days, changes
from bess_pipeline.lake import Lake
from bess_pipeline.settings import RevisionSettings
from bess_pipeline.trading.stamps import resettled

RUN_NAMES = {6: ("II", "SF", "R1", "R2", "R3", "RF"), 4: ("II", "SF", "R1", "RF")}  # since July 2027: no R2, R3
RUN_COLUMNS = ("run", "changes", "days", "mean_gbp_mwh", "mean_absolute_gbp_mwh", "largest_gbp_mwh")
DAY_COLUMNS = ("settlement_date", "runs", *RUN_COLUMNS[1:2], *RUN_COLUMNS[3:], "last_changed_utc")


@dataclass(frozen=True)
class RevisionSummary:
    """Frames of RUN_COLUMNS in the order of the runs, DAY_COLUMNS by date, and `stamps.RESETTLED_COLUMNS`.

    A change is a version whose price differs from the version before it; `largest` is the change of the
    greatest size, with its sign. `periods` and `versions` count what is kept, changed or not.
    """

    periods: int
    versions: int
    by_run: pd.DataFrame
    by_day: pd.DataFrame
    cash: pd.DataFrame

    def __str__(self) -> str:
        kept = f"{self.versions:,} versions of {self.periods:,} periods kept"
        if self.by_day.empty:
            return f"{kept}, no price has changed"
        runs = ", ".join(f"{row.run} {row.changes}" for row in self.by_run.itertuples())
        largest = self.by_day.iloc[int(self.by_day["largest_gbp_mwh"].abs().argmax())]
        text = (
            f"{kept}; {self.by_run['changes'].sum():,} changes on {len(self.by_day)} settlement dates ({runs}), "
            f"the largest {largest['largest_gbp_mwh']:+,.2f} GBP/MWh on {largest['settlement_date']}"
        )
        moved = self.cash[["strategy", "change_gbp"]].groupby("strategy")
        cash = ", ".join(f"{name} {rows['change_gbp'].sum():+,.2f} GBP on {len(rows)} days" for name, rows in moved)
        return f"{text}; cash settled again: {cash or 'no amount moved'}"


def summarise(lake: Lake, settings: RevisionSettings) -> RevisionSummary:
    """All revisions that the lake knows of."""
    versions = lake.read_all(TABLE)
    found = changes(versions)
    keys = ["settlement_date", "settlement_period", "version"]
    published = found[keys].merge(versions[[*keys, "published_utc"]], on=keys)["published_utc"]
    found["run"] = _runs(found["settlement_date"], published.fillna(found["changed_utc"]), settings)
    return RevisionSummary(
        periods=len(versions[["settlement_date", "settlement_period"]].drop_duplicates()),
        versions=len(versions),
        by_run=_by_run(found, settings),
        by_day=_by_day(found),
        cash=resettled(lake),
    )


def run_names(settings: RevisionSettings) -> list[str]:
    """Names of the settlement runs of a timetable, before the first run included."""
    days = settings.run_working_days
    names = RUN_NAMES.get(len(days), tuple(f"after {count} working days" for count in days))
    return [f"before {names[0]}" if names else "any", *names]


def settlement_run(day: date, published: date, settings: RevisionSettings) -> str:
    """The newest run of a settlement date that was out on a date."""
    out = sum(add_working_days(day, count) <= published for count in settings.run_working_days)
    return run_names(settings)[out]


def _runs(days: pd.Series, published_utc: pd.Series, settings: RevisionSettings) -> list[str]:
    dates = published_utc.dt.tz_convert(gb_time.LONDON).dt.date if len(published_utc) else []
    return [settlement_run(day, published, settings) for day, published in zip(days, dates, strict=True)]


def _sizes(grouped: Any) -> pd.DataFrame:
    sizes: pd.DataFrame = grouped.agg(
        changes=("change_gbp_mwh", "size"),
        mean_gbp_mwh=("change_gbp_mwh", "mean"),
        mean_absolute_gbp_mwh=("change_gbp_mwh", lambda change: change.abs().mean()),
        largest_gbp_mwh=("change_gbp_mwh", lambda change: change.loc[change.abs().idxmax()]),
    )
    return sizes


def _by_run(found: pd.DataFrame, settings: RevisionSettings) -> pd.DataFrame:
    if found.empty:
        return pd.DataFrame(columns=list(RUN_COLUMNS))
    grouped = found.groupby("run")
    frame = _sizes(grouped).assign(days=grouped["settlement_date"].nunique())
    ordered = [name for name in run_names(settings) if name in frame.index]
    return frame.loc[ordered].reset_index()[list(RUN_COLUMNS)]


def _by_day(found: pd.DataFrame) -> pd.DataFrame:
    if found.empty:
        return pd.DataFrame(columns=list(DAY_COLUMNS))
    grouped = found.groupby("settlement_date")
    runs = grouped["run"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    frame = _sizes(grouped).assign(runs=runs, last_changed_utc=grouped["changed_utc"].max())
    return frame.reset_index()[list(DAY_COLUMNS)]
