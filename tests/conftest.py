"""Shared set-up: Hypothesis profiles and pytest's own plugin tester."""

import os
from typing import Any

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


# The files whose tests look at the whole report, which takes a minute to make.
WITH_THE_REPORT = ("claims", "confront", "render_formats", "render_multiples", "report_browser")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process of `-n auto` run the files that need the report, and share all other tests out one by one."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    together = {f"tests/derivations/test_{name}.py" for name in WITH_THE_REPORT}

    class OneReport(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return "the report" if file in together else nodeid

    return OneReport(config, log)
