"""Loads the data of the calibration suite by path: test directories are not packages."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """Import a module that lies beside this file, once, under a name that nothing else has."""
    known = f"calibration.{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


@pytest.fixture(scope="session")
def formulas() -> ModuleType:
    """`formulas.py`: text to functions and to exact derivatives."""
    return _load("formulas")


@pytest.fixture(scope="session")
def calibration_cases() -> ModuleType:
    """`calibration_cases.py`: the table of 84 functions."""
    return _load("calibration_cases")


@pytest.fixture(scope="session")
def random_functions() -> ModuleType:
    """`random_functions.py`: the generator."""
    return _load("random_functions")
