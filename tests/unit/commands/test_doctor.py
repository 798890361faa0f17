"""`bess doctor`: a sound workspace, a new one, and what it says of each thing that can be broken."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import small_workspace
from bess_command import done, run_bess, tree

from bess_pipeline.lake import Lake
from bess_pipeline.settings import SourcesSettings
from bess_pipeline.sources.breaker import Breaker
from bess_pipeline.sources.faults import Failure
from bess_pipeline.sources.provider_state import provider_key, shared_state
from bess_pipeline.workspace import Workspace

CHECKS = ["python", "settings", "workspace", "data", "forecasts", "plans", "database", "providers"]


def findings(workspace: Path) -> dict[str, str]:
    """The text of each finding, those that are not well first marked `BAD: `; the exit status agrees."""
    result = run_bess("--workspace", workspace, "doctor", "--json")
    found = json.loads(result.out)
    assert [finding["what"] for finding in found][: len(CHECKS)] == CHECKS
    assert all(
        finding["what"].startswith(("coverage", "lateness", "revisions", "quarantine"))
        for finding in found[len(CHECKS) :]
    )
    assert result.status == (0 if all(finding["ok"] for finding in found) else 1)
    return {finding["what"]: ("" if finding["ok"] else "BAD: ") + finding["text"] for finding in found}


def bad(workspace: Path) -> dict[str, str]:
    return {what: text for what, text in findings(workspace).items() if text.startswith("BAD: ")}


def test_a_sound_workspace(small: Path) -> None:
    before = tree(small)
    found = findings(small)
    assert not bad(small)
    assert "holds simulated data, day-ahead source neso_n2ex" in found["workspace"]
    assert "chains start on 2026-03-27" in found["workspace"]
    assert "2026-03-27 to 2026-03-31, 5 trading days, all complete" in found["data"]
    assert found["forecasts"].startswith(
        "forecasts, scenarios and scores: 6 of 7 days are complete; 2026-04-02 response "
    )
    assert "bess.duckdb opens" in found["database"]
    assert "none is left alone" in found["providers"]
    lines = done("--workspace", small, "doctor").out.splitlines()
    coverage = [f"coverage of market/{table}" for table in ("system_price", "market_index_price")]
    assert [line[5:].split(":")[0] for line in lines][: len(CHECKS) + 2] == CHECKS + coverage
    assert all(line.startswith("ok   ") for line in lines)
    assert lines[-1] == "ok   quarantine: empty"
    assert tree(small) == before


def test_a_new_workspace_is_well_and_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = findings(tmp_path / "new")
    assert not bad(tmp_path / "new")
    assert "holds nothing yet: run `bess demo`" in found["workspace"]
    assert found["data"] == "no partition yet"
    assert found["forecasts"] == "none made yet"
    assert not (tmp_path / "new").exists()


def test_a_day_that_is_not_complete_is_named_with_its_reason(small_copy: Path) -> None:
    lake = Workspace(small_copy).lake
    day = small_workspace.FIRST
    status = lake.read("trading/run_status", day, day)
    lake.write("trading/run_status", day, status.assign(status="refused", reason="a reason of this test"))
    found = bad(small_copy)
    assert list(found) == ["data"]
    assert "1 of 5 trading days are not complete" in found["data"]
    assert "2026-03-27  co_optimised  refused: a reason of this test" in found["data"]
    assert "BAD  data: " in run_bess("--workspace", small_copy, "doctor").out


def test_a_damaged_partition_is_named(small_copy: Path) -> None:
    (file,) = Lake(small_copy / "lake", small_copy / "quarantine").files("trading/run_status")[:1]
    file.write_bytes(file.read_bytes()[:100])
    assert file.name in bad(small_copy)["data"]


@pytest.mark.parametrize("content", [b"", b"this is no database", b"\x00" * 20_000])
def test_a_damaged_database_is_named(small_copy: Path, content: bytes) -> None:
    (small_copy / "bess.duckdb").write_bytes(content)
    found = bad(small_copy)
    assert list(found) == ["database"]
    assert "bess.duckdb" in found["database"]
    assert "publish it again" in found["database"]


def test_a_database_of_something_else_is_named(small_copy: Path) -> None:
    import duckdb

    (small_copy / "bess.duckdb").unlink()
    duckdb.connect(str(small_copy / "bess.duckdb")).close()
    assert list(bad(small_copy)) == ["database"]


def test_a_stamp_that_cannot_be_read_or_is_of_a_newer_version(small_copy: Path) -> None:
    stamp = small_copy / "workspace.json"
    newer = json.loads(stamp.read_text()) | {"schema_version": 99}
    for content, saying in (("not json", "workspace.json cannot be read"), (json.dumps(newer), "newer version")):
        stamp.write_text(content)
        assert saying in bad(small_copy)["workspace"]


def test_a_missing_token_is_told_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "entsoe")
    assert "set ENTSOE_API_TOKEN" in bad(tmp_path / "new")["settings"]
    monkeypatch.setenv("ENTSOE_API_TOKEN", "a-token-of-this-test")
    found = findings(tmp_path / "new")
    assert "ENTSOE_API_TOKEN set" in found["settings"]
    assert "a-token-of-this-test" not in str(found)


def test_an_open_breaker_is_named_until_it_is_ended(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose commands take --retry-now; a breaker of another address is none of this workspace's business."""
    breaker = Breaker(shared_state(), SourcesSettings())
    for host in ("api.neso.energy", "127.0.0.1:4711"):
        for _ in range(5):
            breaker.failed(provider_key("neso", host), Failure("refused the connection"))
    found = bad(small)
    assert list(found) == ["providers"]
    assert "neso (api.neso.energy) was not asked, because its circuit breaker is open from" in found["providers"]
    assert "5 requests in a row failed, the last because it refused the connection" in found["providers"]
    assert "4711" not in found["providers"]

    def nothing_to_do(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr("bess_pipeline.commands.run.run_refresh", nothing_to_do)
    done("--workspace", small, "refresh")
    assert list(bad(small)) == ["providers"]
    done("--workspace", small, "refresh", "--retry-now")
    assert not bad(small)


@pytest.mark.parametrize("command", ["backfill", "price-check"])
def test_other_commands_that_ask_providers_end_cool_downs_too(
    small: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    breaker, provider = Breaker(shared_state(), SourcesSettings()), provider_key("elexon", "data.elexon.co.uk")
    for _ in range(5):
        breaker.failed(provider, Failure("refused the connection"))
    monkeypatch.setattr("bess_pipeline.commands.run.run_backfill", lambda *_, **__: [])
    monkeypatch.setattr("bess_pipeline.commands.run.run_price_check", lambda *_, **__: (pd.DataFrame(), []))
    assert breaker.cooling(provider)
    done("--workspace", small, command, "--from", "2026-03-27", "--to", "2026-03-27", "--retry-now")
    assert not breaker.cooling(provider)


def test_a_state_folder_that_cannot_be_written_is_named(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BESS_STATE_DIR", str(tmp_path / "file" / "state"))
    found = bad(small)
    assert list(found) == ["providers"]
    assert "name another folder in BESS_STATE_DIR" in found["providers"]
