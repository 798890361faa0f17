"""A process that has everything imported, and forks one that runs `bess ARGUMENTS` for each order it is given.

What is forked is a process of its own that runs the real command; only the seconds in which Python imports
are saved. Orders and answers are lines: {"arguments", "folder", "log"} in; the process id, and then its exit
status (negative: the signal that ended it) out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

IMPORTED = (
    "commands.run",
    "report.publish",
    "report.data_quality",
    "report.forecasts",
    "scenarios.gates",
    "trading.foresight",
    "sample_market",
)


def serve() -> None:
    """Answer orders until stdin ends."""
    for name in IMPORTED:
        importlib.import_module(f"bess_pipeline.{name}")
    print("ready", flush=True)
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            _run(**json.loads(line))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _run(arguments: list[str], folder: str, log: str) -> None:
    """Become `bess ARGUMENTS` in `folder`, with both outputs in the file `log`."""
    from bess_pipeline.cli import main

    os.chdir(folder)
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    status = 1
    try:
        main(arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:  # not the interpreter's own end, which waits for threads that a fork leaves behind in the parent
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
