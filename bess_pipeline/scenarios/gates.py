"""One gate of one trading day: from the market tables to the rows of its forecasts and of its scenario set.

What belongs here: the order of steps (observe, forecast, draw, reduce), what is recorded of them, and the reason
where one of them refuses. What does not: the steps themselves (`forecasting/`, `generate.py`, `reduce.py`), and which
gates are made when (`daily.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bess_pipeline import schemas
from bess_pipeline.errors import BessError
from bess_pipeline.forecast_tables import BASELINE, FORECAST, PATHS
from bess_pipeline.forecasting.forecast import make_forecast
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.known import newest_known_utc
from bess_pipeline.forecasting.market_panel import read_panel
from bess_pipeline.forecasting.observation import observe, window
from bess_pipeline.lake import Lake
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.reduce import reduce_scenarios
from bess_pipeline.scenarios.storage import forecast_rows, path_rows
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline


@dataclass(frozen=True)
class MadeGate:
    """Rows of a gate by table, and what is recorded of it; without rows `reason` says why."""

    rows: dict[str, pd.DataFrame]
    record: dict[str, str]


class GateMaker:
    """Makes gates of days that are read together once."""

    def __init__(self, settings: Settings, lake: Lake, days: Sequence[date]) -> None:
        self.settings = settings
        first, _ = window(min(days), settings.forecast.calibration_days)
        self._panel = read_panel(lake, first, max(days), settings.data)

    def make(self, day: date, gate: timeline.Gate) -> MadeGate:
        """Forecasts and scenarios of `gate`; never raises for what is wrong with a day."""
        information = observe(self._panel, day, gate, self.settings.forecast.calibration_days)
        known = newest_known_utc(self._panel, information)
        record = {"inputs": fingerprint(information), "known_utc": known.isoformat() if known else ""}
        try:
            with threadpool_limits(limits=1):
                return self._made(information, record)
        except (BessError, np.linalg.LinAlgError) as error:
            reason = str(error)
        empty = {table: schemas.empty_frame(table) for table in (FORECAST, BASELINE, PATHS)}
        return MadeGate(empty, record | {"reason": reason})

    def _made(self, information: Information, record: dict[str, str]) -> MadeGate:
        settings = self.settings
        forecasts = make_forecast(information, settings.forecast)
        drawn = generate(forecasts, settings.scenarios.count, settings.scenarios.method, settings.seed)
        reduced = reduce_scenarios(drawn, settings.scenarios.reduced)
        rows = {
            FORECAST: forecast_rows(forecasts),
            BASELINE: forecast_rows(forecasts),
            PATHS: path_rows(reduced.scenarios),
        }
        models = sorted({f"{name} {one.model}" for name, one in forecasts.marginals.items()})
        record |= {
            "reason": "",
            "models": ", ".join(models),
            "forecast_notes": "\n".join(forecasts.notes),
            "scenarios_notes": "\n".join(note for note in reduced.scenarios.notes if note not in forecasts.notes),
            "relative_distance": f"{reduced.relative_distance:.4f}",
        }
        return MadeGate(rows, record)


def fingerprint(information: Information) -> str:
    """Twelve hex digits of everything that a gate knew: the vintage its forecasts stand on."""
    digest = hashlib.sha256(f"{information.efa_date} {information.gate}".encode())
    for arrays in (information.lagged, information.outcome, information.fundamental):
        for key in sorted(arrays):
            digest.update(f"{key} {arrays[key].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()[:12]
