"""What a monthly report may be written as; each format is a module that knows of no other."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from farthing.ports.reports import Format
from farthing.reports import csv, focus, json, pdf, summary

FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", ".csv", csv.write),
    "json": Format("application/json", ".json", json.write),
    "summary": Format("application/json", ".summary.json", summary.write),
    "focus": Format("text/csv; charset=utf-8", ".focus.csv", focus.write),
    "pdf": Format("application/pdf", ".pdf", pdf.write, needs="typst"),
}


def lacking(name: str) -> bool:
    """Whether the format of this name lacks the module that it needs."""
    module = FORMATS[name].needs
    return module is not None and find_spec(module) is None
