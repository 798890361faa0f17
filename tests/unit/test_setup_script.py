"""scripts/setup.sh where nothing is installed: which Python is refused, and in which words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NAMES = ("python3", "python3.11", "python3.12", "python3.13", "python3.14")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name that holds what the script reads."""
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("scripts/setup.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(PROJECT / name, folder / name)
    return folder


def run(checkout: Path, pythons: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where the only Pythons are shell scripts with the given bodies."""
    tools = checkout.parent / "tools"
    tools.mkdir(exist_ok=True)
    for name in NAMES:  # the others do not run, as the shims of version managers do
        body = pythons.get(name, "exit 127")
        (tools / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "scripts/setup.sh"],
        cwd=checkout,
        env={"PATH": f"{tools}:/usr/bin:/bin", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("pythons", "reason"),
    [
        ({}, "no python3 was found"),
        ({"python3": "echo is 3.9"}, "python3 is 3.9"),
        ({"python3": "echo is 3.15"}, "python3 is 3.15"),
        ({"python3": "echo is pypy"}, "python3 is pypy"),
        (
            {"python3": "echo is 3.9", "python3.12": "echo 'is 3.12 without venv (apt-get install python3-venv)'"},
            "python3.12 is 3.12 without venv",
        ),
    ],
)
def test_an_unsuitable_python_is_refused_in_one_sentence(checkout: Path, pythons: dict[str, str], reason: str) -> None:
    done = run(checkout, pythons)
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "Python 3.11 to 3.14" in line
    assert reason in line
    assert "make PYTHON=" in line
    assert not (checkout / ".venv").exists()


def test_a_named_python_that_does_not_run_is_named(checkout: Path) -> None:
    done = run(checkout, {"python3": "echo fit"}, PYTHON="/no/such/python")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "PYTHON=/no/such/python does not run" in line


def test_the_first_suitable_python_is_taken(checkout: Path) -> None:
    # A stand-in that answers as a fit interpreter, then refuses to create anything: it must be the one asked.
    fit = 'case "$1 $2" in "-m venv") echo "venv of $0" >&2; exit 1;; "-c "*) echo 3.13.1;; *) echo fit;; esac'
    done = run(checkout, {"python3": "echo is 3.9", "python3.13": fit, "python3.12": fit})
    assert done.returncode != 0
    assert "python3.13 could not create .venv" in done.stderr
    assert "python3.12" not in done.stderr
