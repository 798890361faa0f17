"""Carries forecasts, scenario sets and their scores through the lake, day by day and gate by gate.

What belongs here: which gates are left to make and to score, reading a range of days once, the stamp of every
partition, and the reason where a gate has nothing. What does not: what gates know (`forecasting/observation.py`),
models (`forecasting/`), how paths are drawn, reduced and scored (a module each), and Dagster (`orchestration/`).

A gate that has closed is made once: a later revision of a price changes none of its forecasts or scenarios, only a
forced run or other settings do. A gate that is still open is made from what is known so far and marked provisional,
and once more when it has closed. What cannot be made is recorded with its reason and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from threadpoolctl import threadpool_limits

from bess_pipeline import __version__, gb_time, schemas
from bess_pipeline.errors import BessError
from bess_pipeline.lake import Lake
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline

FORECAST, PATHS = "forecast/price_forecast", "scenario/price_path"
SCORE, GATE_STATUS = "scenario/score", "scenario/gate_status"
GATES: tuple[timeline.Gate, ...] = ("day_ahead", "response")
COMPLETE, REFUSED, PROVISIONAL, NOT_PUBLISHED = "complete", "refused", "provisional", "not_published"


@dataclass(frozen=True)
class GateStatus:
    """How one step (forecast, scenarios, score) of a day's gate went; `notes` are its fallbacks in words."""

    day: date
    gate: str
    step: str
    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.day}  {self.gate}  {self.step}  {self.status}: {self.reason}"


def known_stamp(gate: str) -> str:
    """Name in a partition's stamp of the newest instant from which a value that the gate used was known."""
    return f"known_utc.{gate}"
