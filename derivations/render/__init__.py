"""Renderers of the report: each reads the same frozen data and returns text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derivations.report import ReportData

FORMATS = ("html", "markdown", "latex", "json", "text")
SUFFIXES = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".tex": "latex",
    ".json": "json",
    ".txt": "text",
}


def render(data: ReportData, form: str) -> str:
    """Return the report in one of `FORMATS`.

    Parameters
    ----------
    data : ReportData
        The examined claims and cases.
    form : str
        The format.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    if form not in FORMATS:
        raise ValueError(f"no format {form!r}; there are {', '.join(FORMATS)}")
    text: str = import_module(f"derivations.render.{form}").render(data)
    return text
