"""What a check costs: `gradcheck.check` beside other gradient checkers, in one process.

Run ``python tests/benchmarks/bench_check.py [--slow] [--limit SECONDS]``.  PyTorch, JAX, autograd and
SciPy take part where they are installed; the rest are named and left out.  `bench_corpus.py` compares
their verdicts.

Every checker gets a right gradient, written by hand for its own framework, and has its default
settings, except that JAX and autograd are asked for first derivatives in reverse mode (they refuse
a hand-written vjp otherwise), and JAX for 64 bits.  Processor time of one check, all threads: the
median of rounds in which the checkers take turns, and the median over the rounds of the ratio to
PyTorch's fast mode.  *calls of f* are calls of the Python function ("jit" where there are none).
*memory* is the peak of one check in arrays of x's size, as tracemalloc sees it, and so of NumPy alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from types import FrameType
from typing import Any

import numpy as np

import gradcheck

ROUNDS = 15
SLOW_SECONDS = 0.3  # checks that take longer run three times
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
Run = Callable[[], Any]


# -- what is checked for the cost ----------------------------------------------------------------


@dataclass(slots=True)
class Counter:
    """Counts the calls of whatever it wraps."""

    calls: int = 0

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.calls += 1
            return f(*args)

        return counted


@dataclass(frozen=True, slots=True)
class Subject:
    """A scalar function of one or several arrays with its gradient, in NumPy's operations.

    `value` and `gradient` take the namespace (``numpy``, ``jax.numpy``, ``torch``) first.
    """

    name: str
    arguments: tuple[Any, ...]
    value: Callable[..., Any]
    gradient: Callable[..., Any]
    entry_by_entry: bool  # whether checkers of every entry finish in reasonable time

    @property
    def size(self) -> int:
        return sum(a.size for a in self.arguments)

    @property
    def bytes(self) -> int:
        return sum(a.nbytes for a in self.arguments)


def cross_entropy(rows: int, classes: int) -> Subject:
    r = np.random.default_rng(rows * classes)
    z = r.standard_normal((rows, classes))
    target = np.eye(classes)[r.integers(classes, size=rows)]

    def shifted(np_: Any, z: Any) -> Any:
        return z - np_.amax(z, **_axis(np_, -1))

    def value(np_: Any, z: Any) -> Any:
        s = shifted(np_, z)
        t = _like(np_, target)
        return (np_.log(np_.exp(s).sum(-1)) - (t * s).sum(-1)).mean()

    def gradient(np_: Any, z: Any) -> tuple[Any, ...]:
        e = np_.exp(shifted(np_, z))
        return ((e / e.sum(**_axis(np_, -1)) - _like(np_, target)) / rows,)

    return Subject(f"softmax cross-entropy {rows}x{classes}", (z,), value, gradient, True)


def network() -> Subject:
    r = np.random.default_rng(7)
    X = r.standard_normal((32, 784))
    target = np.eye(10)[r.integers(10, size=32)]
    shapes = ((784, 128), (128,), (128, 10), (10,))
    arguments = tuple(0.05 * r.standard_normal(s) for s in shapes)

    def forward(np_: Any, A: Any, a: Any, B: Any, b: Any) -> tuple[Any, Any]:
        h = np_.tanh(_like(np_, X) @ A + a)
        z = h @ B + b
        return h, z - np_.amax(z, **_axis(np_, -1))

    def value(np_: Any, *parameters: Any) -> Any:
        s = forward(np_, *parameters)[1]
        t = _like(np_, target)
        return (np_.log(np_.exp(s).sum(-1)) - (t * s).sum(-1)).mean()

    def gradient(np_: Any, A: Any, a: Any, B: Any, b: Any) -> tuple[Any, ...]:
        h, s = forward(np_, A, a, B, b)
        e = np_.exp(s)
        dz = (e / e.sum(**_axis(np_, -1)) - _like(np_, target)) / 32
        dh = (dz @ B.T) * (1 - h * h)
        return _like(np_, X).T @ dh, dh.sum(0), h.T @ dz, dz.sum(0)

    return Subject("network 784-128-10, batch 32", arguments, value, gradient, False)


def _axis(np_: Any, axis: int) -> dict[str, Any]:
    """Spell a reduction that keeps its axis."""
    return (
        {"dim": axis, "keepdim": True}
        if np_.__name__ == "torch"
        else {"axis": axis, "keepdims": True}
    )


_constants: dict[int, Any] = {}


def _like(np_: Any, constant: Any) -> Any:
    """Return a constant as x's framework takes it, for PyTorch converted once."""
    if np_.__name__ != "torch":
        return constant
    if id(constant) not in _constants:
        _constants[id(constant)] = np_.asarray(constant)
    return _constants[id(constant)]


SUBJECTS = (
    cross_entropy(8, 10),
    cross_entropy(64, 10),
    cross_entropy(32, 100),
    cross_entropy(16, 1000),
    network(),
)


# -- checkers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checker:
    """One checker in one mode.

    Parameters
    ----------
    name : str
        How the tables call it.
    prepare : callable
        ``prepare(subject, count)`` returns the check to be timed; `count` wraps what is counted.
    entry_by_entry : bool
        Whether its cost grows with the number of entries.
    numpy, counted : bool
        Whether its memory, and its calls of f, can be seen from here.
    """

    name: str
    prepare: Callable[[Subject, Counter], Run]
    entry_by_entry: bool = False
    numpy: bool = True
    counted: bool = True


def in_numpy(subject: Subject, count: Counter) -> tuple[Callable[..., Any], Callable[..., Any]]:
    f = count(lambda *x: subject.value(np, *x))
    return f, lambda *x: subject.gradient(np, *x)


def ours() -> Iterator[Checker]:
    def prepare(mode: Any) -> Callable[[Subject, Counter], Run]:
        def prepared(subject: Subject, count: Counter) -> Run:
            f, gradient = in_numpy(subject, count)
            seeds = iter(range(10**9))
            return lambda: must(
                gradcheck.check(f, subject.arguments, grad=gradient, mode=mode, rng=next(seeds))
            )

        return prepared

    def bare(subject: Subject, count: Counter) -> Run:
        f, _ = in_numpy(subject, count)

        def run() -> None:
            for _ in range(2 * subject.size):
                f(*subject.arguments)

        return run

    yield Checker("gradcheck", prepare("fast"))
    yield Checker("gradcheck full", prepare("full"), entry_by_entry=True)
    yield Checker("(2n calls of f alone)", bare, entry_by_entry=True)


def must(accepted: Any) -> None:
    """Stop a run whose figures would be those of something else."""
    if not accepted:
        raise RuntimeError(f"a right gradient was not accepted: {accepted!r}")


def pytorch() -> Iterator[Checker]:
    import torch

    torch.set_num_threads(1)
    gradcheck_ = torch.autograd.gradcheck

    def native(subject: Subject, count: Counter) -> Any:
        class Hand(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *x: Any) -> Any:
                ctx.save_for_backward(*x)
                return subject.value(torch, *x)

            @staticmethod
            def backward(ctx: Any, v: Any) -> Any:
                return tuple(v * g for g in subject.gradient(torch, *ctx.saved_tensors))

        return count(Hand.apply)

    def prepare(fast: bool) -> Callable[[Subject, Counter], Run]:
        def prepared(subject: Subject, count: Counter) -> Run:
            f = native(subject, count)
            x = tuple(torch.tensor(a, requires_grad=True) for a in subject.arguments)
            return lambda: must(gradcheck_(f, x, fast_mode=fast))

        return prepared

    yield Checker("torch fast", prepare(True), numpy=False)
    yield Checker("torch slow", prepare(False), entry_by_entry=True, numpy=False)


def jax_() -> Iterator[Checker]:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")

    def prepare(subject: Subject, count: Counter) -> Run:
        f = jax.custom_vjp(count(lambda *x: subject.value(jnp, *x)))
        f.defvjp(
            lambda *x: (f(*x), x),
            lambda x, v: tuple(v * g for g in subject.gradient(jnp, *x)),
        )
        x = tuple(jnp.asarray(a) for a in subject.arguments)
        compiled = jax.jit(f)
        return lambda: check_grads(compiled, x, order=1, modes=["rev"])

    yield Checker("jax (jit)", prepare, numpy=False, counted=False)


def autograd_() -> Iterator[Checker]:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def prepare(subject: Subject, count: Counter) -> Run:
        f = primitive(count(lambda *x: subject.value(np, *x)))

        def rule(k: int) -> Callable[..., Any]:
            return lambda ans, *x: lambda v: v * subject.gradient(np, *x)[k]

        defvjp(f, *map(rule, range(len(subject.arguments))))
        return lambda: check_grads(f, modes=["rev"], order=1)(*subject.arguments)

    yield Checker("autograd", prepare)


def scipy_() -> Iterator[Checker]:
    from scipy.optimize import check_grad

    def prepare(direction: str) -> Callable[[Subject, Counter], Run]:
        def prepared(subject: Subject, count: Counter) -> Run:
            f, gradient = in_numpy(subject, count)
            ends = np.cumsum([a.size for a in subject.arguments])[:-1]
            x = np.concatenate([a.ravel() for a in subject.arguments])

            def split(flat: Any) -> list[Any]:
                parts = zip(np.split(flat, ends), subject.arguments, strict=True)
                return [part.reshape(a.shape) for part, a in parts]

            def flat_gradient(flat: Any) -> Any:
                return np.concatenate([g.ravel() for g in gradient(*split(flat))])

            return lambda: check_grad(
                lambda flat: f(*split(flat)), flat_gradient, x, direction=direction
            )

        return prepared

    yield Checker("scipy all", prepare("all"), entry_by_entry=True)
    yield Checker("scipy random", prepare("random"))


def checkers() -> list[Checker]:
    found = list(ours())
    for load in (pytorch, jax_, autograd_, scipy_):
        try:
            found += load()
        except ImportError as error:
            print(f"left out: {load.__name__.rstrip('_')} ({error})")
    return found


# -- the table -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Timing:
    """What one checker took on one subject."""

    checker: Checker
    run: Run
    evaluations: int
    arrays: float
    seconds: list[float] = field(default_factory=list)


def cost(everyone: list[Checker], limit: float, *, slow: bool) -> None:
    for subject in SUBJECTS:
        everyone = [c for c in everyone if slow or subject.entry_by_entry or not c.entry_by_entry]
        found = [prepared(c, subject, limit) for c in everyone]
        late = [c.name for c, t in zip(everyone, found, strict=True) if t is None]
        timings = [t for t in found if t is not None]
        for k in range(ROUNDS):
            for t in timings:
                if k < 3 or t.seconds[0] < SLOW_SECONDS:
                    start = time.process_time()
                    t.run()
                    t.seconds.append(time.process_time() - start)
        base = next((t for t in timings if t.checker.name == "torch fast"), None)
        own = peak_arrays(lambda s=subject: s.value(np, *s.arguments), subject)
        print(f"\n{subject.name}, n = {subject.size}: f alone takes {own:.1f} arrays of memory")
        print(f"{'':24}{'CPU ms':>10}{'/ torch fast':>14}{'calls of f':>12}{'memory':>9}")
        for t in timings:
            ratio = "-"
            if base is not None:
                ratio = (
                    f"{median(a / b for a, b in zip(t.seconds, base.seconds, strict=False)):.2f}"
                )
            calls = t.evaluations if t.checker.counted else "jit"
            memory = f"{t.arrays:.1f}" if t.checker.numpy else "-"
            ms = f"{1e3 * median(t.seconds):.3g}"
            print(f"{t.checker.name:24}{ms:>10}{ratio:>14}{calls:>12}{memory:>9}")
        if late:
            print(f"over {limit:g} s for two checks: {', '.join(late)}")


def prepared(checker: Checker, subject: Subject, limit: float) -> Timing | None:
    """Run a check twice, for its calls and its memory; None if that takes too long."""
    count = Counter()
    run = checker.prepare(subject, count)
    try:
        with time_limit(limit):
            run()  # imports, compilation
            count.calls = 0
            arrays = peak_arrays(run, subject)
    except TimeoutError:
        return None
    return Timing(checker, run, count.calls, arrays)


def peak_arrays(run: Run, subject: Subject) -> float:
    """Return the peak of NumPy's memory in arrays of x's size."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / subject.bytes
    finally:
        tracemalloc.stop()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after so many seconds."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"over {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slow", action="store_true", help="every entry of the network as well")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one check")
    options = parser.parse_args()
    if any(name not in os.environ for name in ONE_THREAD):
        # the libraries read these when they are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], {**ONE_THREAD, **os.environ})
    warnings.simplefilter("ignore")
    cost(checkers(), options.limit, slow=options.slow)


if __name__ == "__main__":
    main()
