"""Matrix products in one thread, so that results are the same bytes everywhere and processes do not fight.

What belongs here: the limit on threads of BLAS and OpenMP. What does not: processes (`optimisation/guard.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Run what follows with one thread of BLAS and OpenMP: sums of several threads differ in their last bits."""
    from threadpoolctl import threadpool_limits  # on import it sets an environment variable: not before it is needed

    with threadpool_limits(limits=1):
        yield
