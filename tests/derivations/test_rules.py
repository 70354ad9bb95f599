"""Rules do what their names say, keep the value, touch nothing else and refuse where they cannot."""

from __future__ import annotations

import random

import pytest
import sympy as sp

from derivations.expressions.calculus import meaning
from derivations.expressions.language import (
    Y,
    delta,
    derivative,
    i,
    j,
    k,
    n,
    opaque,
    phi,
    plus,
    times,
    total,
    x,
    z,
)
from derivations.kernels.indexed import prove_zero
from derivations.records import Hypothesis
from derivations.steps import rules
from derivations.steps.rules import Rule, RuleError

S = total(sp.exp(z[j]), j, n)
DIFFERENTIATION = (
    rules.CONSTANT,
    rules.LINEAR,
    rules.PRODUCT,
    rules.QUOTIENT,
    rules.RECIPROCAL,
    rules.POWER,
    rules.EXP,
    rules.LOG,
    rules.TANH,
    rules.OPAQUE,
    rules.TERM_BY_TERM,
    rules.ITSELF,
    rules.ENTRY,
)
SUMS = (rules.SIFT, rules.PULL_OUT, rules.SPLIT)

EXAMPLES = {
    rules.CONSTANT: (derivative(Y[k], z[k]), sp.Integer(0)),
    rules.LINEAR: (
        derivative(3 * x**2 - sp.exp(x), x),
        3 * derivative(x**2, x) - derivative(sp.exp(x), x),
    ),
    rules.PRODUCT: (
        derivative(x**2 * sp.exp(x), x),
        plus(derivative(x**2, x) * sp.exp(x), x**2 * derivative(sp.exp(x), x)),
    ),
    rules.QUOTIENT: (
        derivative(sp.exp(x) / (1 + x**2), x),
        (derivative(sp.exp(x), x) * (1 + x**2) - sp.exp(x) * derivative(1 + x**2, x))
        / (1 + x**2) ** 2,
    ),
    rules.RECIPROCAL: (
        derivative(2 / (1 + x**2), x),
        -2 * derivative(1 + x**2, x) / (1 + x**2) ** 2,
    ),
    rules.POWER: (derivative(z[i] ** 3, z[k]), 3 * z[i] ** 2 * derivative(z[i], z[k])),
    rules.EXP: (derivative(sp.exp(-x), x), -sp.exp(-x)),
    rules.LOG: (derivative(sp.log(S), z[k]), derivative(S, z[k]) / S),
    rules.TANH: (derivative(sp.tanh(x), x), 1 - sp.tanh(x) ** 2),
    rules.OPAQUE: (derivative(phi(z[i]), z[k]), opaque("phi", 1)(z[i]) * derivative(z[i], z[k])),
    rules.TERM_BY_TERM: (derivative(S, z[k]), total(derivative(sp.exp(z[j]), z[k]), j, n)),
    rules.ITSELF: (derivative(x, x), sp.Integer(1)),
    rules.ENTRY: (derivative(z[i, j], z[k, j]), delta(i, k)),
    rules.SIFT: (total(delta(j, k) * z[j] * Y[j], j, n), z[k] * Y[k]),
    rules.PULL_OUT: (total(z[k] * Y[j], j, n), z[k] * total(Y[j], j, n)),
    rules.SPLIT: (total(z[j] * (Y[j] - 1), j, n), total(z[j] * Y[j], j, n) + total(-z[j], j, n)),
}


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.name)
def test_a_rule_does_what_its_name_says(rule: Rule) -> None:
    before, after = EXAMPLES[rule]
    assert rule(before) == after


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.name)
def test_a_rule_refuses_where_it_does_not_apply(rule: Rule) -> None:
    with pytest.raises(RuleError, match="does not apply"):
        rule(z[i] * Y[k] + 1)


def test_every_rule_has_an_example() -> None:
    assert {*DIFFERENTIATION, *SUMS} == set(EXAMPLES)


def random_body(generator: random.Random, depth: int, indices: tuple[sp.Symbol, ...]) -> sp.Expr:
    if depth == 0:
        return generator.choice((z, Y))[generator.choice(indices)]
    a, b = (random_body(generator, depth - 1, indices) for _ in range(2))
    bound = generator.choice((i, j, k))
    return generator.choice(
        (
            a + b,
            a * b,
            2 * a - b,
            sp.exp(a),
            sp.exp(a) / (1 + b**2),
            sp.log(1 + b**2),
            sp.tanh(a),
            phi(a * b),
            a**3,
            total(random_body(generator, depth - 1, (*indices, bound)), bound, n),
        )
    )


@pytest.mark.parametrize("seed", range(60))
def test_rules_keep_the_value_until_nothing_is_left_to_differentiate(seed: int) -> None:
    """Apply whatever applies, in random order; the kernel checks every step, for every n."""
    generator = random.Random(seed)
    expression = derivative(random_body(generator, 3, (i, k)), z[k])
    for _ in range(60):
        applicable = []
        for rule in (*DIFFERENTIATION, *SUMS):
            try:
                applicable.append((rule, rule(expression)))
            except RuleError:
                continue
        if not applicable:
            break
        rule, after = generator.choice(applicable)
        residual = meaning(expression) - meaning(after)
        assert prove_zero(residual, {i: n, k: n}), f"{rule.name}: {expression} became {after}"
        expression = after
    assert not expression.has(sp.Derivative)


def test_the_bound_index_of_a_sum_is_renamed_before_it_is_captured() -> None:
    after = rules.TERM_BY_TERM(derivative(S, z[j]))
    assert after != total(derivative(sp.exp(z[j]), z[j]), j, n)
    assert prove_zero(meaning(after) - sp.exp(z[j]), {j: n})
    sifted = rules.SIFT(total(delta(j, k) * total(z[k] * Y[j], k, n), j, n))
    assert prove_zero(sifted - Y[k] * total(z[i], i, n), {k: n})


def test_only_the_outermost_place_changes_and_the_rest_keeps_its_form() -> None:
    written = plus(derivative(sp.exp(x), x), times(x, sp.Pow(x, -1)))
    after = rules.EXP(written)
    assert after == plus(sp.exp(x), times(x, sp.Pow(x, -1)))
    assert after != sp.exp(x) + 1


def test_separating_a_term() -> None:
    rule = rules.separate(k)
    after = rule(total(z[i], i, n))
    assert after == plus(z[k], total(times(plus(1, -delta(i, k)), z[i]), i, n))
    assert prove_zero(after - total(z[i], i, n), {k: n})


def test_a_hypothesis_is_used_under_another_index_name_and_recorded() -> None:
    hypothesis = Hypothesis(total(Y[i], i, n), sp.Integer(1), "ΣY = 1")
    rule = rules.use(hypothesis)
    assert rule(z[k] * total(Y[j], j, n)) == z[k]
    assert rule.using == (hypothesis,)
    assert rules.then("both", rules.PULL_OUT, rule).using == (hypothesis,)
    with pytest.raises(RuleError):
        rule(total(Y[j] * z[j], j, n))


def test_rules_in_a_row_are_one_step() -> None:
    both = rules.then("exp of a sum", rules.LINEAR, rules.EXP)
    assert both(derivative(2 * sp.exp(x) + 1, x)) == 2 * sp.exp(x)
