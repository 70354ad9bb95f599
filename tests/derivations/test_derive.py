"""Anyone's function: derivation, domain, code and its check, for chosen and for random expressions.

The truth is computed without the package: the text is handed to mpmath by a translation of its own,
and differentiated by differences at 60 digits.
"""

from __future__ import annotations

import json
import math
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from xml.etree import ElementTree

import mpmath
import numpy as np
import pytest
import sympy as sp

import derivations
from derivations.__main__ import OK, PROBLEMS, USAGE, main
from derivations.deadline import Deadline, OutOfTimeError
from derivations.deriving import codecheck, derived, numpy_code, stable_forms
from derivations.deriving.conditions import Need, Status
from derivations.deriving.derived import derive
from derivations.deriving.domains import domain
from derivations.deriving.sampler import draw_places
from derivations.deriving.solutions import derivative_statement, value_statement
from derivations.expressions.calculus import meaning
from derivations.expressions.language import derivative, x
from derivations.kernels import field, rational
from derivations.records import Standing
from derivations.steps import chain, differentiation, judge
from derivations.steps.rules import Rule
from derivations.text import grammar, reading
from derivations.text.grammar import ExpressionError, parse

MISH = "x*tanh(log(1+exp(x)))"


# --- the truth, by another road ------------------------------------------------------------------

ORACLE = {
    **{
        name: getattr(mpmath, name)
        for name in (
            *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "expm1"),
            *("hypot", "log", "log10", "log1p", "sign", "sin", "sinh", "sqrt", "tan", "tanh"),
        )
    },
    "abs": abs,
    "e": mpmath.e,
    "log2": lambda a: mpmath.log(a, 2),
    "max": max,
    "min": min,
    "mpf": mpmath.mpf,
    "pi": mpmath.pi,
    "relu": lambda a: max(a, mpmath.mpf(0)),
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "softplus": lambda a: mpmath.log(1 + mpmath.exp(a)),
}


def oracle(text: str):
    """Return the function that a text of this file means."""
    code = re.sub(r"(?<![A-Za-z0-9_.])(\d+\.?\d*)", r"mpf('\1')", text).replace("^", "**")
    compiled = compile(code, "oracle", "eval")
    return lambda **at: eval(compiled, ORACLE | at)  # our own texts only


def true_slope(f, at: dict[str, mpmath.mpf], name: str) -> mpmath.mpf:
    step = mpmath.mpf(10) ** -25
    up, down = (f(**{**at, name: at[name] + moved}) for moved in (step, -step))
    return (up - down) / (2 * step)


UNARY = [name for name, arity in grammar.ARITIES.items() if arity == (1, 1)]


def random_text(generator: random.Random, depth: int) -> str:
    inner = lambda: random_text(generator, depth - 1)  # noqa: E731 — drawn anew at each use
    pick = generator.random()
    if depth == 0 or pick < 0.12:
        return generator.choice(["x", "x", "y", "y", "2", "3", "0.5", "pi", "e"])
    if pick < 0.5:
        return f"({inner()}{generator.choice('++-**/')}{inner()})"
    if pick < 0.6:
        exponents = ["2", "3", "(-1)", "0.5", "(-2)", "1.5", random_text(generator, 0)]
        return f"({inner()})^{generator.choice(exponents)}"
    if pick < 0.66:
        return f"{generator.choice(['max', 'min', 'hypot'])}({inner()},{inner()})"
    return f"{generator.choice(UNARY)}({inner()})"


def compare_random(seeds: range, depth: int) -> tuple[Counter[str], list[str]]:
    """Derive random expressions; return what came out, and everything that is wrong."""
    counts: Counter[str] = Counter()
    wrong = []
    for seed in seeds:
        text = random_text(random.Random(seed), depth)
        try:
            found = derive(text, seed=seed, points=3)
        except ExpressionError:
            counts["refused"] += 1
            continue
        counts["ok" if found.ok else "failed" if found.failures else "undecided"] += 1
        wrong += [f"seed {seed}: {text}: {failure}" for failure in found.failures]
        if not found.partials:
            continue
        compared, differing = compare_one(text, found, seed)
        counts["compared"] += compared > 0
        wrong += differing
    return counts, wrong


def compare_one(text: str, found: derived.Derived, seed: int) -> tuple[int, list[str]]:
    """Compare every derived derivative with differences of the oracle."""
    f, ctx, compared, wrong = oracle(text), reading.context(), 0, []
    places = draw_places(parse(text), found.domain, ctx, 2, seed + 1)
    with mpmath.workdps(70):
        for place in places:
            at = {name: mpmath.mpf(value) for name, value in place.at.items()}
            for partial in found.partials:
                result = partial.result
                symbols = {s: at[s.name] for s in result.free_symbols}
                value = judge.numeric(result, symbols, mpmath.mp)
                truth = true_slope(f, at, partial.variable)
                compared += 1
                if abs(value - truth) > 1e-20 * max(1, abs(truth)):
                    wrong.append(f"seed {seed}: d({text})/d{partial.variable} is not {result}")
    return compared, wrong


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out SymPy's ``simplify``, which takes three quarters of the time."""
    without = tuple(row for row in chain._SHORTER if row[0] != "simplify")
    monkeypatch.setattr(chain, "_SHORTER", without)


def test_random_expressions_are_derived_rightly(quick) -> None:
    counts, wrong = compare_random(range(190), depth=2)
    assert not wrong
    assert counts["compared"] >= 100, counts
    assert counts["ok"] >= 0.9 * (190 - counts["refused"]), counts


@pytest.mark.nightly
def test_many_random_expressions_are_derived_rightly(quick) -> None:
    counts, wrong = compare_random(range(10_000, 11_800), depth=3)
    derived_wrongly = [line for line in wrong if "is not" in line]
    assert not derived_wrongly
    assert counts["compared"] >= 1000, counts
    # Code of a random formula may cancel; that the check says so is what it is for.
    assert counts["failed"] <= 0.01 * counts["compared"], wrong
    assert counts["ok"] >= 0.85 * counts["compared"], counts


# --- chosen expressions --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mish() -> derived.Derived:
    return derive(MISH, seed=1)


def test_the_example_is_derived_coded_and_checked(mish: derived.Derived) -> None:
    assert mish.ok
    assert mish.problems == ()
    assert mish.standing is Standing.PROVED_REAL
    (partial,) = mish.partials
    assert str(partial.derivation.start) == "Derivative(x*tanh(log(exp(x) + 1)), x)"
    assert [s.rule for s in partial.derivation.steps][:2] == [
        "product rule",
        "derivative of tanh, chain rule",
    ]
    for before, after in zip(partial.derivation.steps, partial.derivation.steps[1:], strict=False):
        assert before.after == after.before
    assert mish.check is not None
    assert mish.check.outcomes == {"pass": 16}
    assert mish.check.derivative_error < 16


def test_the_code_is_the_stable_form(mish: derived.Derived) -> None:
    assert mish.code is not None
    functions = mish.code.functions()
    points = np.array([-700.0, -56.75, -1.0, 0.0, 1.0, 56.75, 700.0])
    with mpmath.workdps(400):
        f = oracle(MISH)
        for point, computed in zip(points, functions["df_dx"](points), strict=True):
            truth = true_slope(f, {"x": mpmath.mpf(point)}, "x")
            # Rounding x alone costs |x| ε of e^x at the far end.
            assert abs(computed - float(truth)) <= 1e-12 * abs(float(truth))


def test_the_public_name_is_lazy_and_the_only_one() -> None:
    code = "import sys, derivations; assert 'sympy' not in sys.modules\n"
    code += "from derivations import derive; print(derive('x^2', seed=1).ok, dir(derivations))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True ['derive']\n"
    assert derivations.derive is derive
    with pytest.raises(AttributeError, match="no attribute 'derivee'"):
        _ = derivations.derivee


EVERY_FUNCTION = [
    *(f"{name}(x/4)" for name in UNARY if name != "acosh"),
    *(
        "acosh(x^2+2)",
        "hypot(x, y)",
        "max(x, y, 1)",
        "min(x, y^2)",
        "x^y",
        "2^x",
        "(1/3)^x",
        "x^pi",
    ),
    *("x^1.5", "x^-3", "x^(2/3)", "e^(x*y)", "pi*x", "log(x)^y", "1/(1+x^2)", "x/y", "exp(-x^2/2)"),
]


@pytest.mark.parametrize("text", EVERY_FUNCTION)
def test_every_function_of_the_grammar(text: str, quick) -> None:
    found = derive(text, seed=3, points=4)
    assert found.problems == ()
    compared, wrong = compare_one(text, found, 3)
    assert compared
    assert not wrong


def test_several_variables_and_a_choice_of_them(quick) -> None:
    found = derive("sin(x*y)/z", seed=1, points=2)
    assert [p.variable for p in found.partials] == ["x", "y", "z"]
    chosen = derive("sin(x*y)/z", wrt="y", seed=1, points=2)
    assert [p.variable for p in chosen.partials] == ["y"]
    assert chosen.code is not None
    assert chosen.code.partials == ("df_dy",)
    assert derive("x*y", wrt=["y", "x", "y"], seed=1, points=1).code.partials == ("df_dy", "df_dx")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wrt": "w"}, "there is no variable 'w' in it; the variables are x"),
        ({"wrt": []}, "no variable is wanted"),
        ({"points": 0}, "points and seconds must be positive"),
        ({"seconds": 0.0}, "points and seconds must be positive"),
        ({"seconds": math.nan}, "points and seconds must be positive"),
        ({"seed": -1}, "the seed must not be negative"),
    ],
)
def test_arguments_that_make_no_sense(arguments, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        derive("x^2", **arguments)


def test_a_constant_has_no_variable() -> None:
    with pytest.raises(ExpressionError, match="no variable to differentiate by"):
        derive("2*pi")


# --- the domain ----------------------------------------------------------------------------------

DOMAINS = [
    ("x^2", "all real x", "all real x"),
    ("x/x", "x ≠ 0", "x ≠ 0"),
    ("log(x)", "x > 0", "x > 0"),
    ("sqrt(x)", "x ≥ 0", "x > 0"),
    ("sqrt(x)/x", "x > 0", "x > 0"),
    ("x^1.5", "x ≥ 0", "x > 0"),
    ("x^y", "x > 0", "x > 0"),
    ("asin(2*x)", "−1/2 ≤ x ≤ 1/2", "−1/2 < x < 1/2"),
    ("log(x^2-1)", "x < −1 or x > 1", "x < −1 or x > 1"),
    ("1/(x^2-4)", "x ≠ −2, x ≠ 2", "x ≠ −2, x ≠ 2"),
    ("1/(x^2+1)", "all real x", "all real x"),
    ("log(1+exp(x))", "all real x", "all real x"),
    ("abs(x-1)", "all real x", "x ≠ 1"),
    ("relu(x)", "all real x", "x ≠ 0"),
    ("max(x,y)", "all real x, y", "x − y ≠ 0"),
    ("max(x,x)", "all real x", "all real x"),
    ("1/sin(x)", "sin(x) ≠ 0", "sin(x) ≠ 0"),
    ("tan(x)", "cos(x) ≠ 0", "cos(x) ≠ 0"),
    ("sqrt(log(x))", "x > 0; log(x) ≥ 0", "x > 0; log(x) > 0"),
    ("hypot(x,y)", "all real x, y", "x^2 + y^2 > 0"),
    ("atanh(x)", "−1 < x < 1", "−1 < x < 1"),
    ("acosh(x)", "x ≥ 1", "x > 1"),
    ("1/sqrt(x)", "x > 0", "x > 0"),
    ("log(log(x))", "x > 0; log(x) > 0", "x > 0; log(x) > 0"),
    ("x + log(1 + 0^0.5)", "all real x", "all real x"),
    ("abs(x)/x", "x ≠ 0", "x ≠ 0"),
]


@pytest.mark.parametrize(("text", "value", "slope"), DOMAINS)
def test_the_domain_is_stated(text: str, value: str, slope: str) -> None:
    found = domain(parse(text), text)
    assert found.undecided == ()
    assert value_statement(found) == value
    assert derivative_statement(found) == slope


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("x + log(-1-x^2)", 4),
        ("log(x)+log(-x)", 7),
        ("sqrt(x-1)*sqrt(-x)", 10),
        ("1/(x-x)", 2),
        ("asin(2+exp(x))", 0),
        ("sqrt(x)*sqrt(-x)", 8),
        ("log(x)+(x-x)^-0.5", 7),
    ],
)
def test_what_is_defined_nowhere_is_refused(text: str, position: int) -> None:
    with pytest.raises(ExpressionError, match="defined for no real number") as caught:
        derive(text)
    assert caught.value.start == position


def test_what_cannot_be_decided_is_said(quick) -> None:
    found = derive("1/(x^2+y^2-x*y+1)", seed=1, points=3)
    assert not found.ok
    assert found.standing is Standing.UNDECIDED
    assert found.failures == ()
    assert "no proof, and no counterexample in 200 points" in found.undecided[0]
    assert all(p.derivation.standing is Standing.PROVED_REAL for p in found.partials)


def test_what_is_no_real_expression_is_undecided() -> None:
    found = derive("atanh(sign(sqrt(x)))", seed=1, points=2)
    assert not found.ok
    assert any("has no real value" in reason for reason in found.undecided)
    assert found.code is None
    for form in ("text", "markdown", "latex", "json", "html"):
        assert shown(found, form)


def first_wrong_domain(seeds: range) -> str | None:
    """The value must exist exactly where its conditions hold; what always holds must do so."""
    ctx, inside, outside = reading.context(), 0, 0
    for seed in seeds:
        generator = random.Random(seed)
        text = random_text(generator, 3)
        tree = parse(text)
        try:
            reading.check_limits(tree, text)
            found = domain(tree, text)
        except ExpressionError:
            continue
        conditions = [c for c in found.conditions if c.need is Need.VALUE]
        for _ in range(6):
            at = {name: ctx.mpf(generator.randint(-64, 64)) / 16 for name in found.variables}
            holds = all(_holds(c, at, ctx) for c in conditions)
            try:
                reading.value(tree, at, ctx)
                exists = True
            except reading.UndefinedError as error:
                if "too large" in str(error):
                    continue
                exists = False
            inside, outside = inside + exists, outside + (not exists)
            if exists != holds:
                return f"{text} at {at}: exists {exists}, conditions hold {holds}"
            for c in conditions:
                if exists and c.status is Status.ALWAYS and not _holds(c, at, ctx):
                    return f"{text}: {c} does not always hold"
    assert inside > len(seeds)
    assert outside > len(seeds) / 4
    return None


def _holds(condition, at, ctx) -> bool:
    try:
        value = reading.value(condition.tree, at, ctx)
    except reading.UndefinedError:
        return False
    close = abs(value) < ctx.mpf(10) ** -40
    return bool({">": value > 0 and not close, "≥": value >= 0, "≠": not close}[condition.relation])


def test_the_conditions_are_exactly_the_domain() -> None:
    assert first_wrong_domain(range(200)) is None


@pytest.mark.parametrize("forgotten", ["/", "log", "sqrt", "acos"])
def test_a_forgotten_condition_is_caught(forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from derivations.deriving import conditions

    right = conditions._needs

    def mutant(tree):
        sign = getattr(tree, "sign", getattr(tree, "function", None))
        return iter(()) if sign == forgotten else right(tree)

    monkeypatch.setattr(conditions, "_needs", mutant)
    assert first_wrong_domain(range(600)) is not None


# --- wrong rules, wrong kernels, wrong code ------------------------------------------------------


def _chain_rule(kind, outer) -> Rule:
    return differentiation._chain(kind, "a mutant", outer)


def _half_a_product(f, v):
    if not f.is_Mul:
        return None
    return differentiation._slope(f.args[0], v) * sp.Mul(*f.args[1:])


WRONG_RULES = {
    "sine": (_chain_rule(sp.sin, lambda a: -sp.cos(a)), "sin(x)"),
    "cosine": (_chain_rule(sp.cos, sp.sin), "cos(x)"),
    "tanh": (_chain_rule(sp.tanh, lambda a: 1 + sp.tanh(a) ** 2), "tanh(x)"),
    "exp": (_chain_rule(sp.exp, lambda a: a * sp.exp(a)), "exp(x)"),
    "log": (_chain_rule(sp.log, lambda a: 1 / a**2), "log(x)"),
    "arctan": (_chain_rule(sp.atan, lambda a: 1 / (1 - a**2)), "atan(x)"),
    "abs": (_chain_rule(sp.Abs, lambda a: sp.Integer(1)), "abs(x)"),
    "no inner derivative": (
        differentiation._rule("m", lambda f, v: sp.cos(f.args[0]) if f.func is sp.sin else None),
        "sin(2*x)",
    ),
    "product": (differentiation._rule("m", _half_a_product), "sin(x)*cos(x)"),
    "power": (
        differentiation._rule("m", lambda f, v: f.base**f.exp if f.is_Pow else None),
        "sqrt(x)",
    ),
    "extreme": (
        differentiation._rule("m", lambda f, v: sp.Integer(1) if f.func is sp.Max else None),
        "max(x, 1)",
    ),
}


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_is_caught_at_its_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, text = WRONG_RULES[name]
    monkeypatch.setattr(differentiation, "RULES", (rule, *differentiation.RULES))
    with pytest.raises(judge.WrongStepError, match="differ by"):
        derive(text, seed=1, points=3)


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_is_not_proved_either(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sampling switched off the kernels refuse the step, and the code fails its check."""
    rule, text = WRONG_RULES[name]
    monkeypatch.setattr(differentiation, "RULES", (rule, *differentiation.RULES))
    nothing = judge.Evidence(Standing.NUMERICAL, "nothing", "")
    monkeypatch.setattr(judge.Judge, "sampled", lambda self, before, after: nothing)
    found = derive(text, seed=1, points=3)
    assert found.standing is Standing.UNDECIDED
    assert "normal form that is not zero" in found.undecided[0]
    assert found.failures
    assert "gradcheck fails the code" in found.failures[0]


def test_a_wrong_table_of_the_kernel_leaves_the_step_undecided(monkeypatch) -> None:
    monkeypatch.setitem(field._INVERSE, sp.atan, lambda a: 1 / (1 - a**2))
    found = derive("atan(x)", seed=1, points=3)
    assert not found.ok
    assert found.failures == ()
    assert "step 1 (derivative of arctan, chain rule)" in found.undecided[0]


def test_rule_and_kernel_with_the_same_mistake_do_not_pass(monkeypatch) -> None:
    monkeypatch.setitem(field._INVERSE, sp.atan, lambda a: 1 / (1 - a**2))
    rule, text = WRONG_RULES["arctan"]
    monkeypatch.setattr(differentiation, "RULES", (rule, *differentiation.RULES))
    with pytest.raises(judge.WrongStepError):
        derive(text, seed=1, points=3)


IDENTITIES = [
    (sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.Integer(1)),
    (sp.cosh(x) ** 2 - sp.sinh(x) ** 2, sp.Integer(1)),
    (1 - sp.cos(x), 2 * sp.sin(x / 2) ** 2),
    (sp.sqrt(1 + x**2) ** 3 / (1 + x**2), sp.sqrt(1 + x**2)),
    (sp.Abs(x) * sp.sign(x), x),
    (sp.sign(1 - x), -sp.sign(x - 1)),
    (sp.Max(x, 1) + sp.Min(x, 1), x + 1),
    (sp.exp(2 * x) - 1, (sp.exp(x) - 1) * (sp.exp(x) + 1)),
    (derivative(2**x, x), 2**x * sp.log(2)),
]


@pytest.mark.parametrize(("left", "right"), IDENTITIES)
def test_the_field_proves_identities_and_not_their_neighbours(left, right) -> None:
    assert field.Field().is_zero(left - right)
    assert not field.Field().is_zero(left - right * sp.Rational(1001, 1000))
    assert not field.Field().is_zero(left - right - x * sp.Rational(1, 1000))


PLACES = ({"x": 0.7, "y": 1.9}, {"x": 2.3, "y": 0.4}, {"x": -1.3, "y": 0.6}, {"x": 0.2, "y": -0.5})


def first_wrong_proof(seeds: range) -> str | None:
    """Return two expressions that a kernel proves equal although they differ somewhere."""
    symbols = {name: sp.Symbol(name, real=True) for name in "xy"}
    ctx = reading.context()
    proved: Counter[str] = Counter()
    for seed in seeds:
        generator = random.Random(seed)
        left, other = (_built(random_text(generator, 2), symbols) for _ in range(2))
        if left is None or other is None:
            continue
        variants = (
            lambda e=left: sp.together(e),
            lambda e=left, b=other: sp.expand((e + b) ** 2) - 2 * e * b - b**2 - e**2 + e,
            lambda e=left: e.xreplace({symbols["x"]: symbols["y"]}),
            lambda e=left, b=other: sp.diff(e * b, symbols["x"]),
            lambda b=other: b,
            lambda e=left: -e,
        )
        number = generator.randrange(len(variants))
        right = variants[number]()
        if number == 3:
            left = derivative(left * other, symbols["x"])
        for kernel, holds in (("field", _by_field), ("rational", _by_rational)):
            if not holds(left, right):
                continue
            differing = _differing(left, right, symbols, ctx)
            if differing:
                return f"seed {seed}, {kernel}: {left} is not {right} at {differing}"
            proved[kernel] += differing is not None and left != right
    assert proved["field"] > len(seeds) / 10, proved
    assert proved["rational"] > len(seeds) / 60, proved
    return None


def _built(text: str, symbols) -> sp.Expr | None:
    tree = parse(text)
    try:
        reading.check_limits(tree, text)
    except ExpressionError:
        return None
    e = reading.expression(tree, symbols)
    return None if e.has(sp.zoo, sp.nan, sp.I, sp.oo) else e


def _by_field(left: sp.Expr, right: sp.Expr) -> bool:
    try:
        return field.Field().is_zero(left - right)
    except field.OutsideFieldError:
        return False


def _by_rational(left: sp.Expr, right: sp.Expr) -> bool:
    if not (judge._is_of_kernel(left) and judge._is_of_kernel(right)):
        return False
    return rational.decide(meaning(left), meaning(right)).kind == "proved"


def _differing(left: sp.Expr, right: sp.Expr, symbols, ctx) -> object:
    """Where two sides differ; False if nowhere, None if they could not be compared."""
    compared = False
    for place in PLACES:
        at = {symbols[name]: ctx.mpf(value) for name, value in place.items()}
        try:
            a, b = (judge.numeric(side, at, ctx) for side in (left, right))
        except (reading.UndefinedError, ZeroDivisionError, AttributeError):
            continue
        compared = True
        if abs(a - b) > 1e-18 * max(1, abs(a), abs(b)):
            return place
    return False if compared else None


def test_what_the_kernels_prove_is_true() -> None:
    assert first_wrong_proof(range(1000)) is None


@pytest.mark.nightly
def test_what_the_kernels_prove_of_many_expressions_is_true() -> None:
    assert first_wrong_proof(range(5000, 25_000)) is None


def _related_wrongly(self, generator, degree, value):
    return _RELATED(self, generator, degree, -value)


def _slope_without_generators(self, converted, v):
    return sp.diff(converted, v)


def _even_sign(self, a):
    return _SIGN(self, -a) if a.could_extract_minus_sign() else _SIGN(self, a)


def _root_of_anything(self, base, exponent):
    return self.convert(base) ** int(exponent.p)


_RELATED, _SIGN = field.Field._related, field.Field._sign
FIELD_MUTANTS = {
    "_related": _related_wrongly,
    "slope": _slope_without_generators,
    "_sign": _even_sign,
    "_root": _root_of_anything,
}


@pytest.mark.parametrize("method", FIELD_MUTANTS)
def test_a_mutated_field_is_caught(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a proof of what is wrong, or because what is right is not proved any more."""
    monkeypatch.setattr(field.Field, method, FIELD_MUTANTS[method])
    caught = first_wrong_proof(range(300)) is not None
    for left, right in IDENTITIES:
        caught = caught or not field.Field().is_zero(left - right)
    assert caught


def test_the_field_refuses_what_is_not_real() -> None:
    with pytest.raises(field.OutsideFieldError, match="not declared real"):
        field.Field().is_zero(sp.Symbol("c") - 1)
    with pytest.raises(field.OutsideFieldError, match="no generator for gamma"):
        field.Field().is_zero(sp.gamma(x))


def test_a_relation_of_signs_holds_for_the_right_argument_only() -> None:
    assert not field.Field().is_zero(sp.sign(x) * sp.sign(x + 1) - 1)
    assert field.Field().is_zero(sp.sign(x - 1) + sp.sign(1 - x))


def test_a_wrong_rewriting_is_not_printed(monkeypatch) -> None:
    right = stable_forms._one_minus
    assert "logaddexp" in derive("1-tanh(x)^2", seed=1, points=2).code.source

    def doubled(g):
        found = right(g)
        return None if found is None else 2 * found

    monkeypatch.setattr(stable_forms, "_one_minus", doubled)
    found = derive("1-tanh(x)^2", seed=1, points=2)
    assert "logaddexp" not in found.code.source
    assert found.ok


STABLE = [
    (sp.log(1 + x), "np.log1p(x)"),
    (sp.exp(x) - 1, "np.expm1(x)"),
    (sp.log(1 + sp.exp(x)), "np.logaddexp(0, x)"),
    (1 / (1 + sp.exp(-x)), "np.exp(-np.logaddexp(0, -x))"),
    (sp.exp(x) / (1 + sp.exp(x)), "np.exp(-np.logaddexp(0, -x))"),
    (1 - sp.cos(x), "2 * np.sin(x / 2)**2"),
    (sp.sqrt(1 + x**2), "np.hypot(1, x)"),
    (1 - x**2, "(x + 1) * (1 - x)"),
    (sp.log(1 / (1 + sp.exp(-x))), "-np.logaddexp(0, -x)"),
]


@pytest.mark.parametrize(("expression", "printed"), STABLE)
def test_known_stable_forms_are_found_and_proved(expression, printed) -> None:
    found = stable_forms.stable(expression)
    assert numpy_code.printed(found.form) == printed
    assert all(judge.is_identity(left, right) for left, right in found.identities)


def test_a_maximum_with_a_constant_is_printed(quick) -> None:
    assert derive("max(x, log(1+e)+e^e-1)", seed=1, points=2).ok


@pytest.mark.parametrize("text", ["abs(x)/x", "x/abs(x)"])
def test_a_sign_in_disguise(text: str) -> None:
    """Its slope has a branch at equality."""
    assert derive(text, seed=1, points=2).ok


@pytest.mark.parametrize(
    "text",
    [*("x-(y-x)", "x/(y/x)", "-x^2", "(-x)^2", "x/(x*y)", "2^(x*y)", "(2*x)^y", "x-(-y)"),
     *("1/x^2", "(x+y)*(x-y)", "x-2/y", "sqrt(x)^3", "-(x+y)", "1/(-x)", "x^-0.5", "x/3", "0.3*x")],
)  # fmt: skip
def test_printed_code_means_the_expression(text: str) -> None:
    """Without the judge in between: print what was read, run it, compare with the oracle."""
    symbols = {name: sp.Symbol(name, positive=True) for name in grammar.variables(parse(text))}
    code = numpy_code.code(reading.expression(parse(text), symbols), {}, list(symbols))
    at = {"x": 1.25, "y": 0.75}
    values = {name: at[name] for name in symbols}
    expected = float(oracle(text)(**{n: mpmath.mpf(v) for n, v in values.items()}))
    assert code.functions()["f"](*values.values()) == pytest.approx(expected, rel=1e-14)


def mutate_code(monkeypatch, function: str, right: str, wrong: str) -> None:
    """Let one printed function run as another one."""
    original = numpy_code.Code.functions

    def mutated(self):
        parts = re.split("(?=def )", self.source)
        source = "".join(
            p.replace(right, wrong) if p.startswith(f"def {function}(") else p for p in parts
        )
        return original(numpy_code.Code(source, self.value, self.partials))

    monkeypatch.setattr(numpy_code.Code, "functions", mutated)


@pytest.mark.parametrize(
    ("right", "wrong"), [("np.cos", "np.sin"), ("2 * ", "3 * "), ("return ", "return 1 + ")]
)
def test_wrong_code_fails_its_check(right: str, wrong: str, monkeypatch) -> None:
    assert derive("sin(2*x)", seed=1, points=4).ok
    mutate_code(monkeypatch, "df_dx", right, wrong)
    found = derive("sin(2*x)", seed=1, points=4)
    assert found.check is not None
    assert found.check.outcomes["fail"] >= 3
    assert not found.ok


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("np.sin", "np.cos"), ("2 * ", "3 * "), ("return ", "return 1 + "), ("return ", "return -")],
)
def test_a_wrong_value_fails_its_check(right: str, wrong: str, monkeypatch) -> None:
    mutate_code(monkeypatch, "f", right, wrong)
    found = derive("sin(2*x)", seed=1, points=4)
    assert found.check is not None
    assert found.check.derivative_error < 16
    assert len(found.failures) >= 3
    assert all(re.match("the value is .* roundings off at x = ", f) for f in found.failures)


def test_where_the_truth_is_unknown_nothing_is_decided(monkeypatch) -> None:
    def undefined(*_):
        raise reading.UndefinedError("a number too large to compute with")

    monkeypatch.setattr(codecheck, "_slope", undefined)
    found = derive("sin(2*x)", seed=1, points=4)
    assert found.check is not None
    assert math.isnan(found.check.value_error)
    assert math.isnan(found.check.derivative_error)
    assert found.failures == ()
    assert "the exact value or derivative cannot be computed" in found.check.reason
    assert not found.ok


# --- bounded in time -----------------------------------------------------------------------------


def test_a_deadline_stops_symbolic_work_and_leaves_the_profiler_alone() -> None:
    def profiler(*_):
        return None

    sys.setprofile(profiler)
    try:
        started = time.process_time()
        with pytest.raises(OutOfTimeError), Deadline(60).within(0.2):
            sp.expand((x + sp.sin(x) + sp.cos(x) + sp.exp(x) + sp.log(x)) ** 60)
        assert time.process_time() - started < 5
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("after", ["go on", "fail"])
def test_a_deadline_that_is_swallowed_on_the_way_counts(after: str) -> None:
    def work() -> None:
        try:
            while True:
                time.monotonic()
        except BaseException:  # noqa: BLE001 — what mpmath does in its conversions
            if after == "fail":
                raise TypeError("not supported") from None

    with pytest.raises(OutOfTimeError), Deadline(60).within(0.05):
        work()
    assert sys.getprofile() is None


HARD = [
    "((x+y+z+w)^15*(x-y)^15+sin(x))^2/(1+(x+y+z+w)^30)",
    "exp(1000000000*x)+exp(x/1000000000)",
    "sin(1e15*x)",
    "exp(exp(exp(exp(x))))",
    "x^0.123456789*x^0.987654321",
    "tanh(" * 12 + "x" + ")" * 12,
    "/(1+".join(["x"] * 12) + ")" * 11,
    "*".join(f"sin({k}*x)" for k in range(1, 16)),
]


@pytest.mark.parametrize("text", HARD)
def test_hard_expressions_end_in_time_with_an_answer(text: str) -> None:
    started = time.process_time()
    found = derive(text, seed=1, points=2, seconds=2.0)
    assert time.process_time() - started < 20
    assert found.ok or found.undecided or found.failures
    assert found.failures == () or "gradcheck" in found.failures[0]


def test_what_runs_out_of_time_is_undecided() -> None:
    found = derive(HARD[0], seed=1, points=2, seconds=0.05)
    assert not found.ok
    assert any("ran out" in reason for reason in found.undecided)


# --- the command line and the formats ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["x^2"], OK, "Every step is proved, and the code passed its check."),
        (["-x^2"], OK, "The derivative by x: proved for all reals"),
        (["x*y", "--wrt", "y"], OK, "The derivative by y"),
        (["1/(x^2+y^2-x*y+1)"], PROBLEMS, "PROBLEM  undecided: the domain"),
    ],
)
def test_the_command_line(arguments, status, said, capsys) -> None:
    assert main(["derive", *arguments, "--seed", "1", "--points", "3"]) == status
    assert said in capsys.readouterr().out


def test_a_failed_check_exits_1(monkeypatch, capsys) -> None:
    rule, text = WRONG_RULES["sine"]
    monkeypatch.setattr(differentiation, "RULES", (rule, *differentiation.RULES))
    nothing = judge.Evidence(Standing.NUMERICAL, "nothing", "")
    monkeypatch.setattr(judge.Judge, "sampled", lambda self, before, after: nothing)
    assert main(["derive", text, "--seed", "1", "--points", "2"]) == PROBLEMS
    out = capsys.readouterr().out
    assert "PROBLEM  gradcheck fails the code" in out
    assert "The check failed: " in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.__class__"], "  x.__class__\n   ^"),
        (["9**9**9**9*x"], "more than 512 bits"),
        (["log(-1-x^2)"], "defined for no real number"),
        (["2+3"], "there is no variable to differentiate by"),
        (["x", "--wrt", "y"], "there is no variable 'y' in it"),
        (["x", "--points", "0"], "must be positive"),
        (["x", "--format", "pdf"], "invalid choice"),
        (["x", "--output", "report.doc"], "what format is 'report.doc'"),
        (["x", "--output", "report.doc"], "usage: python -m derivations derive [-h]"),
        (["x", "--output", "/nowhere/at/all.html"], "there is no such directory"),
        ([], "the following arguments are required"),
        (["x", "y"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_exits_2(arguments, said, capsys) -> None:
    try:
        status = main(["derive", *arguments])
    except SystemExit as error:  # argparse's own way out
        status = error.code
    assert status == USAGE
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_the_module_runs_without_a_warning() -> None:
    command = [sys.executable, "-W", "error", "-m", "derivations", "derive", MISH, "--seed", "1"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == OK, run.stderr
    assert run.stderr == ""
    assert "return x * np.tanh(np.logaddexp(0, x))" in run.stdout


def test_the_command_in_the_report_makes_it_again(capsys) -> None:
    given = ["x*sin(y)", "--wrt", "x", "--points", "2", "--seconds", "7.5"]
    main(["derive", *given, "--format", "json"])
    first = json.loads(capsys.readouterr().out)
    command = first["provenance"]["command"]
    assert command.startswith("python -m derivations derive 'x*sin(y)' --wrt x --points 2 --seed ")
    assert command.endswith(" --seconds 7.5")
    main([*shlex.split(command)[3:], "--format", "json"])
    second = json.loads(capsys.readouterr().out)
    for part in (first, second):
        part["provenance"] = None
    assert first == second


@pytest.fixture(scope="module")
def domainful() -> derived.Derived:
    """Two variables, a kink, a border, a piecewise derivative."""
    return derive("max(x, y^2)*log(1+x^2)/sqrt(y-1)", seed=2, points=3)


def shown(found: derived.Derived, form: str) -> str:
    from derivations.render.derived import render

    return render(found, form)


def test_json_has_the_documented_parts(domainful: derived.Derived) -> None:
    data = json.loads(shown(domainful, "json"))
    assert data["schema"] == "gradcheck.derived/1"
    assert data["ok"] is True
    assert data["domain"]["value"] == "y > 1"
    assert {c["status"] for c in data["domain"]["conditions"]} == {s.value for s in Status} - {
        Status.UNDECIDED.value
    }
    assert [p["variable"] for p in data["partials"]] == ["x", "y"]
    first = data["partials"][0]["derivation"]["steps"][0]
    assert set(first) == {"rule", "after", "standing", "hypotheses", "evidence"}
    assert data["check"]["points"] == 3
    assert "def df_dy(x, y):" in data["code"]["source"]


def test_json_of_what_is_undecided_says_why() -> None:
    data = json.loads(shown(derive("asin(sign(x))", seed=1, points=2), "json"))
    assert data["ok"] is False
    assert data["standing"] == "undecided"
    assert data["undecided"]
    assert data["check"]["value_error"] == "nan"


def test_html_is_well_formed_and_refers_to_nothing_outside(
    domainful: derived.Derived, parse_page
) -> None:
    page = shown(domainful, "html")
    parsed = parse_page(page)
    tags = {tag for tag, _ in parsed.tags}
    assert {"html", "body", "main", "section", "h2", "h4", "table", "ol", "div", "pre"} <= tags
    for formula in re.findall(r"<math>.*?</math>", page):
        ElementTree.fromstring(formula)
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert "<script" not in page
    assert page.count("<math>") > 10
    assert len(page) < 500_000


@pytest.mark.parametrize("tag", ["div", "section", "main", "ol", "table", "pre", "h2", "math"])
def test_a_missing_end_tag_is_noticed(domainful: derived.Derived, parse_page, tag: str) -> None:
    page = shown(domainful, "html")
    first = page.index(f"</{tag}>")
    broken = page[:first] + page[first + len(tag) + 3 :]
    with pytest.raises(AssertionError, match=r"closes nothing|never closed|> in"):
        parse_page(broken)


@pytest.mark.parametrize("wrong", ["</b>", "</li>", "<td>", "<li>", "<div>", "<p><div></div></p>"])
def test_a_tag_too_many_is_noticed(domainful: derived.Derived, parse_page, wrong: str) -> None:
    page = shown(domainful, "html")
    middle = page.index("</main>")
    with pytest.raises(AssertionError, match=r"closes nothing|never closed|> in"):
        parse_page(page[:middle] + wrong + page[middle:])


def test_a_text_with_markup_is_shown_as_it_is() -> None:
    found = derive("x\t*y ", seed=1, points=1)
    assert "<code>x\t*y</code>" in shown(found, "html")
    assert "```text\nx\t*y\n```" in shown(found, "markdown")


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
def test_every_format_says_the_same(domainful: derived.Derived, form: str) -> None:
    text = shown(domainful, form)
    for said in ("max(x, y^2)*log(1+x^2)/sqrt(y-1)", "def df_dx(x, y):", "product rule"):
        assert said in text
    assert "Every step is proved, and the code passed its check" in text


def test_an_unknown_format_is_refused(domainful: derived.Derived) -> None:
    with pytest.raises(ValueError, match="no format 'pdf'"):
        shown(domainful, "pdf")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_the_latex_document_is_set(domainful: derived.Derived, tmp_path) -> None:
    (tmp_path / "d.tex").write_text(shown(domainful, "latex"), encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "d.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert (tmp_path / "d.pdf").stat().st_size > 10_000
