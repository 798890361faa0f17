"""`make setup` in a copy of this project: installs, does nothing twice, heals what was interrupted.

It installs from the package index, as a newcomer does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tracked files, as they are now, in a folder with a space in its name."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    target = tmp_path / "a copy"
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, target / name)
    return target


def make(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The variables of the `make` that runs these tests are not those of this one.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "PYTHON"}
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=copy,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def test_setup_installs_once_and_heals(copy: Path) -> None:
    first = make(copy, "setup")
    assert first.returncode == 0, first.stderr
    assert "[setup] ready" in first.stderr
    bess = subprocess.run(
        [copy / ".venv" / "bin" / "bess", "--help"], cwd=copy, capture_output=True, text=True, timeout=120, check=False
    )
    assert bess.returncode == 0, bess.stderr
    (packages,) = (copy / ".venv").glob("lib/python3*/site-packages")
    for name in ("dagster", "pandas", "matplotlib"):  # compiled, whatever PYTHONDONTWRITEBYTECODE says
        assert list((packages / name / "__pycache__").glob("__init__.*.pyc")), name

    again = make(copy, "setup")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    # What a power cut leaves: the mark of a set-up under way, and a package without its code.
    (copy / ".venv.setup").write_text("running\n", encoding="utf-8")
    (click,) = (copy / ".venv").glob("lib/python3*/site-packages/click/core.py")
    click.unlink()
    healed = make(copy, "setup")
    assert healed.returncode == 0, healed.stderr
    assert "beginning anew" in healed.stderr
    assert click.is_file()

    # A changed lock is installed without starting from nothing.
    with (copy / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("\n")
    changed = make(copy, "setup")
    assert changed.returncode == 0, changed.stderr
    assert "creating" not in changed.stderr
    assert "[setup] ready" in changed.stderr
