"""Loads the multiprecision oracle by path: test directories are not packages."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from mpmath import workprec


@pytest.fixture(scope="session")
def oracle_module() -> ModuleType:
    """`oracle.py`, imported once under a name that nothing else has."""
    name = "reference_oracle"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("oracle.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def oracle(oracle_module: ModuleType) -> Iterator[ModuleType]:
    """The oracle, with enough digits for the textbook's formulas while the test runs."""
    with workprec(oracle_module.BITS):
        yield oracle_module
