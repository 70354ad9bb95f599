"""``python -m derivations``: examine the claims and write the report; or derive an expression."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import secrets
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from derivations.render import FORMATS, SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from derivations.plan import Plan
    from derivations.report import ReportData, Selection

OK, PROBLEMS, USAGE, INTERRUPTED = 0, 1, 2, 130

_EPILOG = """\
exit status: 0 everything is as it should be; 1 a claim is refuted that is not known to be wrong, a
claim known to be wrong is not refuted, something is undecided, code and derivation disagree, or the
work broke off; 2 wrong usage; 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit status.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    run = _derive if arguments[:1] == ["derive"] else _report
    try:
        return run(arguments[1:] if run is _derive else arguments)
    except (SystemExit, BrokenPipeError):
        raise  # argparse has said what is wrong; a reader who has seen enough is no error
    except _UnwritableError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("python -m derivations: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BaseException as error:  # noqa: BLE001  # people get a sentence, never a traceback
        return _broken_off(error)


def _broken_off(error: BaseException) -> int:
    """Say that something of ours is wrong, and return the exit status."""
    what = f"{type(error).__name__}: {error}"
    print(
        f"python -m derivations: error: the work broke off, {what}\n"
        "That is a mistake of this package, not of what was asked for; please report it with the "
        "command.",
        file=sys.stderr,
    )
    return PROBLEMS


def _report(arguments: Sequence[str]) -> int:
    """Examine claims and functions, and write the report."""
    parser = _parser()
    options = parser.parse_args(arguments)
    # Only now: the derivations take a second to import, and ``--help`` should not.
    from derivations import render
    from derivations.render import wording

    form = _format(options, parser)
    _require_directory(options.output)
    try:
        request = _request(options)
    except ValueError as error:
        return _fail(str(error))
    data = _examine(request)
    _write(render.render(data, form), options.output, wording.verdict(data), data.problems)
    return PROBLEMS if data.problems else OK


def _derive(arguments: Sequence[str]) -> int:
    """Run ``derive EXPRESSION``."""
    from derivations import derive_command

    options = derive_command.parse(arguments)
    from derivations.deriving.derived import derive
    from derivations.render import derived as shown

    form = _format(options, derive_command.parser())
    _require_directory(options.output)
    try:
        found = derive(
            options.expression,
            wrt=options.wrt,
            points=options.points,
            seed=options.seed,
            seconds=options.seconds,
        )
    except ValueError as error:
        return _fail(str(error))
    _write(shown.render(found, form), options.output, shown.verdict(found), found.problems)
    return OK if found.ok else PROBLEMS


def _fail(message: str) -> int:
    print(f"python -m derivations: error: {message}", file=sys.stderr)
    return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m derivations",
        description="Examine the claims of the sources, derive every closed form with each step "
        "machine-checked, compare the derivations with the code, and report. An expression of your "
        "own: python -m derivations derive EXPRESSION (see derive --help).",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a claim (A7), a function (softmax) or a pattern ('B*'); everything by default",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="by default what the suffix of --output says, else text",
    )
    parser.add_argument("--output", type=Path, metavar="PATH", help="write to a file")
    parser.add_argument(
        "--points",
        type=int,
        default=4,
        help="random inputs for each function (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, help="of all random numbers (default: a fresh one)")
    return parser


def _format(options: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    if options.format is not None:
        return str(options.format)
    if options.output is None:
        return "text"
    suffix = options.output.suffix.lower()
    if suffix not in SUFFIXES:
        parser.error(
            f"what format is {options.output.name!r}? Use --format, or one of the suffixes "
            f"{', '.join(SUFFIXES)}"
        )
    return SUFFIXES[suffix]


@dataclass(frozen=True, slots=True)
class _Request:
    """What was asked for, after everything about it was found to make sense."""

    selection: Selection
    plan: Plan
    command: str


def _request(options: argparse.Namespace) -> _Request:
    """Return the request; ValueError if a name is unknown or a number out of range."""
    from derivations import report
    from derivations.claims import documents
    from derivations.plan import Plan
    from derivations.rows import catalogue

    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    plan = Plan(seed=seed, points=options.points)
    cases = tuple(row.case for row in catalogue.ROWS)
    try:
        selection = report.select(options.names, documents.CLAIMS, cases)
    except report.SelectionError as error:
        hint = _hint(options.names, tuple(c.id for c in documents.CLAIMS), cases)
        raise report.SelectionError(f"{hint}{error}") from error
    return _Request(selection, plan, _command(options, seed))


def _hint(names: Sequence[str], ids: Sequence[str], cases: Sequence[str]) -> str:
    """Say which names may have been meant by those that are none, before the long lists of all."""
    near = dict.fromkeys(
        close
        for name in names
        if name.upper() not in ids and name.lower() not in cases
        for close in (
            *difflib.get_close_matches(name.lower(), cases),
            *difflib.get_close_matches(name.upper(), ids),
        )
    )
    return f"did you mean {' or '.join(near)}? " if near else ""


def _examine(request: _Request) -> ReportData:
    from derivations import report
    from derivations.confrontation import cases, confront, figures

    def curve() -> figures.StepCurve:
        return figures.step_curve(confront.row_named("sigmoid"))

    return report.assemble(
        request.selection,
        cases.examine_case,
        curve if "sigmoid" in request.selection.cases else None,
        request.plan,
        command=request.command,
        progress=_progress(sys.stderr.isatty()),
    )


def _command(options: argparse.Namespace, seed: int) -> str:
    """Return the command that makes the report again, without the path it was written to."""
    words = ["python", "-m", "derivations", *options.names]
    if options.format is not None:
        words += ["--format", options.format]
    return shlex.join([*words, "--points", str(options.points), "--seed", str(seed)])


def _progress(terminal: bool) -> Callable[[str], None]:
    """Return what shows progress: a line that rewrites itself on a terminal, nothing elsewhere."""
    if not terminal:
        return lambda _: None

    def show(what: str) -> None:
        print(f"\r\x1b[K{what}", end="" if what else "\r", file=sys.stderr, flush=True)

    return show


def _require_directory(output: Path | None) -> None:
    """Refuse to begin what could not be written in the end."""
    if output is not None and not output.parent.is_dir():
        raise _UnwritableError(f"cannot write {output}: there is no such directory")


def _write(text: str, output: Path | None, verdict: str, problems: Sequence[str]) -> None:
    """Write to the terminal; or to a file, with the verdict and the problems on the terminal."""
    if output is None:
        _write_to_terminal(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _UnwritableError(f"cannot write: {error}") from error
    _say(f"{verdict}.\nWritten to {output}\n")
    for problem in problems:
        print(f"PROBLEM  {problem}", file=sys.stderr)


def _write_to_terminal(text: str) -> None:
    if sys.stdout is None:
        raise _UnwritableError("there is no standard output; name a file with --output")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the signs are not in every code page
    _say(text)


def _say(text: str) -> None:
    if sys.stdout is None:  # the process was given none
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon(sys.stdout)
        raise _UnwritableError(f"cannot write to standard output: {error}") from error


class _UnwritableError(Exception):
    """The file, or standard output, takes no text."""


def _abandon(stream: TextIO) -> None:
    """Let the flush at the interpreter's exit be harmless: it would print, and end with 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    # SymPy's cache of 1000 results forgets what the next derivation asks for again: a sixth slower.
    os.environ.setdefault("SYMPY_CACHE_SIZE", "None")
    try:
        status = main()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        _abandon(sys.stdout)
        status = PROBLEMS
    sys.exit(status)
