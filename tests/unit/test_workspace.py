"""A workspace: where things lie, one origin for ever, and starts of many processes at once."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from filelock import FileLock

from bess_pipeline import atomic
from bess_pipeline import workspace as module
from bess_pipeline.errors import BessError, OriginError, UserInputError
from bess_pipeline.schemas import SCHEMA_VERSION
from bess_pipeline.settings import Settings
from bess_pipeline.workspace import Workspace, WorkspaceStamp, effective_sources, packaged, require_origin


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data" / "demo")


def test_layout(place: Workspace) -> None:
    assert not place.root.exists()
    assert place.stamp() is None
    place.ensure()
    place.ensure()
    assert sorted(p.name for p in place.root.iterdir()) == ["dagster_home", "lake", "quarantine", "raw", "reports"]
    assert place.lake.root == place.lake_dir == place.root / "lake"
    assert place.lake.quarantine == place.quarantine
    assert place.database == place.root / "bess.duckdb"
    assert Workspace(Path("data/live")).dagster_home.is_absolute()


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserInputError, match=r"cannot be a workspace: .*choose another --workspace"):
        Workspace(tmp_path / "file").ensure()


def test_the_first_claim_stamps_and_the_same_claim_is_welcome(place: Workspace) -> None:
    stamp = WorkspaceStamp("simulated", "neso_n2ex")
    assert place.claim("simulated", "neso_n2ex") == stamp
    before = place.stamp_file.read_bytes()
    assert place.claim("simulated", "neso_n2ex") == place.stamp() == stamp
    assert place.stamp_file.read_bytes() == before
    assert json.loads(before) == {
        "origin": "simulated",
        "day_ahead": "neso_n2ex",
        "schema_version": SCHEMA_VERSION,
        "chain_starts": [],
    }


@pytest.mark.parametrize(
    ("origin", "day_ahead", "coming"),
    [
        ("live", "neso_n2ex", "live data"),
        ("recorded", "elexon_mid", "recorded data"),
        ("simulated", "elexon_mid", "day-ahead source elexon_mid"),
    ],
)
def test_other_data_is_refused_in_one_sentence(place: Workspace, origin: str, day_ahead: str, coming: str) -> None:
    place.claim("simulated", "neso_n2ex")
    before = place.stamp_file.read_bytes()
    with pytest.raises(OriginError) as caught:
        place.claim(origin, day_ahead)
    assert str(caught.value) == (
        f"workspace {place.root} holds simulated data with day-ahead source neso_n2ex; "
        f"{coming} cannot be added to it: choose another --workspace"
    )
    assert place.stamp_file.read_bytes() == before


@pytest.mark.parametrize(("origin", "day_ahead"), [("guessed", "neso_n2ex"), ("live", "epex")])
def test_unknown_origins_and_sources_are_never_stamped(place: Workspace, origin: str, day_ahead: str) -> None:
    with pytest.raises(OriginError, match="cannot hold"):
        place.claim(origin, day_ahead)
    assert not place.stamp_file.exists()


def test_of_many_first_claims_one_wins_and_the_others_hear_of_it(place: Workspace) -> None:
    def claim(n: int) -> str:
        try:
            return place.claim("live" if n % 2 else "simulated", "neso_n2ex").origin
        except OriginError:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(claim, range(16)))
    stamp = place.stamp()
    assert stamp is not None
    assert sorted(outcomes) == sorted([stamp.origin] * 8 + ["refused"] * 8)


def test_chain_starts_are_kept_in_order_and_once(place: Workspace) -> None:
    with pytest.raises(BessError, match="holds nothing yet"):
        place.declare_chain_start(date(2024, 1, 1))
    place.claim("live", "neso_n2ex")
    days = [date(2024, 1, 1 + n) for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(place.declare_chain_start, [*reversed(days), *days]))
    stamp = place.stamp()
    assert stamp is not None
    assert stamp.chain_starts == tuple(days)
    assert place.claim("live", "neso_n2ex") == stamp


def test_a_newer_workspace_is_refused_clearly(place: Workspace) -> None:
    place.claim("live", "neso_n2ex")
    values = json.loads(place.stamp_file.read_text(encoding="utf-8")) | {"schema_version": SCHEMA_VERSION + 1}
    place.stamp_file.write_text(json.dumps(values | {"something": "new"}), encoding="utf-8")
    for act in (place.stamp, lambda: place.claim("live", "neso_n2ex")):
        with pytest.raises(BessError, match=f"newer version .schema {SCHEMA_VERSION + 1}.*upgrade"):
            act()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"origin": "live"', '{"origin": "x", "schema_version": 1}'])
def test_a_broken_stamp_is_one_sentence(place: Workspace, text: str) -> None:
    place.claim("live", "neso_n2ex")
    place.stamp_file.write_text(text, encoding="utf-8")
    with pytest.raises(BessError, match=r"workspace\.json cannot be read"):
        place.stamp()


def test_a_lock_is_not_waited_for_for_ever(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.claim("live", "neso_n2ex")
    lock = place.root / "some.lock"
    with (
        FileLock(lock),
        pytest.raises(BessError, match=r"another process is doing it and .*some\.lock was not free within 0\.05 s"),
        atomic.locked(lock, "doing it", timeout_s=0.05),
    ):
        pass
    with atomic.locked(lock, "doing it", timeout_s=0.05):
        pass


def test_who_waits_is_told_for_whom_and_how_long_at_most(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "FIRST_WORD_S", 0.02)
    monkeypatch.setattr(atomic, "NEXT_WORD_S", 0.04)
    lock, said = place.root / "some.lock", list[str]()
    with (
        atomic.locked(lock, "trading 2026-03-29"),
        pytest.raises(BessError, match=rf"another process \({os.getpid()}\) is trading 2026-03-29 and .*within 0\.1 s"),
        atomic.locked(lock, "working", timeout_s=0.1, say=said.append),
    ):
        pass
    words = [f"({seconds} s so far, 0.1 s at most)" for seconds in (0.02, 0.06)]
    assert said == [f"waiting: another process ({os.getpid()}) is trading 2026-03-29 {word}" for word in words]
    with atomic.locked(lock, "working", timeout_s=0.1, say=said.append):
        assert len(said) == 2


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "template.yaml"
    file.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    monkeypatch.setattr(module, "packaged", lambda name: file)
    return file


def test_fault_28_eight_starts_at_once_prepare_the_dagster_home_once(place: Workspace, template: Path) -> None:
    seen: list[list[str]] = []

    def initialise(home: Path) -> None:
        seen.append(sorted(p.name for p in home.iterdir()))

    with ThreadPoolExecutor(8) as pool:
        homes = set(pool.map(lambda _: place.prepare_dagster_home(initialise), range(8)))
    assert homes == {place.dagster_home}
    assert seen == [["dagster.yaml"]]
    assert (place.dagster_home / "dagster.yaml").read_text(encoding="utf-8") == template.read_text(encoding="utf-8")


def test_a_prepared_home_is_left_as_the_user_made_it(place: Workspace, template: Path) -> None:
    config = place.prepare_dagster_home() / "dagster.yaml"
    config.write_text("mine: true\n", encoding="utf-8")
    place.prepare_dagster_home()
    assert config.read_text(encoding="utf-8") == "mine: true\n"


def test_a_failed_initialisation_is_tried_again(place: Workspace, template: Path) -> None:
    def fail(home: Path) -> None:
        raise BessError("no")

    with pytest.raises(BessError, match="no"):
        place.prepare_dagster_home(fail)
    done: list[Path] = []
    place.prepare_dagster_home(done.append)
    place.prepare_dagster_home(done.append)
    assert done == [place.dagster_home]


def test_packaged_files_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (packaged("sql") / "tables").is_dir()
    package = tmp_path / "site-packages" / "bess_pipeline"
    (package / "sql").mkdir(parents=True)
    (package.parent / "sql").mkdir()
    monkeypatch.setattr(module, "_PACKAGE", package)
    assert packaged("sql") == package / "sql"
    with pytest.raises(BessError, match=r"incomplete: there is no dagster\.yaml"):
        packaged("dagster.yaml")


SIMULATED = WorkspaceStamp("simulated", "neso_n2ex")
RECORDED = WorkspaceStamp("recorded", "elexon_mid")
LIVE = WorkspaceStamp("live", "entsoe")


@pytest.mark.parametrize(
    ("sources", "stamp", "expected"),
    [
        ({}, None, ("live", "neso_n2ex")),
        ({"mode": "sample"}, None, ("sample", "neso_n2ex")),
        ({"day_ahead": "elexon_mid"}, None, ("live", "elexon_mid")),
        ({"mode": "files", "day_ahead": "file"}, None, ("files", "file")),
        ({}, SIMULATED, ("sample", "neso_n2ex")),
        ({"mode": "sample", "day_ahead": "neso_n2ex"}, SIMULATED, ("sample", "neso_n2ex")),
        ({}, RECORDED, ("live", "elexon_mid")),
        ({"mode": "live"}, RECORDED, ("live", "elexon_mid")),
        ({}, LIVE, ("live", "entsoe")),
    ],
)
def test_effective_sources(
    sources: dict[str, str],
    stamp: WorkspaceStamp | None,
    expected: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert effective_sources(Settings(sources=sources), stamp) == expected


@pytest.mark.parametrize(
    ("sources", "stamp", "named"),
    [
        ({"mode": "live"}, SIMULATED, "mode live"),
        ({"mode": "files"}, SIMULATED, "mode files"),
        ({"mode": "sample"}, LIVE, "mode sample"),
        ({"mode": "sample"}, RECORDED, "mode sample"),
        ({"day_ahead": "neso_n2ex"}, RECORDED, "day-ahead source neso_n2ex"),
    ],
)
def test_settings_that_contradict_the_stamp_are_refused(
    sources: dict[str, str], stamp: WorkspaceStamp, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OriginError, match=f"holds {stamp.origin} data.*{named} cannot be added"):
        effective_sources(Settings(sources=sources), stamp)


def test_a_mode_brings_only_its_own_origin() -> None:
    for mode, origin in (("sample", "simulated"), ("live", "live"), ("live", "recorded"), ("files", "recorded")):
        require_origin(mode, origin)  # type: ignore[arg-type]
    for mode, origin in (("sample", "live"), ("sample", "recorded"), ("live", "simulated"), ("files", "simulated")):
        with pytest.raises(OriginError, match=f"mode {mode} cannot bring {origin} data"):
            require_origin(mode, origin)  # type: ignore[arg-type]
