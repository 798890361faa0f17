"""A small workspace of the sample market that many tests read: five trading days and two plans.

The days 2026-03-27 to 2026-03-31 hold the clock change of 2026-03-29; "now" is noon on 2026-04-01, so
that the next trading day is 2026-04-02. Built once a session by the command line (`conftest.py`).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from bess_command import Done, done

from bess_pipeline.orchestration.launch import Launcher

FIRST, LAST = date(2026, 3, 27), date(2026, 3, 31)
CLOCK_CHANGE = date(2026, 3, 29)
NEXT_DAY = date(2026, 4, 2)
DAYS = 5
STRATEGIES = ("day_ahead_perfect_foresight", "day_ahead_rolling", "rule_based")
MARKET_STRATEGIES = ("co_optimised", "co_optimised_cvar", "day_ahead_imbalance", "perfect_foresight_48h")
# What makes forecasts and scenarios cheap: their own tests make them as they are by default. Plans of all markets take
# longest: most tests do without.
CHEAP_FORECASTS = {
    "BESS_FORECAST__MODELS": '["similar_day"]',
    "BESS_FORECAST__CALIBRATION_DAYS": "14",
    "BESS_FORECAST__MINIMUM_HISTORY_DAYS": "14",
    "BESS_SCENARIOS__COUNT": "20",
    "BESS_SCENARIOS__REDUCED": "5",
    "BESS_SCENARIOS__FRESH": "10",
    "BESS_CO_OPTIMISATION__ENABLED": "false",
}
VALUED = date(2026, 3, 27)  # the only day with what uncertainty costs and a frontier
CHEAP_PLANS = {
    "BESS_CO_OPTIMISATION__ENABLED": "true",
    "BESS_CO_OPTIMISATION__VALUE_WEEKDAYS": f"[{VALUED.isoweekday()}]",
    "BESS_CO_OPTIMISATION__FRONTIER_WEEKDAYS": f"[{VALUED.isoweekday()}]",
    "BESS_CO_OPTIMISATION__FRONTIER_POINTS": "3",
}
ENVIRONMENT = (
    CHEAP_FORECASTS
    | CHEAP_PLANS
    | {
        "BESS_TRADING__HISTORY_DAYS": "7",
        "BESS_RISK__LIMITS__IMBALANCE_MWH": "0.5",  # a limit that some days break
        "BESS_CLOCK__NOW_UTC": "2026-04-01T12:00:00Z",
        "BESS_SOURCES__MODE": "sample",
    }
)


def use_settings(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    """The settings that the workspace was built with, and `more` environment variables."""
    for name, value in {**ENVIRONMENT, **more}.items():
        monkeypatch.setenv(name, value)


def backfill(workspace: Path) -> Done:
    """`bess backfill` of the five days."""
    return done("--workspace", workspace, "backfill", "--from", FIRST, "--to", LAST)


def build(folder: Path) -> Path:
    """A new small workspace below `folder`."""
    workspace = folder / "small"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        use_settings(monkeypatch)
        with monkeypatch.context() as hurried:
            hurried.setattr(Launcher, "publish", lambda *_: True)  # the refresh publishes all
            backfill(workspace)
        refreshed = done("--workspace", workspace, "refresh")
    assert "settled 0 days, planned 2026-04-01, 2026-04-02" in refreshed.err
    return workspace
