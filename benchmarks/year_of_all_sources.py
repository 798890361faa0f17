"""A year of all sources from a local server, ingested by one command: where the time goes, and peak memory.

What belongs here: wall-clock time of `bess ingest` split into fetch, parse, validate, write and Dagster, its
cost per day and its peak memory. What does not: correctness (tests/) and the pace that providers ask for (a
loopback address has none; its own tests use a fake clock).

Usage, from the project's root:  python benchmarks/year_of_all_sources.py [--days 365] [--frequency-days 31]

The simulated market is served by a process of its own. The command runs in another one, which wraps some of the
pipeline's functions with clocks before it hands the command line over; each clock stops while an inner one runs,
so that the parts add up to the whole. Times differ between machines; the shares should not. The exit status is
1 when a day is not complete or the memory was not below the limit.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

LAST_DATE = date(2026, 4, 11)  # with both clock changes in the year before it
MEMORY_LIMIT_MB = 1024
PARTS = ("start", "fetch", "parse", "assess", "validate", "write", "dagster", "warehouse")


class Clocks:
    """Seconds by part; a part's clock stands still while one within it runs."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[str, int] = defaultdict(int)
        self._running = ["start"]
        self._since = time.perf_counter()

    def _switch(self) -> None:
        now = time.perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` with the clock of `part` running while it does."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._running.append(part)
            self.calls[part] += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        return timed

    def hook(self, part: str, owner: Any, *names: str) -> None:
        """Put the clock around functions of a module or class."""
        for name in names:
            setattr(owner, name, self.around(part, getattr(owner, name)))

    def stop(self) -> dict[str, float]:
        """The seconds so far."""
        self._switch()
        return dict(self.seconds)


def hook_pipeline(clocks: Clocks) -> None:
    """Clocks around the pipeline's functions, by name; all run in the main thread."""
    from bess_pipeline import atomic, lake, schemas
    from bess_pipeline.commands import run
    from bess_pipeline.ingestion import forecasts, frequency, ingest, outcomes, revisions, vault
    from bess_pipeline.orchestration.assets import frequency as frequency_assets
    from bess_pipeline.orchestration.launch import Launcher
    from bess_pipeline.sources import elexon, neso, neso_auctions
    from bess_pipeline.sources.http import HttpClient

    clocks.hook("dagster", Launcher, "_execute")
    clocks.hook("assess", ingest.Ingestion, "fetch", "build", "unanswered", "unfinished")
    clocks.hook("assess", revisions.Revisions, "build")
    clocks.hook("fetch", HttpClient, "get")
    clocks.hook("fetch", frequency_assets, "fetch_frequency")
    clocks.hook("parse", elexon, "parse_system_prices", "parse_system_price_versions", "parse_market_index")
    clocks.hook("parse", neso, "parse_n2ex_prices")
    clocks.hook("parse", neso_auctions, "parse_auction_results")
    clocks.hook("parse", forecasts, "parse_forecasts")
    clocks.hook("parse", frequency, "parse_frequency")
    clocks.hook("validate", schemas, "validate")
    clocks.hook("write", lake.Lake, "write", "write_days")
    clocks.hook("write", vault.RawVault, "keep", "keep_file")
    clocks.hook("write", atomic, "write_bytes")
    clocks.hook("write", outcomes, "write_bytes")
    clocks.hook("warehouse", run, "publish")


def run_command(report: Path, arguments: list[str]) -> None:
    """`bess ARGUMENTS` in this process under the clocks; what was measured goes to `report`."""
    clocks = Clocks()
    hook_pipeline(clocks)
    from bess_pipeline.cli import main

    status: Any = 0
    try:
        main(arguments)
    except SystemExit as ended:
        status = ended.code
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "status": status,
        "seconds": clocks.stop(),
        "calls": clocks.calls,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": peak_memory_mb(),
    }
    report.write_text(json.dumps(measured), encoding="utf-8")


def peak_memory_mb() -> float:
    """The largest resident memory this process ever had."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage also counts what the parent had when it forked
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def serve(first: date, last: date, frequency_days: int) -> None:
    """Serve a simulated market of these dates until stdin closes; prints its base addresses as JSON."""
    from dataclasses import replace

    from bess_pipeline import gb_time
    from bess_pipeline.sample_market.server import MarketServer
    from bess_pipeline.sample_market.simulate import simulate

    days = tuple(gb_time.days_between(last - timedelta(days=frequency_days), last)) if frequency_days else ()
    simulated = simulate(first=first - timedelta(days=2), last=last + timedelta(days=2))
    # "recorded": the workspace of a simulated market has the dates of `bess demo` and no others
    market = replace(simulated, origin="recorded", now_utc=None, frequency_days=days)
    with MarketServer(market) as server:
        print(json.dumps(server.base_urls), flush=True)
        sys.stdin.read()


def measure(workspace: Path, urls: dict[str, str], first: date, last: date, *command: str) -> dict[str, Any]:
    """One `bess` command over the dates in a process of its own; what it measured, and its wall-clock seconds."""
    report = workspace.parent / "measured.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BESS_")}
    environment |= {f"BESS_SOURCES__{name.upper()}": url for name, url in urls.items()}
    environment |= {"BESS_CLOCK__NOW_UTC": f"{last + timedelta(days=3)}T12:00:00Z"}
    asked = ["--workspace", str(workspace), *command, "--from", str(first), "--to", str(last)]
    print(f"\nbess {' '.join(asked)}", flush=True)
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, __file__, "--run", str(report), *asked], env=environment, cwd=workspace.parent, check=True
    )
    return json.loads(report.read_text(encoding="utf-8")) | {"wall_s": time.perf_counter() - started}


def show(measured: dict[str, Any], days: int, what: str) -> bool:
    """Print the split; whether the days are complete and memory stayed below the limit."""
    seconds = measured["seconds"]
    total = sum(seconds.values())
    print(f"\n{what}: {days} days, {measured['wall_s']:.1f} s ({measured['cpu_s']:.1f} s CPU)")
    for part in PARTS:
        value = seconds.get(part, 0.0)
        calls = measured["calls"].get(part, 1)
        print(
            f"  {part:10s} {value:8.2f} s  {value / total:6.1%}  {value / days * 1000:7.1f} ms a day  {calls:6d} calls"
        )
    whole = measured["peak_mb"] < MEMORY_LIMIT_MB and measured["status"] == 0
    print(f"  peak memory {measured['peak_mb']:.0f} MB (limit {MEMORY_LIMIT_MB} MB), exit status {measured['status']}")
    return whole


def main() -> None:
    """Serve, ingest a year, then (apart from it) a month of one-second frequency; print both splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--frequency-days", type=int, default=31, help="0 = none")
    arguments = parser.parse_args()
    first = LAST_DATE - timedelta(days=arguments.days - 1)
    serving = [sys.executable, __file__, "--serve", str(first), str(LAST_DATE), str(arguments.frequency_days)]
    with (
        tempfile.TemporaryDirectory(prefix="bess-benchmark-") as folder,
        subprocess.Popen(serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdout is not None
        urls = json.loads(server.stdout.readline())
        workspace = Path(folder) / "ws"
        year = measure(workspace, urls, first, LAST_DATE, "ingest")
        fine = show(year, arguments.days, "all sources but frequency")
        if arguments.frequency_days:
            begin = LAST_DATE - timedelta(days=arguments.frequency_days - 1)
            month = measure(workspace, urls, begin, LAST_DATE, "backfill", "--only", "frequency")
            fine &= show(month, arguments.frequency_days, "one-second frequency")
        assert server.stdin is not None
        server.stdin.close()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_command(Path(sys.argv[2]), sys.argv[3:])
    elif sys.argv[1:2] == ["--serve"]:
        serve(date.fromisoformat(sys.argv[2]), date.fromisoformat(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
