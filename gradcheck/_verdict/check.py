"""`check` and `assert_gradient`: a claimed derivative in, a verdict with evidence out."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from gradcheck._case.case import ClaimKind, SecondKind
from gradcheck._case.constants import is_floating
from gradcheck._case.domain import Domain, must_be_domain
from gradcheck._case.inputs import Inputs
from gradcheck._case.options import is_number, is_whole, positions
from gradcheck._case.tree import leaves
from gradcheck._estimate.batch import Batched
from gradcheck._report.record import notify
from gradcheck._report.report import GradientError, Outcome, Reason, Report
from gradcheck._verdict.examine import examine
from gradcheck._verdict.settings import Settings

Mode = Literal["fast", "full"]
Rng = int | np.random.Generator | None


def check(
    f: Callable[..., Any],
    x: Any,
    *,
    grad: Callable[..., Any] | None = None,
    jac: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    hess: Callable[..., Any] | None = None,
    hvp: Callable[..., Any] | None = None,
    argnums: int | tuple[int, ...] | None = None,
    domain: Domain | Mapping[int, Domain] | None = None,
    rtol: float | None = None,
    mode: Mode = "fast",
    vectorized: bool = False,
    rng: Rng = None,
    workers: int = 1,
    name: str | None = None,
) -> Report:
    """Tell whether a derivative is right.

    The claim is compared with a numerical derivative along random signed directions, each with an
    error bar that holds f's measured rounding noise.  A disagreement beyond the error bars fails
    and is traced to the entries behind it; agreement passes only if the error bars are tight enough
    to have seen an error.

    Parameters
    ----------
    f : callable
        ``f(*x)`` returns a real scalar, an array, or a nested dict/list/tuple of them.
    x : array_like, or tuple
        One argument, or a tuple of positional arguments.  An argument is an array, a scalar, or a
        nested dict, list or tuple of arrays.  Integer arrays are taken for labels and not varied,
        unless nothing in x is floating.  Complex entries vary as pairs of real numbers.
    grad, jac, vjp, jvp, hess, hvp : callable
        One of them: ``grad(*x)`` for a scalar f, returns x's structure; ``jac(*x)``, an array of
        f's shape followed by x's (or one per argument, or sparse); ``vjp(*x, v)`` with v in f's
        output shape, returns x's structure; ``jvp(*x, u)`` with u in x's structure, returns f's.
        For second derivatives of a scalar f: ``hess(*x)``, an array of x's shape twice (or sparse), or
        ``hvp(*x, u)`` with u and the answer in x's structure; they must be symmetric too.
        Or a vjp and a jvp: each is checked, and they must be adjoint, ⟨vjp(v), u⟩ = ⟨v, jvp(u)⟩.
        For complex numbers the real inner product Re Σ conj(a)·b is meant, as in PyTorch: df = Re Σ
        conj(grad)·dx, and Re Σ conj(vjp(v))·u = Re Σ conj(v)·jvp(u).
    argnums : int or tuple of int, optional
        The arguments that the claim differentiates in; all by default.  With an int the claim
        returns one gradient, with a tuple a tuple of them, in its order.
    domain : Domain or Mapping of int to Domain, optional
        Where f may be evaluated; of several differentiated arguments by position, ``{0: Interval(0)}``.
    rtol : float, optional
        Relative error of the claim that is tolerated, between 0 and 1.  The default, and the least,
        is the rounding of a computed gradient, ε^(2/3): 3.7e-11 in float64, 2.4e-5 in float32.
        Where it is given, the numerical side alone must be able to see an error of `rtol`, instead of
        1 %.  What a pass would have seen of a claim for which `rtol` is tolerated is 1 %, or ten times
        `rtol` where that is more (of a matrix a hundred times).
    mode : {"fast", "full"}
        Random directions, at a cost that doesn't depend on n; or every entry, at that of bare
        central differences (two evaluations of f for each number in x, and a few).
    vectorized : bool
        f takes a leading batch axis and returns a row for each point; ``mode="full"`` then evaluates
        many points in a call.  x must be one float64 array.
    rng : int or numpy.random.Generator, optional
        Chooses the directions; fresh by default.  The report's `seed` reproduces them.
    workers : int
        Threads that share the entries of ``mode="full"``; the report doesn't depend on it.
    name : str, optional
        How the report calls f.

    Returns
    -------
    Report
        True for a pass alone.

    Raises
    ------
    TypeError, ValueError
        If the call itself makes no sense: no claim or several, an x that holds text or other objects
        alone (an empty array is `inconclusive`), that isn't finite or not in the domain, an f or a
        claim that takes another number of arguments, an unknown mode, ``vectorized=True`` for an f
        that takes no batch.

    Examples
    --------
    >>> import numpy as np
    >>> from gradcheck import check
    >>> report = check(lambda x: np.sum(x**3), np.array([0.5, -1.5]), grad=lambda x: 3 * x**2)
    >>> report.outcome, bool(report)
    (<Outcome.PASS: 'pass'>, True)
    >>> report = check(lambda x: np.sum(x**3), np.array([0.5, -1.5]), grad=lambda x: 2 * x**2)
    >>> report.outcome, report.wrong_entries[0].index
    (<Outcome.FAIL: 'fail'>, (1,))
    """
    __tracebackhide__ = True  # pytest then shows the caller's line where the call makes no sense
    claims = _claims(grad=grad, jac=jac, vjp=vjp, jvp=jvp, hess=hess, hvp=hvp)
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}")
    if mode not in ("fast", "full"):
        raise ValueError(f'mode must be "fast" or "full", got {mode!r:.80}')
    _must_be_tolerance(rtol)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a str, got {name!r:.80}")
    if not is_whole(workers) or workers < 1:
        raise ValueError(f"workers must be a positive int, got {workers!r:.80}")
    if not isinstance(vectorized, (bool, np.bool_)):
        raise TypeError(f"vectorized must be True or False, got {vectorized!r:.80}")
    args = x if isinstance(x, tuple) else (x,)
    if not args:
        raise ValueError("x is an empty tuple: give f's argument, or a tuple of them")
    numbers, bare = _argument_numbers(argnums, len(args), is_tuple=isinstance(x, tuple))
    inputs = Inputs(args, numbers, _domains(domain, args, numbers))
    inputs.must_hold_numbers()
    inputs.must_lie_in_domains()
    batch = _batched(f, x) if vectorized else None
    settings = Settings(
        name=name or str(getattr(f, "__name__", type(f).__name__)),
        rtol=rtol,
        seed=seed_of(rng),
        every_entry=mode == "full",
        workers=workers,
        batch=batch,
    )
    g = f if batch is None else batch.one
    return examine(g, inputs, claims, bare=bare, settings=settings)


def assert_gradient(
    f: Callable[..., Any],
    x: Any,
    *,
    grad: Callable[..., Any] | None = None,
    jac: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    hess: Callable[..., Any] | None = None,
    hvp: Callable[..., Any] | None = None,
    argnums: int | tuple[int, ...] | None = None,
    domain: Domain | Mapping[int, Domain] | None = None,
    rtol: float | None = None,
    mode: Mode = "fast",
    vectorized: bool = False,
    rng: Rng = None,
    workers: int = 1,
    name: str | None = None,
    inconclusive: Literal["fail", "skip", "warn"] = "fail",
) -> Report:
    """Raise unless a derivative is right.  The arguments are those of `check`.

    Parameters
    ----------
    inconclusive : {"fail", "skip", "warn"}
        What to do where nothing can be told: raise (the default), skip the running test (of pytest
        or unittest, by ``unittest.SkipTest``), or warn.  An f that raises at x or doesn't return numbers
        is a mistake in the test, and raises in any case.

    Returns
    -------
    Report
        The passing report (or the inconclusive one, after a warning).

    Raises
    ------
    GradientError
        If the outcome is ``fail``, or ``inconclusive`` and that is to fail or due to an f that
        raises at x or doesn't return numbers; carries the report, and what f or the claim raised as its cause.
    unittest.SkipTest
        If the outcome is ``inconclusive`` and that is to skip.

    Examples
    --------
    >>> import numpy as np
    >>> from gradcheck import assert_gradient
    >>> report = assert_gradient(np.tanh, np.array([0.3, -2.0]), vjp=lambda x, v: v / np.cosh(x) ** 2)
    """
    __tracebackhide__ = True
    if inconclusive not in ("fail", "skip", "warn"):
        raise ValueError(f'inconclusive must be "fail", "skip" or "warn", got {inconclusive!r:.80}')
    report = check(
        f, x, grad=grad, jac=jac, vjp=vjp, jvp=jvp, hess=hess, hvp=hvp, argnums=argnums, domain=domain,
        rtol=rtol, mode=mode, vectorized=vectorized, rng=rng, workers=workers, name=name,
    )  # fmt: skip
    notify(report)
    if report.outcome is Outcome.PASS:
        return report
    if report.reason in (Reason.FUNCTION_RAISED, Reason.DTYPE):
        raise GradientError(report) from report.cause
    if report.outcome is Outcome.INCONCLUSIVE and inconclusive == "skip":
        from unittest import SkipTest  # pytest takes it for a skip, too

        raise SkipTest(str(report))
    if report.outcome is Outcome.INCONCLUSIVE and inconclusive == "warn":
        warnings.warn(str(report), stacklevel=2)
        return report
    raise GradientError(report) from report.cause


def seed_of(rng: Rng) -> int:
    """Return a seed that reproduces the directions, from whatever `rng` is."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    if rng is None:
        return secrets.randbits(63)  # a twentieth of the time of a generator of NumPy's
    wanted = "rng must be a non-negative int, a numpy Generator or None, got"
    if not is_whole(rng):
        raise TypeError(f"{wanted} {rng!r:.80}: write np.random.default_rng(0), for example")
    if rng < 0:
        raise ValueError(f"{wanted} {rng!r:.80}")
    return int(rng)


def _batched(f: Callable[..., Any], x: Any) -> Batched:
    if not (isinstance(x, np.ndarray) and x.dtype == np.float64):
        what = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise TypeError(f"vectorized=True needs one float64 array for x, got {what}")
    return Batched(f)


def _claims(
    **claims: Callable[..., Any] | None,
) -> dict[ClaimKind | SecondKind, Callable[..., Any]]:
    """Return the given claims: one, or a vjp and a jvp."""
    __tracebackhide__ = True
    given = {kind: claim for kind, claim in claims.items() if claim is not None}
    if len(given) != 1 and given.keys() != {"vjp", "jvp"}:
        got = ", ".join(given) or "none"
        raise TypeError(
            "give exactly one of grad=, jac=, vjp=, jvp=, hess= and hvp=, "
            f"or a vjp and a jvp; got {got}"
        )
    for kind, claim in given.items():
        if not callable(claim):
            raise TypeError(f"{kind} must be callable, got {type(claim).__name__}")
    return given  # type: ignore[return-value]  # the keys above are the claim kinds


def _argument_numbers(
    argnums: int | tuple[int, ...] | None, count: int, *, is_tuple: bool
) -> tuple[tuple[int, ...], bool]:
    """Return the differentiated positions, and whether the claim returns a bare gradient."""
    if argnums is None:
        return tuple(range(count)), not is_tuple
    return positions(argnums, count), is_whole(argnums)


def _domains(
    domain: Domain | Mapping[int, Domain] | None, args: tuple[Any, ...], numbers: tuple[int, ...]
) -> dict[int, Domain]:
    """Return the domains of differentiated arguments, by position."""
    if domain is None:
        return {}
    if not isinstance(domain, Mapping):
        must_be_domain(domain)
        # labels among them have none
        varying = [k for k in numbers if any(is_floating(a.value) for a in leaves(args[k]))]
        first, *others = varying or numbers
        if others:
            raise TypeError(
                f"one domain is given for {1 + len(others)} differentiated arguments: say whose it is by position, "
                f"as in domain={{{first}: {domain!r:.80}}}"
            )
        return {first: domain}
    for key, one in domain.items():
        if key not in numbers:
            names = ", ".join(map(str, numbers))
            raise ValueError(
                f"domain is given for {key!r}, but its keys are positions of differentiated arguments: {names}"
            )
        must_be_domain(one, f"domain[{key!r}]")
    return dict(domain)


def _must_be_tolerance(rtol: Any) -> None:
    if rtol is None:
        return
    if not is_number(rtol):
        raise TypeError(f"rtol must be a number between 0 and 1, got {rtol!r:.80}")
    if not 0 < rtol < 1:
        raise ValueError(f"rtol must lie between 0 and 1, got {rtol!r}")
