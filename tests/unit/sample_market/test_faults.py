"""Which requests a fault strikes, how often, and how it is described in a request."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from bess_pipeline.errors import UserInputError
from bess_pipeline.sample_market.faults import Fault, FaultBoard, fault_from_query
from bess_pipeline.sample_market.reply import json_reply
from bess_pipeline.sample_market.rewrites import REWRITES
from bess_pipeline.sample_market.wire_entsoe import entsoe_reply

DAY = date(2026, 3, 20)
ENTSOE = {
    **{"securityToken": ["x"], "documentType": ["A44"], "periodStart": ["202003102300"]},
    **{"in_Domain": ["10YGB----------A"], "out_Domain": ["10YGB----------A"], "periodEnd": ["202003112300"]},
}
HOURS = pd.DataFrame(
    {
        "start_utc": pd.date_range("2020-03-10", "2020-03-13", freq="h", unit="us", tz="UTC"),
        "day_ahead_price_gbp_mwh": 40.0,
    }
)


@pytest.mark.parametrize(
    ("target", "struck"),
    [
        ("/bmrs/api/v1/balancing/settlement/system-prices/2026-03-20?format=json", True),
        ("/bmrs/api/v1/balancing/settlement/system-prices/2026-03-21", False),
        ("/balancing/pricing/market-index?from=2026-03-18T00%3A00Z&to=2026-03-24T00%3A00Z", True),
        ("/balancing/pricing/market-index?from=2026-03-21T00%3A00Z&to=2026-03-24T00%3A00Z", False),
        ("/api?documentType=A44&periodStart=202603192300&periodEnd=202603212300", True),
        ("/api?documentType=A44&periodStart=202603222300&periodEnd=202603232300", False),
        ("/api/3/action/datastore_search_sql?sql=SELECT+%2A+FROM+%224f27eea5-7038-4f73-9740-e3e4ad47c26a%22", False),
        ("/api/3/action/package_show?id=eac-auction-results", False),
    ],
)
def test_a_date_means_requests_whose_days_include_it(target: str, struck: bool) -> None:
    assert Fault("status", date=DAY).strikes(target) is struck


def test_path_and_date_must_both_match() -> None:
    fault = Fault("status", path="system-prices", date=DAY)
    assert fault.strikes("/balancing/settlement/system-prices/2026-03-20")
    assert not fault.strikes("/balancing/pricing/market-index?from=2026-03-20&to=2026-03-20")


def test_a_count_runs_out_and_the_next_fault_takes_over() -> None:
    board = FaultBoard([Fault("status", count=2), Fault("html", path="x")])
    seen = [board.strike(target) for target in ("/x", "/y", "/x", "/y")]
    assert [fault and fault.kind for fault in seen] == ["status", "status", "html", None]
    assert [fault["count"] for fault in board.listed()] == [0, None]
    board.clear()
    assert board.strike("/x") is None


def test_a_fault_is_read_from_a_request() -> None:
    values = {"kind": "status", "status": "429", "date": "2026-03-20", "count": "3", "retry_after": "86400"}
    assert fault_from_query(values) == Fault("status", date=DAY, count=3, status=429, retry_after="86400")


def test_every_rewrite_changes_an_answer_it_is_made_for() -> None:
    """Else a test that arms it would pass on an honest answer."""
    index = {"startTime": "2026-03-29T00:00:00Z", "settlementPeriod": 1, "price": 5.0, "dataProvider": "APXMIDP"}
    honest = {
        "rows": json_reply({"data": [index, index | {"settlementPeriod": 2}]}),
        "count": json_reply({"result": {"records": [{"total": "7"}]}}),
        "catalogue": json_reply({"result": {"resources": []}}),
        "document": entsoe_reply(ENTSOE, datetime(2026, 4, 12, tzinfo=UTC), HOURS),
    }
    values = {
        **dict.fromkeys(("insert_row", "list_resource"), "{}"),
        **dict.fromkeys(("retype_column", "null_column", "add_column", "rename_column"), "price:cost"),
        **dict.fromkeys(("cap", "miscount", "revise"), "1"),
        **dict.fromkeys(("huge", "gzip_bomb"), "100000"),
        "set_price": "-3",
        "other_sequence": "2",
        "point_price": "nan",
        "contradict_series": "1",
    }
    for name, rewrite in REWRITES.items():
        changed = [b"".join(rewrite(one, values.get(name, "")).chunks()) != one.body for one in honest.values()]
        assert any(changed), name


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "explode"},
        {"kind": "status", "status": "7"},
        {"kind": "hang", "seconds": "nan"},
        {"kind": "hang", "seconds": "1e9"},
        {"kind": "html", "date": "tomorrow"},
        {"kind": "html", "where": "here"},
        {"kind": "rewrite"},
        {"kind": "rewrite", "rewrite": "improve"},
    ],
)
def test_an_unreadable_fault_is_one_sentence(values: dict[str, str]) -> None:
    with pytest.raises(UserInputError) as error:
        fault_from_query(values)
    assert "\n" not in str(error.value)
