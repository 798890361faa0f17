"""Runs `bess` in this process: same parsing, same exit status, no import of everything for each command."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bess_pipeline.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)


def run_bess(*arguments: object) -> Done:
    """The end of `bess ARGUMENTS`; an exception that no user should see passes through."""
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    status = -1
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([str(argument) for argument in arguments])
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        root.handlers[:], root.level = handlers, level
    return Done(status, out.getvalue(), err.getvalue())


def done(*arguments: object) -> Done:
    """As `run_bess`, of a command that must succeed."""
    result = run_bess(*arguments)
    assert result.status == 0, f"bess {' '.join(map(str, arguments))}: {result.err}{result.out}"
    return result


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below `folder` with its bytes (None = a folder), to see that nothing was written."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
