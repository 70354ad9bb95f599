"""Loads the calibration suite by path: test directories are not packages, but its files share modules."""

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _package() -> None:
    """Let ``import calibration.formulas`` mean the file beside this one."""
    if "calibration" not in sys.modules:
        spec = importlib.machinery.ModuleSpec("calibration", None, is_package=True)
        spec.submodule_search_locations = [str(Path(__file__).parent)]
        sys.modules["calibration"] = importlib.util.module_from_spec(spec)


_package()  # at import: the doctest collector reads the files before any fixture is set up


@pytest.fixture(scope="session")
def formulas() -> ModuleType:
    """`formulas.py`: text to functions and to exact derivatives."""
    return importlib.import_module("calibration.formulas")


@pytest.fixture(scope="session")
def calibration_cases() -> ModuleType:
    """`calibration_cases.py`: the table of 84 functions."""
    return importlib.import_module("calibration.calibration_cases")


@pytest.fixture(scope="session")
def random_functions() -> ModuleType:
    """`random_functions.py`: the generator."""
    return importlib.import_module("calibration.random_functions")


@pytest.fixture(scope="session")
def judging() -> ModuleType:
    """`judging.py`: estimates beside the truth."""
    return importlib.import_module("calibration.judging")
