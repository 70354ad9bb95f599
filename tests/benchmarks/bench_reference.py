"""Compares `reference` with what people write or call instead: how accurate, and how fast.

Run ``OMP_NUM_THREADS=1 python tests/benchmarks/bench_reference.py``; packages that are not installed
are named and skipped.

*Accuracy* is the largest error in float64, in ulps of the true value, which is mpmath's.  The points
are moderate (±20), wide (±740), confident rows and rows with a large common part; ``all`` says
that no digit is right.  For the vjp the unit is that of the terms that cancel.

*Speed* is the ratio of our processor time, of all threads, to a peer's, in one process and in turn:
the median over many rounds.  Below 1 we are faster.  Peers get what they are best at: one fused
function where they have one, gradients by hand in NumPy and SciPy, by autograd in PyTorch and JAX.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
from mpmath import workprec

import reference

Function = Callable[..., Any]
Peers = dict[str, Function]
SECONDS = 1.0  # of one comparison
TURN = 0.001  # seconds of one turn: a call is repeated until it takes that long
ROUNDS = 11  # at least
NO_DIGITS = 2.0**52


# --- the peers -------------------------------------------------------------------------------------


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(x: Any) -> Any:
    s = sigmoid(x)
    return s * (1 - s)


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def vjp(p: Any, v: Any) -> Any:
    return p * (v - (p * v).sum(axis=-1, keepdims=True))


def jacobian(p: Any) -> Any:
    return np.diag(p) - np.outer(p, p)


def fused(z: Any, labels: Any) -> Any:
    p = softmax(z)
    rows = np.arange(len(z))
    loss = -np.log(p[rows, labels]).mean()
    p[rows, labels] -= 1
    p /= len(z)
    return loss, p


def binary_loss(p: Any, y: Any) -> Any:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def silu_grad(x: Any) -> Any:
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


def layer_norm(x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def textbook() -> Peers:
    return {
        "sigmoid": sigmoid,
        "sigmoid_grad": sigmoid_grad,
        "tanh": np.tanh,
        "tanh_grad": lambda x: 1 - np.tanh(x) ** 2,
        "log_sigmoid": lambda x: -np.log(1 + np.exp(-x)),
        "softplus": lambda x: np.log(1 + np.exp(x)),
        "binary_cross_entropy": binary_loss,
        "binary_cross_entropy_grad": lambda p, y: (p - y) / (p * (1 - p)),
        "binary_cross_entropy_with_logits": lambda z, y: binary_loss(sigmoid(z), y),
        "binary_cross_entropy_with_logits_grad": lambda z, y: sigmoid(z) - y,
        "squared_error": lambda y, t: 0.5 * (y - t) ** 2,
        "squared_error_grad": lambda y, t: y - t,
        "softmax": softmax,
        "log_softmax": lambda z: np.log(softmax(z)),
        "softmax_jacobian": lambda z: jacobian(softmax(z)),
        "softmax_vjp": lambda z, v: vjp(softmax(z), v),
        "softmax_cross_entropy_with_grad": fused,
        "silu": lambda x: x * sigmoid(x),
        "silu_grad": silu_grad,
        "mish": lambda x: x * np.tanh(np.log(1 + np.exp(x))),
        "layer_norm": layer_norm,
    }


def scipy_peers() -> Peers:
    from scipy import special

    def normal_cdf(x: Any) -> Any:
        return 0.5 * (1 + special.erf(x / np.sqrt(2)))

    def with_grad(z: Any, labels: Any) -> Any:
        rows = np.arange(len(z))
        log_p = special.log_softmax(z, axis=1)
        gradient = np.exp(log_p)
        gradient[rows, labels] -= 1
        return -log_p[rows, labels].mean(), gradient / len(z)

    def slope(x: Any) -> Any:
        s = special.expit(x)
        return s * (1 - s)

    return {
        "sigmoid": special.expit,
        "sigmoid_grad": slope,
        "log_sigmoid": special.log_expit,
        "softplus": lambda x: -special.log_expit(-x),
        "binary_cross_entropy": lambda p, y: -(special.xlogy(y, p) + special.xlog1py(1 - y, -p)),
        "binary_cross_entropy_with_logits_grad": lambda z, y: special.expit(z) - y,
        "softmax": lambda z: special.softmax(z, axis=-1),
        "log_softmax": lambda z: special.log_softmax(z, axis=-1),
        "softmax_jacobian": lambda z: jacobian(special.softmax(z)),
        "softmax_vjp": lambda z, v: vjp(special.softmax(z, axis=-1), v),
        "softmax_cross_entropy_with_grad": with_grad,
        "gelu": lambda x: x * normal_cdf(x),
        "gelu_grad": lambda x: normal_cdf(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    }


def torch_peers() -> Peers:
    import torch

    F = torch.nn.functional
    torch.set_num_threads(1)

    def tensor(x: Any) -> Any:
        return torch.from_numpy(np.ascontiguousarray(x))

    def value(f: Function) -> Function:
        return lambda *arrays: f(*map(tensor, arrays)).numpy()

    def slope(f: Function) -> Function:
        def gradient(x: Any, *others: Any) -> Any:
            leaf = tensor(x).requires_grad_()
            f(leaf, *map(tensor, others)).sum().backward()
            return leaf.grad.numpy()

        return gradient

    def with_grad(z: Any, labels: Any) -> Any:
        leaf = tensor(z).requires_grad_()
        loss = F.cross_entropy(leaf, tensor(labels))
        loss.backward()
        return loss.detach().numpy(), leaf.grad.numpy()

    def product(z: Any, v: Any) -> Any:
        leaf = tensor(z).requires_grad_()
        torch.softmax(leaf, -1).backward(tensor(v))
        return leaf.grad.numpy()

    def binary(p: Any, y: Any) -> Any:
        return F.binary_cross_entropy(p, y, reduction="none")

    def binary_with_logits(z: Any, y: Any) -> Any:
        return F.binary_cross_entropy_with_logits(z, y, reduction="none")

    return {
        "sigmoid": value(torch.sigmoid),
        "sigmoid_grad": slope(torch.sigmoid),
        "tanh": value(torch.tanh),
        "tanh_grad": slope(torch.tanh),
        "log_sigmoid": value(F.logsigmoid),
        "softplus": value(F.softplus),
        "binary_cross_entropy": value(binary),
        "binary_cross_entropy_grad": slope(binary),
        "binary_cross_entropy_with_logits": value(binary_with_logits),
        "binary_cross_entropy_with_logits_grad": slope(binary_with_logits),
        "softmax": value(lambda z: torch.softmax(z, -1)),
        "log_softmax": value(lambda z: torch.log_softmax(z, -1)),
        "softmax_vjp": product,
        "softmax_cross_entropy_with_grad": with_grad,
        "silu": value(F.silu),
        "silu_grad": slope(F.silu),
        "mish": value(F.mish),
        "gelu": value(F.gelu),
        "gelu_grad": slope(F.gelu),
        "layer_norm": value(lambda x, gamma, beta: F.layer_norm(x, gamma.shape, gamma, beta)),
    }


def jax_peers() -> Peers:
    import jax

    jax.config.update("jax_enable_x64", True)
    nn, jnp = jax.nn, jax.numpy

    def compiled(f: Function) -> Function:
        run = jax.jit(f)
        return lambda *arrays: jax.tree.map(np.asarray, run(*arrays))

    def slope(f: Function) -> Function:
        return compiled(jax.grad(lambda x, *others: f(x, *others).sum()))

    def loss(z: Any, labels: Any) -> Any:
        return -jnp.take_along_axis(nn.log_softmax(z), labels[:, None], 1).mean()

    return {
        "sigmoid": compiled(nn.sigmoid),
        "sigmoid_grad": slope(nn.sigmoid),
        "tanh": compiled(jnp.tanh),
        "tanh_grad": slope(jnp.tanh),
        "log_sigmoid": compiled(nn.log_sigmoid),
        "softplus": compiled(nn.softplus),
        "softmax": compiled(nn.softmax),
        "log_softmax": compiled(nn.log_softmax),
        "softmax_jacobian": compiled(jax.jacrev(nn.softmax)),
        "softmax_vjp": compiled(lambda z, v: jax.vjp(nn.softmax, z)[1](v)[0]),
        "softmax_cross_entropy_with_grad": compiled(jax.value_and_grad(loss)),
        "silu": compiled(nn.silu),
        "silu_grad": slope(nn.silu),
        "mish": compiled(nn.mish),
        "gelu": compiled(lambda x: nn.gelu(x, approximate=False)),
        "gelu_grad": slope(lambda x: nn.gelu(x, approximate=False)),
    }


def ours() -> Peers:
    def each(name: str) -> Function:
        function = getattr(reference, name)
        return lambda x, y: function(x, y, reduction="none")

    return {
        name: each(name) if name.startswith(("binary", "squared")) else getattr(reference, name)
        for name in (*textbook(), "gelu", "gelu_grad")
    }


def installed() -> dict[str, Peers]:
    """Return every peer's functions; a peer that cannot be imported is named."""
    peers = {"textbook": textbook()}
    for name, load in (("scipy", scipy_peers), ("torch", torch_peers), ("jax", jax_peers)):
        try:
            peers[name] = load()
        except ImportError as error:
            print(f"{name}: skipped ({error})")
    return peers


# --- accuracy --------------------------------------------------------------------------------------


def oracle() -> ModuleType:
    """Import the truth of the test-suite by path."""
    path = Path(__file__).parents[1] / "reference" / "oracle.py"
    spec = importlib.util.spec_from_file_location("reference_oracle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, slots=True)
class Question:
    """A function at some arguments, with the true values and the units of the error."""

    name: str
    arguments: tuple[np.ndarray, ...]
    truth: list[Any]
    size: list[Any] | None = None


def questions(true: ModuleType) -> Iterable[Question]:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-20, 20, 400), rng.uniform(-740, 740, 400)])
    y, p = rng.choice([0.0, 1.0, 0.3], x.size), rng.uniform(0, 1, x.size)
    numbers = ("sigmoid", "sigmoid_grad", "tanh", "tanh_grad", "log_sigmoid", "softplus")
    for name in numbers:
        yield Question(name, (x,), [getattr(true, name)(a) for a in true.exact(x)])
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        for suffix, labels in (("", y), ("_grad", np.round(y))):
            first = x if "logits" in name else p
            pairs = zip(true.exact(first), true.exact(labels), strict=True)
            yield Question(
                name + suffix,
                (first, labels),
                [getattr(true, name + suffix)(*pair) for pair in pairs],
            )
    z = rng.standard_normal((40, 10)) * rng.choice([1.0, 30.0], (40, 1))
    z[::4, 0] += rng.choice([30.0, 300.0, 700.0], 10)
    z[1::4] += 1e6
    v = rng.standard_normal(z.shape)
    rows = [true.exact(row) for row in z]
    for name in ("softmax", "log_softmax"):
        yield Question(name, (z,), [a for row in rows for a in getattr(true, name)(row)])
    vectors = [true.exact(row) for row in v]
    pairs = list(zip(rows, vectors, strict=True))
    yield Question(
        "softmax_vjp",
        (z, v),
        [a for pair in pairs for a in true.softmax_vjp(*pair)],
        [a for pair in pairs for a in true.softmax_vjp_size(*pair)],
    )
    labels = z.argmax(axis=1)
    hot = [true.exact(row) for row in np.eye(10)[labels]]
    gradients = [true.softmax_cross_entropy_grad(*pair) for pair in zip(rows, hot, strict=True)]
    yield Question(
        "softmax_cross_entropy_with_grad", (z, labels), [a / 40 for g in gradients for a in g]
    )


def accuracy(peers: dict[str, Peers]) -> None:
    true = oracle()
    print_row("max error [ulp], float64", ["reference", *peers])
    with workprec(true.BITS), np.errstate(all="ignore"):
        for question in questions(true):
            errors = []
            for functions in ({"": ours()} | peers).values():
                function = functions.get(question.name)
                errors.append("—" if function is None else error_of(function, question, true))
            print_row(question.name.replace("with_grad", "grad"), errors)


def error_of(function: Function, question: Question, true: ModuleType) -> str:
    got = function(*question.arguments)
    values = got[1] if isinstance(got, tuple) else got
    worst = true.ulps(np.asarray(values), question.truth, question.size)
    return "all" if worst >= NO_DIGITS else f"{worst:.3g}"


# --- speed -----------------------------------------------------------------------------------------


def tasks(dtype: type) -> Iterable[tuple[str, str, tuple[np.ndarray, ...]]]:
    """Yield a label, the name of a function, and its arguments."""
    rng = np.random.default_rng(2)
    x, v = (4 * rng.standard_normal((2, 10**6))).astype(dtype)
    y, p = rng.random((2, 10**6)).astype(dtype)
    for name in ("sigmoid", "sigmoid_grad", "tanh", "tanh_grad", "log_sigmoid", "softplus"):
        yield f"{name} 1e6", name, (x,)
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "squared_error"):
        for suffix in ("", "_grad"):
            first = p if name == "binary_cross_entropy" else x
            yield f"{name}{suffix} 1e6", name + suffix, (first, y)
    for name in ("silu", "silu_grad", "mish", "gelu", "gelu_grad"):
        yield f"{name} 1e6", name, (x,)
    one, zero = np.ones(1000, dtype), np.zeros(1000, dtype)
    yield "layer_norm 1000×1000", "layer_norm", (x.reshape(1000, 1000), one, zero)
    for shape in ((64, 10), (128, 1000), (4096, 1000)):
        z = (4 * rng.standard_normal(shape)).astype(dtype)
        labels = rng.integers(0, shape[1], shape[0])
        size = "×".join(map(str, shape))
        yield (
            f"softmax_cross_entropy + grad {size}",
            "softmax_cross_entropy_with_grad",
            (z, labels),
        )
        yield f"softmax {size}", "softmax", (z,)
        yield f"log_softmax {size}", "log_softmax", (z,)
    yield "softmax_jacobian n=1000", "softmax_jacobian", (x[:1000],)
    yield "softmax_vjp n=1e6", "softmax_vjp", (x, v)


def speed(peers: dict[str, Peers]) -> None:
    own = ours()
    keep_freed_memory()
    for dtype in (np.float64, np.float32):
        print_row(f"our time / theirs, {dtype.__name__}", ["ours [µs]", *peers])
        for label, name, arguments in tasks(dtype):
            functions = [own[name], *(p[name] for p in peers.values() if name in p)]
            mine, *others = compared(functions, arguments)
            ratios = iter(others)
            cells = (f"{next(ratios):.2f}" if name in p else "—" for p in peers.values())
            print_row(label, [f"{mine * 1e6:.0f}", *cells])


def keep_freed_memory() -> None:
    """Let the C library keep freed arrays for the next ones, as it does once a large one was freed.

    Otherwise it depends on what ran before whether a result's pages are fetched from the system anew
    in every call, which takes as long as a formula.
    """
    np.empty(31 * 2**20, np.uint8).fill(0)


def compared(functions: list[Function], arguments: tuple[np.ndarray, ...]) -> list[float]:
    """Return the processor time of a call to the first function, and its ratio to each other's.

    In a round each function has a turn, in the opposite order every second time; ratios are those of
    one round.  A machine that is slow for a while is then slow for all.
    """
    with np.errstate(all="ignore"):
        counts = [calls_in_a_turn(f, arguments) for f in functions]
        turns = list(zip(functions, counts, strict=True))
        rounds: list[list[float]] = []
        end = time.process_time() + SECONDS
        while len(rounds) < ROUNDS or time.process_time() < end:
            step = -1 if len(rounds) % 2 else 1
            rounds.append([once(f, arguments, count) for f, count in turns[::step]][::step])
    mine = median(times[0] for times in rounds)
    return [mine, *(median(t[0] / t[k] for t in rounds) for k in range(1, len(functions)))]


def calls_in_a_turn(function: Function, arguments: tuple[np.ndarray, ...]) -> int:
    function(*arguments)  # compiles
    return max(1, round(TURN / max(median(once(function, arguments, 1) for _ in range(5)), 1e-7)))


def once(function: Function, arguments: tuple[np.ndarray, ...], count: int) -> float:
    """Return the processor time of a call, after one that fetches what the others have displaced."""
    function(*arguments)
    start = time.process_time()
    for _ in range(count):
        function(*arguments)
    return (time.process_time() - start) / count


def print_row(label: str, cells: Iterable[str]) -> None:
    print(f"{label:44}" + "".join(f"{cell:>11}" for cell in cells), flush=True)


def main() -> None:
    peers = installed()
    accuracy(peers)
    print()
    speed(peers)


if __name__ == "__main__":
    main()
