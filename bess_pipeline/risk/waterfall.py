"""From perfect foresight to what was realised: steps between stored replays, in a fixed order, with nothing left over.

What belongs here: the order of the steps and their sizes. What does not: replays and their P&L (`trading/`,
`pnl.py`) and the picture (`figures/waterfall.py`).

Every bar is the worth of one named replay (its P&L and what its change of stored energy is worth, at one price for
all) less that of the named replay before it, so that the bars sum to the difference of the two ends by construction,
and a replay gains nothing by ending empty. The order is a convention (it decides how effects that act together are
shared): first what a horizon of 48 h costs against one over the whole window, then what forecasts cost against the
outcome, then risk aversion, then access to markets that the strategy does not use (services, then imbalance), then
wear. A bar may be positive: a bound is one of P&L after wear, and luck is not ruled out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from bess_pipeline.errors import UserInputError

CASH, AFTER_WEAR = "cash", "after_wear"
BOUND, ROLLING_BOUND = "perfect_foresight", "perfect_foresight_48h"
RISK_NEUTRAL, RISK_AVERSE = "co_optimised", "co_optimised_cvar"
ENERGY_ONLY, DAY_AHEAD_ROLLING = "day_ahead_imbalance", "day_ahead_rolling"


@dataclass(frozen=True)
class Level:
    """A stored replay on a basis (cash, after_wear), and the name of the step that leads to it ("" for the first)."""

    replay: str
    basis: str
    step: str = ""


def levels_to(strategy: str) -> tuple[Level, ...]:
    """The levels from perfect foresight in all markets to `strategy` after wear.

    A strategy of the day-ahead market is reached over the one of energy, which has no services, and the rule-based one
    over the one that plans with an optimisation.
    """
    levels = [Level(BOUND, CASH)]
    if strategy != BOUND:
        levels.append(Level(ROLLING_BOUND, CASH, "horizon"))
    if strategy not in (BOUND, ROLLING_BOUND):
        levels.append(Level(RISK_NEUTRAL, CASH, "forecast"))
    if strategy == RISK_AVERSE:
        levels.append(Level(RISK_AVERSE, CASH, "risk aversion"))
    elif strategy not in (BOUND, ROLLING_BOUND, RISK_NEUTRAL):
        levels.append(Level(ENERGY_ONLY, CASH, "access to services"))
        if strategy != ENERGY_ONLY:
            levels.append(Level(DAY_AHEAD_ROLLING, CASH, "access to imbalance"))
        if strategy not in (ENERGY_ONLY, DAY_AHEAD_ROLLING):
            levels.append(Level(strategy, CASH, "decision rule"))
    return (*levels, Level(strategy, AFTER_WEAR, "wear"))


def waterfall(worth_gbp: Mapping[tuple[str, str], float], levels: Sequence[Level]) -> pd.DataFrame:
    """Steps between levels.

    Parameters
    ----------
    worth_gbp : P&L with the worth of the change of stored energy, of each (replay, basis) over the same days, GBP.
    levels : at least one, in order; the first is where the waterfall starts.

    Returns
    -------
    DataFrame
        step, from_replay, from_basis, to_replay, to_basis, change_gbp, level_gbp (after the step), a row per step after
        the first level. The first level plus all changes is the last level, to rounding.

    Raises
    ------
    UserInputError
        A replay of the levels that is not stored.
    """
    missing = sorted({level.replay for level in levels if (level.replay, level.basis) not in worth_gbp})
    if missing:
        raise UserInputError(
            f"a waterfall to {levels[-1].replay} needs the replay of {', '.join(missing)} over the same days: "
            "run it first"
        )
    rows = []
    for before, after in pairwise(levels):
        level = worth_gbp[after.replay, after.basis]
        change = level - worth_gbp[before.replay, before.basis]
        rows.append((after.step, before.replay, before.basis, after.replay, after.basis, change, level))
    columns = ["step", "from_replay", "from_basis", "to_replay", "to_basis", "change_gbp", "level_gbp"]
    return pd.DataFrame(rows, columns=columns)
