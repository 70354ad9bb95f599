"""What targets name, and what is said of one that names nothing; points given as JSON."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck._command.points import read_point
from gradcheck._command.targets import CommandError, resolve, source_of

Write = Callable[[str, str], None]

TABLE = """
    import numpy as np
    from gradcheck import Argument, Case, Elementwise, Interval

    def sine(x):
        return np.sin(x)

    def cube(x):
        return float(np.sum(x**3))

    def cube_grad(x):
        return 3 * x**2

    def cube_jvp(x, u):
        return float(np.sum(3 * x**2 * u))

    def lonely(x):
        return x

    SINE = Case(name="sine", f=sine, vjp=Elementwise(np.cos),
                arguments=(Argument("x", Interval(), ("n",)),), source="calculus")
    SINE_AGAIN = Case(name="sine again", f=sine, jvp=lambda x, u: np.cos(x) * u,
                      arguments=(Argument("x", Interval(), (3,)),), source="calculus")
    CASES = [SINE, SINE_AGAIN]
    GENERATED = (case for case in CASES)
    NUMBER = 3

    class Powers:
        @staticmethod
        def square(x):
            return float(np.sum(x**2))

        @staticmethod
        def square_grad(x):
            return 2 * x

    WORD = "sine"
    EMPTY = []
    MIXED = [SINE, 5]
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module that can be imported during the test, and forget it afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names = []

    def write_module(name: str, code: str) -> None:
        names.append(name)
        Path(f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")

    yield write_module
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("table", ["sine", "sine again"]),
        ("table:CASES", ["sine", "sine again"]),
        ("table:SINE", ["sine"]),
        ("table:GENERATED", ["sine", "sine again"]),
        ("table:sine", ["sine", "sine again"]),
        ("table:sine again", ["sine again"]),
        ("table:cube", ["cube"]),
        ("table:Powers.square", ["Powers.square"]),
    ],
)
def test_what_a_target_names(write: Write, target: str, named: list[str]) -> None:
    write("table", TABLE)
    subjects = resolve(target)
    assert [s.name for s in subjects] == named
    assert {s.target for s in subjects} == {target}


def test_a_function_of_no_case_is_claimed_by_its_siblings(write: Write) -> None:
    write("table", TABLE)
    (subject,) = resolve("table:cube")
    module = sys.modules["table"]
    assert subject.case is None
    assert subject.f is module.cube
    assert subject.claims == (("grad", module.cube_grad), ("jvp", module.cube_jvp))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("", "'' is not a target: write module, module:CASES or module:function"),
        (":CASES", "':CASES' is not a target"),
        ("table:", "'table:' is not a target"),
        ("nowhere_at_all", "there is no module 'nowhere_at_all'; looked in the current directory"),
        ("table.inner", "there is no module 'table.inner'; looked in the current directory"),
        ("table.py", "'table.py' names a file: give the module's dotted name, 'table'"),
        (
            "./sub/table.py",
            "'./sub/table.py' names a file: give the module's dotted name, 'sub.table'",
        ),
        ("table:sinus", "module 'table' has no 'sinus'; did you mean sine"),
        ("table:zzzz", "module 'table' has no 'zzzz'"),
        ("table:NUMBER", "'table:NUMBER' is of type int: name a Case, a table of Cases or a func"),
        ("table:WORD", "'table:WORD' is of type str"),
        ("table:EMPTY", "'table:EMPTY' is empty: there is nothing to check"),
        ("table:MIXED", "'table:MIXED' holds something else than a Case, of type int: 5"),
        (
            "table:lonely",
            "nothing claims the derivative of 'table:lonely': none of lonely_grad, lonely_jac, "
            "lonely_vjp, lonely_jvp is in the module",
        ),
        ("bare", "module 'bare' has no CASES; functions with a derivative: bare:cube"),
        ("blank", "module 'blank' has no CASES and no function with a derivative"),
        (
            "broken",
            "importing 'broken' failed: ZeroDivisionError: division by zero (broken.py, line",
        ),
        ("syntax", "importing 'syntax' failed: SyntaxError: invalid syntax (syntax.py, line 2)"),
        (
            "needy",
            "importing 'needy' failed: ModuleNotFoundError: No module named 'not_installed' "
            "(needy.py, line 1)",
        ),
        (
            "nameless",
            "importing 'nameless' failed: ValueError: a case needs a name (nameless.py, li",
        ),
        ("leaving", "importing 'leaving' failed: SystemExit: 0 (leaving.py, line"),
    ],
)
def test_what_is_said_of_a_target_that_names_nothing(write: Write, target: str, said: str) -> None:
    write("table", TABLE)
    write("bare", "def cube(x): ...\ndef cube_grad(x): ...\n")
    write("blank", "")
    write("broken", "\n1 / 0\n")
    write("syntax", "\ndef f(:\n")
    write("needy", "import not_installed\n")
    write("nameless", "import gradcheck\ngradcheck.Case(name='', f=abs, arguments=(), source='')")
    write("leaving", "raise SystemExit(0)\n")
    with pytest.raises(CommandError) as caught:
        resolve(target)
    assert str(caught.value).startswith(said)


def test_where_a_claim_stands(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("table", TABLE)
    subject = resolve("table:cube")[0]
    line = textwrap.dedent(TABLE).splitlines().index("def cube_grad(x):") + 1
    assert source_of(subject.claims[0][1]) == ("table.py", line)
    assert source_of(np.cos) == (None, None)  # compiled: there is no line to show
    typed: dict[str, Any] = {}
    exec(compile("def typed_grad(x): return 1.0", "<stdin>", "exec"), typed)
    assert source_of(typed["typed_grad"]) == (None, None)  # no file holds it
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert source_of(subject.claims[0][1]) == (None, None)  # no file of this directory


# -- points -------------------------------------------------------------------------------------


def test_nested_lists_become_float_arrays(tmp_path: Path) -> None:
    matrix, scalar, tree = read_point('[[[1, 2], [3, 4]], 5, {"w": [1, 2.5], "b": [{"c": 3}]}]')
    np.testing.assert_array_equal(matrix, [[1.0, 2.0], [3.0, 4.0]])
    assert matrix.dtype == np.float64
    assert (scalar, type(scalar)) == (5.0, float)
    np.testing.assert_array_equal(tree["w"], [1.0, 2.5])
    assert tree["b"] == [{"c": 3.0}]


def test_a_point_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "point.json"
    path.write_text("[[1.5]]", encoding="utf-8")
    (x,) = read_point(f"@{path}")
    np.testing.assert_array_equal(x, [1.5])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[1, 2", "--at is not JSON: "),
        ("3", "--at takes a JSON list with one entry per argument: [[1.0, 2.0], 0.5] stands for"),
        ("[]", "--at takes a JSON list with one entry per argument"),
        ('{"x": 1}', "--at takes a JSON list with one entry per argument"),
        ("[[1, [2]]]", "--at: argument 0 is not a rectangular array of numbers"),
        ('[1, ["a"]]', "--at: argument 1 holds ['a']; only numbers can be differentiated in"),
        ("[true]", "--at: argument 0 holds True"),
        ("[null]", "--at: argument 0 holds None"),
        ('[{"w": [null]}]', "--at: argument 0['w'] holds [None]"),
        ("[NaN]", "--at: argument 0 is not finite"),
        ("[[1e999]]", "--at: argument 0 is not finite"),
        ("@nowhere.json", "--at @nowhere.json: cannot read the file: "),
    ],
)
def test_what_is_said_of_a_point_that_is_none(given: str, said: str) -> None:
    with pytest.raises(CommandError) as caught:
        read_point(given)
    assert str(caught.value).startswith(said)
