"""Promise P6 on every failing path that the ENTSO-E token takes part in: it is in no file, log or message.

Most paths run in this process, through the real client and ingestion, into one workspace that is searched
at the end; two of them again through Dagster, and a crash and a kill as commands of their own.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import dagster as dg
import pytest
from canary import TOKEN, files_with_token, holds_token
from fault_trial import DAY_AHEAD, NEXT, STATUS, STORED, Trial
from faulty_server import Server
from ingest_tools import connected, dataset

from bess_pipeline.definitions import build_defs
from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.orchestration.jobs import INGEST, asset_key
from bess_pipeline.orchestration.launch import initialise_dagster_home
from bess_pipeline.orchestration.partitions import range_tags
from bess_pipeline.settings import load_settings
from bess_pipeline.sources import entsoe

QUICK = {"read_timeout_s": 0.3, "deadline_s": 1.0, "breaker_failures": 0}
ARMED: dict[str, dict[str, Any]] = {
    **{str(code): {"kind": "status", "status": code} for code in (401, 403, 404, 429, 500, 503)},
    "429 for a day": {"kind": "status", "status": 429, "retry_after": "86400"},
    "reset": {"kind": "reset"},
    "reset midway": {"kind": "reset_midway"},
    "truncated": {"kind": "truncate"},
    "truncated unannounced": {"kind": "truncate_unannounced"},
    "hang": {"kind": "hang", "seconds": 5},
    "drip": {"kind": "drip", "seconds": 600},
    "bad gzip": {"kind": "bad_gzip"},
    "web page": {"kind": "html"},
    "echo": {"kind": "echo"},
    **{
        name: {"kind": "rewrite", "rewrite": name}
        for name in ("not_utf8", "no_body", "entity_bomb", "external_entity", "malformed")
    },
    "other auction": {"kind": "rewrite", "rewrite": "other_sequence", "value": 2},
    "acknowledgement 200": {"kind": "rewrite", "rewrite": "acknowledge", "value": 200},
    "acknowledgement 400": {"kind": "rewrite", "rewrite": "acknowledge", "value": 400},
    "contradiction": {"kind": "rewrite", "rewrite": "contradict_series", "value": 1},
    "huge": {"kind": "rewrite", "rewrite": "huge", "value": 2_000_000},
}


@dataclass
class Ran:
    """One failing path: the texts it brought forth, and whether ENTSO-E was asked with the token."""

    texts: list[str]
    asked: bool


@pytest.fixture
def canary_trial(entsoe_trial: Trial, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setenv("ENTSOE_API_TOKEN", TOKEN)
    return entsoe_trial


def fails(trial: Trial, wanted_url: str = "", **changes: Any) -> Ran:
    """Ask for the next day and build it; every text that came of it."""
    trial.server.requests.clear()
    settings = QUICK | changes | ({"entsoe_base_url": wanted_url} if wanted_url else {})
    texts = []
    try:
        found = trial.ask([DAY_AHEAD], trial.days[1:], settings=settings, max_bytes=1_000_000)
        assert found["status"].isin(["refused", "not_published"]).all(), found["reason"].tolist()
        texts += found["reason"].tolist()
    except BessError as error:
        texts += ["".join(traceback.format_exception(error)), repr(error)]
    return Ran(texts, any("securityToken=***" in target for target in trial.server.requests))


def test_no_failing_path_lets_the_token_out(
    canary_trial: Trial,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    trial, ran = canary_trial, dict[str, Ran]()
    for name, fault in ARMED.items():
        trial.arm(**fault)
        ran[name] = fails(trial)
        trial.lift()
    other = Server()
    trial.arm("redirect", status=302, value=other.url)
    ran["redirect"] = fails(trial)
    trial.lift()
    assert other.targets == []
    other.close()
    assert all(one.asked for one in ran.values())  # else nothing would be proven

    with no_network(monkeypatch) as closed:
        ran["refused"] = fails(trial, f"http://127.0.0.1:{closed}/api")
        ran["unknown host"] = fails(trial, "http://market.invalid/api")
        monkeypatch.setenv("HTTP_PROXY", f"http://proxy:{quote_plus(TOKEN)}@127.0.0.1:{closed}")
        ran["proxy"] = fails(trial, "http://market.invalid/api")
    assert "proxy" in ran["proxy"].texts[0]

    for address in ("ftp://{}@host/api", "http://{}@host:99999999/api", "http://{}@[broken/api", "{}@host"):
        with connected(trial.root, trial.server, settings={"entsoe_base_url": address.format(f"me:{TOKEN}")}) as one:
            with pytest.raises(UserInputError, match="is not a web address") as caught:
                one.fetch(dataset(DAY_AHEAD, "entsoe"), trial.days[1:])
            ran[address] = Ran(["".join(traceback.format_exception(caught.value))], asked=False)
    trial.arm("status", status=500)
    ran["user in the address"] = fails(
        trial, trial.server.base_urls["entsoe_base_url"].replace("//", f"//me:{quote_plus(TOKEN)}@")
    )
    trial.lift()

    assert [name for name, one in ran.items() if any(map(holds_token, one.texts))] == []
    assert all(text for one in ran.values() for text in one.texts)
    assert caplog.records  # the HTTP library's own log was on
    assert not holds_token(caplog.text)
    printed = capfd.readouterr()
    assert not holds_token(printed.out + printed.err)
    assert files_with_token(trial.root.parent) == []
    assert files_with_token(Path(os.environ["BESS_STATE_DIR"])) == []
    trial.completes([DAY_AHEAD])
    assert files_with_token(trial.root.parent) == []


@contextlib.contextmanager
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port on which nothing listens; names other than this machine's are unknown; no proxy is set yet."""
    honest = socket.getaddrinfo

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        if host in ("market.invalid",):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return honest(host, *arguments, **options)

    with monkeypatch.context() as patch, socket.socket() as closed:
        patch.setattr(socket, "getaddrinfo", resolve)
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            patch.delenv(name)
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]
    monkeypatch.delenv("HTTP_PROXY", raising=False)


def test_the_search_would_find_it(tmp_path: Path) -> None:
    """Positive control: in plain text, escaped, in gzip, and beside other bytes."""
    (tmp_path / "plain.log").write_text(f"before {TOKEN} after")
    (tmp_path / "escaped.json").write_text(f"https://x/api?securityToken={quote_plus(TOKEN)}")
    (tmp_path / "body.gz").write_bytes(gzip.compress(TOKEN.encode()))
    (tmp_path / "base.db").write_bytes(b"\x00\xff" + TOKEN.encode() + b"\x00")
    (tmp_path / "clean.txt").write_text("nothing")
    assert {path.name for path in files_with_token(tmp_path)} == {"plain.log", "escaped.json", "body.gz", "base.db"}


# --- through Dagster --------------------------------------------------------------------------------


def crash(content: bytes) -> Any:
    """A parser that breaks down amid an answer, as a mistake of ours might."""
    answer = content[:40]
    raise RuntimeError(f"a mistake in a parser that was reading {answer!r}")


def run_in_dagster(workspace: Path, home: Path) -> dg.ExecuteInProcessResult:
    """The day-ahead price of a day in a run that Dagster records in its home."""
    initialise_dagster_home(home)
    definitions = build_defs(load_settings(workspace=workspace))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return definitions.resolve_job_def(INGEST).execute_in_process(
            instance=instance,
            tags=range_tags(NEXT, NEXT),
            asset_selection=[asset_key(name) for name in ("raw/day_ahead_price", DAY_AHEAD, STATUS)],
            raise_on_error=False,
        )


def test_no_run_of_dagster_records_the_token(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two runs: one whose asset sees an answer that repeats the request, one in which a parser crashes."""
    for name, url in trial.server.base_urls.items():
        monkeypatch.setenv(f"BESS_SOURCES__{name.upper()}", url)
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "entsoe")
    monkeypatch.setenv("BESS_SOURCES__MODE", "sample")
    monkeypatch.setenv("ENTSOE_API_TOKEN", TOKEN)
    workspace, home = tmp_path / "dagster", tmp_path / "dagster" / "dagster_home"
    home.mkdir(parents=True)
    trial.arm("echo", path="/api?")
    told = run_in_dagster(workspace, home)
    assert told.success
    assert "securityToken=***" in trial.server.requests[-1]
    monkeypatch.setattr(entsoe, "parse_day_ahead", crash)
    crashed = run_in_dagster(workspace, home)
    assert not crashed.success
    errors = [str(event.step_failure_data.error) for event in crashed.all_events if event.is_step_failure]
    assert any("a mistake in a parser" in error for error in errors)
    assert not any(map(holds_token, errors))
    printed = capfd.readouterr()
    assert not holds_token(printed.out + printed.err)
    assert any(path.suffix == ".db" for path in home.rglob("*"))
    assert files_with_token(tmp_path) == []


# --- as a command -----------------------------------------------------------------------------------

CRASHING = """
import re
from bess_pipeline.sources import entsoe
def crash(content):
    raise RuntimeError("a mistake in a parser")
entsoe.parse_day_ahead = crash
"""
KILLED = "from killed_run import arm; arm(12)"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "before"), [("crash", CRASHING), ("kill", KILLED)])
def test_no_command_that_breaks_down_leaves_the_token(trial: Trial, tmp_path: Path, name: str, before: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BESS_", "DAGSTER_"))}
    environment |= {f"BESS_SOURCES__{key.upper()}": url for key, url in trial.server.base_urls.items()}
    environment |= {
        "ENTSOE_API_TOKEN": TOKEN,
        "BESS_SOURCES__MODE": "sample",
        "BESS_SOURCES__DAY_AHEAD": "entsoe",
        "BESS_TRADING__HISTORY_DAYS": "7",
        "BESS_STATE_DIR": str(tmp_path / "state"),
        "PYTHONPATH": os.pathsep.join(str(Path(__file__).resolve().parents[n]) for n in (1, 2)),
    }
    trial.arm("echo", path="/api?")
    code = f"{before}\nfrom bess_pipeline.cli import main; main()"
    arguments = ["--verbose", "--workspace", "workspace", "backfill", "--from", str(STORED), "--to", str(STORED)]
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == (-signal.SIGKILL if name == "kill" else 1), ended.stderr
    assert name == "kill" or re.search("a mistake in a parser", ended.stdout + ended.stderr)
    assert not holds_token(ended.stdout + ended.stderr)
    assert any(path.is_file() for path in (tmp_path / "workspace").rglob("*"))
    assert files_with_token(tmp_path) == []
