"""What ``gradcheck run`` does: find the subjects that the targets name, and check each of them."""

from __future__ import annotations

import difflib
import fnmatch
import glob
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gradcheck._command.targets import CommandError, Subject, resolve, source_of
from gradcheck._report.formats import Checked
from gradcheck._report.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gradcheck._command.points import Point
    from gradcheck._report.report import Report
    from gradcheck._verdict.check import Mode


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
            words += _option("--at", self.at)
        if self.mode != "fast":
            words += ["--mode", self.mode]
        if self.sizes:
            words += _option("--sizes", ",".join(f"{s}={n}" for s, n in self.sizes.items()))
        if self.repeats != 1:
            words += ["--repeats", str(self.repeats)]
        if self.select is not None:
            words += _option("--select", self.select)
        if self.fail_on is not Outcome.INCONCLUSIVE:
            words += ["--fail-on", self.fail_on.value]
        return shlex.join(words)


def _option(name: str, value: str) -> list[str]:
    """Return the words that give an option a value; a word ``-dash`` would be an option itself."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def checks(options: Options) -> Iterator[Checked]:
    """Check what the options select, one claim after the other.

    Raises
    ------
    CommandError
        If a target cannot be resolved, nothing is selected, an option fits none of the subjects, or
        a check itself breaks down.
    """
    subjects = _select(options)
    point = _point(options, subjects)
    for subject in subjects:
        alone = options.select is None and sum(s.target == subject.target for s in subjects) == 1
        select = None if alone else _pattern(subject.name)
        for k in range(options.repeats):
            again = replace(options, targets=(subject.target,), select=select, repeats=1)
            yield from _check(subject, point, replace(again, seed=options.seed + k))


def _pattern(name: str) -> str:
    """Return a pattern in one line that fits a name: ``?`` stands for line ends and their like."""
    return "".join(c if c.isprintable() else "?" for c in glob.escape(name))


def _select(options: Options) -> tuple[Subject, ...]:
    named = tuple(s for target in options.targets for s in resolve(target))
    pattern = options.select or "*"
    subjects = tuple(s for s in named if fnmatch.fnmatchcase(s.name, pattern))
    if not subjects:
        names = [s.name for s in named]
        close = difflib.get_close_matches(pattern, names, n=3) or names[:10]
        raise CommandError(f"--select {pattern!r} matches no case; there are {', '.join(close)}")
    known = dict.fromkeys(size for s in subjects if s.case is not None for size in s.case.sizes)
    for size in options.sizes:
        if size not in known:
            there_are = f"the sizes are {', '.join(known)}" if known else "there are no named sizes"
            raise CommandError(f"--sizes: no selected case has a size {size!r}; {there_are}")
    return subjects


def _point(options: Options, subjects: tuple[Subject, ...]) -> Point | None:
    if options.at is None:
        for subject in subjects:
            if subject.case is None:
                raise CommandError(
                    f"{subject.target!r} is no row of a table, so there is nothing to draw its "
                    "arguments from: give a point, such as --at '[[1.0, 2.0]]'"
                )
        return None
    if any(s.f is not subjects[0].f for s in subjects):
        raise CommandError(
            f"--at gives one point, but {len(subjects)} cases are selected: "
            "name a function, or narrow the choice with --select"
        )
    if options.sizes:
        raise CommandError("--at and --sizes exclude each other: the point has its sizes")
    from gradcheck._command.points import read_point  # here, because it imports NumPy

    return read_point(options.at)


def _check(subject: Subject, point: Point | None, options: Options) -> Iterator[Checked]:
    try:
        reports = _reports(subject, point, options)
    except CommandError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"
        raise CommandError(
            f"checking {subject.name!r} broke down: {said}; -v shows where"
        ) from error
    claims: dict[str, Any] = dict(subject.claims)
    for report in reports:
        path, line = source_of(claims.get(report.kind, subject.claims[0][1]))
        yield Checked(report, subject.target, options.command, path, line)


def _reports(subject: Subject, point: Point | None, options: Options) -> tuple[Report, ...]:
    if point is not None:
        from gradcheck._command.points import check_at  # here, because it imports NumPy

        return check_at(subject, point, mode=options.mode, seed=options.seed)
    from gradcheck import check_case

    assert subject.case is not None  # _point has made sure
    sizes = {name: n for name, n in options.sizes.items() if name in subject.case.sizes}
    return check_case(subject.case, rng=options.seed, sizes=sizes, mode=options.mode)
