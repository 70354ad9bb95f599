"""The report as JSON, with a versioned schema."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from derivations.render.layout import layout
from derivations.render.tex import tex

if TYPE_CHECKING:
    from derivations.confrontation.cases import ExaminedCase
    from derivations.records import (
        CodeProof,
        Confrontation,
        Derivation,
        Evidence,
        Finding,
        Hypothesis,
        Witness,
    )
    from derivations.report import ExaminedClaim, ReportData

SCHEMA = "gradcheck.derivations/2"


def render(data: ReportData) -> str:
    """Return the report as JSON text.

    Parameters
    ----------
    data : ReportData
        The examined claims and cases.
    """
    return json.dumps(as_data(data), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_data(data: ReportData) -> dict[str, Any]:
    """Return the report as nested dictionaries and lists that JSON can hold.

    Numbers that JSON has no word for are the strings ``"inf"``, ``"-inf"`` and ``"nan"``.
    """
    p = data.provenance
    return {
        "schema": SCHEMA,
        "ok": not data.problems,
        "problems": list(data.problems),
        "provenance": {
            "versions": dict(p.versions),
            "seed": p.seed,
            "points": p.points,
            "command": p.command,
            "created": p.created,
            "seconds": round(p.seconds, 3),
        },
        "claims": [_claim(c) for c in data.claims],
        "cases": [_case(c) for c in data.cases],
    }


def _claim(examined: ExaminedClaim) -> dict[str, Any]:
    claim, finding = examined.claim, examined.finding
    return {
        "id": claim.id,
        "title": claim.title,
        "source": claim.source,
        "statement": claim.statement,
        "status": examined.status.value,
        "known_wrong": claim.known_wrong,
        "expected": examined.expected,
        **_finding(finding),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "evidence": [evidence(e) for e in finding.evidence],
        "witness": None if finding.witness is None else _witness(finding.witness),
        "derivations": [derivation(d) for d in finding.derivations],
        "confrontations": [_confrontation(c) for c in finding.confrontations],
        "table": [list(row) for row in finding.table],
    }


def evidence(e: Evidence) -> dict[str, Any]:
    """Return a piece of evidence."""
    return {
        "standing": e.standing.value,
        "method": e.method,
        "scope": e.scope,
        "detail": e.detail,
        **({"exclusions": list(e.exclusions)} if e.exclusions else {}),
    }


def _code(proof: CodeProof) -> dict[str, Any]:
    return {
        **evidence(proof.evidence),
        "standing": proof.standing.value,
        "covers": proof.covers,
        "replaced": list(proof.replaced),
        "exclusions": list(proof.evidence.exclusions),
        "rest": None if proof.rest is None else evidence(proof.rest),
    }


def _witness(w: Witness) -> dict[str, Any]:
    return {
        "point": w.point,
        "claimed": w.claimed,
        "true": w.true,
        "explanation": w.explanation,
    }


def _hypothesis(h: Hypothesis) -> dict[str, Any]:
    return {"lhs": _expression(h.lhs), "rhs": _expression(h.rhs), "text": h.text}


def derivation(d: Derivation) -> dict[str, Any]:
    """Return a derivation with all that is known about each step."""
    return {
        "name": d.name,
        "title": d.title,
        "standing": d.standing.value,
        "scope": d.scope,
        "start": _expression(d.start),
        "steps": [
            {
                "rule": s.rule,
                "after": _expression(s.after),
                "standing": s.standing.value,
                "hypotheses": [h.text for h in s.hypotheses],
                "evidence": [evidence(e) for e in s.evidence],
            }
            for s in d.steps
        ],
        "definitions": [d.text for d in d.definitions],
        "hypotheses": [_hypothesis(h) for h in d.hypotheses],
        "remark": d.remark,
    }


def _expression(e: Any) -> dict[str, str]:
    """Give an expression for a reader (LaTeX) and for a program (SymPy's text)."""
    return {"latex": tex(layout(e)), "sympy": str(e)}


def _confrontation(c: Confrontation) -> dict[str, Any]:
    return {
        "case": c.case,
        "points": c.points,
        "value_ulps": number(c.value_ulps),
        "derivative_ulps": number(c.derivative_ulps),
        "radii": number(c.radii),
        "outcomes": dict(c.outcomes),
    }


def _case(case: ExaminedCase) -> dict[str, Any]:
    return {
        "name": case.name,
        "source": case.source,
        "standing": case.standing.value,
        "derivations": [derivation(d) for d in case.derivations],
        "code": None if case.code is None else _code(case.code),
        "confrontation": _confrontation(case.comparison.confrontation),
        "points": [
            {
                "sizes": dict(p.sizes),
                "value_ulps": number(p.value_ulps),
                "derivative_ulps": number(p.derivative_ulps),
                "entry_error": number(p.entry_error),
                "radii": number(p.radii),
                "outcomes": dict(p.outcomes),
            }
            for p in case.comparison.points
        ],
    }


def number(x: float) -> float | str:
    """Return a number, or its name where JSON has no word for it."""
    return float(x) if math.isfinite(x) else repr(float(x))
