"""Verdicts on the corpus of right and wrong derivatives: `gradcheck.check` beside other gradient checkers.

Run ``python tests/benchmarks/bench_corpus.py [--limit SECONDS]``.  PyTorch, JAX, autograd and SciPy take
part where they are installed; the rest are named and left out.  `bench_check.py` compares the cost.

The rows are those of ``tests/corpus``, scored as by ``tests/corpus/scoring.py``.  Every checker has
its default settings, except that JAX and autograd are asked for first derivatives in reverse mode
(they refuse a hand-written vjp otherwise), and JAX for 64 bits; PyTorch and JAX get the same NumPy
functions through callbacks.  SciPy returns a number and no verdict: it is read as a pass up to 1e-6,
as users do, and gets a vector-valued f projected on one random direction.  An exception that is no
verdict is an error, and so is a check over the limit.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.machinery
import importlib.util
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np

Judges = Iterator[tuple[str, Callable[..., Any]]]


def load_corpus() -> tuple[ModuleType, tuple[Any, ...]]:
    """Return the scoring module of the corpus, and its rows."""
    spec = importlib.machinery.ModuleSpec("corpus", None, is_package=True)
    spec.submodule_search_locations = [str(Path(__file__).parents[1] / "corpus")]
    sys.modules["corpus"] = importlib.util.module_from_spec(spec)
    rows = importlib.import_module("corpus.table").CASES
    return importlib.import_module("corpus.scoring"), rows


def ours(scoring: ModuleType) -> Judges:
    yield "gradcheck", scoring.with_gradcheck


def pytorch(scoring: ModuleType) -> Judges:
    import torch
    from torch.autograd.gradcheck import GradcheckError

    torch.set_num_threads(1)
    gradcheck_ = torch.autograd.gradcheck

    def judge(fast: bool) -> Callable[..., Any]:
        def judged(f: Any, x: Any, vjp: Any, seed: int) -> Any:
            class Hand(torch.autograd.Function):
                @staticmethod
                def forward(ctx: Any, t: Any) -> Any:
                    ctx.save_for_backward(t)
                    return torch.as_tensor(np.asarray(f(t.detach().numpy())))

                @staticmethod
                def backward(ctx: Any, v: Any) -> Any:
                    (t,) = ctx.saved_tensors
                    return torch.as_tensor(np.asarray(vjp(t.detach().numpy(), given(v.numpy()))))

            t = torch.tensor(np.array(x), requires_grad=True)
            try:
                gradcheck_(Hand.apply, (t,), fast_mode=fast)
            except GradcheckError as error:
                return scoring.Answer("fail", text=str(error))
            except RuntimeError as error:
                if "returned an invalid gradient" in str(error):  # a shape that doesn't fit
                    return scoring.Answer("fail", text=str(error))
                raise
            return scoring.Answer("pass")

        return judged

    yield "torch fast", judge(True)
    yield "torch slow", judge(False)


def given(v: Any) -> Any:
    """Return an upstream gradient as the corpus has it: a number where f returns one."""
    return float(v) if np.ndim(v) == 0 else v


def jax_(scoring: ModuleType) -> Judges:
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")

    def judged(f: Any, x: Any, vjp: Any, seed: int) -> Any:
        y = np.asarray(f(np.array(x)))
        out = jax.ShapeDtypeStruct(y.shape, y.dtype)
        back = jax.ShapeDtypeStruct(x.shape, x.dtype)

        def pulled(t: Any, v: Any) -> Any:
            g = np.asarray(vjp(np.array(t), given(np.array(v))), dtype=x.dtype)
            if g.shape != x.shape:  # a callback of another shape would be read out of bounds
                raise AssertionError(f"gradient of shape {g.shape} for {x.shape}")
            return g

        def called(t: Any) -> Any:
            return np.asarray(f(np.array(t)), dtype=y.dtype)

        hand = jax.custom_vjp(lambda t: jax.pure_callback(called, out, t))
        hand.defvjp(lambda t: (hand(t), t), lambda t, v: (jax.pure_callback(pulled, back, t, v),))
        try:
            check_grads(hand, (jnp.asarray(x),), order=1, modes=["rev"])
        except AssertionError as error:
            return scoring.Answer("fail", text=str(error))
        except Exception as error:
            if "AssertionError" in str(error):
                return scoring.Answer("fail", text=str(error))
            raise
        return scoring.Answer("pass")

    yield "jax", judged


def autograd_(scoring: ModuleType) -> Judges:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def judged(f: Any, x: Any, vjp: Any, seed: int) -> Any:
        np.random.seed(seed)  # noqa: NPY002 -- autograd draws its directions from the global state
        hand = primitive(f)
        defvjp(hand, lambda ans, t: lambda v: vjp(t, given(v)))
        try:
            check_grads(hand, modes=["rev"], order=1)(np.array(x))
        except AssertionError as error:
            return scoring.Answer("fail", text=str(error))
        return scoring.Answer("pass")

    yield "autograd", judged


def scipy_(scoring: ModuleType) -> Judges:
    from scipy.optimize import check_grad

    def judged(f: Any, x: Any, vjp: Any, seed: int) -> Any:
        y = np.asarray(f(x.copy()))
        v = np.random.default_rng(seed).standard_normal(y.shape).astype(y.dtype) if y.ndim else 1.0
        error = check_grad(
            lambda t: float(np.sum(v * f(t.reshape(x.shape)))),
            lambda t: np.asarray(vjp(t.reshape(x.shape), given(v))).ravel(),
            x.ravel(),
        )
        return scoring.Answer("pass" if error <= 1e-6 else "fail", text=repr(error))

    yield "scipy", judged


def checkers(scoring: ModuleType) -> dict[str, Callable[..., Any]]:
    found = dict(ours(scoring))
    for load in (pytorch, jax_, autograd_, scipy_):
        try:
            found.update(load(scoring))
        except ImportError as error:
            print(f"left out: {load.__name__.rstrip('_')} ({error})")
    return found


def compare(
    judges: dict[str, Callable[..., Any]], scoring: ModuleType, cases: Any, limit: float
) -> Iterator[tuple[str, Any]]:
    """Yield every checker's score, by its name."""
    for name, judge in judges.items():

        def limited(*args: Any, judge: Callable[..., Any] = judge) -> Any:
            with time_limit(limit):
                return judge(*args)

        yield name, scoring.score(limited, cases, seed=0)


def print_batch(batch: int, cases: Any, scores: Iterator[tuple[str, Any]]) -> None:
    wrong = sum(case.truth == "wrong" and "pass" not in case.allowed for case in cases)
    right = sum(case.truth == "right" for case in cases)
    print(f"\ncorpus, batch {batch}: {wrong} visibly wrong, {right} right derivatives")
    heads = ("wrong passed", "reported", "right accused", "right open", "errors", "calls of f")
    print(f"{'':12}" + "".join(f"{head:>15}" for head in heads))
    details = []
    for name, s in scores:
        cells = (
            len(s.wrong_passed),
            s.detected()[0],
            len(s.right_failed),
            len(s.right_open),
            len(s.errors),
            s.median_evaluations,
        )
        print(f"{name:12}" + "".join(f"{cell:>15g}" for cell in cells), flush=True)
        details.append(
            f"{name}: passed {', '.join(s.wrong_passed) or '-'}; "
            f"accused {', '.join(s.right_failed) or '-'}; errors {', '.join(s.errors) or '-'}"
        )
    print("\n".join(details))


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
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one point")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)  # JAX logs every exception of a callback
    np.seterr(all="ignore")
    scoring, rows = load_corpus()
    judges = checkers(scoring)
    for batch in sorted({case.batch for case in rows}):
        cases = [case for case in rows if case.batch == batch]
        print_batch(batch, cases, compare(judges, scoring, cases, options.limit))


if __name__ == "__main__":
    main()
