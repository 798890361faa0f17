"""Workspaces and markets of the fault matrix: one day stored, one day to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from fault_trial import DAY_AHEAD, ENTSOE_NEXT, ENTSOE_STORED, NEXT, STORED, TOKEN, Trial, in_2020
from ingest_tools import MARKET_TABLES, cut

from bess_pipeline.sample_market import MarketServer, MarketTables, simulate


@pytest.fixture(scope="session")
def trial_market() -> MarketTables:
    """Settlement dates 2026-03-08 to 2026-04-02; treat as read-only."""
    return cut(simulate(), date(2026, 3, 8), date(2026, 4, 2))


@pytest.fixture(scope="session")
def trials(trial_market: MarketTables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Trial]]:
    """A workspace with a day stored, by day-ahead source; to be copied."""
    with MarketServer(trial_market) as server, MarketServer(in_2020(trial_market)) as server_2020:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("ENTSOE_API_TOKEN", TOKEN)
            root = tmp_path_factory.mktemp("trials")
            made = {
                "neso_n2ex": _made(root / "neso", server, (STORED, NEXT), "neso_n2ex", MARKET_TABLES),
                "entsoe": _made(root / "entsoe", server_2020, (ENTSOE_STORED, ENTSOE_NEXT), "entsoe", [DAY_AHEAD]),
            }
        yield made


def _made(root: Path, server: MarketServer, days: tuple[date, date], day_ahead: str, tables: Sequence[str]) -> Trial:
    whole = Trial(root / "whole", server, days=days, day_ahead=day_ahead)
    stored = Trial(root / "stored", server, whole.root, days, day_ahead)
    assert set(whole.ask(tables)["status"]) == {"complete"}
    assert set(stored.ask(tables, days[:1])["status"]) == {"complete"}
    return stored


@pytest.fixture
def trial(trials: dict[str, Trial], tmp_path: Path) -> Iterator[Trial]:
    """A copy of the workspace fed by Elexon and NESO; its market has no faults and an empty log of requests."""
    yield from _copy(trials["neso_n2ex"], tmp_path)


@pytest.fixture
def entsoe_trial(trials: dict[str, Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """As `trial`, of the day-ahead price from ENTSO-E in March 2020."""
    monkeypatch.setenv("ENTSOE_API_TOKEN", TOKEN)
    yield from _copy(trials["entsoe"], tmp_path)


def _copy(made: Trial, folder: Path) -> Iterator[Trial]:
    made.server.faults.clear()
    made.server.requests.clear()
    yield made.copy(folder / "workspace")
    made.server.faults.clear()
