"""Whatever a provider sends: a frame of the schema, or the typed error in one sentence."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bess_pipeline import schemas
from bess_pipeline.errors import RefusedFrameError, SourceError
from bess_pipeline.sources.elexon_forecasts import FORECAST_SETS, parse_forecasts
from bess_pipeline.sources.neso_frequency import Month, parse_frequency

STAMPS = [
    "2026-03-29T00:30:00Z",
    "2026-03-29T01:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-03-29",
    "",
    "9999-12-31T23:59:59Z",
]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.none(), max_size=2)
)
VALUES = st.one_of(st.sampled_from(STAMPS), st.sampled_from(["N", "B1", "Day ahead", "Solar"]), st.integers(0, 50), ODD)
FIELDS = [
    *("publishTime", "startTime", "demand", "generation", "quantity", "margin", "boundary", "psrType", "processType"),
    *("settlementDate", "settlementPeriod"),
]
ROWS = st.lists(
    st.tuples(st.sampled_from([*FORECAST_SETS, "OTHER"]), st.dictionaries(st.sampled_from(FIELDS), VALUES)).map(
        lambda pair: {"dataset": pair[0], "publishTime": STAMPS[0], "startTime": STAMPS[1]} | pair[1]
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS)
@example(rows=[{"dataset": "WINDFOR", "publishTime": STAMPS[0], "startTime": [], "generation": 1.0}])
@example(rows=[{"dataset": ["WINDFOR"], "publishTime": STAMPS[0], "startTime": STAMPS[0], "generation": 1.0}])
@example(
    rows=[
        {"dataset": "NDF", "publishTime": STAMPS[0], "startTime": STAMPS[0], "demand": 1.0}
        | {"settlementDate": [], "settlementPeriod": [None]}
    ]
)
def test_forecasts_are_valid_or_refused(rows: list[dict[str, Any]]) -> None:
    sentence = ""
    try:
        schemas.validate("market/fundamental_forecast", parse_forecasts(json.dumps({"data": rows}).encode()))
    except (SourceError, RefusedFrameError) as error:
        sentence = str(error)
    assert "\n" not in sentence


LINE = st.one_of(
    st.integers(0, 40).map(lambda second: f"2024-01-01 00:00:{second:02d},50.{second:03d}"),
    st.text(alphabet="0123456789-: ,.dtmfT\n\"'", max_size=30),
)


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(LINE, max_size=6), header=st.sampled_from(["dtm,f", "f,dtm", "dtm", "", "dtm,f,x"]))
def test_a_frequency_file_is_read_or_refused(lines: list[str], header: str) -> None:
    sentence, found = "", None
    try:
        found = parse_frequency(io.BytesIO("\n".join([header, *lines]).encode()), Month(2024, 1))
    except SourceError as error:
        sentence = str(error)
    assert "\n" not in sentence
    if found is not None:
        known = found.frequency_hz[~np.isnan(found.frequency_hz)]
        assert ((known >= 49) & (known <= 51)).all()
        assert found.rows >= len(known)
