"""`python -m derivations`: what it selects, where it writes, how it exits."""

import dataclasses
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from derivations import report
from derivations.__main__ import OK, PROBLEMS, USAGE, main
from derivations.claims import documents
from derivations.confrontation import confront
from derivations.records import Claim, Evidence, Finding, Standing, Witness
from derivations.rows import catalogue

ALL_CLAIMS = documents.CLAIMS
PROVED = Evidence(Standing.PROVED_ALL_N, "a kernel", "every n")
WITNESS = Witness("p", "c", "t", "e")


def claim(identifier: str, *evidence: Evidence, known_wrong: bool = False, witness=None) -> Claim:
    finding = Finding(evidence, witness=witness)
    return Claim(identifier, "A title", "document A", "1 = 1", lambda: finding, known_wrong)


def with_standing(standing: Standing) -> Evidence:
    return Evidence(standing, "a kernel", "every n", "because")


@pytest.fixture
def tables(monkeypatch):
    """Replace the tables of claims and cases."""

    def use(*rows: Claim, cases=()) -> None:
        monkeypatch.setattr(documents, "CLAIMS", rows)
        monkeypatch.setattr(catalogue, "ROWS", tuple(confront.row_named(name) for name in cases))

    return use


@pytest.mark.parametrize("known_wrong", [False, True])
@pytest.mark.parametrize("standing", list(Standing))
def test_exit_status_follows_from_the_standing(tables, capsys, standing, known_wrong) -> None:
    witness = WITNESS if standing is Standing.REFUTED else None
    tables(
        claim("A1", PROVED),
        claim("A2", PROVED, with_standing(standing), known_wrong=known_wrong, witness=witness),
    )
    bad = (
        (standing is not Standing.REFUTED)
        if known_wrong
        else standing in (Standing.REFUTED, Standing.UNDECIDED)
    )
    assert main([]) == (PROBLEMS if bad else OK)
    out = capsys.readouterr().out
    assert ("PROBLEM  claim A2" in out) == bad
    assert "PROBLEM  claim A1" not in out


def test_a_broken_examination_exits_1(tables, capsys) -> None:
    def broken():
        raise RuntimeError("no")

    tables(dataclasses.replace(claim("A1", PROVED), examine=broken))
    assert main([]) == PROBLEMS
    assert "RuntimeError: no" in capsys.readouterr().out


def test_code_that_disagrees_with_its_derivation_exits_1(tables, monkeypatch, capsys) -> None:
    import reference
    from gradcheck import Elementwise

    tables(claim("A1", PROVED), cases=("tanh",))
    assert main(["--points", "2", "--seed", "1"]) == OK
    right = confront.case_named("tanh")
    wrong = dataclasses.replace(
        right, vjp=Elementwise(lambda x: reference.tanh_grad(x) * (1 + 1e-8))
    )
    monkeypatch.setattr(reference, "CASES", (wrong,))
    confront._compare.cache_clear()
    assert main(["--points", "2", "--seed", "1"]) == PROBLEMS
    assert "PROBLEM  case tanh: the derivative of the code" in capsys.readouterr().out
    tables(next(c for c in ALL_CLAIMS if c.id == "A2"), cases=("tanh",))
    assert main(["A2", "--points", "2"]) == PROBLEMS
    out = capsys.readouterr().out
    assert "PROBLEM  claim A2 is undecided: comparison of the three ways: the derivative" in out
    confront._compare.cache_clear()


@pytest.mark.parametrize("names", [["sigmold"], ["A1", "A99"], ["Z*"], [""]])
def test_unknown_names_exit_2_and_name_the_known(tables, capsys, names) -> None:
    tables(claim("A1", PROVED), cases=("tanh",))
    assert main(names) == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"nothing is called {names[-1]!r}; claims are A1; cases are tanh" in captured.err


def test_unknown_names_are_answered_with_the_near_ones_first(tables, capsys) -> None:
    tables(claim("A1", PROVED), claim("C11", PROVED), cases=("tanh", "softmax"))
    assert main(["A1", "sofmax", "c111", "tanh", "Q*"]) == USAGE
    said = capsys.readouterr().err
    assert "error: did you mean softmax or C11? nothing is called 'sofmax'; claims are A1" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_standard_output_that_takes_nothing_is_said(tables, capsys, monkeypatch) -> None:
    tables(claim("A1", PROVED))
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main([]) == USAGE
        full.flush()  # as the interpreter does at its exit: a failure there would end with 120
    assert "error: cannot write to standard output: " in capsys.readouterr().err


def test_nothing_to_select_from_exits_2(tables, capsys) -> None:
    tables()
    assert main([]) == USAGE
    assert "nothing is selected" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], (["A1", "A2", "B1"], ["tanh", "sigmoid"])),
        (["a1"], (["A1"], [])),
        (["B1", "A2"], (["A2", "B1"], [])),
        (["A*"], (["A1", "A2"], [])),
        (["TANH", "B1", "B1"], (["B1"], ["tanh"])),
    ],
)
def test_selection(names, expected) -> None:
    rows = tuple(claim(q, PROVED) for q in ("A1", "A2", "B1"))
    chosen = report.select(names, rows, ("tanh", "sigmoid"))
    assert ([c.id for c in chosen.claims], list(chosen.cases)) == expected


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".html", "<!doctype html>"),
        (".md", "# Derivations"),
        (".tex", "\\documentclass"),
        (".json", "{"),
        (".txt", "A1"),
        (".HTM", "<!doctype html>"),
    ],
)
def test_the_suffix_decides_the_format(tables, capsys, tmp_path, suffix, start) -> None:
    tables(claim("A1", PROVED))
    path = tmp_path / f"report{suffix}"
    assert main(["--output", str(path)]) == OK
    assert path.read_text(encoding="utf-8").startswith(start)
    out = capsys.readouterr().out
    assert out == f"1 claim examined: no problem found.\nWritten to {path}\n"


def test_format_goes_before_the_suffix_and_alone_to_the_terminal(tables, capsys, tmp_path) -> None:
    tables(claim("A1", PROVED))
    path = tmp_path / "report.html"
    assert main(["--output", str(path), "--format", "json"]) == OK
    assert json.loads(path.read_text(encoding="utf-8"))["ok"] is True
    capsys.readouterr()
    assert main(["--format", "json"]) == OK
    assert json.loads(capsys.readouterr().out)["claims"][0]["id"] == "A1"


def test_problems_are_said_when_the_report_goes_to_a_file(tables, capsys, tmp_path) -> None:
    tables(claim("A1", with_standing(Standing.UNDECIDED)))
    assert main(["--output", str(tmp_path / "r.html")]) == PROBLEMS
    captured = capsys.readouterr()
    assert "1 problem found" in captured.out
    assert "PROBLEM  claim A1 is undecided: a kernel: because" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "report.doc"], "what format is 'report.doc'"),
        (["--format", "pdf"], "invalid choice"),
        (["--points", "0"], "points must be at least 1, got 0"),
        (["--seed", "-3"], "the seed must not be negative, got -3"),
        (["--points", "few"], "invalid int value"),
        (["--output", "/nowhere/at/all/report.html"], "cannot write"),
    ],
)
def test_wrong_usage_exits_2(tables, capsys, arguments, message) -> None:
    tables(claim("A1", PROVED))
    try:
        status = main(arguments)
    except SystemExit as error:  # argparse's own way out
        status = error.code
    assert status == USAGE
    assert message in capsys.readouterr().err


def test_the_command_in_the_report_makes_it_again_and_names_no_path(
    tables, capsys, tmp_path
) -> None:
    tables(claim("A1", PROVED))
    path = tmp_path / "secret" / "report.json"
    path.parent.mkdir()
    main(["A1", "--points", "3", "--output", str(path)])
    text = path.read_text(encoding="utf-8")
    made = json.loads(text)["provenance"]
    assert re.fullmatch(r"python -m derivations A1 --points 3 --seed \d+", made["command"])
    assert str(made["seed"]) in made["command"]
    assert "secret" not in text
    capsys.readouterr()


def test_the_command_in_the_report_is_quoted_for_a_shell(tables, capsys) -> None:
    tables(claim("B3", PROVED), claim("B4", PROVED))
    given = ["B[34]", "--format", "json", "--points", "3", "--seed", "1"]
    main(given)
    command = json.loads(capsys.readouterr().out)["provenance"]["command"]
    assert command.startswith("python -m derivations 'B[34]' ")
    assert shlex.split(command) == ["python", "-m", "derivations", *given]


def test_seeds_are_fresh_unless_given(tables, capsys) -> None:
    tables(claim("A1", PROVED))
    seeds = set()
    for _ in range(3):
        main(["--format", "json"])
        seeds.add(json.loads(capsys.readouterr().out)["provenance"]["seed"])
    assert len(seeds) == 3


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_progress_goes_to_a_terminal_only(tables, capsys, monkeypatch, stream, shown) -> None:
    tables(claim("A1", PROVED))
    monkeypatch.setattr(sys, "stderr", stream())
    assert main([]) == OK
    assert ("claim A1" in sys.stderr.getvalue()) == shown
    assert "\x1b" not in capsys.readouterr().out


def test_the_module_runs() -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "derivations",
            "A1",
            "D4",
            "sigmoid",
            "--format",
            "json",
            "--seed",
            "7",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == OK, run.stderr
    assert run.stderr == ""
    data = json.loads(run.stdout)
    assert [c["id"] for c in data["claims"]] == ["A1", "D4"]
    assert [c["name"] for c in data["cases"]] == ["sigmoid"]
    assert data["claims"][0]["status"] == "proved for all reals"


def test_help_is_quick_and_says_what_exit_statuses_mean() -> None:
    code = "import sys; sys.argv = ['derivations', '--help']; import derivations.__main__ as m\n"
    code += "try: m.main()\nexcept SystemExit: pass\nsys.exit('sympy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "exit status: 0 everything is as it should be" in run.stdout
