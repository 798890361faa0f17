"""Fixtures shared by all tests; environment kept clean so that no user setting leaks in."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

# Before NumPy is imported: tests run in several processes, whose threads of small matrix products only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A timing is never a test: a busy machine takes as long as it takes.
hypothesis.settings.register_profile("bess", deadline=None)
hypothesis.settings.load_profile("bess")

PROJECT = Path(__file__).resolve().parents[1]
REALDATA = PROJECT.parent / "shared" / "realdata"


@pytest.fixture(scope="session", autouse=True)
def _own_provider_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes what the user's own runs remember of providers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BESS_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith("BESS_") or name in {"ENTSOE_API_TOKEN", "DAGSTER_HOME"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("BESS_STATE_DIR", str(tmp_path_factory.getbasetemp() / "state" / uuid.uuid4().hex))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of recorded GB data, or a skip where a checkout stands alone."""
    if not REALDATA.is_dir():
        pytest.skip("recorded GB data (../shared/realdata) is not beside this checkout")
    return REALDATA


@pytest.fixture(scope="session")
def small_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five trading days of the sample market (`small_workspace.py`); read-only, built once for all processes."""
    from small_workspace import build

    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with FileLock(shared / "small.lock"):
        if not (shared / "small.built").exists():
            (shared / "small").mkdir()
            build(shared / "small")
            (shared / "small.built").touch()
        return Path(shutil.copytree(shared / "small", own / "small_of_its_own")) / "small"


@pytest.fixture
def small(small_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small workspace under its settings, in an empty working directory; read-only."""
    from small_workspace import use_settings

    use_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return small_workspace


@pytest.fixture
def small_copy(small: Path, tmp_path: Path) -> Path:
    """A copy of the small workspace to change."""
    return Path(shutil.copytree(small, tmp_path / "copy"))
