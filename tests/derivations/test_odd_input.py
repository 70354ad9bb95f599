"""Odd and malicious input: refused or derived within seconds, with a sentence, never a traceback."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import time
from typing import Any

import pytest

import derivations
from derivations import report
from derivations.__main__ import INTERRUPTED, OK, PROBLEMS, USAGE, main
from derivations.deadline import Deadline, OutOfTimeError
from derivations.deriving import derived
from derivations.steps import judge

REFUSED = {
    "": "there is no expression",
    "   ": "there is no expression",
    "(" * 5000 + "x" + ")" * 5000: "at most 1000 are read",
    "-" * 3000 + "x": "at most 1000 are read",
    "x" * 100_000: "at most 1000 are read",
    "(" * 400 + "x" + ")" * 400: "nest",
    "x+": "the expression ends",
    ")": "should come before",
    "x x": "operator missing",
    "2x": "operator missing",
    "x^(10^100)": "exponent",
    "10^10^10*x": "bits",
    "1e999*x": "a power of ten lies between",
    "1e-999*x": "a power of ten lies between",
    "x^1000": "whole exponents go up to",
    "((x+1)^50)^50": "degree 2500",
    "x/0": "defined for no real number",
    "x/(1-1)": "defined for no real number",
    "x/(x-x)": "defined for no real number",
    "0^x": "the base of a power is never allowed",
    "(-1)^x": "the base of a power is never allowed",
    "0/0*x": "division by zero",
    "0^0*x": "zero to a power",
    "log(-x^2-1)": "defined for no real number",
    "sqrt(x)*sqrt(-x)": "defined for no real number",
    "asin(2+x^2)": "defined for no real number",
    "tan(pi/2)*x": "tan where cos is 0",
    "nan*x": "not a real number",
    "x.__class__": "attributes",
    "__import__('os')": "not part of the grammar",
    "eval(x)": "not a function of the grammar",
    "lambda x: x": "not part of the grammar",
    "x[0]": "subscripts",
    "x;y": "not part of the grammar",
    "x\x00": "not part of the grammar",
    "x²": "write ^2",
    "√x": "write sqrt",
    "−x": "write -",
    "х": "CYRILLIC",
    "x\u200b+1": "ZERO WIDTH SPACE",
    "sin()": "should come before",
    "max(x)": "takes 2 to 4 arguments",
    "sin x": "needs its argument in brackets",
    "None": "cannot be a variable",
    "5": "no variable",
}
DERIVED = ("x^x^x^x", "1/sin(1/x)", "exp(-exp(exp(x)))", "---x", "-(2)^x", "x^0", "1/abs(x)")
UNDECIDED = ("x/(sqrt(2)^2-2)",)


def run(*arguments: str) -> int:
    try:
        return main(list(arguments))
    except SystemExit as error:  # argparse's own way out
        return int(str(error.code))


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_is_refused_is_refused_at_once(text: str, capsys) -> None:
    started = time.process_time()
    assert run("derive", text) == USAGE
    said = capsys.readouterr().err
    assert REFUSED[text] in said
    assert "Traceback" not in said
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", DERIVED)
def test_what_is_odd_but_right_is_derived(text: str, capsys) -> None:
    started = time.process_time()
    assert run("derive", text, "--seed", "1", "--points", "3") == OK
    assert capsys.readouterr().err == ""
    assert time.process_time() - started < 20


@pytest.mark.parametrize("text", UNDECIDED)
def test_what_is_undecided_says_why(text: str, capsys) -> None:
    assert run("derive", text, "--seed", "1", "--points", "3") == PROBLEMS
    assert "it becomes ∞*x, which has no real value" in capsys.readouterr().out


# --- every error reaches people as a sentence ---------------------------------------------------------


def errors() -> list[type[BaseException]]:
    """Return every kind of error that the package defines."""
    found = set()
    for module in pkgutil.walk_packages(derivations.__path__, "derivations."):
        if module.name.endswith("__main__"):
            continue
        members = vars(importlib.import_module(module.name)).values()
        found |= {
            m
            for m in members
            if inspect.isclass(m)
            and issubclass(m, BaseException)
            and m.__module__.startswith("derivations")
        }
    return sorted(found, key=lambda error: error.__name__)


def made(error: type[BaseException]) -> BaseException:
    return error.__new__(error, "a reason")


def test_there_are_many_kinds_of_errors() -> None:
    assert len(errors()) >= 15
    assert judge.WrongStepError in errors()


@pytest.mark.parametrize(
    "error", [e for e in errors() if e is not OutOfTimeError], ids=lambda error: error.__name__
)
@pytest.mark.parametrize("command", [["derive", "x"], []], ids=["derive", "report"])
def test_no_error_is_a_traceback(
    error: type[BaseException], command: list[str], monkeypatch, capsys
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise made(error)

    monkeypatch.setattr(derived, "derive", broken)
    monkeypatch.setattr(report, "assemble", broken)
    status = run(*command)
    said = capsys.readouterr().err
    assert said.startswith("python -m derivations: error: ")
    assert "Traceback" not in said
    if status == PROBLEMS:
        assert f"the work broke off, {error.__name__}: a reason" in said
        assert "please report it" in said
    else:
        assert status == USAGE
        assert issubclass(error, ValueError)
        assert "a reason" in said


def test_a_wrong_step_is_our_mistake(monkeypatch, capsys) -> None:
    def wrong(*_: Any) -> Any:
        raise judge.WrongStepError("x and 2*x differ by 1.0 at x = 1")

    monkeypatch.setattr(derived, "chain", wrong)
    assert run("derive", "x^2", "--seed", "1") == PROBLEMS
    said = capsys.readouterr().err
    assert "WrongStepError: x and 2*x differ by 1.0 at x = 1" in said


def test_a_deadline_that_nobody_waits_for_is_no_traceback(monkeypatch, capsys) -> None:
    def late(*_: Any, **__: Any) -> Any:
        with Deadline(1e-6).within(1e-6):
            while True:
                sum(range(1000))

    monkeypatch.setattr(derived, "derive", late)
    assert run("derive", "x") == PROBLEMS
    assert "the work broke off, OutOfTimeError" in capsys.readouterr().err


def test_an_interruption_is_no_traceback(monkeypatch, capsys) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(derived, "derive", interrupted)
    assert run("derive", "x") == INTERRUPTED
    assert capsys.readouterr().err == "python -m derivations: interrupted\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--points", "0"], "points and seconds must be positive, got 0"),
        (["--points", "few"], "invalid int value"),
        (["--seconds", "0"], "points and seconds must be positive"),
        (["--seconds", "-1"], "points and seconds must be positive"),
        (["--seconds", "nan"], "points and seconds must be positive"),
        (["--seconds", "soon"], "invalid float value"),
        (["--seed", "-3"], "the seed must not be negative, got -3"),
        (["--seed", "one"], "invalid int value"),
        (["--wrt", "y"], "there is no variable 'y' in it; the variables are x"),
        (["--format", "pdf"], "invalid choice"),
        (["--output", "report.doc"], "what format is 'report.doc'"),
        (["--output", "/nowhere/at/all.html"], "there is no such directory"),
        (["--nonsense"], "unrecognized arguments"),
        (["y"], "unrecognized arguments"),
    ],
)
def test_wrong_options_of_derive(options: list[str], said: str, capsys) -> None:
    assert run("derive", "x^2", *options) == USAGE
    assert said in capsys.readouterr().err


def test_what_cannot_be_written_is_said(tmp_path, capsys) -> None:
    folder = tmp_path / "report.html"
    folder.mkdir()
    assert run("derive", "x", "--seed", "1", "--points", "1", "--output", str(folder)) == USAGE
    assert "cannot write" in capsys.readouterr().err
