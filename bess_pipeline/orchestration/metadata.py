"""What the UI shows of an asset: column schema, row counts, days that are not complete, pictures.

What belongs here: turning frames, outcomes and files into Dagster metadata. What does not: any
computing of what is shown.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import dagster as dg
from PIL import Image

from bess_pipeline import schemas
from bess_pipeline.lake import Lake
from bess_pipeline.orchestration.partitions import requested_days

OWNERS = ["team:trading-analytics"]
_LISTED = 20
_DIALOG_PIXELS = 1080


def column_schema(table: str) -> dg.TableSchema:
    """The table's columns with type, description and nullability, from its Pandera model."""
    types = schemas.duckdb_types(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=types[name],
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=False),
            )
            for name, column in schemas.columns(table).items()
        ]
    )


def table_metadata(table: str) -> dict[str, Any]:
    """Definition metadata of an asset that is a table."""
    return {
        "dagster/column_schema": column_schema(table),
        "dagster/table_name": table.replace("/", "."),
        "keys": ", ".join(schemas.keys(table)),
    }


def describe(table: str) -> str:
    """The table's description: the first line of its Pandera model."""
    return (schemas.TABLES[table].__doc__ or "").strip()


def rows_metadata(context: dg.AssetExecutionContext, lake: Lake, table: str, days: Sequence[date]) -> dict[str, Any]:
    """Rows of the table now, and the days that the run worked on; each partition's event gets its own rows."""
    for day in requested_days(context):
        rows = {"dagster/partition_row_count": lake.count(table, [day])}
        context.add_asset_metadata(rows, asset_key=table.split("/"), partition_key=day.isoformat())
    found: dict[str, Any] = {"dagster/row_count": lake.count(table), "days_worked_on": len(days)}
    if days:
        found |= {"first_day": str(days[0]), "last_day": str(days[-1])}
    return found


def problems_metadata(lines: Sequence[str]) -> dict[str, Any]:
    """The days that are not complete, each with its reason, as a list in the UI."""
    if not lines:
        return {"not_complete": 0}
    return {"not_complete": len(lines), "reasons": listed(lines)}


def notes_metadata(lines: Sequence[str]) -> dict[str, Any]:
    """Fallbacks and other remarks, as a list in the UI; nothing without any."""
    return {"notes": listed(lines)} if lines else {}


def listed(lines: Sequence[str]) -> dg.MetadataValue:
    """Lines as a list in the UI, the first of many."""
    shown = [f"- {line}" for line in lines[:_LISTED]]
    if len(lines) > _LISTED:
        shown.append(f"- and {len(lines) - _LISTED} more")
    return dg.MetadataValue.md("\n".join(shown))


def picture_metadata(pictures: Mapping[str, Path]) -> dict[str, Any]:
    """PNG files as pictures in the UI, no wider than the dialog that shows them."""
    return {
        name.replace("_", " "): dg.MetadataValue.md(
            f"![{name}](data:image/png;base64,{base64.b64encode(_for_dialog(path)).decode()})"
        )
        for name, path in pictures.items()
    }


def _for_dialog(path: Path) -> bytes:
    with Image.open(path) as picture:
        picture.thumbnail((_DIALOG_PIXELS, _DIALOG_PIXELS))
        smaller = BytesIO()
        picture.save(smaller, format="PNG")
    return smaller.getvalue()
