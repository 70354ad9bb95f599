"""The command ``gradcheck``: what it is told, what it checks, and how it ends.

Exit codes: 0, every claim passes; 1, there are findings; 2, the command could not be carried out.
Nothing here imports NumPy before there is something to check, so that ``gradcheck --help`` is quick.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import glob
import io
import os
import secrets
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from gradcheck import __version__
from gradcheck._formats import (
    Checked,
    Run,
    TextStyle,
    as_json,
    github,
    junit,
    text,
    text_of_claim,
    text_of_end,
)
from gradcheck._report import Outcome
from gradcheck._targets import CommandError, Subject, resolve, source_of

if TYPE_CHECKING:
    from gradcheck._points import Point
    from gradcheck._report import Report

Mode = Literal["fast", "full"]

_DESCRIPTION = "Is this derivative right?  Checks claimed derivatives against numerical ones."
_EPILOG = """\
A TARGET is
  module           the rows of the module's CASES
  module:NAME      a case, a table of cases, or a function: the rows of CASES that are about it, or
                   else the functions NAME_grad, NAME_jac, NAME_vjp, NAME_jvp beside it, checked --at

exit codes: 0 every claim passes, 1 findings, 2 the command could not be carried out
"""
_FORMATS: dict[str, Callable[[Run], str]] = {"json": as_json, "junit": junit, "github": github}


# -- the command line ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """What ``gradcheck run`` was told to check, and how; the same options find the same again.

    Parameters
    ----------
    targets : tuple of str
        What to check.
    at : str or None
        The point, as it was given; None for random points.
    mode : str
        ``"fast"`` or ``"full"``.
    seed : int
        Where the random numbers start; repeat k uses ``seed + k``.
    sizes : dict of str to int
        The sizes that are fixed.
    repeats : int
        How many random points each case is checked at.
    select : str or None
        Pattern of the names of the cases to check; None for all.
    fail_on : Outcome
        The mildest outcome that is a finding.
    """

    targets: tuple[str, ...]
    at: str | None
    mode: Mode
    seed: int
    sizes: dict[str, int]
    repeats: int
    select: str | None
    fail_on: Outcome

    @property
    def command(self) -> str:
        """The command that does the same again."""
        words = ["gradcheck", "run", *self.targets, "--seed", str(self.seed)]
        if self.at is not None:
            words += ["--at", self.at]
        if self.mode != "fast":
            words += ["--mode", self.mode]
        if self.sizes:
            words += ["--sizes", ",".join(f"{name}={n}" for name, n in self.sizes.items())]
        if self.repeats != 1:
            words += ["--repeats", str(self.repeats)]
        if self.select is not None:
            words += ["--select", self.select]
        if self.fail_on is not Outcome.INCONCLUSIVE:
            words += ["--fail-on", self.fail_on.value]
        return shlex.join(words)
