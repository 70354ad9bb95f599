"""The kernels behind code proofs, fuzzed against independent answers; each rule's mutant is caught.

`derivations.code.order` concludes from comparisons, `derivations.code.renaming` recognises what was proved
already, `derivations.kernels.quotients` decides whether a rational function is zero.
"""

from __future__ import annotations

import inspect
import itertools
import random
import types
from fractions import Fraction
from itertools import chain
from typing import Any

import pytest
import sympy as sp

from derivations.code import order, renaming
from derivations.kernels import quotients

CASES = 1000


def mutated(module: types.ModuleType, old: str, new: str) -> Any:
    """Return a module in which one piece of the source is another."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, (source.count(old), old)
    changed = types.ModuleType(module.__name__)
    changed.__file__ = module.__file__
    exec(compile(source.replace(old, new), f"{module.__name__} (mutant)", "exec"), changed.__dict__)
    return changed


# --- order ---------------------------------------------------------------------------------------

X = sp.symbols("x1:4", real=True)
P = sp.Symbol("p", positive=True)
NODES = (sp.Integer(0), *X, P)
Bound = tuple[Fraction, bool]  # below it, or at most


def random_difference(generator: random.Random) -> tuple[int, int, Fraction, sp.Expr]:
    """Return places a, b and a number c, with a multiple of a − b + c written out."""
    a, b = generator.sample(range(len(NODES)), 2)
    c = Fraction(generator.randint(-4, 4), 2)
    scale = sp.Rational(generator.choice([1, 1, 2, 3]), generator.choice([1, 2]))
    return a, b, c, sp.expand(scale * (NODES[a] - NODES[b] + sp.Rational(c)))


def closest(bounds: dict[tuple[int, int], Bound], a: int, b: int) -> Bound | None:
    """Return the tightest bound of a − b along any path, by trying every one."""
    inner = [k for k in range(len(NODES)) if k not in (a, b)]
    found = []
    for length in range(len(inner) + 1):
        for between in itertools.permutations(inner, length):
            steps = list(itertools.pairwise((a, *between, b)))
            if all(step in bounds for step in steps):
                total = sum((bounds[step][0] for step in steps), start=Fraction(0))
                found.append((total, any(bounds[step][1] for step in steps)))
    return min(found, key=lambda bound: (bound[0], not bound[1]), default=None)


def tightened(bounds: dict[tuple[int, int], Bound], a: int, b: int, new: Bound) -> None:
    old = bounds.get((a, b))
    if old is None or (new[0], not new[1]) < (old[0], not old[1]):
        bounds[a, b] = new


def wrong_order(module: Any, cases: int = CASES) -> str | None:
    """Compare with every path tried; return the first difference."""
    if module.Order().implied(X[0] ** 2 + 1) is not True:
        return "what SymPy knows to be positive is not known to be"
    for seed in range(cases):
        generator = random.Random(seed)
        known = module.Order()
        bounds: dict[tuple[int, int], Bound] = {(0, NODES.index(P)): (Fraction(0), True)}
        point = [Fraction(0), *(Fraction(generator.randint(-6, 6), 2) for _ in X)]
        point.append(Fraction(generator.randint(1, 6), 2))
        for _ in range(generator.randint(1, 5)):
            a, b, c, difference = random_difference(generator)
            here = point[a] - point[b] + c
            if here == 0:
                continue
            if generator.random() < 0.2 and here > 0:
                known.add_at_least(difference, sp.Integer(0))
                tightened(bounds, b, a, (c, False))
                continue
            known.require(module.Condition(difference, here > 0))
            if here > 0:  # b − a < c
                tightened(bounds, b, a, (c, True))
            else:
                tightened(bounds, a, b, (-c, True))
        if not known.consistent:
            return f"seed {seed}: what holds at a point is called inconsistent"
        a, b, c, difference = random_difference(generator)
        upper, lower = closest(bounds, b, a), closest(bounds, a, b)
        expected = None
        if upper is not None and (upper[0] < c or (upper[0] == c and upper[1])):
            expected = True
        elif lower is not None and lower[0] <= -c:
            expected = False
        got = known.implied(difference)
        if got != expected:
            return f"seed {seed}: {difference} > 0 is {got}, not {expected}"
        before = {node: dict(row) for node, row in known._bounds.items()}
        holds = not expected if expected is not None else True
        if known.allows([module.Condition(difference, holds)]) == (expected is not None):
            return f"seed {seed}: {difference} > 0 is {holds}: wrongly allowed or refused"
        if before != known._bounds:
            return f"seed {seed}: a question has changed the answers"
    return None


ORDER_MUTANTS = {
    "the answer's sign": ("sign = 1 if condition.holds else -1", "sign = 1"),
    "the direction": (
        "self._tighten(b, a, (c, 0))  # a − b + c > 0",
        "self._tighten(a, b, (c, 0))",
    ),
    "strict": ("self._tighten(b, a, (c, 1))", "self._tighten(b, a, (c, 0))"),
    "a contradiction": ("            self.consistent = False\n", "            pass\n"),
    "a bound that is met": ("upper < (c, 1)", "upper <= (c, 1)"),
    "a strict bound": ("upper < (c, 1)", "upper < (c, 0)"),
    "the lower bound": ("lower[0] <= -c", "lower[0] < -c"),
    "the lower bound's sign": ("lower[0] <= -c", "lower[0] <= c"),
    "positive numbers": ("if difference.is_positive:\n            return True\n        ", ""),
    "a positive node": (
        "            self._tighten(_ZERO, node, (Fraction(0), 0))",
        "            pass",
    ),
    "the sum along a path": ("first[0] + bound[0] + last[0]", "first[0] + bound[0]"),
    "strict along a path": ("first[1] & bound[1] & last[1]", "first[1] | bound[1] | last[1]"),
    "paths into": ("into = [(x, row[a]) for x", "into = [(a, _EQUAL) for x"),
    "paths out": ("out = list(self._bounds[b].items())", "out = [(b, _EQUAL)]"),
    "the tighter bound": ("total < row[y]:", "total > row[y]:"),
    "the scale": ("c = constant / scale", "c = constant"),
    "the coefficient's sign": (
        "a, b = (first, second) if coefficient > 0 else (second, first)",
        "a, b = first, second",
    ),
    "one node's sign": (
        "a, b = (node, _ZERO) if coefficient > 0 else (_ZERO, node)",
        "a, b = node, _ZERO",
    ),
    "a copy": ("{a: dict(row) for a, row in self._bounds.items()}", "self._bounds"),
}


def test_order_concludes_what_follows_and_nothing_else() -> None:
    assert wrong_order(order) is None


@pytest.mark.nightly
def test_order_many_times() -> None:
    assert wrong_order(order, 20 * CASES) is None


@pytest.mark.parametrize("name", ORDER_MUTANTS)
def test_mutants_of_order_are_caught(name: str) -> None:
    assert wrong_order(mutated(order, *ORDER_MUTANTS[name])) is not None


def test_a_circle_is_inconsistent() -> None:
    x, y, z = X
    circle = [order.Condition(x - y), order.Condition(y - z), order.Condition(z - x)]
    assert not order.Order(circle).consistent
    assert order.Order(circle[:2]).consistent
    known = order.Order(circle[:2])
    known.add(circle[2])
    assert not known.consistent


def test_at_most_becomes_less() -> None:
    x, y, _ = X
    known = order.Order()
    known.add_at_least(y, x)
    assert (known.implied(x - y), known.implied(y - x)) == (False, None)
    known.require(order.Condition(x - y, False))
    assert known.implied(y - x) is True
    known.require(order.Condition(sp.Rational(-1, 2), False))
    assert known.consistent


def test_whole_expressions_are_compared_too() -> None:
    """Sums of more than two terms, and such as x² − y, are not looked into, whatever their sign."""
    x, y, z = X
    for e in (x + y + z, x**2 - 3 * y, x * y - sp.exp(z) + y):
        known = order.Order([order.Condition(e - 2)])
        assert known.implied(e - 1) is True
        assert known.implied(1 - e) is False
        assert known.implied(e - 3) is None
        assert known.implied(-e + 3) is None


def test_numbers_need_no_comparison() -> None:
    known = order.Order()
    assert known.implied(sp.Rational(1, 2)) is True
    assert known.implied(sp.Integer(0)) is False
    assert known.implied(-P) is False
    assert known.implied(P) is True
    assert known.implied(P - 1) is None


# --- renaming ------------------------------------------------------------------------------------

SYMBOLS = (
    *sp.symbols("a b c", real=True),
    *sp.symbols("d e f", positive=True),
    *sp.symbols("g h i", negative=True),
)


def random_expression(generator: random.Random, depth: int = 3) -> sp.Expr:
    if depth == 0 or generator.random() < 0.2:
        return generator.choice([*SYMBOLS, *SYMBOLS, sp.Integer(generator.randint(1, 3))])
    first, second = (random_expression(generator, depth - 1) for _ in range(2))
    return generator.choice(
        [first + second, first * second, first - 2 * second, sp.exp(first), first**2, first / 3]
    )


def renamed(pair: tuple[sp.Expr, ...], names: Any) -> tuple[sp.Expr, ...]:
    return tuple(e.xreplace(dict(names)) for e in pair)


def wrong_renaming(module: Any, cases: int = CASES // 4) -> str | None:
    """Look for names that are lost or change what is assumed of them, and for pairs that are not recognised."""
    missed = tried = 0
    for seed in range(cases):
        generator = random.Random(seed)
        pair = random_expression(generator), random_expression(generator)
        names = module.renaming(pair)
        inside = set().union(*(e.free_symbols for e in pair))
        if set(names) != inside or len(set(names.values())) != len(names):
            return f"seed {seed}: not one new name for each of {inside}: {names}"
        if any(s.assumptions0 != new.assumptions0 for s, new in names.items()):
            return f"seed {seed}: something else is assumed of a name in {names}"
        kinds = [list(SYMBOLS[q : q + 3]) for q in (0, 3, 6)]
        for kind in kinds:
            generator.shuffle(kind)
        shuffled = dict(zip(SYMBOLS, chain.from_iterable(kinds), strict=True))
        other = renamed(pair, shuffled)
        tried += 1
        missed += renamed(pair, names) != renamed(other, module.renaming(other))
        again = renamed(other, {new: old for old, new in shuffled.items()})
        assert again == pair
    return f"{missed} of {tried} pairs are not recognised" if missed > tried / 100 else None


RENAMING_MUTANTS = {
    "what is assumed of a name": (
        "return tuple(sorted(symbol.assumptions0.items()))",
        "return ()",
    ),
    "the sign alone": (
        "return tuple(sorted(symbol.assumptions0.items()))",
        "return (('positive', bool(symbol.is_positive)),)",
    ),
    "one name for each": ("_canonical(position, s) for position", "_canonical(0, s) for position"),
    "no role": ("(_kind(s), *(roles.of(s, e) for e in expressions))", "_kind(s)"),
    "the first role only": ("for e in expressions)))", "for e in expressions[:1])))"),
    "the sign's order": ("(_kind(s), *(roles", "(-_kind(s), *(roles"),
    "names are seen": (
        "self._nameless[e] = _kind(e)",
        "self._nameless[e] = zlib.crc32(str(e).encode())",
    ),
    "the order of terms": (
        "ordered = sorted(parts) if e.is_Add or e.is_Mul else parts",
        "ordered = parts",
    ),
    "only names in the first": (
        "set().union(*(roles.symbols(e) for e in expressions))",
        "roles.symbols(expressions[0])",
    ),
}
HARMLESS = {"the sign's order"}  # any order that does not depend on names will do


def test_renaming_keeps_assumptions_and_recognises_what_is_the_same() -> None:
    assert wrong_renaming(renaming) is None


@pytest.mark.nightly
def test_renaming_many_times() -> None:
    assert wrong_renaming(renaming, 10 * CASES) is None


@pytest.mark.parametrize("name", RENAMING_MUTANTS)
def test_mutants_of_renaming_are_caught(name: str) -> None:
    found = wrong_renaming(mutated(renaming, *RENAMING_MUTANTS[name]))
    assert (found is None) == (name in HARMLESS), found


def test_different_numbers_functions_and_places_are_not_taken_for_the_same() -> None:
    a, b, c = SYMBOLS[:3]
    pairs = [
        ((a + 2 * b,), (a + 3 * b,)),
        ((sp.exp(a) + b,), (sp.tanh(a) + b,)),
        ((a - b, a), (a - b, b)),
        ((a**b,), (a**a,)),
        ((a * b + c,), (a * b + a,)),
        ((a,), (SYMBOLS[3],)),
    ]
    for first, second in pairs:
        images = [renamed(e, renaming.renaming(e)) for e in (first, second)]
        assert images[0] != images[1], (first, second)


# --- quotients -------------------------------------------------------------------------------------


def random_quotient(generator: random.Random, depth: int = 2) -> sp.Expr:
    if depth == 0:
        return generator.choice([*X, sp.Rational(generator.randint(1, 5), generator.randint(1, 3))])
    first, second = (random_quotient(generator, depth - 1) for _ in range(2))
    whole = generator.randint(2, 3)
    return generator.choice(
        [
            first + second,
            first - second,
            first * second,
            first**2,
            1 / (first**2 + 1),
            (first**2 + 1) ** -whole,
            first / (second**2 + 1) / (2 * second**2 + 2),
            (first + 1 / (second**2 + 1)) ** 2,
        ]
    )


def wrong_numerator(module: Any, cases: int = CASES // 2) -> str | None:
    """Compare with exact values at rational points, of sums that are zero and such that are not."""
    zeros = 0
    for seed in range(cases):
        generator = random.Random(seed)
        e = random_quotient(generator)
        other = sp.expand(e) if generator.random() < 0.5 else e + generator.choice((0, X[0]))
        difference = sp.Add(e, -other, evaluate=generator.random() < 0.5)
        top = module.numerator(difference)
        zeros += top == 0
        for _ in range(4):
            point = {x: sp.Rational(generator.randint(-9, 9), 4) for x in X}
            true, got = difference.xreplace(point), sp.sympify(top).xreplace(point)
            if (sp.nsimplify(true) == 0) != (got == 0):
                return f"seed {seed}: {difference} is {true}, its numerator {got} at {point}"
        direct = module.numerator(e)
        point = {x: sp.Rational(generator.randint(-9, 9), 4) for x in X}
        if (e.xreplace(point) == 0) != (sp.sympify(direct).xreplace(point) == 0):
            return f"seed {seed}: the numerator of {e}"
    assert 0.2 < zeros / cases < 0.95  # both kinds were met
    return None


QUOTIENT_MUTANTS = {
    "the common multiple": ("max(power, common.get(factor, 0))", "power"),
    "what a sum lacks": ("power - part.bottom.get(factor, 0)", "power"),
    "like denominators": ("groups[key] + part.top if key in groups else part.top", "part.top"),
    "powers below": ("bottom.get(factor, 0) + power", "power"),
    "a power's denominator": ("{f: k * power for f, k in base.bottom.items()}", "base.bottom"),
    "an inverse": ("(f, -k * power) for f, k", "(f, k) for f, k"),
    "the leading number": ("top * leading**power", "top"),
    "a number below": ("{} if base.top.is_ground else ", ""),
    "a product": ("math.prod((part.top for part in parts)", "sum((part.top for part in parts)"),
    "the inverse's power": ("{base.top.monic(): -power}", "{base.top.monic(): 1}"),
}
SAME_NUMERATOR = {"a number below"}  # 1 in a denominator changes nothing


def test_numerators_vanish_where_the_function_does() -> None:
    assert wrong_numerator(quotients) is None


@pytest.mark.nightly
def test_numerators_many_times() -> None:
    assert wrong_numerator(quotients, 5 * CASES) is None


@pytest.mark.parametrize("name", QUOTIENT_MUTANTS)
def test_mutants_of_quotients_are_caught(name: str) -> None:
    def found(module: Any) -> str | None:
        try:
            return wrong_numerator(module)
        except (ArithmeticError, ValueError, TypeError) as error:
            return str(error)

    caught = found(mutated(quotients, *QUOTIENT_MUTANTS[name]))
    assert (caught is None) == (name in SAME_NUMERATOR), caught


def test_what_is_no_rational_function_is_refused() -> None:
    for e in (sp.exp(X[0]), sp.sqrt(X[0])):
        with pytest.raises(ValueError, match="is not a rational function"):
            quotients.numerator(e)
    zero = sp.Add(X[0], -X[0], evaluate=False)
    with pytest.raises(ValueError, match="a denominator is zero"):
        quotients.numerator(sp.Pow(zero, -1, evaluate=False))
