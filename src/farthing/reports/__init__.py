"""What a monthly report may be written as; each format is a module that knows of no other."""

from __future__ import annotations

from collections.abc import Mapping

from farthing.ports.reports import Format
from farthing.reports import csv, focus, json, pdf

FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", ".csv", csv.write),
    "json": Format("application/json", ".json", json.write),
    "focus": Format("text/csv; charset=utf-8", ".focus.csv", focus.write),
    "pdf": Format("application/pdf", ".pdf", pdf.write, needs="typst"),
}
