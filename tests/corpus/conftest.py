"""Loads the corpus by path: test directories are not packages, but its files share a record type."""

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _package() -> None:
    """Let ``import corpus.losses`` mean the file beside this one."""
    if "corpus" not in sys.modules:
        spec = importlib.machinery.ModuleSpec("corpus", None, is_package=True)
        spec.submodule_search_locations = [str(Path(__file__).parent)]
        sys.modules["corpus"] = importlib.util.module_from_spec(spec)


_package()  # at import: the doctest collector reads the files before any fixture is set up


@pytest.fixture(scope="session")
def records() -> ModuleType:
    """`records.py`: what a row is."""
    return importlib.import_module("corpus.records")


@pytest.fixture(scope="session")
def table() -> ModuleType:
    """`table.py`: every row."""
    return importlib.import_module("corpus.table")


@pytest.fixture(scope="session")
def scoring() -> ModuleType:
    """`scoring.py`: how a checker is scored."""
    return importlib.import_module("corpus.scoring")
