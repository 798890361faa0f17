"""The section on risk as it was expected of a day before it came.

What belongs here: its words, of `risk.forecast_pnl` rows. What does not: the numbers (`risk/stored_days.py`), how well
they held (back-tests, `risk.py`), and risk of the days that came (measures, `risk.py`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bess_pipeline.report.captured import Label
from bess_pipeline.report.sections import Section, TextTable, known
from bess_pipeline.report.tables import NONE, number

NOTE = (
    "P&L after wear, ex ante with the change of stored energy, £; VaR and CVaR are positive when money would be lost. "
    "Ex ante: of the plan on scenarios that it was not made with. Historical: of the days known at 09:50 the day "
    "before. Every day: risk.forecast_pnl."
)


def expected_risk(forecasts: pd.DataFrame, label: Label) -> list[Section]:
    """VaR and CVaR of the last day of `risk.forecast_pnl` rows at each confidence, beside what came."""
    if forecasts.empty:
        return []
    day = forecasts["efa_date"].max()
    own = forecasts[forecasts["efa_date"] == day]
    levels = sorted(set(own["confidence"]))
    risks = [f"{name} {level * 100:g} %" for level in levels for name in ("VaR", "CVaR")]
    rows = [_row(str(strategy), str(source), part, levels, label) for (strategy, source), part in _parts(own)]
    table = TextTable(["strategy", "source", "mean", *risks, "came"], rows)
    return [
        Section(
            title="Risk expected of a day",
            lead=f"What was expected of {day}, the last day of the window that has a forecast of its P&L.",
            tables=[table],
            note=NOTE,
        )
    ]


def _parts(own: pd.DataFrame) -> list[tuple[tuple[object, ...], pd.DataFrame]]:
    return [(key, part) for key, part in own.groupby(["strategy", "source"]) if isinstance(key, tuple)]


def _row(strategy: str, source: str, part: pd.DataFrame, levels: list[float], label: Label) -> list[str]:
    at, first = part.set_index("confidence"), part.iloc[0]
    risks = at.reindex(levels)[["var_gbp", "cvar_gbp"]].to_numpy(dtype="float64", na_value=np.nan).ravel()
    mean, came = first[["mean_gbp", "realised_gbp"]].to_numpy(dtype="float64", na_value=np.nan)
    cells = [number(amount) if known(amount) else NONE for amount in (float(mean), *map(float, risks), float(came))]
    return [label(strategy), source.replace("_", " "), *cells]
