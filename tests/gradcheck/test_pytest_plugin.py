"""The pytest plugin, seen from a project that uses it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np  # noqa: F401 -- loaded here, so that the inner runs don't load and unload it
import pytest

HEAVY = ("numpy", "sympy", "hypothesis")

RIGHT_AND_WRONG = """
    import numpy as np
    import pytest
    import gradcheck

    X = np.array([0.5, -1.0, 2.0])

    def loss(x):
        return float(np.sum(np.sin(x)))

    def wrong(x):
        return np.where(np.arange(3) == 1, 2.0, 1.0) * np.cos(x)

    def test_right(check_gradient):
        check_gradient(loss, X, grad=np.cos)

    def test_wrong():
        gradcheck.assert_gradient(loss, X, grad=wrong)

    def test_caught():
        with pytest.raises(gradcheck.GradientError):
            gradcheck.assert_gradient(loss, X, grad=wrong)
"""
RIGHT = """
    import numpy as np

    def test_right(check_gradient):
        check_gradient(lambda x: float(np.sum(np.sin(x))), np.array([0.5, -1.0]), grad=np.cos)
"""


def document(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# -- what it costs ------------------------------------------------------------------------------


def loaded_by_a_run(folder: Path, plugins: Iterable[str] = ()) -> list[str]:
    """Return which of the heavy modules a run with this plugin, and no test for it, has loaded.

    Other plugins of the environment stay out of it: Hypothesis's own one loads Hypothesis.
    """
    (folder / "test_nothing.py").write_text("def test_nothing(): pass\n", encoding="utf-8")
    options = ["-q", "-pgradcheck.pytest_plugin", *(f"-p{name}" for name in plugins)]
    code = (
        "import sys, pytest\n"
        f"code = pytest.main({options!r})\n"
        f"print('loaded:', *sorted(set({HEAVY!r}) & set(sys.modules)))\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1].split()[1:]


def test_the_plugin_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by_a_run(tmp_path) == []


def test_a_heavy_plugin_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("import numpy, hypothesis\n", encoding="utf-8")
    assert loaded_by_a_run(tmp_path, ["heavy"]) == ["hypothesis", "numpy"]


# -- the seed -----------------------------------------------------------------------------------


def test_the_header_shows_a_fresh_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    headers = [
        line
        for result in (pytester.runpytest(), pytester.runpytest())
        for line in result.stdout.lines
        if re.fullmatch(r"gradcheck: --gradcheck-seed=\d+", line)
    ]
    assert len(headers) == len(set(headers)) == 2


def test_a_given_seed_is_the_one_that_the_checks_use(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RIGHT)
    result = pytester.runpytest("--gradcheck-seed=123", "--gradcheck-json=found.json")
    result.stdout.fnmatch_lines(["gradcheck: --gradcheck-seed=123"])
    found = document(pytester.path / "found.json")
    assert found["seed"] == 123
    assert found["tests"][0]["claims"][0]["tightest"]["seed"] == 123


@pytest.mark.parametrize("option", ["--gradcheck-seed=-1", "--gradcheck-show-worst=many"])
def test_an_option_that_is_no_number_is_refused(pytester: pytest.Pytester, option: str) -> None:
    result = pytester.runpytest(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*give a whole number that is not negative*"])


# -- what is recorded ---------------------------------------------------------------------------


def test_the_json_file_holds_every_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=RIGHT_AND_WRONG)
    pytester.mkdir("out")
    pytester.runpytest("--gradcheck-seed=1", "--gradcheck-json=out/found.json")
    found = document(pytester.path / "out" / "found.json")
    assert found["schema"] == "gradcheck.pytest/1"
    rows = {
        t["test"]: (t["outcome"], [(c["passed"], c["failed"], c["kind"]) for c in t["claims"]])
        for t in found["tests"]
    }
    assert rows == {
        "test_it.py::test_right": ("passed", [(1, 0, "grad")]),
        "test_it.py::test_wrong": ("failed", [(0, 1, "grad")]),
        "test_it.py::test_caught": ("passed", [(0, 1, "grad")]),
    }
    wrong = found["tests"][2]["claims"][0]["finding"]
    assert wrong["schema"] == "gradcheck.report/1"
    assert wrong["wrong_entries"][0]["index"] == [1]


@pytest.mark.parametrize("path", [".", "nowhere/found.json"])
def test_a_json_path_that_cannot_be_written_is_refused(
    pytester: pytest.Pytester, path: str
) -> None:
    result = pytester.runpytest(f"--gradcheck-json={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--gradcheck-json={path}: not a file in an existing directory"])
    assert list(pytester.path.iterdir()) == []


def test_many_examples_of_one_test_are_one_record(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import numpy as np
        from hypothesis import given, settings, strategies as st

        @settings(max_examples=20, database=None, derandomize=True)
        @given(a=st.floats(-2, 2))
        def test_many(check_gradient, a):
            check_gradient(lambda x: float(np.sum(np.sin(x))), np.array([a, 1.0]), grad=np.cos)
    """)
    result = pytester.runpytest(
        "--gradcheck-seed=1", "--gradcheck-json=found.json", "--junitxml=found.xml"
    )
    result.assert_outcomes(passed=1)
    (test,) = document(pytester.path / "found.json")["tests"]
    (claim,) = test["claims"]
    assert (claim["checks"], claim["passed"], claim["finding"]) == (20, 20, None)
    properties = ET.parse(pytester.path / "found.xml").iter("property")
    (record,) = (p.get("value", "") for p in properties if p.get("name") == "gradcheck")
    assert json.loads(record) == test["claims"]


def test_checks_of_fixtures_count_and_a_test_without_checks_has_no_record(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def checked(check_gradient):
            check_gradient(lambda x: x**2, 3.0, grad=lambda x: 2 * x)
            yield
            check_gradient(lambda x: x**3, 3.0, grad=lambda x: 3 * x**2)

        def test_with_fixture(checked): pass
        def test_without(): pass
    """)
    pytester.runpytest("--gradcheck-json=found.json").assert_outcomes(passed=2)
    (test,) = document(pytester.path / "found.json")["tests"]
    assert test["test"].endswith("::test_with_fixture")
    assert sum(c["checks"] for c in test["claims"]) == 2


def test_worker_processes_report_the_same(pytester: pytest.Pytester) -> None:
    source = RIGHT_AND_WRONG.replace("gradcheck.assert_gradient(", "check_gradient(")
    source = source.replace("_wrong()", "_wrong(check_gradient)")
    pytester.makepyfile(test_it=source.replace("_caught()", "_caught(check_gradient)"))
    found = []
    for workers in ("0", "2"):
        result = pytester.runpytest_subprocess(
            "-n", workers, "--gradcheck-seed=5", "--gradcheck-json=found.json"
        )
        result.assert_outcomes(passed=2, failed=1)
        found.append((document(pytester.path / "found.json"), section(result)))
    assert len(found[0][1]) == 4
    assert found[0] == found[1]


def test_a_fresh_seed_is_the_same_in_every_worker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a=RIGHT, test_b=RIGHT, test_c=RIGHT)
    pytester.runpytest_subprocess("-n2", "--dist=each", "--gradcheck-json=found.json")
    found = document(pytester.path / "found.json")
    assert len(found["tests"]) == 3
    assert {t["claims"][0]["tightest"]["seed"] for t in found["tests"]} == {found["seed"]}


# -- what is shown ------------------------------------------------------------------------------


def section(result: pytest.RunResult) -> list[str]:
    """Return the lines of the plugin's section, empty if there is none."""
    lines = result.stdout.lines
    starts = [k for k, line in enumerate(lines) if re.fullmatch("=+ gradcheck =+", line)]
    if not starts:
        return []
    rest = lines[starts[0] + 1 :]
    end = next(k for k, line in enumerate(rest) if line.startswith("="))
    return rest[:end]


def test_nothing_is_shown_where_all_is_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(RIGHT)
    assert section(pytester.runpytest()) == []


def test_findings_of_failed_tests_are_shown_with_the_tightest_margins(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_it=RIGHT_AND_WRONG)
    lines = section(pytester.runpytest("--gradcheck-seed=1"))
    assert lines[0] == "test_it.py::test_wrong: fail: loss [grad], 1 of 1 check"
    assert "x0[1]" in lines[1]
    assert lines[2] == "tightest margins, as shares of the tolerance (above 1 a claim disagrees):"
    assert re.fullmatch(r"  \d\.\de[+-]\d\d  loss \[grad\]  test_it\.py::test_right", lines[3])
    assert len(lines) == 4  # nothing of test_caught, which passed


def test_findings_of_threads_are_shown_where_they_fail_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest
        import gradcheck

        def check():
            gradcheck.assert_gradient(lambda x: x**2, 3.0, grad=lambda x: x, name="square")

        def test_pool():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(check).result()

        @pytest.mark.filterwarnings("error")
        def test_thread():
            thread = threading.Thread(target=check)
            thread.start()
            thread.join()

        def test_twice():
            try:
                check()
            except gradcheck.GradientError as error:
                raise error
    """
    )
    shown = [line for line in section(pytester.runpytest()) if "::" in line]
    assert shown == [
        f"test_it.py::{test}: fail: square [grad], 1 of 1 check"
        for test in ("test_pool", "test_thread", "test_twice")
    ]


def test_a_failing_check_fails_the_test_with_the_verdict_in_the_summary(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_it=RIGHT_AND_WRONG)
    result = pytester.runpytest("--gradcheck-seed=1")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_wrong - gradcheck.GradientError: FAIL*"])


@pytest.mark.parametrize(
    ("options", "shown"),
    [(["-v"], 3), (["--gradcheck-show-worst=4"], 4), (["-v", "--gradcheck-show-worst=0"], 0)],
)
def test_how_many_margins_are_shown(
    pytester: pytest.Pytester, options: list[str], shown: int
) -> None:
    pytester.makepyfile("""
        import numpy as np
        import pytest

        @pytest.mark.parametrize("a", [1.0, 2.0, 3.0, 4.0, 5.0])
        def test_right(check_gradient, a):
            check_gradient(lambda x: float(np.sum(np.sin(x))), np.array([a, 1.0]), grad=np.cos)
    """)
    heading, *margins = section(pytester.runpytest(*options)) or [""]
    assert heading == (
        "tightest margins, as shares of the tolerance (above 1 a claim disagrees):" if shown else ""
    )
    assert len(margins) == shown
    shares = [float(line.split()[0]) for line in margins]
    assert shares == sorted(shares, reverse=True)
    assert all(share <= 1 for share in shares)


def test_an_expected_failure_is_no_finding(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.xfail(strict=True)
        def test_known(check_gradient):
            check_gradient(lambda x: x**2, 3.0, grad=lambda x: x)
    """)
    result = pytester.runpytest()
    result.assert_outcomes(xfailed=1)
    assert section(result) == []


# -- cases as parameters ------------------------------------------------------------------------


def test_cases_are_called_by_their_names(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import numpy as np
        import pytest
        from gradcheck import Argument, Case, Elementwise, Interval

        CASES = [
            Case(name=name, f=f, vjp=Elementwise(df), source="calculus",
                 arguments=(Argument("x", Interval(), ("n",)),))
            for name, f, df in (("sine", np.sin, np.cos), ("exp", np.exp, np.exp))
        ]

        @pytest.mark.parametrize("case", CASES)
        def test_case(case): pass
    """
    )
    result = pytester.runpytest("--collect-only", "-q")
    assert result.stdout.lines[:2] == ["test_it.py::test_case[sine]", "test_it.py::test_case[exp]"]
