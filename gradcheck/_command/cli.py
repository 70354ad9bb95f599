"""The command ``gradcheck``: what it is told, what it prints, and how it ends.

Exit codes: 0, every claim passes; 1, there are findings; 2, the command could not be carried out.
Nothing here imports NumPy before there is something to check, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import secrets
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from gradcheck import __version__
from gradcheck._command.run import Options, checks
from gradcheck._command.targets import CommandError
from gradcheck._report.formats import (
    Checked,
    Run,
    TextStyle,
    as_json,
    github,
    junit,
    summary,
    text,
    text_of_claim,
    text_of_end,
)
from gradcheck._report.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_DESCRIPTION = "Is this derivative right?  Checks claimed derivatives against numerical ones."
_EPILOG = """\
A TARGET is
  module           the rows of the module's CASES
  module:NAME      a case, a table of cases, or a function: the rows of CASES that are about it,
                   or else NAME_grad, NAME_jac, NAME_vjp, NAME_jvp beside it, checked --at

exit codes: 0 every claim passes, 1 findings, 2 the command could not be carried out, 130 interrupted
"""
_FORMATS: dict[str, Callable[[Run], str]] = {"json": as_json, "junit": junit, "github": github}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="gradcheck", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"gradcheck {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="check the derivatives that targets name",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_what(run)
    _add_output(run)
    return top


def _add_what(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "targets", nargs="+", metavar="TARGET", help="module or module:NAME, see below"
    )
    run.add_argument(
        "--select", metavar="PATTERN", help="only cases with such a name, as in 'soft*'"
    )
    run.add_argument(
        "--at",
        metavar="JSON|@FILE",
        help="the point: a list with one entry per argument, as in '[[1.0, 2.0], 0.5]'; "
        "nested lists become arrays of floats (default: random points of each case)",
    )
    run.add_argument(
        "--mode",
        choices=("fast", "full"),
        default="fast",
        help="random directions, or every entry (default: fast)",
    )
    run.add_argument(
        "--seed", type=_count, metavar="N", help="of all random numbers (default: fresh, printed)"
    )
    run.add_argument(
        "--sizes",
        type=_sizes,
        default={},
        metavar="n=64,N=8",
        help="sizes of the cases, by name (default: 5 each)",
    )
    run.add_argument(
        "--repeats",
        type=_positive,
        default=1,
        metavar="K",
        help="check each case at K random points (default: 1)",
    )
    run.add_argument(
        "--fail-on",
        choices=("fail", "inconclusive"),
        default="inconclusive",
        help="whether what could not be judged is a finding (default: inconclusive, it is)",
    )


def _add_output(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--format", choices=("text", *_FORMATS), default="text", help="(default: text)"
    )
    run.add_argument("--output", type=Path, metavar="FILE", help="write to this file")
    loudness = run.add_mutually_exclusive_group()
    loudness.add_argument(
        "-q", "--quiet", action="store_const", dest="verbosity", const=-1, help="findings only"
    )
    loudness.add_argument(
        "-v",
        "--verbose",
        action="store_const",
        dest="verbosity",
        const=1,
        help="whole reports; the traceback of the error that stopped the command, if one did",
    )
    run.set_defaults(verbosity=0)


def _count(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r}: give a whole number that is not negative")
    return int(word)


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) == 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a positive whole number")
    return int(word)


def _sizes(word: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in word.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise argparse.ArgumentTypeError(f"{part!r} is not of the form name=number")
        if name.strip() in sizes:
            raise argparse.ArgumentTypeError(f"{name.strip()!r} is given twice")
        sizes[name.strip()] = _positive(value.strip())
    return sizes


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``gradcheck``; by default those of the process.

    Raises
    ------
    SystemExit
        With code 2 where the words make no command, with code 0 after ``--help`` and ``--version``.
    """
    args = parser().parse_args(argv)
    try:
        with _importable_here():
            return _run(args)
    except CommandError as error:
        print(f"gradcheck: error: {error}", file=sys.stderr)
        if args.verbosity > 0 and error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        return 2
    except BrokenPipeError:  # the reader has seen enough, which needs no sentence
        _abandon(sys.stdout)
        return 2
    except KeyboardInterrupt:
        print("gradcheck: interrupted", file=sys.stderr)
        return 130  # as a shell says of what Ctrl-C ended
    except Exception:  # noqa: BLE001 -- left alone, it would end with 1, which means findings
        traceback.print_exc()
        print("gradcheck: this is a mistake of gradcheck itself, please report it", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace) -> int:
    options = Options(
        targets=tuple(args.targets),
        at=args.at,
        mode=args.mode,
        seed=secrets.randbelow(2**31) if args.seed is None else args.seed,
        sizes=args.sizes,
        repeats=args.repeats,
        select=args.select,
        fail_on=Outcome(args.fail_on),
    )
    sink = _Sink(args.format, args.output, args.verbosity)
    checked = []
    # Whatever the checked code prints must not end up inside the report.
    with contextlib.redirect_stdout(sys.stderr):
        for found in checks(options):
            checked.append(found)
            sink.claim(found, options.fail_on)
    run = Run(tuple(checked), options.seed, options.command, options.fail_on)
    sink.end(run)
    return 1 if run.findings else 0


@contextlib.contextmanager
def _importable_here() -> Iterator[None]:
    """Let modules of the current directory be imported, as ``python -m`` does."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = before


class _Sink:
    """Where the findings go: text to a terminal as it comes, everything else at the end.

    Parameters
    ----------
    format_name : str
        One of the choices of ``--format``.
    output : Path or None
        The file to write; None for standard output.
    verbosity : int
        -1, 0 or 1.
    """

    def __init__(self, format_name: str, output: Path | None, verbosity: int) -> None:
        self._format = format_name
        self._output = output
        self._stream: TextIO | None = sys.stdout  # None where the process was given none
        if self._stream is None and output is None:
            raise CommandError("there is no standard output; name a file with --output")
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="backslashreplace")  # "±" in a terminal that has none
        self._style = TextStyle(verbosity, colour=output is None and _colourful(self._stream))
        if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
            raise CommandError(f"--output {output}: not a file in an existing directory")

    def claim(self, checked: Checked, fail_on: Outcome) -> None:
        """Take note of one claim."""
        if self._format == "text" and self._output is None:
            self._print(text_of_claim(checked, fail_on, self._style))

    def end(self, run: Run) -> None:
        """Write what has not been written."""
        if self._output is not None:
            try:
                self._output.write_text(self._written(run), encoding="utf-8")
            except OSError as error:
                raise CommandError(f"--output {self._output}: {error}") from error
            self._print(f"{summary(run)}; written to {self._output}\n")
        elif self._format == "text":
            self._print(text_of_end(run, self._style))
        else:
            self._print(self._written(run))

    def _written(self, run: Run) -> str:
        return text(run, self._style) if self._format == "text" else _FORMATS[self._format](run)

    def _print(self, words: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(words)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            _abandon(self._stream)
            raise CommandError(f"standard output cannot be written: {error}") from error


def _abandon(stream: TextIO) -> None:
    """Let the flush at the interpreter's exit be harmless: it would print, and end with 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _colourful(stream: object) -> bool:
    terminal = bool(getattr(stream, "isatty", lambda: False)())
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
