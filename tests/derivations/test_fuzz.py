"""The indexed normal form and the derivative against exact evaluation, on random expressions.

The expressions reuse index names on purpose: one name may be free here, bound there and bound again
inside.  The evaluator below shares no code with the kernels.  It computes with fractions: e^x is
taken to be 2^x, which obeys every law that the normal form uses, at integer entries.
"""

from __future__ import annotations

import functools
import itertools
import random
from fractions import Fraction

import mpmath
import pytest
import sympy as sp

from derivations.expressions import calculus
from derivations.expressions.language import family, index, opaque, positive_family, size
from derivations.kernels import indexed, terms
from derivations.kernels.algebra import Algebra
from derivations.kernels.sums import Summation
from derivations.kernels.vocabulary import Vocabulary

n, N = size("n"), size("N")
i, k, m = index("i"), index("k"), index("m")  # i, k run to n; m runs to N
A, B, M = positive_family("A"), positive_family("B"), family("M")
BOUND = tuple(index(name) for name in ("j", "p", "i", "k"))  # i and k are free as well
RANGES = {i: n, k: n, m: N}
phi = opaque("phi")


class Generator:
    """Random expressions over the free indices i, k, m and bound indices of clashing names."""

    def __init__(self, seed: int, functions: bool = True) -> None:
        self.random = random.Random(seed)
        self.functions = functions

    def expression(self, depth: int, scope: tuple[sp.Symbol, ...] = (i, k, m)) -> sp.Expr:
        pick = self.random.random()
        inner = lambda: self.expression(depth - 1, scope)  # noqa: E731 — drawn anew at each use
        if depth == 0 or pick < 0.16:
            return self.leaf(scope)
        if pick < 0.34:
            return inner() + inner()
        if pick < 0.54:
            return inner() * inner()
        if pick < 0.62:
            return inner() * sp.KroneckerDelta(*self.indices(scope, 2))
        if pick < 0.70:
            return 1 / (inner() ** 2 + self.random.randint(1, 2))
        if pick < 0.75:
            return inner() ** 2
        if pick < 0.83 and self.functions:
            return self.function(depth, scope)
        bound = self.random.choice(BOUND)
        upper = n if self.random.random() < 0.9 else N
        body = self.expression(depth - 1, (*(s for s in scope if s != bound), bound))
        return sp.Sum(body, (bound, 1, upper))

    def leaf(self, scope: tuple[sp.Symbol, ...]) -> sp.Expr:
        pick = self.random.random()
        a, b = self.indices(scope, 2)
        if pick < 0.35:
            return A[a]
        if pick < 0.6:
            return B[a]
        return M[a, b] if pick < 0.85 else sp.Integer(self.random.randint(1, 3))

    def function(self, depth: int, scope: tuple[sp.Symbol, ...]) -> sp.Expr:
        a, b, q = self.indices(scope, 3)
        simple = [A[a] - B[b], 2 * A[a], M[a, b] + A[q], A[a] * B[q] - 1]
        exponent = self.random.choice(simple)
        if self.random.random() < 0.3:
            exponent = sp.Sum(exponent, (self.random.choice(BOUND), 1, n))
        if self.random.random() < 0.2:
            return phi(self.expression(min(depth - 1, 1), scope))
        return self.random.choice((sp.exp, sp.exp, sp.tanh, sp.cosh))(exponent)

    def indices(self, scope: tuple[sp.Symbol, ...], number: int) -> list[sp.Symbol]:
        return [self.random.choice(scope) for _ in range(number)]


class Dual:
    """A number with the derivative in one chosen entry; integers stay integers, for speed."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Fraction | int, slope: Fraction | int = 0) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other: Dual) -> Dual:
        if not self.slope and not other.slope:
            return Dual(self.value * other.value)
        slope = self.slope * other.value + self.value * other.slope
        return Dual(self.value * other.value, slope)

    def power(self, exponent: int) -> Dual:
        value = self.raised(exponent)
        if not self.slope or not exponent:
            return Dual(value)
        return Dual(value, exponent * self.raised(exponent - 1) * self.slope)

    def raised(self, exponent: int) -> Fraction | int:
        if exponent < 0 and isinstance(self.value, int):
            return Fraction(1, self.value**-exponent)
        return self.value**exponent


@functools.cache
def name_of(base: sp.IndexedBase) -> str:
    return str(base)


@functools.cache
def entry(name: str, place: tuple[int, ...], salt: int) -> int:
    """The value of an entry: 1, 2 or 3, scattered."""
    return 1 + random.Random(f"{name}{place}{salt}").randrange(3)


class Evaluator:
    """The exact value of an expression for given sizes, and its slope in one entry."""

    def __init__(self, sizes: dict[sp.Symbol, int], salt: int, moved: tuple | None = None) -> None:
        self.sizes, self.salt, self.moved = sizes, salt, moved

    def number(self, value: int) -> int:
        return value

    def ratio(self, p: int, q: int) -> Fraction | int:
        return p if q == 1 else Fraction(p, q)

    def __call__(self, e: sp.Expr, at: dict[sp.Symbol, int]) -> Dual:
        if isinstance(e, sp.Sum):
            return self.sum(e, list(e.limits), at)
        if isinstance(e, sp.KroneckerDelta):
            a, b = (at[x] if x in at else int(x) for x in e.args)
            return Dual(self.number(int(a == b)))
        if isinstance(e, sp.Indexed):
            where = (name_of(e.base), tuple(at[x] if x in at else int(x) for x in e.indices))
            return Dual(self.number(entry(*where, self.salt)), int(where == self.moved))
        if isinstance(e, sp.Symbol):
            return Dual(self.number(at[e] if e in at else self.sizes[e]))
        if e.is_Rational:
            return Dual(self.ratio(int(e.p), int(e.q)))
        if e is sp.E:
            return self.function(sp.exp(sp.Integer(1), evaluate=False), Dual(self.number(1)))
        parts = [self(part, at) for part in e.args]
        if e.is_Add:
            return sum(parts[1:], start=parts[0])
        if e.is_Mul:
            out = parts[0]
            for part in parts[1:]:
                out = out * part
            return out
        if e.is_Pow:
            return parts[0].power(int(e.exp))
        return self.function(e, parts[0])

    def sum(self, e: sp.Sum, limits: list, at: dict[sp.Symbol, int]) -> Dual:
        if not limits:
            return self(e.function, at)
        bound, lower, upper = limits[-1]  # the last limit is the outermost
        values = range(int(lower), self.sizes.get(upper, upper) + 1)
        parts = [self.sum(e, limits[:-1], {**at, bound: value}) for value in values]
        return sum(parts[1:], start=parts[0])

    def function(self, e: sp.Expr, x: Dual) -> Dual:
        assert x.slope == 0, "no derivative of functions: 2^x is not its own derivative"
        if e.func.__name__.startswith("phi"):
            return Dual(x.value**3 + 2 * x.value)
        assert x.value.denominator == 1
        up, down = Fraction(2) ** int(x.value), Fraction(2) ** -int(x.value)
        table = {"exp": up, "cosh": (up + down) / 2, "sinh": (up - down) / 2}
        return Dual(
            table[e.func.__name__] if e.func.__name__ in table else (up - down) / (up + down)
        )


def places(sizes: dict[sp.Symbol, int]) -> list[dict[sp.Symbol, int]]:
    """Choices of the free indices: all if they are few, else some with and some without i = k."""
    ranges = [range(1, sizes[upper] + 1) for upper in RANGES.values()]
    every = [dict(zip(RANGES, values, strict=True)) for values in itertools.product(*ranges)]
    return every[:: len(every) // 6 | 1]


SIZES = ({n: 1, N: 2}, {n: 2, N: 1}, {n: 3, N: 2})


def first_mismatch(seeds: range) -> str | None:
    """Compare every expression with its normal form, at three sizes and all index values."""
    treated = 0
    for seed in seeds:
        e = Generator(seed).expression(4)
        try:
            form = indexed.normal_form(e, RANGES)
        except terms.OutOfClassError:
            continue
        treated += 1
        for salt, sizes in enumerate(SIZES):
            value = Evaluator(sizes, salt)
            for at in places(sizes):
                if value(e, at).value != value(form, at).value:
                    return f"seed {seed}: {e} became {form}, at {sizes}, {at}"
    assert treated >= 0.7 * len(seeds), f"only {treated} of {len(seeds)} expressions were treated"
    return None


def test_normal_form_keeps_the_value() -> None:
    assert first_mismatch(range(1500)) is None


def entangled(first: sp.Symbol, second: sp.Symbol) -> list[sp.Expr]:
    """Return sums over two indices that meet again inside denominators and functions."""
    p, j, q, s = first, second, index("q"), index("s")
    inner = sp.Sum(M[q, j] * M[p, q], (q, 1, n))
    pair = sp.Sum(M[q, s] * M[s, p] * A[q] * B[j], (q, 1, n), (s, 1, N))
    bodies = (
        M[p, j] / (1 + inner**2),
        A[p] * M[p, j] * phi(inner * B[j]),
        M[j, p] * phi(pair + M[p, j]) * B[p],
        M[p, j] * M[j, p] * sp.exp(A[p] - B[j]) / (2 + pair**2),
        phi(sp.Sum(phi(M[q, p] * M[j, q] + M[p, j]), (q, 1, N))) * A[p] * B[j],
    )
    return [sp.Sum(body, (p, 1, n), (j, 1, N)) for body in bodies]


def test_sums_over_entangled_indices_keep_their_value_and_are_known_by_any_names() -> None:
    a, b = index("a"), index("b")
    for e, renamed in zip(entangled(a, b), entangled(b, a), strict=True):
        form = indexed.normal_form(e, RANGES)
        for salt, sizes in enumerate(SIZES):
            value = Evaluator(sizes, salt)
            assert value(e, {}).value == value(form, {}).value, f"{e} became {form}"
        assert indexed.prove_zero(e - renamed, RANGES)
        swapped = sp.Sum(e.function, *reversed(e.limits))
        assert indexed.prove_zero(e - swapped, RANGES)


@pytest.mark.nightly
def test_normal_form_keeps_the_value_on_many_expressions() -> None:
    assert first_mismatch(range(2000, 12000)) is None


def test_the_difference_to_the_normal_form_is_proved_to_be_zero() -> None:
    treated = 0
    for seed in range(150):
        e = Generator(seed).expression(4)
        try:
            form = indexed.normal_form(e, RANGES)
            proof = indexed.prove_zero(e - form, RANGES)
        except terms.OutOfClassError:
            continue
        treated += 1
        assert proof.proved, f"seed {seed}: {e} minus its own normal form left {proof.residual}"
    assert treated >= 140, f"only {treated} of 150 expressions were treated"


def test_what_is_proved_equal_is_equal() -> None:
    proved = refused = 0
    for seed in range(360):
        generator = Generator(seed, functions=False)
        e = generator.expression(2)
        variants = (
            calculus.rename_free(e, {i: k}),
            e.replace(lambda x: isinstance(x, sp.Sum), lambda x: x.func(x.function * 1, *x.limits)),
            sp.expand(e),
            e * sp.Sum(A[i], (i, 1, n)) / sp.Sum(A[k], (k, 1, n)),
            generator.expression(2),
        )
        other = generator.random.choice(variants)
        if not indexed.prove_zero(e - other, RANGES).proved:
            refused += 1
            continue
        proved += 1
        for salt, sizes in enumerate(SIZES):
            value = Evaluator(sizes, salt)
            for at in places(sizes):
                assert value(e, at).value == value(other, at).value, f"seed {seed}: {e} = {other}?"
    assert proved > 60
    assert refused > 60


def test_the_case_split_keeps_the_value_in_its_case() -> None:
    treated = 0
    for seed in range(120):
        e = Generator(seed).expression(3) * (1 + sp.KroneckerDelta(i, k) * A[k])
        try:
            equal, distinct = indexed.prove_zero(e, RANGES, [(i, k)]).cases
        except terms.OutOfClassError:
            continue
        treated += 1
        for salt, sizes in enumerate(SIZES):
            value = Evaluator(sizes, salt)
            for at in places(sizes):
                case = equal if at[i] == at[k] else distinct
                assert value(e, at).value == value(case.residual, at).value, f"seed {seed}: {e}"
    assert treated >= 110, f"only {treated} of 120 expressions were treated"


class RealEvaluator(Evaluator):
    """The same with 40-digit reals, for logarithms."""

    def number(self, value: int) -> mpmath.mpf:
        return mpmath.mpf(value)

    def ratio(self, p: int, q: int) -> mpmath.mpf:
        return mpmath.mpf(p) / q

    def function(self, e: sp.Expr, x: Dual) -> Dual:
        if e.func.__name__.startswith("phi"):
            return super().function(e, x)
        return Dual(getattr(mpmath, e.func.__name__)(x.value))


def test_normal_form_keeps_the_value_of_logarithms() -> None:
    treated = 0
    for seed in range(120):
        generator = Generator(seed)
        a, b, q = generator.indices((i, k, m), 3)
        inside = (
            sp.Sum(sp.exp(A[i] * B[q] - M[a, b]), (i, 1, n)),
            A[a] * sp.exp(M[b, q]) / B[q] ** 2,
            6 / (1 + sp.exp(-A[a])),
            sp.Sum(A[a] + B[i] * sp.exp(M[b, q]), (i, 1, n)) / 4,
            generator.expression(2) ** 2 + 1,
            sp.exp(generator.expression(1)) * A[a] ** 3 + sp.exp(M[a, b]),
        )
        log = sp.log(generator.random.choice(inside), evaluate=False)
        outside = (log, sp.Sum(log * B[i], (i, 1, n)), sp.exp(2 * log) * A[q], log * log)
        e = generator.random.choice(outside)
        try:
            form = indexed.normal_form(e, RANGES)
        except terms.OutOfClassError:
            continue
        treated += 1
        with mpmath.workdps(40):
            for salt, sizes in enumerate(SIZES):
                value = RealEvaluator(sizes, salt)
                for at in places(sizes):
                    before, after = value(e, at).value, value(form, at).value
                    assert abs(before - after) <= 1e-30 * (1 + abs(before)), f"seed {seed}: {e}"
    assert treated > 70


# --- a kernel with a mistake in it must not survive the same comparison ----------------------------


def _never_fresh(self, names, monomial):
    flat, more = [], {}
    for atom, exponent in monomial:
        inside = any(terms.occurs(("f", name), atom) for name in names)
        if atom[0] == "sum" and isinstance(exponent, int) and exponent > 0 and inside:
            opened, new = self._open(atom)
            more |= new
            flat += [opened] * exponent  # the mistake: all copies share one set of names
        else:
            flat.append(((atom, exponent),))
    return terms.merge(*flat), more


def _sift_the_first_term(self, names, monomial):
    for atom, _ in monomial:
        if atom[0] == "delta":
            for here, _there in (atom[1:], atom[:0:-1]):
                if here[0] == "f" and here[1] in names:
                    rest = terms.merge(monomial, ((atom, -1),))
                    others = {name: u for name, u in names.items() if name != here[1]}
                    return self.sum_over(others, self.substitute(rest, here, ("i", 1)))
    return None


def _bind_ignoring_depth(names, body):
    place = {name: position for position, name in enumerate(names)}

    def bind(index_, depth):
        if index_[0] == "f" and index_[1] in place:
            return ("b", 0, place[index_[1]])  # the mistake: captured by an inner sum
        return index_

    return terms.canonical_sum(tuple(names.values()), terms.map_monomial(body, bind))


def _delta_forgotten(self, monomial, atom, exponent):
    rest = terms.merge(monomial, ((atom, -exponent),))
    if terms.occurs(atom[2], rest):
        return self.substitute(rest, atom[2], atom[1])  # the mistake: δ itself is lost
    return None if exponent == 1 else self.reduce(terms.merge(rest, ((atom, 1),)))


def _split_without_content(poly):
    content, common, rest = _SPLIT(poly)
    return abs(content) ** 0 * content / content, common, rest  # the mistake: content 1


def _exp_of_first_term(self, poly):
    return _EXP(self, dict(list(poly.items())[:1])) if poly else terms.constant(1)


def _inverse_with_wrong_sign(self, monomial, atom):
    reduced = _REDUCE_INVERSE(self, monomial, atom)
    return None if reduced is None else terms.scale(reduced, -1)


_SPLIT, _EXP, _REDUCE_INVERSE = terms.split, Algebra.exp, Algebra._reduce_inverse

MUTANTS = {
    "copies of a sum share their index": (Summation, "_flatten", _never_fresh),
    "a constant summed n times is itself": (
        Algebra,
        "value",
        lambda self, x: terms.constant(1) if x[1] in ("n", "N") else _VALUE(self, x),
    ),
    "a delta selects the first term": (Summation, "_sift", _sift_the_first_term),
    "an inner sum captures": (terms, "close", _bind_ignoring_depth),
    "a delta is forgotten": (Algebra, "_reduce_delta", _delta_forgotten),
    "every index is in every range": (Vocabulary, "in_range", lambda self, x, upper: True),
    "a factor is lost in a denominator": (terms, "split", _split_without_content),
    "only the first exponent counts": (Algebra, "exp", _exp_of_first_term),
    "m/(c + m) with the wrong sign": (Algebra, "_reduce_inverse", _inverse_with_wrong_sign),
    "different indices are equal": (Algebra, "delta", lambda self, a, b: terms.constant(1)),
}
_VALUE = Algebra.value


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutated_kernel_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, replacement = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, replacement)
    assert first_mismatch(range(1500)) is not None


# --- the derivative --------------------------------------------------------------------------------


def first_wrong_slope(seeds: range, variable: sp.Indexed, differentiate) -> str | None:
    """Compare a derivative with the slope in dual numbers, at every place of the variable."""
    for seed in seeds:
        e = Generator(seed, functions=False).expression(4)
        slope = differentiate(e, variable)
        for salt, sizes in enumerate(SIZES):
            for at in places(sizes):
                moved = (str(variable.base), tuple(at[x] for x in variable.indices))
                truth = Evaluator(sizes, salt, moved)(e, at).slope
                if Evaluator(sizes, salt)(slope, at).value != truth:
                    return f"seed {seed}: d({e})/d{variable} is not {slope}, at {sizes}, {at}"
    return None


@pytest.mark.parametrize("variable", [A[k], B[i], M[i, k], M[k, k]], ids=str)
def test_the_derivative_is_the_slope(variable: sp.Indexed) -> None:
    assert first_wrong_slope(range(300), variable, calculus.sdiff) is None


@pytest.mark.nightly
@pytest.mark.parametrize("variable", [A[k], B[i], M[i, k], M[k, k]], ids=str)
def test_the_derivative_is_the_slope_on_many_expressions(variable: sp.Indexed) -> None:
    assert first_wrong_slope(range(1000, 3000), variable, calculus.sdiff) is None


def test_the_derivative_of_sympy_is_not() -> None:
    """The comparison can fail: ``sympy.diff`` captures bound indices of the variable's name."""
    assert first_wrong_slope(range(120), A[k], sp.diff) is not None


def test_renaming_keeps_the_value() -> None:
    for seed in range(200):
        e = Generator(seed).expression(4)
        renamed = calculus.rename_free(e, {i: k, k: i})
        for salt, sizes in enumerate(SIZES):
            value = Evaluator(sizes, salt)
            for at in places(sizes):
                swapped = {**at, i: at[k], k: at[i]}
                assert value(renamed, at).value == value(e, swapped).value, f"seed {seed}: {e}"
