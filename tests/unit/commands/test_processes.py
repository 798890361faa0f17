"""Children and all that they started end with the block; signals to end only set an event."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bess_pipeline.commands import processes
from bess_pipeline.commands.processes import Children, stop_event
from bess_pipeline.errors import BessError

# A child that ignores SIGINT and starts another that does too; both write their process ids and sleep.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
if sys.argv[1:]:
    subprocess.Popen([sys.executable, __file__])
with open(os.path.join(os.path.dirname(__file__), str(os.getpid())), "w") as file:
    file.write("here")
time.sleep(60)
"""


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.5)
    monkeypatch.setattr(processes, "POLL_S", 0.02)


def test_children_of_children_end_too_even_when_they_ignore_sigint(tmp_path: Path, stop: threading.Event) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(STUBBORN)

    def both() -> list[int]:
        return [int(file.name) for file in tmp_path.iterdir() if file.name.isdigit() and file.stat().st_size]

    with Children(os.environ, stop) as children:
        children.start("stubborn", [sys.executable, str(script), "with a child"])
        children.wait_for(lambda: len(both()) == 2)
        alive = both()
        assert all(_is_running(pid) for pid in alive)
    assert not [pid for pid in alive if _is_running(pid)]


def test_a_child_that_ends_by_itself_is_named_with_its_status(stop: threading.Event) -> None:
    with Children(os.environ, stop) as children:
        children.start("daemon", [sys.executable, "-c", "raise SystemExit(3)"])
        with pytest.raises(BessError, match="the daemon ended with status 3"):
            children.watch()


def test_waiting_for_a_child_has_an_end(stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_TIMEOUT_S", 0.05)
    with Children(os.environ, stop) as children:
        children.start("web server", ["sleep", "60"])
        with pytest.raises(BessError, match="the web server was not ready within 0 s"):
            children.wait_for(lambda: False)


def test_told_to_stop_nothing_more_is_started_or_waited_for(stop: threading.Event) -> None:
    stop.set()
    with Children(os.environ, stop) as children:
        children.start("daemon", ["/no/such/program"])
        children.wait_for(lambda: False)
        children.watch()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_sets_the_event_and_handlers_return(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_event() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before


def test_sigint_counts_where_a_script_ignored_it_and_sighup_does_not_under_nohup() -> None:
    code = (
        "import os, signal\n"
        "from bess_pipeline.commands.processes import stop_event\n"
        "with stop_event() as stop:\n"
        "    os.kill(os.getpid(), signal.SIGHUP); print(stop.wait(0.2))\n"
        "    os.kill(os.getpid(), signal.SIGINT); print(stop.wait(5))\n"
    )

    def ignore() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=ignore, check=True)
    assert done.stdout.split() == ["False", "True"]


def _is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie waiting for its parent's interest."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
