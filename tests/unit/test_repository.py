"""What holds for the repository as a whole: lock, layers, layout, settings files, Dagster template."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from pydantic import BaseModel

from bess_pipeline.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "bess_pipeline"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MARKS = ("slow", "browser")

modules = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PROJECT).as_posix())


def may_import_dagster(module: Path) -> bool:
    """orchestration/, definitions.py, and the commands that the command line imports when they are called."""
    folders = (PACKAGE / "orchestration", PACKAGE / "commands")
    return module == PACKAGE / "definitions.py" or any(module.is_relative_to(folder) for folder in folders)


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Absolute names a piece of syntax imports, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            assert node.module is not None
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


# --- layers and layout --------------------------------------------------------------------------------


@modules
def test_only_orchestration_imports_dagster(module: Path) -> None:
    if may_import_dagster(module):
        return
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert [(line, name) for name, line in imported(tree) if re.match(r"dagster(_|\.|$)", name)] == []


@modules
def test_domain_code_imports_neither_orchestration_nor_the_command_line(module: Path) -> None:
    if may_import_dagster(module) or module == PACKAGE / "cli.py":
        return
    outer = [f"bess_pipeline.{name}" for name in ("orchestration", "definitions", "cli", "commands")]
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert [(line, name) for name, line in imported(tree) if any(within(name, one) for one in outer)] == []


@modules
def test_a_module_says_what_belongs_in_it_and_stays_small(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the module has no docstring"
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


IMPORT_EVERYTHING = """
import importlib, logging, os, sys, threading
pandera = {"PYARROW_IGNORE_TIMEZONE", "SPARK_LOCAL_IP"}  # set by pandera/external_config.py
before = dict(os.environ)
for name in sys.argv[1:]:
    importlib.import_module(name)
changed = {name for name, _ in set(os.environ.items()) ^ set(before.items())}
print("environment", sorted(changed - pandera))
print("handlers", logging.getLogger().handlers)
print("threads", [one.name for one in threading.enumerate() if one is not threading.main_thread()])
print("dagster", sorted(one for one in sys.modules if one.split(".")[0].startswith("dagster")))
"""


def test_importing_the_package_has_no_side_effect(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    paths = [path.relative_to(PROJECT).with_suffix("") for path in MODULES if not may_import_dagster(path)]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    keep = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING, *names],
        cwd=work,
        # Matplotlib writes its own font cache; that is not ours.
        env={**keep, "HOME": str(home), "PYTHONPATH": str(PROJECT), "MPLCONFIGDIR": str(tmp_path / "fonts")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["environment []", "handlers []", "threads []", "dagster []"]
    assert list(work.iterdir()) == []
    assert not home.exists()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("bess_pipeline.cli", {"pandas", "numpy", "dagster", "pyomo", "matplotlib", "duckdb"}),
        ("bess_pipeline.commands.show", {"dagster", "pyomo", "matplotlib", "scipy", "requests"}),
        ("bess_pipeline.commands.plans", {"dagster", "pyomo", "matplotlib", "scipy", "requests"}),
        ("bess_pipeline.trading.plan_text", {"dagster", "pyomo", "matplotlib", "scipy", "requests"}),
        ("bess_pipeline.sample_market.server", {"dagster", "pyomo", "matplotlib", "scipy.signal", "scipy.stats"}),
    ],
)
def test_a_command_imports_nothing_heavy_that_it_may_not_need(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()


# --- the lock -----------------------------------------------------------------------------------------


def project_table() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def lock_entries() -> list[str]:
    """One string a package: its requirement and its hashes."""
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_only_lock_file_is_requirements_lock() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    other = {"package-lock.json", "yarn.lock", "pylock.toml", "pnpm-lock.yaml"}
    names = [Path(line).name for line in listed.stdout.splitlines()]
    assert [name for name in names if name.endswith(".lock") or name in other] == ["requirements.lock"]


def test_the_lock_holds_exact_versions_with_hashes_and_no_address() -> None:
    entries = lock_entries()
    assert len(entries) > 50
    for entry in entries:
        assert re.match(
            r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==[^\s;]+( ; [^-]+)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+$", entry
        ), f"not an exact version with hashes: {entry[:100]}"
        assert "://" not in entry
        assert " @ " not in entry


def test_the_lock_satisfies_pyproject() -> None:
    pinned: dict[str, list[Version]] = {}
    for entry in lock_entries():
        requirement = Requirement(entry.partition("--hash")[0].strip())
        (specifier,) = requirement.specifier
        pinned.setdefault(normal(requirement.name), []).append(Version(specifier.version))
    project = project_table()["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    for text in wanted:
        requirement = Requirement(text)
        versions = pinned.get(normal(requirement.name), [])
        assert versions, f"{requirement.name} is not in requirements.lock: renew it as CONTRIBUTING.md says"
        assert all(requirement.specifier.contains(version) for version in versions), text


def test_the_build_backend_is_bounded() -> None:
    # A lock file does not cover the build: its requirement must have an upper bound itself.
    for text in project_table()["build-system"]["requires"]:
        assert any(specifier.operator in {"<", "==", "~="} for specifier in Requirement(text).specifier)


# --- settings files -----------------------------------------------------------------------------------


def settings_keys(model: type[BaseModel] = Settings, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Sections and name of every setting, and its default."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from settings_keys(type(field.default), *above, name)
        else:
            yield (*above, name), field.default


def test_the_committed_settings_file_sets_nothing() -> None:
    assert tomllib.loads((PROJECT / "bess.toml").read_text(encoding="utf-8")) == {}


def test_every_setting_is_in_bess_toml_with_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commented = (PROJECT / "bess.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^# (?=\[[a-z_.]+\]$|[a-z_0-9]+ = )", "", commented)
    (tmp_path / "bess.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_settings()  # every key is known and every value allowed
    written = tomllib.loads(text)
    for (*sections, key), default in settings_keys():
        values, section = reduce(getitem, sections, written), reduce(getattr, sections, settings)
        assert key in values, f"bess.toml does not mention {'.'.join((*sections, key))}"
        if default is not None:
            assert getattr(section, key) == default, f"{sections} {key}"


def test_the_example_environment_file_is_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    assert re.search(r"(?m)^ENTSOE_API_TOKEN=$", example), "the token is there and empty"
    everything = re.sub(r"(?m)^# (?=BESS_[A-Z_0-9]+=)", "", example)
    assert everything.count("\nBESS_") >= 10
    (tmp_path / ".env").write_text(everything, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load_settings()  # refuses a name that is no setting
    assert settings.sources.mode == "live"
    assert settings.schedule.cron == Settings.model_fields["schedule"].default.cron


# --- Dagster's files ----------------------------------------------------------------------------------


def test_the_dagster_template_is_understood_as_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster import DagsterInstance
    from dagster._core.instance.config import PoolGranularity

    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        pools = instance.get_concurrency_config().pool_config
        assert (pools.pool_granularity, pools.default_pool_limit) == (PoolGranularity.RUN, 1)
        assert instance.run_monitoring_enabled
        monitoring = instance.run_monitoring_settings
        waits = ("start_timeout_seconds", "cancel_timeout_seconds", "max_runtime_seconds")
        assert all(monitoring[name] > 0 for name in (*waits, "free_slots_after_run_end_seconds"))
        assert Path(instance.storage_directory()).is_relative_to(tmp_path)


def test_the_dagster_workspace_loads_this_package() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text(encoding="utf-8"))
    (entry,) = workspace["load_from"]
    assert entry["python_module"]["module_name"] == "bess_pipeline.definitions"


# --- tests --------------------------------------------------------------------------------------------


def test_marks_are_declared_used_and_run_by_ci() -> None:
    declared = [line.partition(":")[0] for line in project_table()["tool"]["pytest"]["ini_options"]["markers"]]
    assert sorted(declared) == sorted(MARKS)
    ci = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    here = Path(__file__)
    sources = [path.read_text(encoding="utf-8") for path in (PROJECT / "tests").rglob("test_*.py") if path != here]
    for mark in MARKS:
        assert f"marked {mark}" in ci
        assert any(f"pytest.mark.{mark}" in text for text in sources), f"no test is marked {mark}"
