"""`bess backfill` on a machine without a network: each provider is soon left alone, and every day says why."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from bess_command import run_bess

from bess_pipeline.workspace import Workspace

ELEXON, NESO = "data.elexon.co.uk", "api.neso.energy"


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were asked for in vain."""
    names: list[str] = []

    def nowhere(host: str, *_: object, **__: object) -> None:
        names.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setenv("BESS_SOURCES__MAX_ATTEMPTS", "1")  # no pauses between attempts
    monkeypatch.setenv("BESS_SOURCES__BREAKER_FAILURES", "2")
    monkeypatch.setenv("BESS_TRADING__HISTORY_DAYS", "7")
    return names


@pytest.mark.slow
def test_a_backfill_without_a_network_gives_up_on_each_provider_and_says_so(
    tmp_path: Path, looked_up: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("--workspace", "ws", "backfill", "--from", "2026-03-27", "--to", "2026-03-28")
    result = run_bess(*command)
    assert result.status == 1
    assert {name: looked_up.count(name) for name in looked_up} == {ELEXON: 2, NESO: 2}, "of more than twenty asks"
    assert "no provider has answered yet" in result.err
    assert "0 of 2 days are complete" in result.err
    for day in ("2026-03-27", "2026-03-28"):
        for table in ("system_price", "market_index_price", "auction_clearing", "day_ahead_price"):
            (line,) = (one for one in result.out.splitlines() if one.startswith(f"{day}  market/{table}  refused: "))
            assert "name resolution failed" in line
    assert f"neso ({NESO}) was not asked, because its circuit breaker is open" in result.out
    assert f"elexon ({ELEXON}) was not asked, because its circuit breaker is open" in result.out
    assert Workspace(tmp_path / "ws").stamp() is None
