"""Carries forecasts, scenario sets and their scores through the lake, day by day and gate by gate.

What belongs here: which gates are left to make and to score, reading a range of days once, the stamp of every
partition, and the reason where a gate has nothing. What does not: what gates know (`forecasting/observation.py`),
models (`forecasting/`), how paths are drawn, reduced and scored (a module each), and Dagster (`orchestration/`).

A gate that has closed is made once: a later revision of a price changes none of its forecasts or scenarios, only a
forced run or other settings do. A gate that is still open is made from what is known so far and marked provisional,
and once more when it has closed. What cannot be made is recorded with its reason and never raises; it is tried again
once market data has come in. So is a score that lacks the outcome of some stream, once that stream's table has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from bess_pipeline import __version__, gb_time, schemas
from bess_pipeline.forecast_tables import (
    BASELINE,
    COMPLETE,
    FORECAST,
    GATE_STATUS,
    JUDGEMENT,
    NOT_PUBLISHED,
    OUTCOMES,
    PATHS,
    PROVISIONAL,
    REFUSED,
    SCORE,
    outcome_table,
)
from bess_pipeline.lake import Lake
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.timeline import GATES

if TYPE_CHECKING:  # scikit-learn, SciPy and scoringrules: paid where something is made or scored
    from bess_pipeline.scenarios.gates import GateMaker
    from bess_pipeline.scenarios.scoring import GateScorer

ONE_DAY = timedelta(days=1)
MARKET_TABLES = (*sorted(set(OUTCOMES.values())), "market/system_price_revision", "market/fundamental_forecast")
MADE_TABLES = (FORECAST, BASELINE, JUDGEMENT, PATHS)  # in the order in which they are written


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


class GateDays:
    """Forecasts, scenarios and scores of the trading days of one workspace under one set of settings."""

    def __init__(self, settings: Settings, lake: Lake, now: Callable[[], datetime]) -> None:
        self.settings = settings
        self.lake = lake
        self.now = now

    def unfinished(self, days: Iterable[date]) -> list[date]:
        """The days with a gate to make (anew) under these settings, or to score since the day has ended."""
        return [day for day in sorted(days) if not self.finished(day)]

    def finished(self, day: date) -> bool:
        """True when nothing is left to do for the day now, and its status says so."""
        if not all(self._stands(day, gate) for gate in GATES) or not (self._scored(day) or not self._ended(day)):
            return False
        return self.lake.has(GATE_STATUS, day) and self.lake.stamp(GATE_STATUS, day).get("inputs") == self._inputs(day)

    def make(self, days: Sequence[date], *, again: bool = False) -> list[GateStatus]:
        """Forecasts and scenarios of the gates of `days` that do not stand yet, of all with `again`."""
        wanted = [day for day in sorted(days) if again or not all(self._stands(day, gate) for gate in GATES)]
        if wanted:
            from bess_pipeline.scenarios.gates import GateMaker

            maker = GateMaker(self.settings, self.lake, wanted)
            for day in wanted:
                self._make_day(day, maker, again)
        return [status for day in sorted(days) for status in self._made_statuses(day)]

    def score(self, days: Sequence[date], *, again: bool = False) -> list[GateStatus]:
        """Scores of the days of `days` that have ended and are not scored yet, of all that have with `again`."""
        wanted = [day for day in sorted(days) if self._ended(day) and (again or not self._scored(day))]
        if wanted:
            from bess_pipeline.scenarios.scoring import GateScorer

            scorer = GateScorer(self.settings, self.lake, wanted)
            for day in wanted:
                self._score_day(day, scorer)
        return [self._score_status(day, gate) for day in sorted(days) for gate in GATES]

    def record_status(self, days: Sequence[date]) -> list[GateStatus]:
        """Write how each step of each gate of `days` went."""
        statuses = []
        for day in sorted(days):
            found = [*self._made_statuses(day), *(self._score_status(day, gate) for gate in GATES)]
            rows = [(one.day, one.gate, one.step, one.status, one.reason, "\n".join(one.notes)) for one in found]
            frame = pd.DataFrame(rows, columns=list(schemas.columns(GATE_STATUS)))
            self.lake.write(GATE_STATUS, day, frame, self._stamp() | {"inputs": self._inputs(day)})
            statuses += found
        return statuses

    def _make_day(self, day: date, maker: GateMaker, again: bool) -> None:
        """The partitions of a day: gates that stand keep their rows, the others are made. Paths are written last."""
        stamp, before = self._stamp(), self.lake.stamp(PATHS, day)
        rows: dict[str, list[pd.DataFrame]] = {table: [] for table in MADE_TABLES}
        for gate in GATES:
            if not again and self._stands(day, gate):
                stamp |= {key: text for key, text in before.items() if key.endswith(f".{gate}")}
                for table, frames in rows.items():
                    stored = self.lake.read(table, day, day)
                    frames.append(stored[stored["gate"] == gate])
            else:
                tried_with, made = self._tried_with(), maker.make(day, gate)
                record = made.record | {"closed": self._closed(day, gate), "tried_with": tried_with}
                stamp |= {f"{key}.{gate}": text for key, text in record.items()}
                for table, frames in rows.items():
                    frames.append(made.rows[table])
        for table, frames in rows.items():
            self.lake.write(table, day, _joined(table, frames), stamp)

    def _score_day(self, day: date, scorer: GateScorer) -> None:
        stamp = self._stamp() | {"inputs": self._paths_inputs(day)}
        frames = []
        for gate in GATES:
            scored = scorer.score(day, gate)
            stamp[f"absent.{gate}"] = " ".join(scored.absent)
            stamp[f"looked_at.{gate}"] = self._outcomes(scored.absent, day)
            frames.append(scored.rows)
            stamp |= {f"reason.{gate}": scored.reason, f"status.{gate}": scored.status}
            stamp[f"notes.{gate}"] = "\n".join(scored.notes)
        self.lake.write(SCORE, day, _joined(SCORE, frames), stamp)

    def _stands(self, day: date, gate: timeline.Gate) -> bool:
        """True when nothing would come of making the gate's set again under these settings.

        It is made, and since the gate closed where it has; or it was refused, and no market data has come in since.
        """
        stamp = self.lake.stamp(PATHS, day)
        if stamp.get("settings") != self._fingerprint or f"reason.{gate}" not in stamp:
            return False
        if self._closed(day, gate) and not stamp.get(f"closed.{gate}"):
            return False
        return stamp[f"reason.{gate}"] == "" or stamp.get(f"tried_with.{gate}") == self._tried_with()

    def _scored(self, day: date) -> bool:
        """True when scores are of this set, and nothing has come in of streams that had no outcome."""
        stamp = self.lake.stamp(SCORE, day)
        if stamp.get("settings") != self._fingerprint or stamp.get("inputs") != self._paths_inputs(day):
            return False
        absent = {gate: tuple(stamp.get(f"absent.{gate}", "").split()) for gate in GATES}
        return all(stamp.get(f"looked_at.{gate}") == self._outcomes(names, day) for gate, names in absent.items())

    def _tried_with(self) -> str:
        """Stands for the market data that there is, and for the program."""
        return f"{__version__} {self.lake.vintage(MARKET_TABLES)}"

    def _outcomes(self, names: Iterable[str], day: date) -> str:
        """Stands for the tables with the outcomes of some streams of a day; empty for no stream."""
        tables = sorted({outcome_table(name) for name in names})
        return self.lake.vintage(tables, [day - ONE_DAY, day]) if tables else ""

    def _made_statuses(self, day: date) -> list[GateStatus]:
        stamp = self.lake.stamp(PATHS, day)
        return [_made_status(stamp, day, gate, step) for gate in GATES for step in ("forecast", "scenarios")]

    def _score_status(self, day: date, gate: timeline.Gate) -> GateStatus:
        if not self._ended(day):
            return GateStatus(day, gate, "score", NOT_PUBLISHED, f"the trading day ends at {_end(day)}")
        stamp = self.lake.stamp(SCORE, day)
        status = stamp.get(f"status.{gate}", REFUSED)
        notes = tuple(stamp.get(f"notes.{gate}", "").splitlines())
        return GateStatus(day, gate, "score", status, stamp.get(f"reason.{gate}", "it was never scored"), notes)

    def _closed(self, day: date, gate: timeline.Gate) -> str:
        return "yes" if timeline.gate_utc(day, gate) <= self.now() else ""

    def _ended(self, day: date) -> bool:
        return gb_time.efa_day_bounds_utc(day)[1] <= self.now()

    def _paths_inputs(self, day: date) -> str:
        stamp = self.lake.stamp(PATHS, day)
        return "".join(stamp.get(f"inputs.{gate}", "") for gate in GATES)

    def _inputs(self, day: date) -> str:
        """What the status of a day stands on."""
        scored = self.lake.stamp(SCORE, day)
        parts = [self._paths_inputs(day), *(scored.get(f"status.{gate}", "") for gate in GATES), str(self._ended(day))]
        return "|".join(parts)

    @property
    def _fingerprint(self) -> str:
        return self.settings.forecast_fingerprint()

    def _stamp(self) -> dict[str, str]:
        return {"settings": self._fingerprint, "code": __version__, "seed": str(self.settings.seed)}


def _made_status(stamp: Mapping[str, str], day: date, gate: timeline.Gate, step: str) -> GateStatus:
    if not stamp:
        return GateStatus(day, gate, step, REFUSED, "it was never made")
    notes = tuple(stamp.get(f"{step}_notes.{gate}", "").splitlines())
    reason = stamp.get(f"reason.{gate}", "")
    if reason:
        return GateStatus(day, gate, step, REFUSED, reason)
    if stamp.get(f"closed.{gate}") != "yes":
        closes = f"{timeline.gate_utc(day, gate):%Y-%m-%dT%H:%MZ}"
        return GateStatus(day, gate, step, PROVISIONAL, f"made before its gate closed at {closes}", notes)
    return GateStatus(day, gate, step, COMPLETE, "", notes)


def _end(day: date) -> str:
    return f"{gb_time.efa_day_bounds_utc(day)[1]:%Y-%m-%dT%H:%MZ}"


def _joined(table: str, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    held = [frame for frame in frames if len(frame)]
    return pd.concat(held, ignore_index=True) if held else schemas.empty_frame(table)
