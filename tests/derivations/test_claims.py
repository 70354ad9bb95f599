"""The claims: all there, each with the status that its evidence gives it, and each able to fail."""

import dataclasses
import re

import mpmath
import numpy as np
import pytest
import sympy as sp

import reference
from derivations import report
from derivations.claims import (
    cost,
    document_a,
    document_b,
    document_c,
    document_c_code,
    document_e,
    examine,
    transcribed,
)
from derivations.claims.documents import CLAIMS
from derivations.expressions.language import delta, derivative, i, index, j, k, n, total, x, y, z
from derivations.kernels.witness import interval_context
from derivations.records import Claim, Evidence, Finding, Hypothesis, Standing, Witness

IDS = [
    f"{letter}{q}"
    for letter, last in zip("ABCDE", (11, 4, 12, 5, 4), strict=True)
    for q in range(1, last + 1)
]
KNOWN_WRONG = {"B4", "C9", "C10", "C11"}
PROVED = (
    "A1",
    "A2",
    "A3",
    "A6",
    "A7",
    "A8",
    "B1",
    "B2",
    "B3",
    "C5",
    "C6",
    "C7",
    "D3",
    "D4",
    "E1",
    "E2",
)


def claim(identifier: str) -> Claim:
    return next(c for c in CLAIMS if c.id == identifier)


def status_without_cases(identifier: str, monkeypatch) -> Finding:
    """Examine a claim alone: its own evidence, without the derivations of the catalogue."""

    def alone(evidence, *_cases, show=(), witness=None, table=()):
        return Finding(tuple(evidence), witness=witness, table=table)

    for module in (document_a, document_b, document_c, document_c_code, document_e):
        monkeypatch.setattr(module, "backed", alone)
    return report.examine(claim(identifier)).finding


def test_every_claim_is_there_once() -> None:
    assert [c.id for c in CLAIMS] == IDS
    assert {c.id for c in CLAIMS if c.known_wrong} == KNOWN_WRONG
    for c in CLAIMS:
        assert c.title
        assert c.statement
        assert c.source.startswith(f"document {c.id[0]}")


@pytest.mark.parametrize("identifier", IDS)
def test_status(identifier, full_report) -> None:
    found = next(c for c in full_report.claims if c.claim.id == identifier)
    assert found.expected, found.finding.evidence
    assert found.finding.evidence
    refuted = found.status is Standing.REFUTED
    assert refuted == (identifier in KNOWN_WRONG)
    assert refuted == (found.finding.witness is not None)
    if identifier in PROVED:
        assert found.status.value.startswith("proved"), found.status


def test_the_real_report_has_no_problems(full_report) -> None:
    assert full_report.problems == ()


def test_every_derivation_under_a_claim_is_proved(full_report) -> None:
    derivations = [d for c in full_report.claims for d in c.finding.derivations]
    assert derivations
    for d in derivations:
        assert d.standing.value.startswith("proved"), d.name


def test_refutations_are_seen_twice(full_report) -> None:
    """Once by exact or interval arithmetic, once by gradcheck on the document's own functions."""
    for c in full_report.claims:
        if c.claim.id in KNOWN_WRONG:
            methods = {e.method for e in c.finding.evidence if e.standing is Standing.REFUTED}
            assert "gradcheck.check" in methods
            assert methods & {"interval arithmetic", "exact rational arithmetic"}


def one_digit_off(rows):
    """Change the last digit of the first figure."""
    (first, *others), *rest = rows
    return ((first[:-1] + str(9 - int(first[-1])), *others), *rest)


# --- statuses are computed: whatever is tampered with changes them


def test_wrong_formulas_are_refuted_with_a_point() -> None:
    setting = examine.Setting(ranges={i: n, k: n}, pairs=((i, k),), scope="every n")
    slope = derivative(document_a.softmax_of(i), z[k])
    diagonal = delta(i, k) * document_a.softmax_of(i) * (1 - document_a.softmax_of(i))
    found = examine.for_every_size(diagonal, slope, setting, "never shown")
    assert found.standing is Standing.REFUTED
    assert "n = 2" in found.scope
    assert "true − claimed" in found.detail
    assert (
        examine.for_all_reals(1 + sp.tanh(x) ** 2, derivative(sp.tanh(x), x), "", "").standing
        is Standing.REFUTED
    )


def test_what_no_kernel_knows_is_undecided() -> None:
    setting = examine.Setting(ranges={}, scope="every n")
    gamma = total(sp.gamma(y[j]), j, n)
    assert examine.for_every_size(gamma, 2 * gamma, setting, "").standing is Standing.UNDECIDED
    assert examine.for_all_reals(sp.sqrt(x**2), x + 0 * x, "", "").standing is Standing.UNDECIDED
    assert examine.positive(
        sp.Symbol("a", positive=True) - 1, Standing.PROVED_REAL, "", ""
    ).standing is (Standing.UNDECIDED)


def test_without_its_hypothesis_a_claim_is_not_proved() -> None:
    """A8's last form needs ΣY = 1; the same call without it must not go through."""
    loss = -total(document_a.Y[i] * sp.log(document_a.softmax_of(i)), i, n)
    setting = examine.Setting(ranges={k: n}, scope="every n")
    found = examine.for_every_size(
        document_a.softmax_of(k) - document_a.Y[k], derivative(loss, z[k]), setting, ""
    )
    assert found.standing is Standing.REFUTED


def test_a_hypothesis_does_not_prove_what_is_wrong() -> None:
    loss = -total(document_a.Y[i] * sp.log(document_a.softmax_of(i)), i, n)
    one = Hypothesis(total(document_a.Y[i], i, n), sp.Integer(1), "Σ Y_i = 1")
    setting = examine.Setting(ranges={k: n}, scope="every n", hypotheses=(one,))
    wrong = document_a.Y[k] - document_a.softmax_of(k)
    found = examine.for_every_size(wrong, derivative(loss, z[k]), setting, "")
    assert found.standing is Standing.UNDECIDED
    assert "the normal form of the difference is" in found.detail


def test_one_label_too_many_is_seen() -> None:
    target = index("c")
    setting = examine.Setting(ranges={k: n, target: n}, pairs=((k, target),), scope="every n")
    loss = -sp.log(document_a.softmax_of(target))
    wrong = document_a.softmax_of(k) - 1
    assert (
        examine.for_every_size(wrong, derivative(loss, z[k]), setting, "").standing
        is Standing.REFUTED
    )


@pytest.mark.parametrize(
    ("identifier", "module", "name", "value"),
    [
        # A digit of a document, changed.
        (
            "C8",
            document_c_code,
            "_PRINTED_SOFTMAX",
            one_digit_off(document_c_code._PRINTED_SOFTMAX),
        ),
        (
            "C8",
            document_c_code,
            "_PRINTED_GRADIENT",
            one_digit_off(document_c_code._PRINTED_GRADIENT),
        ),
        (
            "E3",
            document_e,
            "_PRINTED_GRADIENT",
            ("1.05", "0.525", "1.05", "0.525", "1.3125", "3.98"),
        ),
        (
            "E3",
            document_e,
            "_PRINTED_STEP",
            ("0.395", "1.4475", "2.195", "2.9475", "0.86875", "0.602"),
        ),
        ("E3", document_e, "_RATE", sp.Rational(1, 5)),
        # Code that does something else.
        ("A4", reference, "softmax", lambda z, axis=-1: np.flip(np.exp(z) / np.exp(z).sum())),
        ("A9", reference, "softmax_cross_entropy", lambda z, label: 0.41703),
        ("A10", reference, "softmax_cross_entropy", lambda z, label: max(z) - z[label] + 1e-3),
        ("A11", reference, "minibatches", lambda samples, size, rng: [np.zeros(samples, int)]),
        ("C5", reference, "softmax_with_loss", lambda a, t: 1.0),
        ("E4", reference, "attention_vjp", lambda Q, K, V, G: (0 * Q, 0 * K, 0 * V)),
        # The derivative of something else.
        ("A5", document_a, "derivative", lambda f, v: derivative(2 * f, v)),
    ],
)
def test_tampering_refutes(identifier, module, name, value, monkeypatch) -> None:
    assert status_without_cases(identifier, monkeypatch).status is not Standing.REFUTED
    monkeypatch.setattr(module, name, value)
    assert status_without_cases(identifier, monkeypatch).status is Standing.REFUTED


@pytest.mark.parametrize("identifier", ["C10"])
def test_a_wrong_claim_that_was_mended_is_no_longer_refuted(identifier, monkeypatch) -> None:
    assert status_without_cases(identifier, monkeypatch).status is Standing.REFUTED

    def mended(a, t, upstream=1.0):
        return upstream * (transcribed.probabilities(a) - t) / len(a)

    monkeypatch.setattr(document_c_code, "document_backward", mended)
    found = status_without_cases(identifier, monkeypatch)
    assert found.status is Standing.UNDECIDED
    assert "gradcheck was expected to reject" in found.evidence[0].detail


def test_an_examination_that_breaks_off_is_undecided() -> None:
    def broken() -> Finding:
        raise ZeroDivisionError("by zero")

    found = report.examine(dataclasses.replace(claim("A1"), examine=broken))
    assert found.status is Standing.UNDECIDED
    assert not found.expected
    assert "ZeroDivisionError: by zero" in found.finding.evidence[0].detail


def test_no_evidence_is_no_success() -> None:
    assert Finding(()).status is Standing.UNDECIDED


@pytest.mark.parametrize("known_wrong", [False, True])
@pytest.mark.parametrize("standing", list(Standing))
def test_problems_follow_from_statuses(standing, known_wrong, make_examined, sample) -> None:
    evidence = (Evidence(Standing.PROVED_ALL_N, "m", "s"), Evidence(standing, "m", "s", "why"))
    witness = Witness("p", "c", "t", "e")
    found = make_examined("A1", evidence, known_wrong=known_wrong, witness=witness)
    data = dataclasses.replace(sample, claims=(found,), cases=())
    fine = (
        (standing is Standing.REFUTED)
        if known_wrong
        else standing not in (Standing.REFUTED, Standing.UNDECIDED)
    )
    assert bool(data.problems) != fine


def test_a_refutation_without_witness_is_a_problem(make_examined, sample) -> None:
    found = make_examined("B4", (Evidence(Standing.REFUTED, "m", "s"),), known_wrong=True)
    assert "without a witness" in dataclasses.replace(sample, claims=(found,)).problems[0]


# --- the documents' figures


@pytest.mark.parametrize(
    ("value", "printed", "expected"),
    [
        ("1/3", "0.333", True),
        ("1/3", "0.3333333333", True),
        ("1/3", "0.334", False),
        ("-1/3", "-0.33", True),
        ("2/3", "0.66", False),
        ("5", "5", True),
    ],
)
def test_printed_digits_are_compared_by_rounding(value, printed, expected) -> None:
    ctx = interval_context()
    p, q = sp.Rational(value).as_numer_denom()
    assert examine.prints_as(ctx.mpf(int(p)) / int(q), printed) is expected


def test_a_wide_enclosure_proves_no_digit() -> None:
    ctx = interval_context()
    assert examine.prints_as(ctx.mpf([0.3333, 0.3334]), "0.333")
    assert not examine.prints_as(ctx.mpf([0.3, 0.4]), "0.333")


def test_the_document_s_layer_computes_what_the_document_prints() -> None:
    a, t = document_c_code._A_FLOAT, document_c_code._T
    assert transcribed.document_loss(a, t) == pytest.approx(1.1631814594485623, abs=4e-16)
    printed = np.array([[-0.38438805, 0.31426586, 0.07012219], [0.0776812, -0.2888406, 0.2111594]])
    np.testing.assert_allclose(transcribed.document_backward(a, t), printed, atol=5e-9)
    assert reference.softmax_with_loss(a, t) == pytest.approx(1.163181794083098, abs=4e-16)


def test_the_inconsistency_of_c9_is_as_small_as_stated(full_report) -> None:
    witness = next(c for c in full_report.claims if c.claim.id == "C9").finding.witness
    claimed, true = (
        mpmath.mpf(re.search(r"−0\.\d+", text).group().replace("−", "-"))
        for text in (witness.claimed, witness.true)
    )
    assert float(abs(claimed / true - 1)) == pytest.approx(4.3e-7, rel=0.02)


def test_witness_of_b4(full_report) -> None:
    witness = next(c for c in full_report.claims if c.claim.id == "B4").finding.witness
    assert (witness.claimed, witness.true) == ("y_1 − z_1 = −3/4", "−z_1/y_1 = −4")
    assert "logits" in witness.explanation
    assert "B3" in witness.explanation


# --- the cost of numerical differentiation (C12)


def test_costs_are_measured_and_marked(full_report) -> None:
    table = next(c for c in full_report.claims if c.claim.id == "C12").finding.table
    parameters = [int(row[1]) for row in table[1:]]
    assert parameters == sorted(parameters)
    assert len(parameters) >= 4
    assert parameters[-1] > 100_000
    assert [int(row[2]) for row in table[1:]] == [2 * p for p in parameters]
    marked = ["(extrapolated)" in row[3] for row in table[1:]]
    assert not marked[0]
    assert marked[-1]


def test_differences_in_full_are_the_gradient() -> None:
    """What is timed is a numerical gradient and not something cheaper."""
    rng = np.random.default_rng(3)
    parameters = reference.initial_parameters((3, 4, 2), rng)
    x, labels = rng.standard_normal((5, 3)), rng.integers(0, 2, 5)
    network = reference.Network(activation="sigmoid")
    calls = 0

    def loss():
        nonlocal calls
        calls += 1
        return network.loss(x, labels, parameters)

    numerical = cost._differences(loss, parameters)
    analytic = [
        g for layer in network.backward(x, labels, parameters).parameters for g in layer.values()
    ]
    assert calls == 2 * sum(g.size for g in analytic)
    for got, want in zip(numerical, analytic, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-8)


@pytest.mark.parametrize(("ratio", "expected"), [(1e4, "10 seconds"), (100.0, "17 minutes")])
def test_hours_become(ratio, expected) -> None:
    assert cost.hours_with(ratio, 27.7) == expected
