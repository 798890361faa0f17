"""Slots that keep a provider's limits: on a clock that stands still, across clients, ends of processes and damage."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from faulty_server import Clock

from bess_pipeline.atomic import locked
from bess_pipeline.sources import provider_state
from bess_pipeline.sources.pacing import (
    ELEXON_PACE,
    ENTSOE_PACE,
    LONGEST_QUEUE_S,
    NESO_CKAN_PACE,
    NESO_DATASTORE_PACE,
    Pace,
    Pacer,
)
from bess_pipeline.sources.provider_state import ProviderState, shared_state

NESO, ELEXON = "neso@api.neso.energy", "elexon@data.elexon.co.uk"
PAGE = "providers.json"


def pacer(folder: Path | None, clock: Clock) -> Pacer:
    """A pacer as another process would have it: nothing remembered but what lies in the folder."""
    return Pacer(ProviderState(folder, clock))


def test_the_limits_are_those_that_providers_publish() -> None:
    assert ELEXON_PACE.seconds == 0.5
    assert (NESO_CKAN_PACE.seconds, NESO_DATASTORE_PACE.seconds, NESO_DATASTORE_PACE.host_seconds) == (1.0, 30.0, 1.0)
    assert 60 / ENTSOE_PACE.seconds < 400


def test_groups_and_the_whole_host_keep_their_distance(clock: Clock) -> None:
    one = pacer(None, clock)
    assert one.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0
    assert one.reserve(NESO, NESO_CKAN_PACE).wait_s == 1
    assert one.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 30
    assert one.reserve(ELEXON, ELEXON_PACE).wait_s == 0
    clock.seconds = 100
    assert one.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0


def test_another_process_queues_behind_and_finds_the_slot_taken_after_the_first_has_ended(
    clock: Clock, tmp_path: Path
) -> None:
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0
    clock.seconds = 10
    assert pacer(tmp_path, clock).wait_s(NESO, NESO_DATASTORE_PACE) == 20
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == 20
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == 50
    assert pacer(tmp_path, clock).reserve("neso@another.host", NESO_DATASTORE_PACE).wait_s == 0


def test_a_slot_that_was_not_used_is_free_again_unless_somebody_queues_behind_it(clock: Clock, tmp_path: Path) -> None:
    first, second = pacer(tmp_path, clock), pacer(tmp_path, clock)
    unused = first.reserve(NESO, NESO_DATASTORE_PACE)
    first.give_back(NESO, NESO_DATASTORE_PACE, unused)
    assert second.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0
    unused = first.reserve(NESO, NESO_DATASTORE_PACE)
    assert unused.wait_s == 30
    assert second.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 60
    first.give_back(NESO, NESO_DATASTORE_PACE, unused)
    assert first.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 90, "the one at 60 s still comes"


def test_setting_the_wall_clock_moves_nothing(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (4e9, 0.0, 2e9):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert pacer(tmp_path, clock).reserve(ELEXON, ELEXON_PACE).wait_s == 0
        assert pacer(tmp_path, clock).reserve(ELEXON, ELEXON_PACE).wait_s == 0.5
        clock.seconds += 1
    assert ProviderState(None).clock is time.monotonic


def test_a_slot_from_before_a_restart_of_the_machine_costs_no_more_than_its_own_wait(
    clock: Clock, tmp_path: Path
) -> None:
    """The clock of the machine starts again at nought: what is noted lies a day ahead of it."""
    clock.seconds = 86_400
    before = pacer(tmp_path, clock)
    assert [before.reserve(NESO, NESO_DATASTORE_PACE).wait_s for _ in range(2)] == [0, 30]
    clock.seconds = 5
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == 60
    clock.seconds = 65
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == 30


DAMAGE = {
    "empty": b"",
    "half": b'{"providers": {"neso@api',
    "no JSON": b"\x00\xff\x00",
    "another form": b'{"providers": [1, 2]}',
    "not a number": json.dumps({"providers": {NESO: {"slots": {"datastore": {"start_s": "x"}}}}}).encode(),
    "infinite": b'{"providers": {"%s": {"slots": {"datastore": {"start_s": Infinity, "given_s": 0}}}}}' % NESO.encode(),
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_replaced_and_this_process_remembers(clock: Clock, tmp_path: Path, content: bytes) -> None:
    mine, other = pacer(tmp_path, clock), pacer(tmp_path, clock)
    assert mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0
    (tmp_path / PAGE).write_bytes(content)
    assert mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 30
    assert other.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 60, "the file is whole again"


def test_a_file_that_was_deleted_is_written_again_from_memory(clock: Clock, tmp_path: Path) -> None:
    mine, other = pacer(tmp_path, clock), pacer(tmp_path, clock)
    mine.reserve(NESO, NESO_DATASTORE_PACE)
    (tmp_path / PAGE).unlink()
    assert mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 30
    assert other.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 60


def test_an_absurd_slot_in_the_file_bounds_the_wait(clock: Clock, tmp_path: Path) -> None:
    slot = {"start_s": 1e15, "given_s": 0.0}
    (tmp_path / PAGE).write_text(json.dumps({"providers": {NESO: {"slots": {"datastore": slot}}}}))
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == LONGEST_QUEUE_S + 30


def test_a_folder_that_cannot_be_written_leaves_each_process_its_own_memory(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    mine, other = (pacer(tmp_path / "file" / "state", clock) for _ in range(2))
    assert [mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s for _ in range(2)] == [0, 30]
    assert other.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0
    assert not ProviderState(tmp_path / "file" / "state", clock).usable()
    assert ProviderState(tmp_path / "new" / "state", clock).usable()
    assert not ProviderState(None, clock).usable()


def test_a_disk_that_fills_up_does_not_bring_old_slots_back(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = pacer(tmp_path, clock)
    mine.reserve(NESO, NESO_DATASTORE_PACE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    clock.seconds = 40
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert [mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s for _ in range(2)] == [0, 30]
    assert pacer(tmp_path, clock).reserve(NESO, NESO_DATASTORE_PACE).wait_s == 0, "nothing could be noted for others"


def test_the_wait_for_the_lock_has_an_end(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_state, "LOCK_TIMEOUT_S", 0.01)
    mine = pacer(tmp_path, clock)
    mine.reserve(NESO, NESO_DATASTORE_PACE)
    stored = (tmp_path / PAGE).read_bytes()
    clock.seconds = 1
    with locked(tmp_path / "providers.lock", "stuck"):
        assert mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 29
    assert (tmp_path / PAGE).read_bytes() == stored, "nothing is written without the lock"
    assert mine.reserve(NESO, NESO_DATASTORE_PACE).wait_s == 59


def test_providers_not_asked_for_a_day_are_forgotten(clock: Clock, tmp_path: Path) -> None:
    state = ProviderState(tmp_path, clock)
    Pacer(state).reserve("sample@127.0.0.1:4711", Pace("any", 1.0))
    clock.seconds = provider_state.FORGET_AFTER_S + 1
    Pacer(state).reserve(NESO, NESO_CKAN_PACE)
    assert ProviderState(tmp_path, clock).providers() == [NESO]


def test_the_folder_is_the_users_own_or_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BESS_STATE_DIR", str(tmp_path))
    assert shared_state().folder == tmp_path
    assert shared_state() is shared_state()
    monkeypatch.delenv("BESS_STATE_DIR")
    folder = provider_state.state_folder()
    assert folder is not None
    assert folder.name == "bess_pipeline"
    monkeypatch.setattr(provider_state.platformdirs, "user_state_path", lambda *_, **__: Path("~/.local/state"))
    assert provider_state.state_folder() is None, "a user without a home"


_TAKER = """
import sys
from pathlib import Path
from bess_pipeline.sources.pacing import Pace, Pacer
from bess_pipeline.sources.provider_state import ProviderState

pacer = Pacer(ProviderState(Path(sys.argv[1])))
for _ in range(int(sys.argv[2])):
    print(repr(pacer.reserve("neso@host", Pace("datastore", 0.01)).start_s))
"""


def test_processes_beside_each_other_never_get_the_same_slot(tmp_path: Path) -> None:
    """Real processes on the machine's clock: every slot is at least the spacing after the one before it."""
    takers, slots = 4, 15
    command = [sys.executable, "-c", _TAKER, str(tmp_path), str(slots)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(takers)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * takers
    by_process = [[float(line) for line in output.split()] for output in outputs]
    assert [len(starts) for starts in by_process] == [slots] * takers
    assert all(starts == sorted(starts) for starts in by_process)
    starts = sorted(start for starts in by_process for start in starts)
    assert min(later - earlier for earlier, later in pairwise(starts)) > 0.01 - 1e-6


@pytest.mark.parametrize("make", [lambda folder: folder, lambda folder: None], ids=["file", "memory"])
def test_threads_of_one_process_never_get_the_same_slot(
    tmp_path: Path, clock: Clock, make: Callable[[Path], Path | None]
) -> None:
    shared = pacer(make(tmp_path), clock)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: shared.reserve(ELEXON, ELEXON_PACE).wait_s, range(24)))
    assert sorted(waits) == [0.5 * n for n in range(24)]
