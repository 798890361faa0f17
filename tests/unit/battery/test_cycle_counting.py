"""Cycles of hand-drawn paths, the textbook example, and the counting of a path in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from bess_pipeline.battery.cycle_counting import (
    Cycles,
    TurningPoint,
    close_cycles,
    count_cycles,
    depth_histogram,
    join,
    open_cycles,
)


def listed(cycles: Cycles) -> list[tuple[float, float, float]]:
    """(depth, mean, count) of each, sorted."""
    values = zip(cycles.depth, cycles.mean, cycles.count, strict=True)
    return sorted((round(float(d), 9), round(float(m), 9), float(c)) for d, m, c in values)


def test_the_example_of_the_standard() -> None:
    """ASTM E1049-85, figure 6: half cycles of 3, 4, 6, 8, 8 and 9 and a full one of 4."""
    path = np.array([-2, 1, -3, 5, -1, 3, -4, 4, -2]) / 10
    assert listed(count_cycles(path, 0.5)) == [
        (0.3, -0.05, 0.5), (0.4, -0.1, 0.5), (0.4, 0.1, 1.0), (0.6, 0.1, 0.5),
        (0.8, 0.0, 0.5), (0.8, 0.1, 0.5), (0.9, 0.05, 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([0.5], []),
        ([0.5, 0.5, 0.5], []),
        ([0.2, 0.8], [(0.6, 0.5, 0.5)]),
        ([0.2, 0.5, 0.8], [(0.6, 0.5, 0.5)]),
        ([0.0, 1.0, 0.0], [(1.0, 0.5, 0.5), (1.0, 0.5, 0.5)]),
        ([0.0, 0.6, 0.4, 1.0], [(0.2, 0.5, 1.0), (1.0, 0.5, 0.5)]),
        ([0.0, 0.6, 0.6, 0.4, 0.4, 1.0, 1.0], [(0.2, 0.5, 1.0), (1.0, 0.5, 0.5)]),
    ],
)
def test_small_paths(path: list[float], expected: list[tuple[float, float, float]]) -> None:
    assert listed(count_cycles(path, 0.5)) == expected


def test_the_rate_of_a_cycle_is_that_of_its_moving_hours() -> None:
    """Half the capacity in one hour, after three hours of rest and one of drift at a thousandth an hour."""
    path = [0.2, 0.2, 0.2, 0.2, 0.201, 0.451, 0.701]
    cycles = count_cycles(path, [1, 1, 1, 1, 0.5, 0.5])
    assert cycles.depth.tolist() == pytest.approx([0.501])
    assert cycles.c_rate.tolist() == pytest.approx([0.5])
    assert count_cycles([0.2, 0.204], 1.0).c_rate.tolist() == [0.0]  # rest all along


def test_a_path_in_pieces_gives_the_cycles_of_the_whole() -> None:
    rng = np.random.default_rng(11)
    path = np.clip(0.5 + np.cumsum(rng.normal(0, 0.12, 400)), 0, 1).round(2)  # plateaus at the limits, equal ranges
    whole = count_cycles(path, 0.5)
    for cuts in ([100, 200, 300], [1, 2, 3, 399], list(range(7, 400, 7))):
        residue: tuple[TurningPoint, ...] = ()
        parts = open_cycles(())
        for first, last in zip([0, *cuts], [*cuts, 399], strict=True):
            closed, residue = close_cycles(residue, path[first : last + 1], 0.5)
            parts = join(parts, closed)
        pieces = join(parts, open_cycles(residue))
        assert listed(pieces) == listed(whole)
        assert (pieces.c_rate * pieces.full_equivalents).sum() == pytest.approx(
            (whole.c_rate * whole.full_equivalents).sum()
        )
        assert len(residue) < 40
    assert whole.full_equivalents.sum() == pytest.approx(np.abs(np.diff(path)).sum() / 2)  # no movement is lost


def test_depths_are_classed_with_their_upper_edge() -> None:
    cycles = Cycles(np.array([0.1, 0.100001, 0.95, 1.2]), np.zeros(4), np.array([1.0, 0.5, 0.5, 1.0]), np.zeros(4))
    edges, counts = depth_histogram(cycles, 10)
    assert edges.tolist() == pytest.approx(np.arange(11) / 10)
    assert counts.tolist() == [1.0, 0.5, 0, 0, 0, 0, 0, 0, 0, 1.5]


@pytest.mark.parametrize(("path", "hours"), [([0.1, np.nan], 0.5), ([0.1, 0.2], 0.0)])
def test_paths_that_are_none(path: list[float], hours: float) -> None:
    with pytest.raises(ValueError, match="finite states"):
        count_cycles(path, hours)
