"""Eighty-four functions at points where numerical derivatives are hard.

Each row is a family, a formula, a point and, where the formula is noisy, rounded or has a kink
nearby, the smooth formula that it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CalibrationCase:
    """A formula in the syntax of `formulas`, a point, and the formula whose derivative is meant."""

    family: str
    code: str
    x: float
    smooth: str

    @property
    def name(self) -> str:
        return f"{self.family}: {self.code} at {self.x!r}"


def _chebyshev(n: int) -> str:
    """Write Tₙ by its recurrence, so that it rounds as the recurrence does."""
    steps = ["(t0 := 1.0 + 0*x, t1 := x"]
    steps += [f"t{k} := 2*x*t{k - 1} - t{k - 2}" for k in range(2, n + 1)]
    return ", ".join(steps) + ")[-1]"


CHEBYSHEV_20 = _chebyshev(20)
WILKINSON_15 = "*".join(f"(x - {k})" for k in range(1, 16))
EXPANDED = "((((((x - 7)*x + 21)*x - 35)*x + 35)*x - 21)*x + 7)*x - 1"
SIGMOID = "1/(1 + exp(-x))"
SOFTMAX = "exp(x)/(exp(x) + (exp(0.3) + exp(-1.2) + exp(2.0)))"
TO_SINGLE = "single(x)"

_SMOOTH_ROWS: tuple[tuple[str, str, float], ...] = (
    ("smooth", "exp(x)", 1.0),
    ("smooth", "exp(x)", 0.0),
    ("smooth", "sin(x)", 1.0),
    ("smooth", "sin(x)", 0.3),
    ("smooth", SIGMOID, 0.5),
    ("smooth", SIGMOID, -8.0),
    ("smooth", "tanh(x)", 0.7),
    ("smooth", "tanh(x)", 3.0),
    ("smooth", SOFTMAX, 0.4),
    ("smooth", "log(exp(x) + exp(0.5) + exp(-2.0))", 0.1),
    ("smooth", "x**3", 1.5),
    ("smooth", "log1p(exp(x))", 0.2),
    ("smooth", "0.5*x*(1 + erf(x/sqrt(2)))", 0.5),
    ("smooth", "log(x)", 2.0),
    ("smooth", "sqrt(x)", 4.0),
    ("smooth", "1/(1 + 25*x**2)", 0.5),
    ("scale", "sin(1e8*x)", 1e-8),
    ("scale", "tanh(1e8*x)", 3e-9),
    ("scale", "exp(x/1e8)", 1e8),
    ("scale", "x*x", 1e-8),
    ("scale", "x*x", 1e8),
    ("scale", "x**3", 1e5),
    ("scale", "log(x)", 1e8),
    ("scale", "sqrt(x)", 1e8),
    ("scale", "sin(x)", 1e4),
    ("scale", "sin(x)", 1e6),
    ("scale", "1/(1 + exp(-1e4*x))", 1e-4),
    ("offset", "1e8 + sin(x)", 1.0),
    ("offset", "1e8 + exp(x)", 0.5),
    ("offset", "1e12 + x*x", 1.0),
    ("offset", "1e4 + sin(x)", 1.0),
    ("offset", "1e6 + 1e-3*x*x", 2.0),
    ("freq", "sin(1000*x)", 0.3),
    ("freq", "sin(1000*x)", 1.0),
    ("freq", "cos(1e5*x)", 0.1),
    ("freq", "sin(50*x)*exp(-x)", 1.0),
    ("freq", "x + 1e-3*sin(1e4*x)", 0.7),
    ("singular", "1/x", 1e-3),
    ("singular", "1/x", 1e-6),
    ("singular", "log(x)", 1e-3),
    ("singular", "sqrt(x)", 1e-4),
    ("singular", "sqrt(x)", 1e-8),
    ("singular", "tan(x)", 1.5697963267948966),  # π/2 − 1e-3
    ("singular", "1/(1 - x)", 0.999),
    ("singular", "x*log(x)", 1e-8),
    ("domain", "log(x)", 1e-6),
    ("domain", "asin(x)", 1 - 1e-6),
    ("domain", "asin(x)", 1 - 1e-3),
    ("domain", "sqrt(1 - x*x)", 1 - 1e-5),
    ("domain", "atanh(x)", 0.9999),
    ("domain", "log1p(-x)", 1 - 1e-4),
    ("poly", "x**20", 1.1),
    ("poly", CHEBYSHEV_20, 0.7),
    ("poly", WILKINSON_15, 7.3),
    ("poly", EXPANDED, 1.3),
    ("flat", "exp(-1/(x*x))", 0.2),
    ("flat", "exp(-1/(x*x))", 0.1),
    ("flat", "x**10", 0.01),
    ("flat", SIGMOID, -40.0),
    ("zero", "3.0 + 0*x", 1.0),
    ("zero", "(x - 1)**2", 1.0),
    ("zero", "cos(x)", 0.0),
    ("cancel", "1 - cos(x)", 1e-4),
    ("cancel", "(exp(x) - 1)/x", 1e-5),
    ("cancel", "(1 - cos(x))/x**2", 1e-3),
    ("cancel", "x - sin(x)", 1e-3),
)

_ROUGH_ROWS: tuple[tuple[str, str, float, str], ...] = (
    ("noise", "sin(x) + 1e-10*noise(x)", 1.0, "sin(x)"),
    ("noise", "exp(x) + 1e-6*noise(x)", 0.5, "exp(x)"),
    ("noise", "x*x + 1e-8*noise(x)", 2.0, "x*x"),
    ("noise", "round(tanh(x), 8)", 0.4, "tanh(x)"),
    ("float32", "double(sin(single(x)))", 1.0, "sin(x)"),
    ("float32", "double(exp(single(x)))", 0.5, "exp(x)"),
    ("float32", "1/(1 + exp(-single(x)))", 0.5, SIGMOID),
    ("float32", "single(x)**2", 1000.0, "x**2"),
    ("float32", "double(log(exp(single(x)) + 2))", 0.25, "log(exp(x) + 2)"),
    ("kink", "abs(x)", 1e-3, "x"),
    ("kink", "abs(x)", 1e-6, "x"),
    ("kink", "abs(x)", 1e-8, "x"),
    ("kink", "maximum(x, 0) + x*x", 1e-3, "x + x*x"),
    ("kink", "where(x > 0, x, 0.1*x)", -1e-6, "0.1*x"),
    ("kink", "sin(x) + abs(x - 1)", 1 + 1e-3, "sin(x) + x - 1"),
    ("kink", "sin(x) + abs(x - 1)", 1 + 1e-6, "sin(x) + x - 1"),
    ("kink", "where(abs(x) < 1, 0.5*x*x, abs(x) - 0.5)", 1 - 1e-3, "0.5*x*x"),
    ("kink", "exp(x) + where(x > 0.501, 1.0, 0.0)", 0.5, "exp(x)"),
)

CASES = tuple(CalibrationCase(*row, smooth=row[1]) for row in _SMOOTH_ROWS) + tuple(
    CalibrationCase(*row) for row in _ROUGH_ROWS
)

# Functions made to fool a ladder of steps: each gives some of the usual steps a false consistency.
_TWO_PI = 6.283185307179586
_ADVERSARY_ROWS: tuple[tuple[str, str, float, str | None], ...] = (
    # periods that divide the steps, so that a wave vanishes on the whole ladder
    *(
        ("alias", f"x + {1e-3!r}*sin({_TWO_PI * 2.0**m!r}*(x - 1))", 1.0, None)
        for m in (4, 5, 7, 10, 12, 13, 14, 16, 20)
    ),
    *(("alias", f"sin({_TWO_PI * 2.0**m!r}*x)", 1.0, None) for m in (4, 7, 10, 13, 14, 17, 20)),
    ("alias", "sin(1e4*x) + 1e3*x", 0.7, None),
    # odd terms that vanish on the first window
    (
        "zeros on the ladder",
        "x + 1e10*(x - 1)*((x - 1)**2 - 0.00390625)*((x - 1)**2 - 0.0009765625)"
        "*((x - 1)**2 - 0.000244140625)*((x - 1)**2 - 6.103515625e-05)",
        1.0,
        None,
    ),
    ("high order", "x + 1e3*(x - 1)**9", 1.0, None),
    ("high order", "x + 1e6*(x - 1)**11", 1.0, None),
    # staircases: every stair is a smooth function of the wrong slope
    ("stairs", "round(100*x)/100", 0.7123, "x"),
    ("stairs", "round(1e3*x)/1e3", 0.7123, "x"),
    ("stairs", "round(1e8*x)/1e8", 0.7123, "x"),
    ("stairs", "round(1e8*sin(x))/1e8", 1.0, "sin(x)"),
    ("stairs", "exp(round(1e5*x)/1e5)", 0.5, "exp(x)"),
    ("stairs", "(1 - cos(x))/x**2", 1e-4, None),
    ("stairs", "log(1 + x**2)/x", 1e-5, None),
    ("stairs", "log(1 + exp(x)) - exp(0.5*x)", -31.0, None),
    ("stairs", "log(1 + exp(x))", -36.0, None),
    # noise that is not the same at all steps
    ("uneven noise", "exp(x) + 1e-3*noise(x)*(abs(x - 1) > 1e-3)", 1.0, "exp(x)"),
    ("uneven noise", "exp(x) + noise(x)*(x - 1)**2", 1.0, "exp(x)"),
    ("uneven noise", "exp(x) + 1e-3*noise(x)*(abs(x - 1) < 1e-3)", 1.0, "exp(x)"),
    ("uneven noise", "exp(x) + 1e-6*noise(x)*(x > 1)", 1.0, "exp(x)"),
    ("uneven noise", "exp(x) + 1e-4*(noise(x) > 0.98)", 1.0, "exp(x)"),
    ("uneven noise", "1e-8*noise(x) + 0*x", 1.0, "0*x"),
    # more noise than signal
    ("drowned", "1e12 + sin(x)", 1.0, "sin(x)"),
    ("drowned", "1e15 + sin(x)", 1.0, "sin(x)"),
    ("drowned", "1e17 + 1/x", 0.01, "1/x"),
    ("drowned", "tanh(x) + 0.5*(x > -7.99)", -8.0, "tanh(x)"),
    ("drowned", "sin(x - 1e8)", 1e8 + 0.5, None),
    ("drowned", "sin(x - 1e12)", 1e12 + 0.5, None),
    ("drowned", "double(sin(1e4*single(x)))", 1.0, "sin(1e4*x)"),
    # the ends of the floating-point numbers
    ("range", "exp(x)", 709.0, None),
    ("range", "exp(exp(x))", 6.5, None),
    ("range", "exp(-x)", 730.0, None),
    ("range", "1e308*sin(x)", 1.0, None),
    ("range", "1e-310*sin(x)", 1.0, None),
    ("range", "x*x", 1e154, None),
    ("range", "x*x", 1e-160, None),
    ("range", "x**155", 1e-2, None),
    ("range", "log(x)", 1e280, None),
    ("range", "sin(x)", 1e-310, None),
    # roughness that only some steps can see
    ("hidden", "exp(x) + 1e-3*(abs(x - 1) > 0.01)", 1.0, "exp(x)"),
    ("hidden", "x*x + 1e3*maximum(x - 1.001, 0)**2", 1.0, "x*x"),
    ("hidden", "x*x + maximum(x - 1.03, 0)", 1.0, "x*x"),
    ("hidden", "x*x + 1e-6*(x > 1.0001)", 1.0, "x*x"),
    ("hidden", "x + 1e-3*tanh(1e4*(x - 1))", 1.0, None),
    ("hidden", "x + 1e-3*tanh(1e6*(x - 1))", 1.0, None),
    ("hidden", "x + 1e-6/(x - 1.0626)", 1.0, None),
    ("hidden", "1/(x - 1.0313)", 1.0, None),
    ("hidden", "exp(x) + 1e-9/((x - 1)**2 - 0.004)", 1.0, None),
    (
        "hidden",
        "log(1 + exp(3.09375*x + 0.7421875))/(1.5 + sin(3.625*x - 0.6953125)**2)"
        " + 1.0*(x > -6.131490856967081)",
        -6.132127509089622,
        "log(1 + exp(3.09375*x + 0.7421875))/(1.5 + sin(3.625*x - 0.6953125)**2)",
    ),
    # smooth on so fine steps alone that few rungs are left to show their noise
    ("fine", "sin(30128.574320260384*x)", -1.5037712045247478, None),
    ("fine", "cos(1768789.2218262993*x)", -0.012143374212926076, None),
    # one derivative and no second
    ("once", "x*abs(x)", 0.0, "0*x"),
    ("once", "x + x*abs(x)", 0.0, "x"),
    ("once", "abs(x)**1.5", 0.0, "0*x"),
    ("once", "(x - 1)*sqrt(abs(x - 1))", 1.0, "0*x"),
)

ADVERSARIES = tuple(CalibrationCase(f, c, x, s or c) for f, c, x, s in _ADVERSARY_ROWS)
