"""Random functions, by family of difficulty, each with the formula of its true derivative.

Formulas are text in the syntax of `formulas`.  Constants have few binary digits, so that float32
holds them and a reproducer is short.  Every draw of a family exists in the real numbers around x
up to the edge, pole, kink or jump that the family is about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Size = Callable[[str, float], float]


@dataclass(frozen=True, slots=True)
class RandomFunction:
    """A function at a point, and what is true about it.

    Parameters
    ----------
    family, code : str
        What is hard about it, and its formula.
    x : float
        The point.
    smooth : tuple of str
        One formula: its derivative is the truth.  Two: those of the left and the right side of a
        kink.  None: f jumps at x, and no derivative exists.
    edges : tuple of float
        The ends of the domain, if one is to be declared.
    """

    family: str
    code: str
    x: float
    smooth: tuple[str, ...]
    edges: tuple[float, float] | None = None

    def __str__(self) -> str:
        domain = "" if self.edges is None else f" in {self.edges}"
        return f"[{self.family}] {self.code} at {self.x!r}{domain}"


class Draw:
    """Draws formulas; `size(text, x)` evaluates one, to put noise and offsets in proportion."""

    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        self.rng = rng
        self.size = size

    # -- ingredients -----------------------------------------------------------------------------

    def pick(self, *options: str) -> str:
        return options[self.integer(0, len(options) - 1)]

    def sign(self) -> float:
        return 1.0 if self.rng.random() < 0.5 else -1.0

    def nice(self, low: float = 0.25, high: float = 4.0) -> float:
        """Draw a constant of seven binary digits and either sign, log-uniform in size."""
        m, e = math.frexp(math.exp(self.rng.uniform(math.log(low), math.log(high))))
        return math.ldexp(round(m * 128) / 128, e) * self.sign()

    def decade(self, low: float, high: float) -> float:
        return float(10.0 ** self.rng.uniform(low, high))

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))

    def point(self) -> float:
        """Draw a point of any sign and some decades; now and then a round one."""
        if self.rng.random() < 0.2:
            return self.sign() * math.ldexp(1.0, self.integer(-1, 2))
        return self.sign() * self.decade(-2.0, 1.0)

    def line(self, u: str) -> str:
        return f"({self.nice()!r}*{u} + {self.nice()!r})"

    def smooth(self, u: str = "x", depth: int = 2) -> str:
        """Compose, add and multiply elementary functions that exist on the whole real line."""
        if depth == 0:
            return self.unary(self.line(u))
        a, b = self.smooth(u, depth - 1), self.unary(self.line(u))
        shapes = (
            f"({a} + {b})",
            f"({a}*{b})",
            f"({a}/(1.5 + {b}**2))",
            self.unary(a),
            f"({a} - {b})",
        )
        return self.pick(*shapes)

    def unary(self, u: str) -> str:
        return self.pick(
            f"sin({u})",
            f"cos({u})",
            f"tanh({u})",
            f"exp(0.5*{u})",
            f"exp(-{u}**2)",
            f"log(1.5 + {u}**2)",
            f"log(1.0 + exp({u}))",
            f"sqrt(1.25 + {u}**2)",
            f"(1.0/(1.0 + exp(-{u})))",
            f"(1.0/(1.0 + {u}**2))",
            f"({u}**{self.integer(2, 4)})",
        )

    def magnitude(self, text: str, x: float) -> float:
        """Return |f(x)|; one where f overflows, and the draw is discarded anyway."""
        y = abs(self.size(text, x))
        return y if math.isfinite(y) else 1.0

    def beside(self, x: float, low: float, high: float) -> float:
        """Return a point at a relative distance of 10^low … 10^high from x, on either side."""
        return x + self.sign() * abs(x) * self.decade(low, high)

    # -- families --------------------------------------------------------------------------------

    def plain(self) -> RandomFunction:
        g = self.smooth(depth=self.integer(1, 3))
        return RandomFunction("smooth", g, self.point(), (g,))

    def scaled_argument(self) -> RandomFunction:
        b = self.decade(-12, 12)
        g = self.smooth(f"({b!r}*x)")
        return RandomFunction("scale of x", g, self.point() / b, (g,))

    def scaled_value(self) -> RandomFunction:
        g = f"{self.decade(-12, 12)!r}*{self.smooth()}"
        return RandomFunction("scale of f", g, self.point(), (g,))

    def offset(self) -> RandomFunction:
        x, g = self.point(), self.smooth()
        c = self.magnitude(g, x) * self.decade(0, 8)
        return RandomFunction("offset", f"{c!r} + {g}", x, (g,))

    def noisy(self) -> RandomFunction:
        x, g = self.point(), self.smooth()
        a = self.magnitude(g, x) * self.decade(-15, -4)
        return RandomFunction("noise", f"{g} + {a!r}*noise(x)", x, (g,))

    def quantised(self) -> RandomFunction:
        x, g = self.point(), self.smooth()
        q = self.magnitude(g, x) * self.decade(-14, -4)
        return RandomFunction("quantised", f"{q!r}*round({g}/{q!r})", x, (g,))

    def in_float32(self) -> RandomFunction:
        u = "single(x)"
        state = self.rng.bit_generator.state
        g = self.smooth()
        self.rng.bit_generator.state = state
        code = self.smooth(u)
        if self.rng.random() < 0.5:
            code = f"double({code})"
        return RandomFunction("float32", code, float(np.float32(self.point())), (g,))

    def edge(self) -> RandomFunction:
        e = self.nice()
        distance = abs(e) * self.decade(-10, -1)
        right = self.rng.random() < 0.5
        x = e + distance if right else e - distance
        u = f"(x - {e!r})" if right else f"({e!r} - x)"
        code = self.pick(
            f"log({u})", f"sqrt({u})", f"{u}*log({u})", f"{u}*sqrt({u})", f"sqrt({u})**5"
        )
        code = self.pick(code, f"({code} + {self.smooth()})", f"{code}*{self.smooth()}")
        edges = (e, math.inf) if right else (-math.inf, e)
        return RandomFunction(
            "domain edge", code, x, (code,), edges if self.rng.random() < 0.5 else None
        )

    def inverse(self) -> RandomFunction:
        x = self.sign() * (1.0 - self.decade(-10, -1))
        code = self.pick("asin(x)", "atanh(x)", "sqrt(1.0 - x*x)", "log1p(-x*x)")
        code = self.pick(code, f"({code} + {self.smooth()})")
        return RandomFunction(
            "domain edge", code, x, (code,), (-1.0, 1.0) if self.rng.random() < 0.5 else None
        )

    def pole(self) -> RandomFunction:
        p = self.nice()
        x = self.beside(p, -8, -0.5)
        code = self.pick(f"1.0/(x - {p!r})**{self.integer(1, 3)}", f"{self.smooth()}/(x - {p!r})")
        code = self.pick(code, f"({code} + {self.smooth()})")
        return RandomFunction("pole", code, x, (code,))

    def frequency(self) -> RandomFunction:
        x = self.point()
        w = self.decade(0.5, 6) / abs(x)
        wave = f"{self.pick('sin', 'cos')}({w!r}*x)"
        g = self.smooth(depth=1)
        shapes = (wave, f"{wave}*{g}", f"({wave} + {g})", f"({self.decade(-4, 0)!r}*{wave} + {g})")
        code = self.pick(*shapes)
        return RandomFunction("frequency", code, x, (code,))

    def kink_beside(self) -> RandomFunction:
        x, g = self.point(), self.smooth(depth=1)
        k = self.beside(x, -10, -2)
        a, sign = self.nice(), math.copysign(1.0, x - k)
        if self.rng.random() < 0.5:
            return RandomFunction(
                "kink near", f"{g} + {a!r}*abs(x - {k!r})", x, (f"{g} + {a * sign!r}*(x - {k!r})",)
            )
        side = f"{g} + {a!r}*(x - {k!r})" if sign > 0 else g
        return RandomFunction("kink near", f"{g} + {a!r}*maximum(x - {k!r}, 0.0)", x, (side,))

    def kink_at(self) -> RandomFunction:
        x = 0.0 if self.rng.random() < 0.2 else self.point()
        a, g = self.nice(), self.smooth(depth=1)
        bent = self.smooth(depth=1)
        shift = f"(x - {x!r})"
        if self.rng.random() < 0.5:
            code, left, right = f"abs{shift}", f"(-{shift})", shift
        else:
            code, left, right = f"maximum({shift}, 0.0)", f"(0.0*{shift})", shift
        if self.rng.random() < 0.5:
            code, left, right = (f"{bent}*{part}" for part in (code, left, right))
        code, left, right = (f"{g} + {a!r}*{part}" for part in (code, left, right))
        return RandomFunction("kink at x", code, x, (left, right))

    def jump_beside(self) -> RandomFunction:
        x, g = self.point(), self.smooth(depth=1)
        k = self.beside(x, -8, -2)
        return RandomFunction("jump near", f"{g} + {self.nice()!r}*(x > {k!r})", x, (g,))

    def jump_at(self) -> RandomFunction:
        x, g = self.point(), self.smooth(depth=1)
        way = self.pick(">", ">=")
        return RandomFunction("jump at x", f"{g} + {self.nice()!r}*(x {way} {x!r})", x, ())

    def power(self) -> RandomFunction:
        x = self.point()
        if self.rng.random() < 0.5:
            code = f"{self.nice()!r}*x**{self.integer(2, 30)}"
        else:
            roots = (f"(x - {self.nice()!r})" for _ in range(self.integer(2, 8)))
            code = "*".join(roots)
        if self.rng.random() < 0.3:
            code = f"({code})/(1.0 + x**{2 * self.integer(1, 3)})"
        return RandomFunction("rational", code, x, (code,))

    def cancelling(self) -> RandomFunction:
        x = self.point() * self.decade(-4, 0)
        u = f"({self.nice()!r}*x)"
        code = self.pick(
            f"(1.0 - cos({u}))/{u}**2",
            f"(exp({u}) - 1.0)/{u}",
            f"{u} - sin({u})",
            f"log(1.0 + {u}**2)/{u}",
            f"sqrt(1.0 + {u}**2) - 1.0",
            f"(1.0 - cos({u}))",
            f"exp({u}) - exp(-{u})",
            f"1.0 - tanh({u})",
        )
        return RandomFunction("cancellation", code, x, (code,))

    def flat(self) -> RandomFunction:
        u = f"({self.nice()!r}*x)"
        code, x = [
            (f"exp(-1.0/{u}**2)", self.decade(-1.0, 0.5)),
            (f"1.0/(1.0 + exp(-{u}))", self.point() * self.decade(0, 1.3)),
            (f"tanh({u})", self.point() * self.decade(0, 1)),
            (f"exp(-{u}**2)", self.point() * self.decade(0, 0.5)),
            (f"{u}**{self.integer(5, 12)}", self.point() * self.decade(-3, -1)),
            (f"log(1.0 + exp({u}))", self.point() * self.decade(0, 1.3)),
        ][self.integer(0, 5)]
        return RandomFunction("flat", code, x, (code,))

    def at_zero(self) -> RandomFunction:
        g = self.smooth(f"({self.decade(-3, 3)!r}*x)")
        return RandomFunction("x = 0", g, 0.0, (g,))


FAMILIES = tuple(
    value
    for name, value in vars(Draw).items()
    if callable(value) and getattr(value, "__annotations__", {}).get("return") == "RandomFunction"
)


def random_functions(count: int, seed: int, size: Size) -> Iterator[RandomFunction]:
    """Draw `count` functions, the families in turn; those that overflow at x are drawn again."""
    draw = Draw(np.random.default_rng(seed), size)
    for i in range(count):
        family = FAMILIES[i % len(FAMILIES)]
        while True:
            drawn = family(draw)
            if _ordinary(size, drawn):
                yield drawn
                break


def bent_functions(count: int, seed: int, size: Size) -> Iterator[RandomFunction]:
    """Draw `count` functions whose slope has a kink, at x or beside it."""
    draw = Draw(np.random.default_rng(seed), size)
    while count:
        x, g, a = draw.point(), draw.smooth(depth=1), draw.nice()
        if not math.isfinite(draw.size(g, x)):
            continue
        count -= 1
        at = x if count % 2 else draw.beside(x, -6, -1)
        code = f"{g} + {a!r}*maximum(x - {at!r}, 0.0)**2"
        left, right = g, f"{g} + {a!r}*(x - {at!r})**2"
        sides = (left, right) if at == x else (right,) if x > at else (left,)
        family = "kink of slope" if at == x else "such a kink near"
        yield RandomFunction(family, code, x, sides)


def _ordinary(size: Size, drawn: RandomFunction) -> bool:
    """Whether f exists at x, so near an edge that rounding x may have put it outside, in floats."""
    y = size(drawn.code, drawn.x)
    return math.isfinite(y) and 1e-250 < abs(y) < 1e250
