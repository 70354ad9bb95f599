"""``python -m derivations derive EXPRESSION``: derive an expression that is given as text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from derivations.render import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
exit status: 0 every step is proved and the code passed its check; 1 the check failed, something is
undecided, or the work broke off; 2 wrong usage, or an expression that is not read: outside of the
grammar, too large, or defined nowhere; 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments after ``derive``."""
    made = argparse.ArgumentParser(
        prog="python -m derivations derive",
        description="Derive an expression step by step with every step machine-checked, state its "
        "domain, print NumPy code for value and derivative, and check that code.",
        epilog=_EPILOG,
    )
    made.add_argument(
        "expression",
        metavar="EXPRESSION",
        help="such as 'x*tanh(log(1+exp(x)))'",
    )
    made.add_argument(
        "--wrt",
        action="append",
        metavar="NAME",
        help="differentiate by this variable (may be repeated; by default every one)",
    )
    made.add_argument(
        "--format", choices=FORMATS, help="by default what the suffix of --output says, else text"
    )
    made.add_argument("--output", type=Path, metavar="PATH", help="write to a file")
    made.add_argument(
        "--points",
        type=int,
        default=16,
        help="random points that the code is checked at (default: %(default)s)",
    )
    made.add_argument("--seed", type=int, help="of the points (default: a fresh one)")
    made.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        help="when symbolic work stops; what is not proved by then is undecided "
        "(default: %(default)s)",
    )
    return made


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options after ``derive``; an expression may begin with a minus.

    Examples
    --------
    >>> parse(["-x^2", "--seed", "3"]).expression
    '-x^2'
    """
    # argparse takes what begins with a minus for an option; a space before it says otherwise.
    known = [f" {a}" if a[:1] == "-" and not _is_option(a) else a for a in arguments]
    options = parser().parse_args(known)
    options.expression = options.expression.strip()
    return options


def _is_option(argument: str) -> bool:
    return argument in ("-h", "--") or (argument[:2] == "--" and argument[2:3].isalpha())
