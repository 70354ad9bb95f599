"""Formulas: brackets, order, signs, names; and that what is printed means what it stands for."""

import xml.etree.ElementTree as ET

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from derivations.expressions.language import (
    delta,
    derivative,
    family,
    fraction,
    i,
    j,
    k,
    n,
    opaque,
    plus,
    times,
    total,
    x,
    y,
    z,
)
from derivations.render.layout import layout
from derivations.render.mathml import formula
from derivations.render.tex import running, tex

phi = opaque("phi")


def shown(expression: sp.Basic) -> str:
    """LaTeX without the spaces and the stretching brackets."""
    return tex(layout(expression)).replace(r"\left", "").replace(r"\right", "").replace(" ", "")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # A derivative reaches as far as its brackets say, never over the rest of a product.
        (derivative(x * sp.exp(x), x), r"\frac{d}{dx}(xe^{x})"),
        (derivative(y[i], z[k]) * sp.Symbol("Y"), r"Y\frac{\partialy_{i}}{\partialz_{k}}"),
        (
            times(derivative(sp.exp(z[i]), z[k]), sp.Symbol("S")),
            r"(\frac{\partial}{\partialz_{k}}e^{z_{i}})S",
        ),
        (derivative(total(z[j], j, n), z[k]), r"\frac{\partial}{\partialz_{k}}\sum_{j=1}^{n}z_{j}"),
        (
            derivative(total(z[j], j, n) + x, z[k]),
            r"\frac{\partial}{\partialz_{k}}(x+\sum_{j=1}^{n}z_{j})",
        ),
        # The order of a mixed derivative and the place of its exponents.
        (sp.Derivative(phi(x), x, 2), r"\frac{d^{2}\varphi(x)}{dx^{2}}"),
        (sp.Derivative(y[i], z[k], z[j]), r"\frac{\partial^{2}y_{i}}{\partialz_{j}\partialz_{k}}"),
        # A sum sign binds what is right of it: bracketed when a factor follows.
        (times(total(z[j], j, n), plus(1, x)), r"(\sum_{j=1}^{n}z_{j})(x+1)"),
        (total(plus(z[j], 1), j, n), r"\sum_{j=1}^{n}(z_{j}+1)"),
        (total(total(z[i] * y[j], i, n), j, n), r"\sum_{j=1}^{n}\sum_{i=1}^{n}y_{j}z_{i}"),
        # An order that was chosen stays; SymPy's own gets a positive term in front.
        (plus(x, -1), "x-1"),
        (plus(1, times(-1, plus(x, 2))), "1-(x+2)"),
        (y[k] - family("Y")[k], "y_{k}-Y_{k}"),
        (-(x + 1), "-x-1"),
        # Fractions: none inside a numerator, none lost.
        (fraction(1, 1 + sp.exp(-x)), r"\frac{1}{1+e^{-x}}"),
        (times(1 / x, 1 - 1 / x), r"\frac{1}{x}(1-\frac{1}{x})"),
        (times(x, z[i], 1 / (x + 1)), r"\frac{xz_{i}}{x+1}"),
        (times(1 / x, sp.exp(x) / (x + 1)), r"\frac{1}{x}\cdot\frac{e^{x}}{x+1}"),
        (times(-z[i] / x, y[i]), r"-\frac{z_{i}}{x}y_{i}"),
        (-x / 2, r"-\frac{x}{2}"),
        (total(z[j], j, n) / 2, r"\frac{1}{2}\sum_{j=1}^{n}z_{j}"),
        (3 * x * total(z[j], j, n) / 2, r"\frac{3x}{2}\sum_{j=1}^{n}z_{j}"),
        (2 * x * total(z[j], j, n), r"2x\sum_{j=1}^{n}z_{j}"),
        (sp.Rational(-2, 3), r"-\frac{2}{3}"),
        (x**-2, r"\frac{1}{x^{2}}"),
        # Powers and functions.
        ((1 - x) ** 2, "{(1-x)}^{2}"),
        (y[k] ** 2, "y_{k}^{2}"),
        (sp.tanh(x) ** 2, r"\tanh^{2}x"),
        (sp.log(y[i]), r"\lny_{i}"),
        (sp.log(1 + x), r"\ln(x+1)"),
        (phi(z[i]).diff(z[i]), r"\varphi'(z_{i})"),
        (times(sp.tanh(x), y[i]), r"\tanhx\cdoty_{i}"),
        (times(sp.tanh(x), plus(1, x)), r"\tanhx\cdot(x+1)"),
        (derivative(sp.tanh(x), x), r"\frac{d}{dx}\tanhx"),
        (derivative(sp.tanh(x) * sp.log(x), x), r"\frac{d}{dx}(\lnx\cdot\tanhx)"),
        (x * phi(x), r"x\varphi(x)"),
        (times(x, plus(x, 1)), r"x\cdot(x+1)"),
        (times(2, plus(x, 1)), "2(x+1)"),
        (times(2, -1), r"2\cdot(-1)"),
        (times(2, 3), r"2\cdot3"),
        (sp.Abs(x), "|x|"),
        (sp.sqrt(x), r"\sqrt{x}"),
        # Names.
        (delta(i, k), r"\delta_{ik}"),
        (family("W")[i, j], "W_{ij}"),
        (family("W_1")[i, j], "W_{1,ij}"),
        (family("W")[i, k + 1], "W_{i,k+1}"),
        (sp.Symbol("w12"), "w_{12}"),
        (sp.Symbol("dW"), r"\mathit{dW}"),
        (
            sp.Piecewise((x, x > 0), (0, True)),
            r"\begin{cases}x&\text{if~}x>0\\0&\text{otherwise}\end{cases}",
        ),
    ],
)
def test_notation(expression: sp.Basic, expected: str) -> None:
    assert shown(expression) == expected


def test_two_indices_of_one_name_are_told_apart() -> None:
    bound = sp.Dummy("j", integer=True, positive=True)
    assert shown(total(z[bound], bound, n) + z[j]).count("j'") == 2


def test_what_has_no_notation_is_refused() -> None:
    with pytest.raises(TypeError, match="no notation for ImmutableDenseMatrix"):
        layout(sp.Matrix([[1]]))


def test_functions_stand_apart_from_their_neighbours() -> None:
    assert formula(x * sp.log(x)).count("<mspace") == 2
    assert "<mspace" not in formula(x * sp.log(1 + x)).rpartition("ln")[2]


@pytest.mark.parametrize(
    "text", ["Σ_i y_i ≤ 100 %", "½|y − Y|²", "{a} & b_c ~ d # $ ^ \\", "e^{−x} → ∞"]
)
def test_running_text_is_latex(text: str) -> None:
    latex = running(text)
    assert latex.isascii()
    assert latex.count("$") % 2 == 0 or r"\$" in latex


def test_a_character_without_latex_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"U\+4E2D"):
        running("中")


# --- what is printed can be read back: the MathML of random expressions gives their value again

LEAVES = [
    sp.Integer(2),
    sp.Integer(3),
    sp.Rational(1, 2),
    *(sp.Symbol(s, positive=True) for s in "abc"),
]


def expressions() -> st.SearchStrategy[sp.Basic]:
    def grow(parts: st.SearchStrategy[sp.Basic]) -> st.SearchStrategy[sp.Basic]:
        pairs = st.tuples(parts, parts)
        return st.one_of(
            pairs.map(lambda p: plus(*p)),
            pairs.map(lambda p: times(*p)),
            pairs.map(lambda p: plus(p[0], times(-1, p[1]))),
            pairs.map(lambda p: fraction(p[0], plus(1, times(p[1], p[1])))),
            parts.map(lambda p: sp.Pow(p, 2, evaluate=False)),
            parts.map(lambda p: sp.exp(-p)),
            parts.map(lambda p: sp.log(1 + p * p)),
            parts.map(sp.tanh),
        )

    return st.recursive(st.sampled_from(LEAVES), grow, max_leaves=7)


def read(node: ET.Element) -> str:
    """Read MathML back as a Python expression, trusting nothing but the notation."""
    children = list(node)
    match node.tag:
        case "mi" | "mn":
            return {"e": "E"}.get(node.text or "", node.text or "")
        case "mo":
            return {"−": "-", "·": "*", "\u2061": ""}.get(node.text or "", node.text or "")
        case "mfrac":
            return f"(({read(children[0])})/({read(children[1])}))"
        case "msup" if children[0].text in ("tanh", "ln"):
            return f"{children[0].text}_{read(children[1])}"
        case "msup":
            return f"({read(children[0])})**({read(children[1])})"
        case "mspace":
            return " "
    return "".join(map(read_in_row, children, [*children[1:], None]))


OPERANDS = {"mi", "mn", "mfrac", "msup", "msqrt", "mrow"}


def read_in_row(node: ET.Element, after: ET.Element | None) -> str:
    text = read(node)
    if node.tag == "mspace" and after is not None:
        return "*" if after.text in ("ln", "tanh") or after.tag == "msup" else " "
    if after is not None and {node.tag, after.tag} <= OPERANDS:
        return f"{text}*"  # two things side by side are a product
    return text


def value_of(text: str, point: dict[str, float]) -> float:
    """Evaluate what was read; ``tanh a`` and ``tanh_2 a`` without brackets take the next atom."""
    import re

    names = {"ln": sp.log, "tanh": sp.tanh, "E": sp.E}
    for power in (2, 4, 8):
        for name in ("ln", "tanh"):
            names[f"{name}_{power}"] = lambda v, f=names[name], q=power: f(v) ** q
    called = re.sub(r"((?:ln|tanh)(?:_\d)?) *([abc]|\d+)", r"\1(\2)", text)
    exact = {name: sp.Float(v, 40) for name, v in point.items()}
    return float(eval(called, {"__builtins__": {}}, {**names, **exact}))


@given(expressions())
def test_printed_formulas_read_back_to_their_value(expression: sp.Basic) -> None:
    point = {"a": 0.75, "b": 1.5, "c": 0.375}
    tree = ET.fromstring(formula(expression))
    direct = float(
        expression.subs(
            {s: sp.Float(v, 40) for s, v in zip(LEAVES[3:], point.values(), strict=True)}
        )
    )
    assert value_of(read(tree), point) == pytest.approx(direct, rel=1e-12)
