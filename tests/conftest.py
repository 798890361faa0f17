"""Fixtures shared by all tests; environment kept clean so that no user setting leaks in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
REALDATA = PROJECT.parent / "shared" / "realdata"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BESS_") or name in {"ENTSOE_API_TOKEN", "DAGSTER_HOME"}:
            monkeypatch.delenv(name)


@pytest.fixture
def realdata() -> Path:
    """The folder of recorded GB data, or a skip where a checkout stands alone."""
    if not REALDATA.is_dir():
        pytest.skip("recorded GB data (../shared/realdata) is not beside this checkout")
    return REALDATA
