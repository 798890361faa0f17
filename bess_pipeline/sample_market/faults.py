"""Faults on request: what goes wrong with which answers, for tests and demonstrations.

What belongs here: the description of a fault, how it is matched with a request and how often it
strikes. What does not: how a broken answer is put on the wire (`server.py`) and how a whole one is made
wrong (`rewrites.py`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal, get_args
from urllib.parse import unquote_plus

from bess_pipeline.errors import UserInputError
from bess_pipeline.sample_market.rewrites import REWRITES

FaultKind = Literal[
    "status",  # the status code, with Retry-After when given
    "html",  # a maintenance page with status 200
    "empty",  # the right form with an empty list
    "truncate",  # half of the body under the full Content-Length
    "truncate_unannounced",  # half of the body, no Content-Length
    "bad_gzip",  # a body that claims to be gzip and is not
    "hang",  # no answer for `seconds`
    "drip",  # the body in small pieces, spread over `seconds`
    "reset",  # the connection is reset
    "reset_midway",  # half of the body, then a reset
    "redirect",  # to the same path and query at the address `value`, with `status`
    "echo",  # a body and a header that repeat the request, its token too
    "rewrite",  # the true answer changed by the rewrite of that name (`rewrites.py`)
]
_DATES = re.compile(r"(?<![\w-])(20\d\d)(?:-(\d\d)-(\d\d)|(\d\d)(\d\d)\d{4})(?![\d-])")  # 2026-03-15, or 202603150000


@dataclass(frozen=True)
class Fault:
    """One fault: where it strikes (`path`, `date`: both must match), how often, and what happens.

    * `path`: a part of the decoded request target (path and query); empty for every request;
    * `date`: a day the request names, or that lies between two days it names;
    * `count`: the first n matching requests; None for all of them;
    * `status`: for kinds "status" and "redirect"; `retry_after`: a header to send with it; `seconds`: for
      hang and drip; `rewrite`: a name of REWRITES, and `value` what it needs.
    """

    kind: FaultKind
    path: str = ""
    date: date | None = None
    count: int | None = None
    status: int = 503
    retry_after: str | None = None
    seconds: float = 30.0
    rewrite: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise UserInputError(f"there is no fault '{self.kind}'; choose from {', '.join(get_args(FaultKind))}")
        if (self.rewrite != "" or self.kind == "rewrite") and self.rewrite not in REWRITES:
            raise UserInputError(f"there is no rewrite '{self.rewrite}'; choose from {', '.join(REWRITES)}")
        if not 100 <= self.status <= 599:
            raise UserInputError(f"a fault's status must be an HTTP status of three digits, not {self.status}")
        if not 0 <= self.seconds <= 3600:
            raise UserInputError(f"a fault's seconds must lie between 0 and 3600, not {self.seconds:g}")

    def strikes(self, target: str) -> bool:
        """Whether a request target is meant, its count apart."""
        decoded = unquote_plus(target)
        return self.path in decoded and (self.date is None or _names(decoded, self.date))


class FaultBoard:
    """The faults in force, counted down as they strike; safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, int | None]] = [(fault, fault.count) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        with self._lock:
            self._armed.append((fault, fault.count))

    def clear(self) -> None:
        """Lift all faults."""
        with self._lock:
            self._armed.clear()

    def listed(self) -> list[dict[str, object]]:
        """The faults in force, with what is left of their counts."""
        with self._lock:
            return [
                asdict(fault) | {"date": fault.date.isoformat() if fault.date else None, "count": left}
                for fault, left in self._armed
            ]

    def strike(self, target: str) -> Fault | None:
        """The fault that hits this request, if any; its count goes down by one."""
        with self._lock:
            for position, (fault, left) in enumerate(self._armed):
                if left != 0 and fault.strikes(target):
                    self._armed[position] = (fault, None if left is None else left - 1)
                    return fault
        return None


def fault_from_query(values: dict[str, str]) -> Fault:
    """A fault from the parameters of `/bess/faults?kind=…`; UserInputError says what cannot be read."""
    unknown = sorted(set(values) - set(Fault.__dataclass_fields__))
    if unknown or "kind" not in values:
        names = ", ".join(Fault.__dataclass_fields__)
        raise UserInputError(f"a fault needs 'kind' and takes {names}, not {', '.join(unknown) or 'nothing'}")
    try:
        return Fault(
            kind=values["kind"],  # type: ignore[arg-type]  # checked by Fault itself
            path=values.get("path", ""),
            date=date.fromisoformat(values["date"]) if "date" in values else None,
            count=int(values["count"]) if "count" in values else None,
            status=int(values.get("status", "503")),
            retry_after=values.get("retry_after"),
            seconds=float(values.get("seconds", "30")),
            rewrite=values.get("rewrite", ""),
            value=values.get("value", ""),
        )
    except ValueError as error:
        problem = str(error)
    raise UserInputError(f"the fault cannot be read: {problem}")


def _names(target: str, day: date) -> bool:
    days = [year + (month or m) + (number or d) for year, month, number, m, d in _DATES.findall(target)]
    return bool(days) and min(days) <= day.strftime("%Y%m%d") <= max(days)
