"""One-second system frequency of the sample market, generated a day at a time, and NESO's file layout.

What belongs here: the frequency law and the `dtm,f` rows of NESO's monthly files. What does not:
how frequency turns into response energy (`ancillary/`).

The law: f = 50 Hz + x, where x is an Ornstein-Uhlenbeck process sampled every second,

    x[t+1] = a x[t] + sd sqrt(1 - a^2) e[t],   a = exp(-1/tau),   e standard normal,

with sd 0.065 Hz and tau 300 s, rounded to 0.001 Hz. Each UTC day has its own generator, seeded by
(seed, day), so that days can be made in any order. The value at each midnight is drawn from a
generator of that midnight alone, and a day's path is conditioned on both of its ends (a Gaussian
bridge), so consecutive days join without a jump.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from bess_pipeline.sample_market.autoregression import path_of

NOMINAL_HZ = 50.0
DEVIATION_SD_HZ = 0.065
REVERSION_S = 300.0
SECONDS_PER_DAY = 86_400
CSV_HEADER = b"dtm,f\n"
CSV_ROW_BYTES = len("2026-03-15 00:00:00,50.000\n")
_DAY_STREAM, _MIDNIGHT_STREAM = 0, 1


def frequency_of_day(day: date, seed: int) -> NDArray[np.float64]:
    """The 86,400 one-second values of a UTC day, Hz, to 0.001 Hz; the same seed gives the same day."""
    decay = np.exp(-1.0 / REVERSION_S)
    shocks = _generator(seed, _DAY_STREAM, day).standard_normal(SECONDS_PER_DAY)
    shocks *= DEVIATION_SD_HZ * np.sqrt(1.0 - decay**2)
    first, after = _midnight_deviation(seed, day), _midnight_deviation(seed, day + timedelta(days=1))
    free = path_of(shocks, decay, first)
    path = np.concatenate([[first], free[:-1]])
    path += (after - free[-1]) * decay ** np.arange(SECONDS_PER_DAY, 0, -1)
    return np.round(NOMINAL_HZ + path, 3)


def csv_of_day(day: date, frequency_hz: NDArray[np.float64]) -> bytes:
    """Rows of NESO's frequency file for a UTC day: `YYYY-MM-DD HH:MM:SS,ff.fff`, naive UTC, no header.

    Every row has CSV_ROW_BYTES bytes, so the size of a file is known before it is made.
    """
    rows = np.empty((len(frequency_hz), CSV_ROW_BYTES), dtype=np.uint8)
    rows[:, :10] = np.frombuffer(day.isoformat().encode(), dtype=np.uint8)
    second = np.arange(len(frequency_hz))
    for column, value in ((11, second // 3600), (14, second // 60 % 60), (17, second % 60)):
        rows[:, column] = 48 + value // 10
        rows[:, column + 1] = 48 + value % 10
    for column, mark in ((10, " "), (13, ":"), (16, ":"), (19, ","), (22, "."), (26, "\n")):
        rows[:, column] = ord(mark)
    millihertz = np.rint(np.asarray(frequency_hz) * 1000).astype(np.int64)
    for column, unit in ((20, 10_000), (21, 1000), (23, 100), (24, 10), (25, 1)):
        rows[:, column] = 48 + millihertz // unit % 10
    return rows.tobytes()


def months(days: tuple[date, ...]) -> Iterator[tuple[int, int, tuple[date, ...]]]:
    """(year, month, its days) for every calendar month among `days`, in order."""
    for year, month in sorted({(day.year, day.month) for day in days}):
        yield year, month, tuple(day for day in sorted(days) if (day.year, day.month) == (year, month))


def _midnight_deviation(seed: int, day: date) -> float:
    return DEVIATION_SD_HZ * float(_generator(seed, _MIDNIGHT_STREAM, day).standard_normal())


def _generator(seed: int, stream: int, day: date) -> np.random.Generator:
    return np.random.default_rng([seed, stream, day.toordinal()])
