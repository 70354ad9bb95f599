"""Are the layers' gradients proved for every shape, right on numbers, and wrong ones rejected?"""

import mpmath
import numpy as np
import pytest

import reference
from derivations.expressions.language import D, K, N, delta, derivative, j, k, m, n, r, t, total
from derivations.records import Standing
from derivations.rows import layers
from derivations.rows.layers import LABELS, PROBABILITY, UPSTREAM, A, B, G, H, W, d
from derivations.steps.build import Builder, StepError

CASES = {case.name: case for case in reference.CASES}
ROWS = {row.case: row for row in layers.ROWS}
SIZES = {"affine": ("N", "D", "K"), "softmax_with_loss": ("N", "n")}


def ulps(computed, exact):
    """Largest difference in units of the last place of the largest entry."""
    exact = np.asarray(exact, dtype=object)
    assert np.shape(computed) == exact.shape
    gaps = [
        abs(mpmath.mpf(float(a)) - b) for a, b in zip(np.ravel(computed), exact.flat, strict=True)
    ]
    return float(max(gaps)) / np.spacing(max(abs(float(x)) for x in exact.flat))


@pytest.mark.parametrize("name", ROWS)
def test_every_step_is_proved_for_every_shape_by_two_kernels(name):
    for derivation in ROWS[name].derive():
        for step in derivation.steps:
            by_standing = {e.standing: e for e in step.evidence}
            assert Standing.PROVED_FIXED_N in by_standing
            assert "≥ 1" in by_standing[Standing.PROVED_ALL_N].scope


def test_the_scopes_name_every_size():
    for derivation in layers.affine():
        assert derivation.scope.startswith("every D, K, N ≥ 1")
    for derivation in (layers.softmax_with_loss_hard(), layers.softmax_with_loss_soft()):
        assert derivation.scope.startswith("every N, n ≥ 1")


def test_class_indices_need_no_hypothesis_and_weights_need_one_in_the_last_step():
    assert layers.softmax_with_loss_hard().hypotheses == ()
    soft = layers.softmax_with_loss_soft()
    assert soft.hypotheses == (layers.ROWS_SUM_TO_ONE,)
    assert not any(step.hypotheses for step in soft.steps[:-1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 3, 2), (5, 1, 4), (4, 6, 3)])
@pytest.mark.parametrize("name", ROWS)
def test_derivation_and_code_agree_to_a_few_ulps(name, sizes, seed):
    case, row = CASES[name], ROWS[name]
    rng = np.random.default_rng(seed)
    arguments = case.draw(rng, **dict(zip(SIZES[name], sizes, strict=False)))
    value = np.asarray(case.f(*arguments))
    upstream = rng.standard_normal(value.shape)
    claimed = case.vjp(*arguments, upstream)
    claimed = claimed if isinstance(claimed, tuple) else (claimed,)
    if np.any(value):
        assert ulps(value, row.value(arguments)) <= 8
    for computed, derived in zip(claimed, row.vjp(arguments, upstream), strict=True):
        if np.any(computed):
            assert ulps(computed, derived) <= 8
        else:
            assert not np.any(derived.astype(float))


def test_the_document_s_example_of_a_batch():
    """Document C, claim C8: two samples of three classes, labels 0 and 1."""
    a, labels = np.array([[1, 2, 0.5], [0, 1, 1]]), np.array([0, 1])
    row = ROWS["softmax_with_loss"]
    printed = [[-0.38438805, 0.31426586, 0.07012219], [0.0776812, -0.2888406, 0.2111594]]
    assert float(row.value((a, labels))[()]) == pytest.approx(1.163181794083098, rel=1e-15)
    (gradient,) = row.vjp((a, labels), np.asarray(1.0))
    assert np.allclose(gradient.astype(float), printed, atol=5e-9)


def test_the_value_and_the_gradient_belong_together():
    """Central differences of the derived value at 50 digits."""
    rng = np.random.default_rng(8)
    a, labels = rng.standard_normal((3, 4)), np.array([0, 3, 3])
    row = ROWS["softmax_with_loss"]
    direction = rng.standard_normal((3, 4))
    (gradient,) = row.vjp((a, labels), np.asarray(1.5))
    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -15
        up, down = (
            row.value((np.array(a, dtype=object) * mpmath.mpf(1) + s * direction, labels))[()]
            for s in (h, -h)
        )
        slope = mpmath.mpf(1.5) * (up - down) / (2 * h)
        assert abs(slope - np.sum(gradient * direction)) < mpmath.mpf(10) ** -24


@pytest.mark.parametrize(
    ("entry", "ranges", "wrong"),
    [
        (H[r, d], {r: N, d: D}, total(G[r, j] * W[j, d], j, K)),
        (H[r, d], {r: N, d: D}, -total(G[r, j] * W[d, j], j, K)),
        (H[r, d], {r: N, d: D}, total(total(G[m, j] * W[d, j], j, K), m, N)),
        (W[d, k], {d: D, k: K}, total(H[m, k] * G[m, d], m, N)),
        (W[d, k], {d: D, k: K}, total(H[m, d] * G[m, k], m, N) / N),
        (W[d, k], {d: D, k: K}, H[1, d] * G[1, k]),
        (B[k], {k: K}, G[1, k]),
        (B[k], {k: K}, total(G[m, k], m, N) / N),
        (B[k], {k: K}, total(total(G[m, j], j, K), m, N)),
    ],
    ids=[
        "W not transposed",
        "sign",
        "summed over the batch",
        "dW transposed",
        "mean instead of sum in dW",
        "one sample only",
        "db without the sum",
        "mean instead of sum in db",
        "db summed over the units",
    ],
)
def test_a_wrong_affine_gradient_is_rejected(entry, ranges, wrong):
    start = derivative(layers.arriving(layers.AFFINE), entry)
    with pytest.raises(StepError, match=r"not proved|undecided"):
        Builder("wrong", "wrong", start, ranges=ranges).step("wrong", wrong)


Y, C = PROBABILITY, LABELS
HARD = (Y[r, k] - delta(C[r], k)) / N
SOFT = (Y[r, k] - t[r, k]) / N


@pytest.mark.parametrize(
    "wrong",
    [
        UPSTREAM * HARD * N,
        HARD,
        -UPSTREAM * HARD,
        UPSTREAM * Y[r, k] / N,
        UPSTREAM * HARD * N / n,
        UPSTREAM * (Y[r, k] - delta(C[1], k)) / N,
        UPSTREAM * (Y[r, k] - Y[r, k] * delta(C[r], k)) / N,
    ],
    ids=[
        "no 1/N",
        "upstream ignored",
        "sign",
        "label forgotten",
        "1/n for 1/N",
        "another sample's label",
        "y at the label dropped",
    ],
)
def test_a_wrong_gradient_of_the_loss_layer_is_rejected(wrong):
    builder = Builder(
        "wrong",
        "wrong",
        derivative(UPSTREAM * layers.HARD_LOSS, A[r, k]),
        definitions=(layers.BATCH_SOFTMAX,),
        ranges={r: N, k: n, C: n},
    )
    with pytest.raises(StepError, match="not proved"):
        builder.step("wrong", wrong)


@pytest.mark.parametrize(
    ("after", "using"),
    [
        (UPSTREAM * SOFT, ()),
        (UPSTREAM * SOFT * N, (layers.ROWS_SUM_TO_ONE,)),
        (UPSTREAM * (Y[r, k] - t[r, j]) / N, (layers.ROWS_SUM_TO_ONE,)),
    ],
    ids=["without the hypothesis", "no 1/N", "another class"],
)
def test_a_wrong_gradient_of_soft_labels_is_rejected(after, using):
    builder = Builder(
        "wrong",
        "wrong",
        derivative(UPSTREAM * layers.SOFT_LOSS, A[r, k]),
        definitions=(layers.BATCH_SOFTMAX,),
        ranges={r: N, k: n, m: N, j: n},
    )
    with pytest.raises(StepError, match="not proved"):
        builder.step("wrong", after, using)
