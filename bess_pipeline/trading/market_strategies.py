"""The strategies of more than the day-ahead market: names, labels, markets, and the bound each is compared with.

What belongs here: the register. What does not: how they plan (`co_optimised_days.py`, `market_foresight.py`), how their
days are carried through the lake (`market_replay.py`) and the strategies of the day-ahead market (`strategies.py`).

Imports no optimiser, so that whatever lists strategies can use it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bess_pipeline.settings import Settings
from bess_pipeline.trading.co_optimised_names import ENERGY_ONLY, LABELS, RISK_AVERSE, RISK_NEUTRAL

FORESIGHT_48H = "perfect_foresight_48h"
ENERGY_BOUND, BOUND = "energy_perfect_foresight", "perfect_foresight"
ENERGY_MARKETS = ("day_ahead", "intraday", "imbalance")
ALL_MARKETS = (*ENERGY_MARKETS, "response", "reserve")


@dataclass(frozen=True)
class MarketStrategy:
    """A strategy of more than one market, or a bound of some.

    label: its name in tables and legends; markets: the streams it trades in; bound: the one problem over a whole window
    that no strategy of its markets can beat, None for a bound itself.
    """

    name: str
    label: str
    markets: tuple[str, ...]
    bound: str | None


STRATEGIES = (
    MarketStrategy(ENERGY_ONLY, LABELS[ENERGY_ONLY], ENERGY_MARKETS, ENERGY_BOUND),
    MarketStrategy(RISK_NEUTRAL, LABELS[RISK_NEUTRAL], ALL_MARKETS, BOUND),
    MarketStrategy(RISK_AVERSE, LABELS[RISK_AVERSE], ALL_MARKETS, BOUND),
    MarketStrategy(FORESIGHT_48H, "perfect foresight, 48 h ahead", ALL_MARKETS, BOUND),
)
BOUNDS = (
    MarketStrategy(ENERGY_BOUND, "perfect foresight of energy (upper bound)", ENERGY_MARKETS, None),
    MarketStrategy(BOUND, "perfect foresight of all markets (upper bound)", ALL_MARKETS, None),
)
NAMES = tuple(strategy.name for strategy in STRATEGIES)


def replayed(settings: Settings) -> tuple[str, ...]:
    """The strategies that are dispatched under these settings, in the order of the register."""
    return NAMES if settings.co_optimisation.enabled else ()


def find(name: str) -> MarketStrategy | None:
    """The strategy or bound of this name, or None."""
    return next((one for one in (*STRATEGIES, *BOUNDS) if one.name == name), None)
