"""Chains of days worked through in this process and in others: order, failures, and what is left when one ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest

from bess_pipeline.errors import BessError, UserInputError
from bess_pipeline.trading.chain_workers import at_once, work_through

FIRST = date(2026, 1, 30)
DAYS = [FIRST + timedelta(days=n) for n in range(5)]
CHAINS = [DAYS[:2], DAYS[2:]]


def notes(folder: Path, bad: date | None = None, how: str = "") -> Callable[[date], tuple[date, int]]:
    """Leaves a file a day; fails on a bad one."""

    def work(day: date) -> tuple[date, int]:
        if day == bad and how == "sentence":
            raise UserInputError(f"{day} cannot be done")
        if day == bad and how == "mistake":
            raise ZeroDivisionError("of nothing")
        if day == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / f"{day}").write_text(f"{os.getpid()}")
        return day, os.getpid()

    return work


@pytest.mark.parametrize(("chains", "workers"), [(CHAINS, 1), ([DAYS], 4)])
def test_one_worker_or_one_chain_needs_no_other_process(chains: list[list[date]], workers: int, tmp_path: Path) -> None:
    def never() -> Callable[[date], tuple[date, int]]:
        raise AssertionError("no process is needed")

    assert work_through(chains, workers, notes(tmp_path), never) == [(day, os.getpid()) for day in DAYS]


def test_the_days_of_a_chain_are_worked_through_in_one_other_process(tmp_path: Path) -> None:
    found = work_through(CHAINS, 3, notes(tmp_path), partial(notes, tmp_path))
    assert [day for day, _ in found] == DAYS
    processes = [{process for day, process in found if day in chain} for chain in CHAINS]
    assert [len(one) for one in processes] == [1, 1]
    assert os.getpid() not in processes[0] | processes[1]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("sentence", "2026-02-03 cannot be done"),
        ("mistake", "the chain of trading days 2026-02-01 to 2026-02-03 failed in its process: ZeroDivisionError: "),
        ("killed", "was ended: run again, with fewer [trading] workers where memory ran out; finished days stand"),
    ],
)
def test_a_chain_that_fails_is_one_sentence_and_its_finished_days_stand(
    how: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BessError) as failure:
        work_through(CHAINS, 2, notes(tmp_path), partial(notes, tmp_path, DAYS[-1], how))
    assert sentence in str(failure.value)
    assert {f"{day}" for day in DAYS[2:4]} <= {file.name for file in tmp_path.iterdir()}
    assert not (tmp_path / f"{DAYS[-1]}").exists()


TASKS = [(3, 4), (5, 6), (7, 8)]


def product(bad: int = 0, how: str = "") -> Callable[[int, int], tuple[int, int]]:
    """Multiplies; fails where the first number is the bad one."""

    def work(one: int, other: int) -> tuple[int, int]:
        if one == bad and how == "sentence":
            raise UserInputError(f"{one} cannot be done")
        if one == bad and how == "mistake":
            raise ZeroDivisionError("of nothing")
        if one == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return one * other, os.getpid()

    return work


def never() -> Callable[[int, int], tuple[int, int]]:
    raise AssertionError("no process is needed")


@pytest.mark.parametrize(("tasks", "workers"), [(TASKS, 1), (TASKS[:1], 4), ([], 4)])
def test_one_worker_or_one_call_needs_no_other_process(tasks: list[tuple[int, int]], workers: int) -> None:
    with at_once(workers, product(), never, "a sum") as call:
        assert call(tasks) == [(one * other, os.getpid()) for one, other in tasks]


def test_calls_are_answered_in_their_order_by_processes_that_end_with_the_block() -> None:
    with at_once(2, product(), product, "a sum") as call:
        found = call(TASKS)
        again = call(TASKS)
    assert [answer for answer, _ in found] == [12, 30, 56]
    processes = {process for _, process in [*found, *again]}
    assert os.getpid() not in processes
    assert len(processes) <= 2
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("sentence", "5 cannot be done"),
        ("mistake", "a sum failed in its process: ZeroDivisionError: of nothing"),
        ("killed", "a process that worked on a sum, or beside it, was ended: run again, with fewer [trading] workers"),
    ],
)
def test_a_call_that_fails_is_one_sentence(how: str, sentence: str) -> None:
    with pytest.raises(BessError) as failure, at_once(2, product(), partial(product, 5, how), "a sum") as call:
        call(TASKS)
    assert sentence in str(failure.value)
