"""Shared set-up: Hypothesis profiles and pytest's own plugin tester."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# ci: the same inputs on every run; dev: fresh ones; nightly: fresh and many.
settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, print_blob=True, max_examples=40
)
settings.register_profile("dev", deadline=None, max_examples=40)
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give `-m nightly` the profile of that name unless one was chosen."""
    if (
        "nightly" in (config.option.markexpr or "").split()
        and "HYPOTHESIS_PROFILE" not in os.environ
    ):
        settings.load_profile("nightly")
