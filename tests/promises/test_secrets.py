"""Promise P6: the ENTSO-E token reaches ENTSO-E and nothing else: no file, no log, no output."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from canary import TOKEN, files_with_token, holds_token
from ingest_tools import cut
from small_workspace import CHEAP_FORECASTS

from bess_pipeline.lake import Lake
from bess_pipeline.sample_market import MarketServer, simulate

DAY = date(2026, 3, 29)
CASES = ("acknowledgement", "port refused")


@dataclass(frozen=True)
class Ended:
    """A command that has ended, and the folder it worked in."""

    folder: Path
    status: int
    output: str
    requests: list[str]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, MarketServer]]:
    tables = cut(simulate(), date(2026, 3, 15), date(2026, 4, 8))
    running = {case: MarketServer(tables).__enter__() for case in CASES}
    yield running
    for server in running.values():
        server.close()


@pytest.fixture(scope="module")
def ended(servers: dict[str, MarketServer], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """`bess backfill` of one day with ENTSO-E as day-ahead source, in all cases at once."""
    folders = {case: tmp_path_factory.mktemp(case.replace(" ", "_")) for case in CASES}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        refused_url = f"http://127.0.0.1:{closed.getsockname()[1]}/api"
        running = {
            case: _backfill(folders[case], servers[case], refused_url if case == "port refused" else "")
            for case in CASES
        }
        outputs = {case: process.communicate(timeout=300)[0] for case, process in running.items()}
    return {
        case: Ended(folders[case], running[case].returncode, outputs[case], servers[case].requests) for case in CASES
    }


def _backfill(folder: Path, server: MarketServer, entsoe_url: str) -> subprocess.Popen[str]:
    urls = server.base_urls | ({"entsoe_base_url": entsoe_url} if entsoe_url else {})
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BESS_", "DAGSTER_"))}
    environment |= {f"BESS_SOURCES__{name.upper()}": url for name, url in urls.items()}
    environment |= CHEAP_FORECASTS | {
        "ENTSOE_API_TOKEN": TOKEN,
        "BESS_SOURCES__MODE": "sample",
        "BESS_SOURCES__DAY_AHEAD": "entsoe",
        "BESS_SOURCES__MAX_ATTEMPTS": "1",
        "BESS_TRADING__HISTORY_DAYS": "7",
    }
    arguments = ["--verbose", "--workspace", "workspace", "backfill", "--from", str(DAY), "--to", str(DAY)]
    return subprocess.Popen(
        [sys.executable, "-c", "from bess_pipeline.cli import main; main()", *arguments],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_token_is_in_no_file_and_in_no_output(ended: dict[str, Ended], case: str) -> None:
    run = ended[case]
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    names = {path.relative_to(run.folder).parts[1] for path in files if len(path.relative_to(run.folder).parts) > 1}
    assert {"dagster_home", "raw", "lake", "bess.duckdb", "reports"} <= names  # the run went all the way
    assert any(path.suffix == ".db" for path in files)
    assert files_with_token(run.folder) == []
    assert not holds_token(run.output)
    assert "canary" not in run.output


def test_the_token_was_sent_to_entsoe_alone(ended: dict[str, Ended]) -> None:
    """Else the test above would pass without a token in play; the server blanks it in its own log."""
    with_token = [target for target in ended["acknowledgement"].requests if "securityToken" in target]
    assert with_token
    assert all(target.startswith("/api?") and "securityToken=***" in target for target in with_token)


def test_the_user_learns_that_entsoe_has_no_gb_price_and_what_has(ended: dict[str, Ended]) -> None:
    run = ended["acknowledgement"]
    assert run.status == 1
    (line,) = {line for line in run.output.splitlines() if line.startswith(f"{DAY}  market/day_ahead_price")}
    assert "ENTSO-E carries no GB day-ahead price after 2020" in line
    assert 'day_ahead = "neso_n2ex"' in line
    assert "Traceback" not in run.output


def test_a_refused_connection_is_named_without_its_address_parameters(ended: dict[str, Ended]) -> None:
    run = ended["port refused"]
    assert run.status == 1
    (line,) = {line for line in run.output.splitlines() if line.startswith(f"{DAY}  market/day_ahead_price")}
    # the days before it were asked for first: with them the circuit breaker opens, and says why
    assert re.search(r"entsoe \(127\.0\.0\.1:\d+\) was not asked.*because it refused the connection", line)
    assert "securityToken" not in run.output
    assert "Traceback" not in run.output


def test_the_other_tables_of_the_day_are_there_all_the_same(ended: dict[str, Ended]) -> None:
    for run in ended.values():
        lake = Lake(run.folder / "workspace" / "lake", run.folder / "workspace" / "quarantine")
        status = lake.read("market/source_status", DAY, DAY).set_index("dataset")["status"]
        assert status.drop("market/day_ahead_price").eq("complete").all()
        assert len(status) == 5
        assert not lake.days("market/day_ahead_price")
