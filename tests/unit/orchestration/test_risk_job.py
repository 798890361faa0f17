"""The job that measures risk, on a workspace whose lake was filled by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from risk_lake import write_day, write_prices

from bess_pipeline.errors import BessError
from bess_pipeline.orchestration.launch import Launcher, dagster_instance
from bess_pipeline.risk.pnl import daily_pnl
from bess_pipeline.risk.stored import AS_OF_TABLES
from bess_pipeline.runtime import Runtime
from bess_pipeline.settings import Settings

DAY = date(2026, 3, 27)


@pytest.mark.slow
def test_risk_is_measured_once_as_of_the_last_settled_day(tmp_path: Path) -> None:
    settings = Settings(
        workspace=tmp_path / "ws",
        sources={"mode": "sample"},  # type: ignore[arg-type]
        clock={"now_utc": datetime(2026, 4, 12, 8, 50, tzinfo=UTC)},  # type: ignore[arg-type]
        risk={"bootstrap_replicates": 100},  # type: ignore[arg-type]
    )
    runtime, draw = Runtime(settings), np.random.default_rng(1)
    runtime.workspace.ensure()
    lake = runtime.workspace.lake
    said: list[str] = []
    with dagster_instance(runtime.workspace) as instance:
        launcher = Launcher(runtime, instance, said.append)
        assert not launcher.measure_risk()  # nothing has settled
        write_prices(lake, [DAY], draw)
        write_day(lake, DAY, ["day_ahead_rolling"], draw)
        assert launcher.measure_risk()
        assert said == ["risk: 2026-03-27"]
        assert {day for table in AS_OF_TABLES for day in lake.days(table)} == {DAY}
        assert not launcher.measure_risk()
        cash = lake.read("trading/cashflow", DAY, DAY)
        cash = cash.assign(amount_gbp=cash["amount_gbp"].mask(cash["stream"] == "day_ahead", 0.0))
        lake.write("risk/daily_pnl", DAY, daily_pnl(cash, 50.0))
        with pytest.raises(BessError, match="components by block and by stream are not of the same P&L"):
            launcher.measure_risk()
        lake.write("trading/cashflow", DAY, cash)
        assert launcher.measure_risk()
