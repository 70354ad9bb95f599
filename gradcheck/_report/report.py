"""What a check found: the records, and the text that a person reads.

A report's first line is the whole verdict, because that line is all that a test summary shows.
Then come the worst entries, the diagnosis, what was tried, and how to run the same check again.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

SCHEMA = "gradcheck.report/1"
_SHOWN_ENTRIES = 8
_SECOND = ("hess", "hvp")


class Outcome(enum.StrEnum):
    """The three answers to "is this derivative right?"."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Reason(enum.StrEnum):
    """Why a check ended as it did (a closed set)."""

    AGREEMENT = "agreement"
    CONSTANT = "constant"
    KINK = "kink"
    DISAGREEMENT = "disagreement"
    SHAPE = "shape"
    DTYPE = "dtype"
    NONFINITE_CLAIM = "nonfinite_claim"
    NONLINEAR = "nonlinear"
    ADJOINT = "adjoint"
    ASYMMETRIC = "asymmetric"
    NONDETERMINISTIC = "nondeterministic"
    STATE = "state"
    ALIASING = "aliasing"
    MUTATION = "mutation"
    CLAIM_RAISED = "claim_raised"
    NOISE = "noise"
    ROUGH = "rough"
    CUSP = "cusp"
    JUMP = "jump"
    DOMAIN = "domain"
    EMPTY = "empty"
    FUNCTION_RAISED = "function_raised"


@dataclass(frozen=True, slots=True)
class WrongEntry:
    """One located entry of a wrong derivative.

    Parameters
    ----------
    argument : int
        Position of the argument of f.
    path : str
        Where the array sits inside a nested argument, such as ``['w'][0]``; empty for a bare array.
    index : tuple of int
        Index in that array.
    output : tuple of int or None
        Index in f's output, where one was singled out.
    claimed, numerical, radius : float
        The claimed value, the numerical one, and the radius that is meant to contain the latter's
        error.
    part : str
        ``real`` or ``imag`` for an entry of a complex array, else empty.
    output_path : str
        Where the array of `output` sits, if f returns several, such as ``['loss']``.
    """

    argument: int
    path: str
    index: tuple[int, ...]
    output: tuple[int, ...] | None
    claimed: float
    numerical: float
    radius: float
    part: str = ""
    output_path: str = ""

    @property
    def label(self) -> str:
        """How the report names the entry, such as ``x0['w'][3, 17]``."""
        return entry_label(self.argument, self.path, self.index, self.part)

    @property
    def place(self) -> str:
        """How the report names the derivative, such as ``x0[3] of output [1]``."""
        if self.output is None:
            return self.label
        return f"{self.label} of {self.output_label}"

    @property
    def output_label(self) -> str:
        """How the report names the output of f, such as ``output ['y'][2]``; of a scalar in a tree its path."""
        index = str(list(self.output or ())) if self.output or not self.output_path else ""
        return f"output {self.output_path}{index}"


def entry_label(argument: int, path: str, index: tuple[int, ...], part: str = "") -> str:
    """Name an entry of x, such as ``x0['w'][3, 17]``."""
    return f"x{argument}{path}{_at(index)}{part and '.' + part}"


def _at(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


def hessian_label(e: WrongEntry) -> str:
    """Name an entry of a Hessian by its row and its column, such as ``H[0, 2]``."""
    if e.output_path:
        return f"H[{e.output_path}{_at(e.output or ())}, {e.label}]"
    indices = (*(e.output or ()), *e.index) or (0, 0)
    return f"H[{', '.join(map(str, indices))}]"


@dataclass(frozen=True, slots=True)
class Probe:
    """One directional derivative that was compared.

    Parameters
    ----------
    label : str
        Which kind of direction.
    claimed, numerical, radius : float
        The claimed directional derivative, the numerical one and the radius of its error.
    scale : float
        The size of the terms that were summed, ‖g∘d‖ of the claim: what an error is relative to.
    allowed : float
        By how much claimed and numerical may differ: the radius, what is tolerated of the claim, and
        what rounds it; inf where nothing can be told.
    interval : tuple of float or None
        The one-sided derivatives, where they differ (a kink).
    reason : str
        Why the radius is not smaller, in the estimator's words.
    """

    label: str
    claimed: float
    numerical: float
    radius: float
    scale: float
    allowed: float
    interval: tuple[float, float] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The mistake that the evidence looks like.

    Parameters
    ----------
    kind : str
        One word: ``sign``, ``factor``, ``transpose``, ``conjugate``, ``diagonal``, ``upstream``, ``reduction``,
        ``shift``, ``reverse``, ``exchange`` (of two entries, parts or arguments), ``entry``, ``row`` (or column, or
        output), ``argument``, ``precision``, ``epsilon``, ``zero``, ``structure`` (of a sparse Jacobian),
        ``triangle`` (of a Hessian, only one is filled), ``symmetric`` (right where an argument stays symmetric,
        and only there).
    sentence : str
        What a person reads.
    """

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of one check, with its evidence.

    Parameters
    ----------
    outcome : Outcome
        ``pass``, ``fail`` or ``inconclusive``; ``bool(report)`` is true for ``pass`` alone.
    reason : Reason
        Why.
    message : str
        The reason in a sentence, with the values that matter.
    name, kind : str
        What was checked: the function's name and the kind of claim (grad, jac, vjp, jvp, hess, hvp).
    evaluations, claim_evaluations : int
        Calls of f and of the claimed derivative.
    resolution : float
        Relative size of the smallest error that would have been reported; inf if none.
    miss_probability : float
        Chance that an error of that size is missed by the random directions; NaN where every entry
        was looked at.
    rtol : float
        The relative error that was tolerated.
    seed : int
        Reproduces the directions: pass it as ``rng=``.
    wrong_entries : tuple of WrongEntry
        The located entries, worst first.
    diagnosis : Diagnosis or None
        The mistake that it looks like.
    probes : tuple of Probe
        The compared directional derivatives.
    notes : tuple of str
        What else a reader should know.
    cause : BaseException or None
        What f or the claim raised, if that ended the check.  Neither copies nor `to_dict` hold it.
    """

    outcome: Outcome
    reason: Reason
    message: str
    name: str
    kind: str
    evaluations: int
    claim_evaluations: int
    resolution: float
    miss_probability: float
    rtol: float
    seed: int
    wrong_entries: tuple[WrongEntry, ...] = ()
    diagnosis: Diagnosis | None = None
    probes: tuple[Probe, ...] = ()
    notes: tuple[str, ...] = field(default=())
    cause: BaseException | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cause"}
        return partial(type(self), **kept), ()

    def __bool__(self) -> bool:
        return self.outcome is Outcome.PASS

    def __eq__(self, other: object) -> bool:
        # a NaN equals itself here, also in a copy
        return self.to_dict() == other.to_dict() if isinstance(other, Report) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.outcome, self.reason, self.message, self.name, self.kind, self.seed))

    def __repr__(self) -> str:
        return f"<Report {str(self).splitlines()[0]}>"

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-safe data with a ``schema`` key.

        Numbers that JSON has no word for are the strings ``"inf"``, ``"-inf"`` and ``"nan"``.
        """
        return {
            "schema": SCHEMA,
            "outcome": self.outcome.value,
            "reason": self.reason.value,
            "message": self.message,
            "name": self.name,
            "kind": self.kind,
            "evaluations": self.evaluations,
            "claim_evaluations": self.claim_evaluations,
            "resolution": _json_number(self.resolution),
            "miss_probability": _json_number(self.miss_probability),
            "rtol": _json_number(self.rtol),
            "seed": self.seed,
            "wrong_entries": [
                {
                    "argument": e.argument,
                    "path": e.path,
                    "index": list(e.index),
                    "part": e.part,
                    "output": None if e.output is None else list(e.output),
                    "output_path": e.output_path,
                    "claimed": _json_number(e.claimed),
                    "numerical": _json_number(e.numerical),
                    "radius": _json_number(e.radius),
                }
                for e in self.wrong_entries
            ],
            "diagnosis": None
            if self.diagnosis is None
            else {"kind": self.diagnosis.kind, "sentence": self.diagnosis.sentence},
            "probes": [
                {
                    "label": p.label,
                    "claimed": _json_number(p.claimed),
                    "numerical": _json_number(p.numerical),
                    "radius": _json_number(p.radius),
                    "scale": _json_number(p.scale),
                    "allowed": _json_number(p.allowed),
                    "interval": None
                    if p.interval is None
                    else [_json_number(t) for t in p.interval],
                    "reason": p.reason,
                }
                for p in self.probes
            ],
            "notes": list(self.notes),
        }


class GradientError(AssertionError):
    """A derivative is wrong, or could not be judged.

    Parameters
    ----------
    report : Report
        The evidence; its text is the error's message.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report

    def __reduce__(self) -> tuple[type[GradientError], tuple[Report]]:
        return type(self), (self.report,)


# A short dotted name: the first line of a test summary has room for the verdict then.
GradientError.__module__ = "gradcheck"


def _json_number(x: float) -> float | str:
    return float(x) if math.isfinite(x) else repr(float(x))


def number(x: float) -> str:
    """Format a value to the digits that a reader compares."""
    return f"{x + 0.0:.10g}"  # a zero without a sign


def _lines(r: Report) -> list[str]:
    lines = [f"{r.outcome.value.upper()}  {r.name} [{r.kind}]: {r.message}"]
    if r.wrong_entries:
        lines += ["", *_entry_table(r)]
    elif r.outcome is not Outcome.PASS and r.probes:
        lines += ["", *_probe_table(r)]
    if r.diagnosis is not None:
        lines += ["", f"  looks like: {r.diagnosis.sentence}"]
    lines += [f"  note: {note}" for note in r.notes]
    # a check that has found a mistake looks no further for what else it would have seen, and beside
    # an f of zero an error is no part of anything
    if 0 < r.resolution < (1 if r.outcome is Outcome.FAIL else math.inf):
        lines.append(f"  would have seen: an error of {r.resolution:.1e} of {_of_what(r)}")
    evaluations = (
        f"{_count(r.evaluations, 'evaluation')} of f, {r.claim_evaluations} of the {r.kind}"
    )
    if _is_of_every_entry(r):
        where, again = "each entry", 'mode="full", '
    else:
        where, again = _count(len(r.probes), "direction"), ""
    lines.append(f"  tried: {where}, {evaluations}; rerun with {again}rng={r.seed}")
    return lines


def _is_of_every_entry(r: Report) -> bool:
    """Whether entries were looked at instead of random directions."""
    return math.isnan(r.miss_probability) and (bool(r.probes) or r.outcome is Outcome.PASS)


def _of_what(r: Report) -> str:
    if math.isnan(r.miss_probability):
        return "an entry's size, in any that rounding doesn't hide"
    whose = "Hessian" if r.kind in _SECOND else "gradient"
    return f"the {whose}'s size (chance of missing one: {r.miss_probability:.0e})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _entry_table(r: Report) -> list[str]:
    rows = [["entry", "claimed", "numerical", "± radius", "claimed/numerical"]]
    for e in r.wrong_entries[:_SHOWN_ENTRIES]:
        # a zero claim has no sign of its own
        ratio = e.claimed / e.numerical + 0.0 if e.numerical else math.inf
        rows.append(
            [
                hessian_label(e) if r.kind in _SECOND else e.place,
                number(e.claimed),
                number(e.numerical),
                f"{e.radius:.1e}",
                f"{ratio:.6g}",
            ]
        )
    lines = _aligned(rows)
    if len(r.wrong_entries) > _SHOWN_ENTRIES:
        lines.append(f"  … and {len(r.wrong_entries) - _SHOWN_ENTRIES} more")
    return lines


def _probe_table(r: Report) -> list[str]:
    rows = [["direction", "claimed", "numerical", "± radius", ""]]
    for p in r.probes[:_SHOWN_ENTRIES]:
        numerical = (
            number(p.numerical)
            if p.interval is None
            else "[{}, {}]".format(*map(number, p.interval))
        )
        rows.append([p.label, number(p.claimed), numerical, f"{p.radius:.1e}", p.reason])
    return _aligned(rows)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        ("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
