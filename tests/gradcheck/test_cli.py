"""The command line as a person or a build server meets it: what it prints, and how it ends."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gradcheck import Outcome
from gradcheck.__main__ import main
from gradcheck._command import cli
from gradcheck._command.cli import parser
from gradcheck._command.run import Options

SHOP = """
    import sys
    import numpy as np
    from gradcheck import Argument, Case, Classes, Elementwise, Interval

    def sine(x):
        return float(np.sin(x).sum())

    def broken_cosine(x):
        g = np.cos(x)
        g[2] *= 2
        return g

    def refuses(x):
        raise ValueError("no value here")

    def chatty(x):
        print("f was called")
        return sine(x)

    def leaves(x):
        sys.exit(0)

    def pick(z, labels):
        return float(np.take_along_axis(z, labels[:, None], axis=1).sum())

    def pick_grad(z, labels):
        g = np.zeros_like(z)
        np.put_along_axis(g, labels[:, None], 1.0, axis=1)
        return g

    def case(name, f, grad):
        return Case(name=name, f=f, grad=grad, source="calculus",
                    arguments=(Argument("x", Interval(), ("n",)),))

    RIGHT = case("right", sine, np.cos)
    BROKEN = case("broken", sine, broken_cosine)
    UNCLEAR = case("unclear", refuses, np.cos)
    CHATTY = case("chatty", chatty, np.cos)
    LEAVES = case("leaves", leaves, np.cos)
    PICK = Case(name="pick", f=pick, grad=pick_grad, source="definition",
                arguments=(Argument("z", Interval(), ("n", "k")),
                           Argument("labels", Classes("k"), ("n",))))
    POSITIVE = Case(name="log", f=np.log, vjp=Elementwise(lambda x: 1 / x), source="calculus",
                    arguments=(Argument("x", Interval(0.0), ("n",)),))
    CASES = [RIGHT, BROKEN, UNCLEAR]
    FINE = [RIGHT, POSITIVE, PICK]
    EMPTY = []
    NAMED = [case("-dash", sine, broken_cosine), case("right\\nFAIL é", sine, np.cos),
             case("\\"[a]'\\n\\u2028", sine, broken_cosine)]

    def cube(x):
        return float(np.sum(x**3))

    def cube_grad(x):
        return 3 * x**2

    def square(x):
        return x**2

    def square_grad(x):
        return 3 * x

    def product(x, y):
        return float(x @ y)

    def product_grad(x, y):
        return y, x

    def first(x, y):
        return float(x @ y)

    def first_grad(x, y):
        return y
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a directory with the module ``shop`` and some broken ones the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    Path("shop.py").write_text(textwrap.dedent(SHOP), encoding="utf-8")
    Path("raises.py").write_text("raise RuntimeError('out of stock')\n", encoding="utf-8")
    Path("plain.py").write_text("x = 1\n", encoding="utf-8")
    yield tmp_path
    for name in ("shop", "raises", "plain"):
        sys.modules.pop(name, None)


def masked(text: str) -> str:
    """Replace the figures that the estimator may improve: counts, radii, resolutions."""
    text = re.sub(r"\d\.\de[+-]\d\d", "#.#e-##", text)
    text = re.sub(r"\de[+-]\d\d\)", "#e-##)", text)
    return re.sub(r"\d+ (evaluations?|of the|directions?\b)", r"# \1", text)


# -- what is printed ----------------------------------------------------------------------------


PASSING = """\
pass  right [grad]  # evaluations, resolution #.#e-##
seed 1; reproduce: gradcheck run shop:RIGHT --seed 1 --sizes n=5
1 claim: 1 pass, 0 fail, 0 inconclusive
"""
FAILING = """\
FAIL  broken [grad]: x0[2] is wrong: claimed 1.755165124, numerical 0.8775825619 ± #.#e-##

  entry  claimed      numerical     ± radius  claimed/numerical
  x0[2]  1.755165124  0.8775825619  #.#e-##   2

  looks like: a single wrong entry, x0[2]; the others agree
  would have seen: an error of #.#e-## of the gradient's size (chance of missing one: #e-##)
  tried: # directions, # evaluations of f, # of the grad; rerun with rng=1
  reproduce: gradcheck run shop:BROKEN --seed 1 --at '[[0, 1, 0.5, 2]]'

seed 1; reproduce: gradcheck run shop:BROKEN --seed 1 --at '[[0, 1, 0.5, 2]]'
1 claim: 0 pass, 1 fail, 0 inconclusive
"""
UNDECIDED = """\
INCONCLUSIVE  unclear [grad]: f raised ValueError at x: no value here (shop.py, line 15)
  tried: # directions, # evaluation of f, # of the grad; rerun with rng=1
  reproduce: gradcheck run shop:UNCLEAR --seed 1 --sizes n=5

seed 1; reproduce: gradcheck run shop:UNCLEAR --seed 1 --sizes n=5
1 claim: 0 pass, 0 fail, 1 inconclusive
"""


@pytest.mark.parametrize(
    ("words", "code", "printed"),
    [
        (["shop:RIGHT", "--sizes", "n=5"], 0, PASSING),
        (["shop:BROKEN", "--at", "[[0, 1, 0.5, 2]]"], 1, FAILING),
        (["shop:UNCLEAR", "--sizes", "n=5"], 1, UNDECIDED),
    ],
    ids=["pass", "fail", "inconclusive"],
)
def test_the_whole_text(
    shop: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, printed: str
) -> None:
    assert main(["run", *words, "--seed", "1"]) == code
    shown = capsys.readouterr()
    assert masked(shown.out) == printed
    assert shown.err == ""


def test_a_table(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shop", "--seed", "1", "--sizes", "n=5", "-q"]) == 1
    out = capsys.readouterr().out
    assert out.count("\nFAIL  ") + out.startswith("FAIL  ") == 1
    assert "INCONCLUSIVE  unclear [grad]" in out
    assert "right" not in out
    assert out.endswith("\n3 claims: 1 pass, 1 fail, 1 inconclusive\n")


def test_a_broken_copy_of_a_case_is_traced_to_its_entry(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "shop:BROKEN", "--at", "[[0, 1, 0.5, 2]]", "--format", "json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    (entry,) = report["wrong_entries"]
    assert entry["index"] == [2]
    assert entry["claimed"] == pytest.approx(2 * 0.8775825618903728)
    assert entry["numerical"] == pytest.approx(0.8775825618903728)


def test_the_whole_report_of_a_pass_where_asked(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "shop:RIGHT", "-v"]) == 0
    assert "  would have seen: an error of" in capsys.readouterr().out


def test_the_printed_command_finds_the_same_again(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--repeats", "2", "--mode", "full", "--select", "*[kn]*"]
    assert main(["run", "shop", *options]) == 1
    first = capsys.readouterr().out
    *of_findings, of_all = re.findall(r"reproduce: (.*)", first)
    assert len(of_findings) == 4
    assert main(shlex.split(of_all)[1:]) == 1
    assert capsys.readouterr().out == first
    for command in of_findings:
        assert main(shlex.split(command)[1:]) == 1
        again = capsys.readouterr().out
        assert again[: again.index("\n\nseed")] in first


@pytest.mark.parametrize("select", ["soft*", "-dash", "--at", "a b", "-'\\n"])
def test_the_printed_command_gives_every_value_back(select: str) -> None:
    sizes = {"-n": 2, "k": 3}
    options = Options(("shop",), None, "full", 5, sizes, 2, select, Outcome.FAIL)
    read = parser().parse_args(shlex.split(options.command)[1:])
    assert (read.select, read.sizes, read.seed) == (select, sizes, 5)


def test_a_case_of_any_name_is_found_again_and_takes_a_line(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "shop:NAMED", "--seed", "1"]) == 1
    out = capsys.readouterr().out
    verdicts = [line for line in out.splitlines() if line.lower().startswith(("pass", "fail"))]
    assert [line.partition("[grad]")[0] for line in verdicts] == [
        "FAIL  -dash ",
        "pass  right\\nFAIL é ",
        "FAIL  \"[a]'\\n\\u2028 ",
    ]
    one, other, _ = re.findall(r"reproduce: (.*)", out)
    assert one.endswith(" --select=-dash")
    for command in (one, other):
        assert main(shlex.split(command)[1:]) == 1
        assert "\n1 claim: " in capsys.readouterr().out


def test_every_run_has_a_fresh_seed_and_every_repeat_another_point(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = []
    probed = []
    for _ in range(2):
        main(["run", "shop:RIGHT", "--repeats", "3", "--format", "json"])
        document = json.loads(capsys.readouterr().out)
        seeds.append(document["seed"])
        assert len(document["reports"]) == 3
        probed += [r["probes"][0]["numerical"] for r in document["reports"]]
    assert len(set(seeds)) == 2
    assert len(set(probed)) == 6


# -- --at ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "point", "code"),
    [
        ("shop:cube", "[[1, -2, 0.5]]", 0),
        ("shop:cube", "[2]", 0),
        ("shop:square", "[[1, 2]]", 1),  # wrong and elementwise
        ("shop:product", "[[1, 2], [3, 4]]", 0),
        ("shop:first", "[[1, 2], [3, 4]]", 0),  # one gradient: in the first argument
        ("shop:PICK", "[[[1, 2], [3, 4]], [0, 1]]", 0),  # labels become integers
        ("shop:POSITIVE", "[[1, 2]]", 0),
        ("shop:right", "[[1, 2]]", 0),
    ],
)
def test_claims_at_a_point(
    shop: Path, capsys: pytest.CaptureFixture[str], target: str, point: str, code: int
) -> None:
    assert main(["run", target, "--at", point]) == code
    Path("point.json").write_text(point, encoding="utf-8")
    assert main(["run", target, "--at", "@point.json"]) == code


# -- formats and files --------------------------------------------------------------------------


def test_json(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shop", "--seed", "1", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "gradcheck.run/1"
    assert document["counts"] == {"pass": 1, "fail": 1, "inconclusive": 1}
    assert [r["name"] for r in document["reports"]] == ["right", "broken", "unclear"]


def test_junit(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shop", "--format", "junit"]) == 1
    suite = ET.fromstring(capsys.readouterr().out)[0]
    assert [suite.get(k) for k in ("tests", "failures", "errors")] == ["3", "1", "1"]


def test_every_repeat_is_a_test_of_its_own_to_a_test_server(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "shop:RIGHT", "--repeats", "3", "--format", "junit"]) == 0
    tests = ET.fromstring(capsys.readouterr().out).iter("testcase")
    assert [t.get("name") for t in tests] == ["right [grad]", "right [grad] #2", "right [grad] #3"]


def test_github(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shop:BROKEN", "--format", "github"]) == 1
    line = 1 + textwrap.dedent(SHOP).splitlines().index("def broken_cosine(x):")
    assert capsys.readouterr().out.startswith(
        f"::error title=gradcheck%3A broken [grad] fail,file=shop.py,line={line}::FAIL  broken"
    )


@pytest.mark.parametrize("name", ["text", "json", "junit", "github"])
def test_a_file_holds_what_the_terminal_would_show(
    shop: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    command = ["run", "shop", "--seed", "1", "--sizes", "n=4", "--format", name]
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert main([*command, "--output", "found.out"]) == 1
    assert Path("found.out").read_text(encoding="utf-8") == shown
    assert capsys.readouterr().out == (
        "3 claims: 1 pass, 1 fail, 1 inconclusive; written to found.out\n"
    )


def test_what_the_checked_code_prints_stays_out_of_the_report(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "shop:CHATTY", "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["counts"]["pass"] == 1
    assert "f was called" in shown.err


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),  # set but empty is unset, by that convention
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_gets_colour_unless_it_refuses(
    shop: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, coloured: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["run", "shop:BROKEN"]) == 1
    assert ("\x1b[1;31mFAIL\x1b[0m" in terminal.getvalue()) is coloured
    assert ("\x1b" in terminal.getvalue()) is coloured


def test_a_pipe_gets_no_colour(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shop:BROKEN"]) == 1
    assert "\x1b" not in capsys.readouterr().out


# -- exit codes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("shop:RIGHT", 0),
        ("shop:FINE", 0),
        ("shop --select right", 0),
        ("shop --select r*t", 0),
        ("shop:BROKEN", 1),
        ("shop:UNCLEAR", 1),
        ("shop:UNCLEAR --fail-on inconclusive", 1),
        ("shop:UNCLEAR --fail-on fail", 0),
        ("shop --fail-on fail", 1),
        ("shop:FINE --mode full --sizes n=3,k=4", 0),
    ],
)
def test_exit_codes(shop: Path, words: str, code: int) -> None:
    assert main(["run", *words.split(), "--seed", "3"]) == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("shop:CASE", "module 'shop' has no 'CASE'; did you mean CASES"),
        ("no_such_module", "there is no module 'no_such_module'"),
        ("raises", "importing 'raises' failed: RuntimeError: out of stock (raises.py, line 1)"),
        ("plain", "module 'plain' has no CASES"),
        ("shop:EMPTY", "'shop:EMPTY' is empty: there is nothing to check"),
        ("shop --select nothing", "--select 'nothing' matches no case; there are right, broken,"),
        ("shop --sizes m=3", "--sizes: no selected case has a size 'm'; the sizes are n"),
        ("shop:cube --sizes m=3", "--sizes: no selected case has a size 'm'; there are no named"),
        ("shop:cube", "'shop:cube' is no row of a table"),
        ("shop:cube --at [[1,2", "--at is not JSON"),
        ("shop:cube --at @nowhere.json", "--at @nowhere.json: cannot read the file"),
        ("shop:cube --at [1,2]", "--at gives 2 arguments, but cube(x) does not take them"),
        ("shop:FINE --at [[1,2]]", "--at gives one point, but 3 cases are selected"),
        ("shop:PICK --at [[[1,2]],[0.5]]", "--at: labels = [0.5] is outside of its domain Classes"),
        ("shop:POSITIVE --at [[-1]]", "--at: x = [-1.] is outside of its domain Interval("),
        ("shop:RIGHT --at [[1]] --sizes n=3", "--at and --sizes exclude each other"),
        ("shop:LEAVES", "checking 'leaves' broke down: SystemExit: 0"),
        ("shop --output nowhere/found.txt", "--output nowhere/found.txt: not a file in an exist"),
        ("shop --output .", "--output .: not a file in an existing directory"),
    ],
)
def test_what_cannot_be_carried_out(
    shop: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert main(["run", *words.split()]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"gradcheck: error: {said}")
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("walk shop", "invalid choice: 'walk'"),
        ("run", "the following arguments are required: TARGET"),
        ("run shop --colour", "unrecognized arguments: --colour"),
        ("run shop --mode slow", "argument --mode: invalid choice: 'slow'"),
        ("run shop --format yaml", "argument --format: invalid choice: 'yaml'"),
        ("run shop --fail-on pass", "argument --fail-on: invalid choice: 'pass'"),
        ("run shop --seed -1", "argument --seed: '-1': give a whole number"),
        ("run shop --seed 1.5", "argument --seed: '1.5': give a whole number"),
        ("run shop --repeats 0", "argument --repeats: '0' is not a positive whole number"),
        ("run shop --sizes n", "argument --sizes: 'n' is not of the form name=number"),
        ("run shop --sizes n=0", "argument --sizes: '0' is not a positive whole number"),
        ("run shop --sizes n=2,n=3", "argument --sizes: 'n' is given twice"),
        ("run shop -q -v", "not allowed with argument"),
    ],
)
def test_what_is_no_command(
    shop: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


def test_verbose_errors_come_with_their_traceback(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "raises", "-v"]) == 2
    assert 'raises.py", line 1' in capsys.readouterr().err


def test_a_mistake_of_the_command_itself_is_no_finding(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def checks(options: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(cli, "checks", checks)
    assert main(["run", "shop"]) == 2
    assert "this is a mistake of gradcheck itself" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
@pytest.mark.parametrize("words", [[], ["--format", "json"], ["--output", "found.txt"]])
def test_a_standard_output_that_takes_nothing_is_said(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["run", "shop:RIGHT", *words]) == 2
        full.flush()  # as the interpreter does at its exit: a failure there would end with 120
    said = capsys.readouterr().err
    assert said.startswith("gradcheck: error: standard output cannot be written: ")
    assert said.count("\n") == 1


def test_a_process_without_standard_output_needs_a_file(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["run", "shop:RIGHT"]) == 2
    assert capsys.readouterr().err == (
        "gradcheck: error: there is no standard output; name a file with --output\n"
    )
    assert main(["run", "shop:RIGHT", "--output", "found.txt"]) == 0
    assert "1 claim: 1 pass" in Path("found.txt").read_text(encoding="utf-8")


def test_the_path_of_imports_is_left_as_it_was(shop: Path) -> None:
    before = list(sys.path)
    main(["run", "shop:RIGHT"])
    main(["run", "no_such_module"])
    assert sys.path == before


# -- as a process -------------------------------------------------------------------------------

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "gradcheck")


def process(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    return done.returncode, done.stdout, done.stderr


def test_the_module_is_the_script(shop: Path) -> None:
    words = ["run", "shop", "--seed", "1"]
    by_script = process([SCRIPT, *words])
    assert by_script == process([sys.executable, "-m", "gradcheck", *words])
    assert by_script[0] == 1
    assert by_script[1].endswith("3 claims: 1 pass, 1 fail, 1 inconclusive\n")


def loaded_by(words: list[str]) -> set[str]:
    """Return which heavy modules a command has loaded by the time it ends."""
    code = (
        "import sys\n"
        "from gradcheck.__main__ import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('loaded:', *{'numpy', 'sympy', 'hypothesis', 'pytest'} & set(sys.modules))\n"
    )
    status, out, err = process([sys.executable, "-c", code])
    assert status == 0, err
    return set(out.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"], ["run", "plain"]])
def test_what_needs_no_numpy_loads_none(shop: Path, words: list[str]) -> None:
    assert loaded_by(words) == set()


def test_what_needs_numpy_is_seen_to_load_it(shop: Path) -> None:
    assert loaded_by(["run", "shop:RIGHT"]) == {"numpy"}


def test_an_interruption_ends_as_a_shell_says_it(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gradcheck._command.cli._run", interrupted)
    assert main(["run", "shop"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_reader_that_goes_away_gets_no_traceback(shop: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "gradcheck", "run", "shop", "--repeats", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # so that something is left to be flushed
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    with running.stderr:
        err = running.stderr.read()
    assert running.wait() == 2
    assert err == ""


def test_a_terminal_without_the_characters_still_gets_the_report(shop: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gradcheck", "run", "shop:BROKEN"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1
    assert b"\\xb1 radius" in done.stdout
