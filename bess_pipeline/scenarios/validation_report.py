"""What a validation on past days came to, in lines of text: skill, coverage, and what fails in plain words.

What belongs here: the summary of a walk (`validation.py`) as text, and the bounds by which it fails. What does not:
scores and statistics (`scores.py`, `score_window.py`), and how days are walked through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bess_pipeline.scenarios.score_window import score_window
from bess_pipeline.scenarios.scoring import BASELINE_NAME
from bess_pipeline.scenarios.validation import INDEPENDENT, ValidatedDay

COVERAGE_TARGET = (0.85, 0.95)
RANKS_LEVEL = 0.01
COVERAGE, RANK, CRPS, ENERGY, CROSS = "coverage_90", "rank", "crps", "energy_score", "cross_variogram_score"
ALL = "all"


@dataclass(frozen=True)
class Summary:
    """table: `score_window` of all days against the baselines; uncertain: streams that were forecast, not published."""

    gate: str
    days: int
    uncertain: tuple[str, ...]
    table: pd.DataFrame

    def row(self, stream: str, score: str, baseline: str = BASELINE_NAME) -> pd.Series:
        """One row of the table; KeyError where there is none."""
        found = self.table[(self.table["stream"] == stream) & (self.table["score"] == score)]
        found = found[found["baseline"].isin([baseline, ""])]
        if found.empty:
            raise KeyError(f"no {score} of {stream} against {baseline}")
        return found.iloc[0]


def summarise(days: Sequence[ValidatedDay], seed: int) -> Summary:
    """The scores of a gate's days with intervals and tests; `seed` is that of the bootstrap."""
    rows = pd.concat([day.rows for day in days], ignore_index=True)
    scored = set(rows.loc[rows["score"] == CRPS, "stream"])
    uncertain = [name for name in days[0].forecast.marginals if name in scored and _varies(days, name)]
    return Summary(
        days[0].forecast.gate, len(days), tuple(uncertain), score_window(rows, seed, (BASELINE_NAME, INDEPENDENT))
    )


def failures(summary: Summary) -> list[str]:
    """What is outside its bounds, a sentence each: intervals that hold too few or too many, uneven ranks, no skill."""
    low, high = COVERAGE_TARGET
    found = []
    for name in summary.uncertain:
        share = summary.row(name, COVERAGE)["value"]
        if not low <= share <= high:
            found.append(
                f"{name}: the 90 % interval held {100 * share:.1f} % of outcomes, asked for are {100 * low:.0f} to "
                f"{100 * high:.0f} %"
            )
        uniform = summary.row(name, RANK)["p_uniform_holm"]
        if uniform < RANKS_LEVEL:
            found.append(f"{name}: outcomes do not take all ranks alike (chi-square, Holm-corrected p {uniform:.4f})")
        for score in (CRPS, ENERGY):
            row = summary.row(name, score)
            if not row["skill_low"] > 0:
                found.append(
                    f"{name}: no skill shown over {BASELINE_NAME} in {score} ({_skill(row)}, p {row['p_better']:.3f})"
                )
    return found


def lines(summary: Summary) -> list[str]:
    """The whole summary as text: a line per stream, what dependence between markets is worth, what fails."""
    head = (
        f"{'stream':<16} {'CRPS':>7} {'skill over ' + BASELINE_NAME + ' [95 %]':>31} {'p':>6}  {'energy':>7} "
        f"{'skill [95 %]':>24} {'p':>6}  in 90 %   rank p"
    )
    return [
        f"{summary.gate} gate, {summary.days} days",
        head,
        *(_stream_line(summary, name) for name in summary.uncertain),
        *_ablation(summary),
        *(f"FAILS: {one}" for one in failures(summary)),
    ]


def _stream_line(summary: Summary, name: str) -> str:
    crps, energy = summary.row(name, CRPS), summary.row(name, ENERGY)
    inside, rank = summary.row(name, COVERAGE), summary.row(name, RANK)
    return (
        f"{name:<16} {crps['value']:7.3f} {_skill(crps):>31} {crps['p_better']:6.3f}  {energy['value']:7.3f} "
        f"{_skill(energy):>24} {energy['p_better']:6.3f}  {100 * inside['value']:5.1f} %  {rank['p_uniform_holm']:7.4f}"
    )


def _ablation(summary: Summary) -> list[str]:
    """Against scenarios whose markets are independent of each other; nothing with one market alone."""
    found = []
    for score, label in ((CROSS, "variogram score over cross-market pairs"), (ENERGY, "energy score of all streams")):
        try:
            row = summary.row(ALL, score, INDEPENDENT)
        except KeyError:
            continue
        found.append(
            f"{label}: {row['value']:.4f}, with independent markets {row['baseline_value']:.4f}; gain {_skill(row)}, "
            f"one-sided Diebold-Mariano p {row['p_better']:.4f}"
        )
    return found


def _skill(row: pd.Series) -> str:
    return f"{row['skill']:.3f} [{row['skill_low']:.3f}, {row['skill_high']:.3f}]"


def _varies(days: Sequence[ValidatedDay], name: str) -> bool:
    """Whether most days had a distribution of the trading day; a price that is published has none."""
    wide = []
    for day in days:
        one = day.forecast.marginals.get(name)
        if one is not None:
            today = one.quantile[one.lead == 0]
            wide.append(bool((today[:, 0] < today[:, -1]).any()))
    return bool(np.mean(wide) > 0.5) if wide else False
