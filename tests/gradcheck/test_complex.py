"""Complex arguments and values: pairs of real numbers under the inner product Re Σ conj(a)·b."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradcheck import Outcome, Reason, check

Z = np.array([[0.3 + 0.4j, -1.2 + 2.0j], [0.1 - 0.5j, 2.0 + 1e-3j]])


def energy(z: Any) -> Any:
    return np.sum(np.abs(z) ** 2)


def test_gradient_of_a_real_function() -> None:
    report = check(energy, Z, grad=lambda z: 2 * z, rng=0)
    assert report.outcome is Outcome.PASS
    assert report.resolution < 1e-5


def test_conjugated_gradient_is_named() -> None:
    report = check(energy, Z, grad=lambda z: 2 * np.conj(z), rng=0)
    assert report.outcome is Outcome.FAIL
    assert report.diagnosis is not None
    assert report.diagnosis.kind == "conjugate"
    assert {e.part for e in report.wrong_entries} == {"imag"}
    assert report.wrong_entries[0].label == "x0[0, 1].imag"
    assert report.wrong_entries[0].claimed == -4.0


def test_vjp_and_jvp_of_a_holomorphic_function() -> None:
    assert check(np.exp, Z, vjp=lambda z, v: v * np.conj(np.exp(z)), rng=0)
    assert check(np.exp, Z, jvp=lambda z, u: u * np.exp(z), rng=0)
    assert check(np.exp, Z, vjp=lambda z, v: v * np.exp(z), rng=0).outcome is Outcome.FAIL
    assert check(np.exp, Z, jvp=lambda z, u: u * np.conj(np.exp(z)), rng=0).outcome is Outcome.FAIL


def test_between_real_and_complex() -> None:
    x = np.linspace(-1.0, 2.0, 8)
    assert check(np.fft.rfft, x, jvp=lambda _, u: np.fft.rfft(u), rng=0)
    assert check(np.fft.fft, x, vjp=lambda _, v: np.real(np.fft.ifft(v)) * x.size, rng=0)
    wrong = check(np.fft.fft, x, vjp=lambda _, v: np.real(np.fft.fft(v)), rng=0)
    assert wrong.outcome is Outcome.FAIL
    assert check(np.real, Z, vjp=lambda z, v: v + 0j, rng=0)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_precisions_layouts_and_nesting(dtype: Any) -> None:
    params = {"w": np.asfortranarray(Z.astype(dtype)), "b": np.array(0.5, dtype=dtype)}

    def loss(p: Any) -> Any:
        return energy(p["w"] @ p["w"].conj().T + p["b"]).real

    def grad(p: Any) -> Any:
        residual = 2 * (p["w"] @ p["w"].conj().T + p["b"])
        return {"w": (residual + residual.conj().T) @ p["w"], "b": residual.sum()}

    assert check(loss, params, grad=grad, rng=0)
    worse = check(loss, params, grad=lambda p: grad(p) | {"b": np.conj(grad(p)["b"]) + 1j}, rng=0)
    assert worse.outcome is Outcome.FAIL
    assert worse.wrong_entries[0].path == "['b']"


def test_a_complex_gradient_of_a_real_argument_fails() -> None:
    report = check(lambda x: np.sum(x**2), np.array([1.0, 2.0]), grad=lambda x: 2 * x + 0j)
    assert (report.outcome, report.reason) == (Outcome.FAIL, Reason.DTYPE)


def test_what_complex_numbers_have_no_meaning_for() -> None:
    with pytest.raises(TypeError, match=r"jac= is for real numbers"):
        check(np.exp, Z, jac=lambda z: np.zeros((2, 2, 2, 2)))
    with pytest.raises(TypeError, match=r"one real number"):
        check(np.sum, Z, grad=np.ones_like)
