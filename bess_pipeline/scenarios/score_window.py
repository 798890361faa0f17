"""What daily scores come to over a window: means, skill over a baseline, tests, calibration.

What belongs here: the summary of rows of `scenario.score`. What does not: the rows (`scores.py`) and the statistics
(`skill.py`, `calibration.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from bess_pipeline.scenarios import calibration, skill

Array = npt.NDArray[np.float64]

RANKS = ("rank", "average_rank", "depth_rank")
SMALLER_IS_BETTER = re.compile(r"crps(_h\d\d)?|energy_score|variogram_score|cross_variogram_score")
COLUMNS = (
    "gate", "stream", "score", "days", "value", "ci_low", "ci_high",
    "baseline", "baseline_value", "skill", "skill_low", "skill_high", "dm_statistic", "p_better", "p_different",
    "p_uniform", "p_uniform_holm",
)  # fmt: skip


def score_window(
    rows: pd.DataFrame, seed: int, baselines: Sequence[str] = ("similar_day",), horizon_days: int = 1
) -> pd.DataFrame:
    """A row per gate, stream, score and (where it has the score) baseline, for daily rows of a window.

    rows: efa_date, gate, stream, score, value; a day once per key; other names behind a colon than those of
    `baselines` are left out. Columns:

    days, value, ci_low, ci_high: days with the score, their mean and its 95 % interval (stationary bootstrap).
    baseline_value: the baseline's mean over the days that both have; skill, skill_low, skill_high: over the same days,
    for scores where smaller is better.
    dm_statistic, p_better, p_different: Diebold-Mariano test, negative: better than the baseline; `horizon_days` is
    how far ahead forecasts reach.
    p_uniform, p_uniform_holm: of ranks; the second corrected over the streams of the gate ("all" is apart).

    NaN (an empty baseline) where there is no such number: too few days, nothing to compare with.
    """
    table = rows.pivot(index="efa_date", columns=["gate", "stream", "score"], values="value").sort_index()
    out = []
    for key in table.columns:
        gate, stream, score = (str(part) for part in key)
        if ":" in score:
            continue
        known = [b for b in baselines if (gate, stream, f"{score}:{b}") in table.columns]
        for baseline in known or [""]:
            out.append(_summary(table, (gate, stream, score), baseline, seed, horizon_days))
    frame = pd.DataFrame(out, columns=list(COLUMNS))
    return _corrected(frame).sort_values(["gate", "stream", "score", "baseline"]).reset_index(drop=True)


def _summary(
    table: pd.DataFrame, key: tuple[str, str, str], baseline: str, seed: int, horizon_days: int
) -> tuple[object, ...]:
    gate, stream, score = key
    values = table[key].to_numpy(dtype=np.float64)
    mean = skill.mean(values, seed)
    days = int((~np.isnan(values)).sum())
    compared: tuple[float, ...] = (np.nan,) * 7
    if baseline:
        other = table[(gate, stream, f"{score}:{baseline}")].to_numpy(dtype=np.float64)
        compared = _against(values, other, SMALLER_IS_BETTER.fullmatch(score) is not None, seed, horizon_days)
    uniform = calibration.uniform_p(values) if score in RANKS else np.nan
    return (*key, days, mean.value, mean.low, mean.high, baseline, *compared, uniform, np.nan)


def _against(values: Array, other: Array, comparable: bool, seed: int, horizon_days: int) -> tuple[float, ...]:
    """The baseline's mean over common days and, where smaller is better, skill with its interval and the test."""
    both = ~np.isnan(values) & ~np.isnan(other)
    level = float(other[both].mean()) if both.any() else np.nan
    if not comparable:
        return (level, *(np.nan,) * 6)
    gain = skill.skill(values, other, seed)
    test = skill.diebold_mariano(values, other, horizon_days)
    return (level, gain.value, gain.low, gain.high, test.statistic, test.p_better, test.p_different)


def _corrected(frame: pd.DataFrame) -> pd.DataFrame:
    """With `p_uniform_holm` over the streams of each gate and rank; joint ranks stand alone."""
    adjusted = frame["p_uniform"].copy()
    for _, part in frame[(frame["stream"] != "all") & frame["score"].isin(RANKS)].groupby(["gate", "score"]):
        found = part.drop_duplicates("stream").set_index("stream")["p_uniform"]
        holm = calibration.holm({str(name): float(p) for name, p in found.items()})
        adjusted.loc[part.index] = part["stream"].map(holm)
    return frame.assign(p_uniform_holm=adjusted.astype(np.float64))
