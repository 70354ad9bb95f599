"""Reports that several test files look at: a small made-up one, and the real one, made once."""

import math
from html.parser import HTMLParser

import pytest
import sympy as sp

from derivations import report
from derivations.claims import documents
from derivations.comparison import Comparison, PointComparison
from derivations.confrontation import confront, figures
from derivations.confrontation.cases import ExaminedCase, examine_case
from derivations.expressions.language import delta, derivative, i, j, k, n, plus, times, total, y, z
from derivations.plan import Plan
from derivations.provenance import describe
from derivations.records import (
    Claim,
    Confrontation,
    Definition,
    Derivation,
    Evidence,
    Finding,
    Hypothesis,
    Standing,
    Step,
    Witness,
)
from derivations.rows.catalogue import ROWS

SEED = 20260101


@pytest.fixture(scope="session")
def full_report() -> report.ReportData:
    """Everything, examined once: what `python -m derivations --seed …` works on."""
    cases = tuple(row.case for row in ROWS)
    return report.assemble(
        report.select((), documents.CLAIMS, cases),
        examine_case,
        lambda: figures.step_curve(confront.row_named("sigmoid")),
        Plan(seed=SEED),
        command=f"python -m derivations --points 4 --seed {SEED}",
    )


def jacobian() -> Derivation:
    """A derivation of three steps with a definition and a hypothesis, for the renderers."""
    S = total(sp.exp(z[j]), j, n)
    one = Hypothesis(total(y[j], j, n), sp.Integer(1), "Σ y_j = 1")
    evidence = (
        Evidence(Standing.PROVED_ALL_N, "indexed normal form", "every n ≥ 1"),
        Evidence(Standing.PROVED_FIXED_N, "rational normal form", "n ≤ 3"),
    )
    lines = (
        ("quotient rule & more", (delta(i, k) * sp.exp(z[i]) * S - sp.exp(z[i] + z[k])) / S**2, ()),
        ("fold y_i", plus(times(delta(i, k), y[i]), -y[i] * y[k]), ()),
        ("factor", times(y[i], plus(delta(i, k), -y[k])), (one,)),
    )
    start = derivative(sp.exp(z[i]) / S, z[k])
    steps, before = [], start
    for rule, after, using in lines:
        steps.append(Step(rule, before, after, using, evidence))
        before = after
    name = Definition(y, (i,), sp.exp(z[i]) / S, "y_i := e^{z_i}/Σ_j e^{z_j}")
    return Derivation(
        "softmax",
        "The Jacobian <of> softmax",
        start,
        tuple(steps),
        (name,),
        "every n ≥ 1",
        "A remark.",
    )


def examined(
    identifier: str, evidence: tuple[Evidence, ...], known_wrong: bool = False, **finding: object
) -> report.ExaminedClaim:
    """A claim that was examined already."""
    result = Finding(evidence, **finding)
    claim = Claim(
        identifier,
        f"Title of {identifier} & <co>",
        f"document {identifier[0]}",
        "∂y_i/∂z_k = y_i(δ_{ik} − y_k) | a < b",
        lambda: result,
        known_wrong,
    )
    return report.ExaminedClaim(claim, result)


def point(**changes: object) -> PointComparison:
    """A comparison at one point that has nothing wrong with it."""
    fields = {
        "sizes": {"n": 3},
        "value_ulps": 0.75,
        "derivative_ulps": 1.5,
        "value_conditioning": 1.0,
        "derivative_conditioning": 1.0,
        "entry_error": 3e-16,
        "radii": 0.25,
        "outcomes": {"pass": 2},
    }
    return PointComparison(**(fields | changes))  # type: ignore[arg-type]  # fields of mixed types


@pytest.fixture
def sample() -> report.ReportData:
    """One claim of each kind, one case, a plot."""
    proof = Evidence(Standing.PROVED_ALL_N, "indexed normal form", "every n ≥ 1", "a < b & c")
    figure = Evidence(Standing.NUMERICAL, "interval arithmetic", "z = (2, 1)", "0.417")
    wrong = Evidence(Standing.REFUTED, "exact arithmetic", "n = 2", "apart by 13/4")
    summary = Confrontation("softmax", 4, 0.75, 1.5, 0.25, {"pass": 8})
    comparison = Comparison("softmax", (point(), point(sizes={"n": 1}, value_ulps=0.0)))
    steps = tuple(2.0**-q for q in range(1, 50))
    return report.ReportData(
        claims=(
            examined("A7", (proof,), derivations=(jacobian(),), confrontations=(summary,)),
            examined("A8", (proof, figure), derivations=(jacobian(),)),
            examined("A9", (figure,), table=(("quantity", "printed"), ("y_1", "0.659"))),
            examined(
                "B4",
                (wrong,),
                known_wrong=True,
                witness=Witness("y = (1/4, 3/4)", "−3/4", "−4", "It is another derivative."),
            ),
        ),
        cases=(ExaminedCase("softmax", "document A", (jacobian(),), comparison),),
        curve=figures.StepCurve(
            "σ at x = 0.75",
            steps,
            tuple(h * h + 1e-16 / h * abs(math.sin(1 / h)) for h in steps),
            3e-16,
            4e-13,
            11,
        ),
        provenance=describe(4, 1, "python -m derivations --points 4 --seed 1"),
    )


@pytest.fixture
def make_examined():
    """The constructor of examined claims."""
    return examined


@pytest.fixture
def make_point():
    """The constructor of harmless points of comparison."""
    return point


VOID = {"meta", "br", "link", "img", "hr", "input"}
# Elements that end by themselves before what cannot be in them, or with what they are in.
ENDED_BY = {
    "li": {"li"},
    "p": {
        "p",
        "ol",
        "ul",
        "dl",
        "div",
        "table",
        "section",
        "article",
        "figure",
        "nav",
        "h4",
        "li",
        "td",
        "th",
        "tr",
        "tbody",
        "dt",
        "dd",
        "pre",
    },
    "td": {"td", "th", "tr", "tbody"},
    "th": {"td", "th", "tr", "tbody"},
    "tr": {"tr", "tbody"},
    "thead": {"tbody"},
    "tbody": set(),
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
}
# What some elements have to be in directly; what a paragraph cannot hold.
INSIDE = {
    "li": {"ul", "ol"},
    "td": {"tr"},
    "th": {"tr"},
    "tr": {"table", "thead", "tbody"},
    "thead": {"table"},
    "tbody": {"table"},
    "dt": {"dl"},
    "dd": {"dl"},
    "mtd": {"mtr"},
    "mtr": {"mtable"},
    "title": {"head", "svg", "circle", "path", "g"},
}
BLOCKS = {"p", "div", "table", "ul", "ol", "dl", "section", "pre", "figure", "h1", "h2", "h3", "h4"}


class Page(HTMLParser):
    """What a page is made of, and whether its elements are nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"{self.open} are never closed"

    def handle_starttag(self, tag, attrs):
        while self.open and tag in ENDED_BY.get(self.open[-1], ()):
            self.open.pop()
        parent = self.open[-1] if self.open else ""
        assert parent in INSIDE.get(tag, {parent}), f"<{tag}> in <{parent}>"
        assert not (tag in BLOCKS and "p" in self.open), f"<{tag}> in a paragraph"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert tag not in VOID
        while self.open[-1] != tag and self.open[-1] in ENDED_BY:
            self.open.pop()
        assert self.open.pop() == tag, f"</{tag}> closes nothing that is open"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def values(self, attribute):
        return [attrs[attribute] for _, attrs in self.tags if attrs.get(attribute) is not None]

    @property
    def words(self):
        return " ".join("".join(self.text).split())


@pytest.fixture
def parse_page():
    """What parses a page strictly: only end tags that HTML supplies by itself may be missing."""
    return Page
