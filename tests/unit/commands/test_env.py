"""`bess env`: what a shell evaluates before plain `dagster dev`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bess_command import done


@pytest.mark.parametrize("name", ["data", "a folder with 'quotes' and $HOME", "ünïcode"])
def test_a_shell_gets_workspace_and_dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    exports = done("--workspace", name, "env").out
    shell = subprocess.run(
        ["/bin/sh", "-euc", 'eval "$1"; printf "%s\\n%s" "$BESS_WORKSPACE" "$DAGSTER_HOME"', "sh", exports],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    workspace, home = shell.stdout.split("\n")
    assert Path(workspace) == tmp_path / name
    assert Path(home) == tmp_path / name / "dagster_home"
    assert (Path(home) / "dagster.yaml").is_file()
    assert shell.stderr == ""
