"""The affine layer, and softmax with cross-entropy fused against node by node."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference

logit = st.floats(-30, 30)


@st.composite
def batches(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Logits with labels of one of three kinds: classes, one-hot, soft (not summing to one)."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 6)))
    a = draw(hnp.arrays(np.float64, shape, elements=logit))
    classes = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    soft = draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 1)))
    return a, draw(st.sampled_from([classes, np.eye(shape[1])[classes], soft]))


@given(batches(), st.floats(-4, 4))
def test_graph_and_fused_layer_agree(batch: tuple[np.ndarray, np.ndarray], upstream: float) -> None:
    a, t = batch
    graph = reference.softmax_with_loss_graph(a, t)
    assert reference.softmax_with_loss(a, t) == pytest.approx(graph.loss, rel=1e-13, abs=1e-13)
    np.testing.assert_allclose(
        reference.softmax_with_loss_vjp(a, t, upstream),
        graph.backward(upstream).a,
        rtol=1e-11,
        atol=1e-14,
    )


@given(batches())
def test_c6_node_by_node(batch: tuple[np.ndarray, np.ndarray]) -> None:
    """Every gradient of claim C6, times 1/N, with T = Σ_k t_k in place of the 1 it presumes."""
    a, t = batch
    graph = reference.softmax_with_loss_graph(a, t)
    down = graph.backward()
    e, t = np.exp(a), graph.t / len(a)
    S, T = e.sum(axis=1, keepdims=True), t.sum(axis=1, keepdims=True)
    y = e / S
    close = {"rtol": 1e-11, "atol": 1e-300}
    np.testing.assert_allclose(graph.y, y, **close)
    np.testing.assert_allclose(down.losses, np.full_like(S, 1 / len(a)), **close)
    np.testing.assert_allclose(down.sums, np.full_like(S, -1 / len(a)), **close)
    np.testing.assert_allclose(down.products, np.full_like(e, -1 / len(a)), **close)
    np.testing.assert_allclose(down.log_y, -t, **close)
    np.testing.assert_allclose(down.y, -t / y, **close)
    np.testing.assert_allclose(down.inverse, -T * S, **close)
    np.testing.assert_allclose(down.by_product, -t / e, **close)
    np.testing.assert_allclose(down.total, T / S, **close)
    np.testing.assert_allclose(down.by_sum, T / S + 0 * e, **close)
    np.testing.assert_allclose(
        down.exponentials, T / S - t / e, rtol=1e-11, atol=1e-13 * np.max(1 / e)
    )
    np.testing.assert_allclose(down.a, y * T - t, rtol=0, atol=1e-13)


@given(batches())
def test_one_sample_is_a_batch_of_one(batch: tuple[np.ndarray, np.ndarray]) -> None:
    a, t = batch
    assert reference.softmax_with_loss(a[0], t[0]) == reference.softmax_with_loss(a[:1], t[:1])
    np.testing.assert_array_equal(
        reference.softmax_with_loss_vjp(a[0], t[0], 3.0),
        reference.softmax_with_loss_vjp(a[:1], t[:1], 3.0)[0],
    )
    graph = reference.softmax_with_loss_graph(a[0], t[0])
    np.testing.assert_array_equal(
        graph.backward().a, reference.softmax_with_loss_graph(a[:1], t[:1]).backward().a
    )


def test_graph_overflows_where_the_fused_layer_does_not() -> None:
    """Claim A10, as the documentation of the graph says."""
    a = np.array([[1000.0, 0.0]])
    assert np.isnan(reference.softmax_with_loss_graph(a, [0]).loss)
    assert reference.softmax_with_loss(a, [1]) == 1000.0


def test_layer_forgets_a_batch_that_failed() -> None:
    layer = reference.SoftmaxWithLoss()
    with pytest.raises(RuntimeError, match="forward pass first"):
        layer.backward()
    layer.forward([[0.0, 1.0]], [0])
    with pytest.raises(ValueError, match="got 7"):
        layer.forward([[0.0, 1.0]], [7])
    with pytest.raises(RuntimeError, match="forward pass first"):
        layer.backward()


def test_layer_copies_its_batch() -> None:
    layer = reference.SoftmaxWithLoss()
    a, t = np.array([[0.25, 0.5]]), np.array([[1.0, 0.0]])
    layer.forward(a, t)
    expected = layer.backward()
    a[:], t[:] = 9.0, 0.5
    np.testing.assert_array_equal(layer.backward(), expected)


def test_graph_copies_its_batch() -> None:
    for a, t in (
        (np.array([[0.25, 0.5]]), np.array([[1.0, 0.0]])),
        (np.array([0.25, 0.5]), np.array([1.0, 0.0])),
    ):
        graph = reference.softmax_with_loss_graph(a, t)
        expected = graph.backward()
        a[:], t[:] = 9.0, 0.5
        np.testing.assert_array_equal(graph.backward().a, expected.a)
        np.testing.assert_array_equal(graph.backward().log_y, expected.log_y)


@pytest.mark.parametrize(
    ("dtype", "far", "upstream"), [(np.float16, 18, 2.0**15), (np.float32, 110, 2.0**40)]
)
def test_a_scaled_loss_has_slopes_that_would_vanish(
    dtype: type, far: float, upstream: float
) -> None:
    """The gradient is rounded after it is scaled: unscaled it is below the dtype's least number."""
    slope = upstream / (1 + np.exp(far))
    for v in (upstream, dtype(upstream), np.float64(upstream)):
        a = np.array([far, 0], dtype)
        assert not reference.softmax_with_loss_vjp(a, 0, 1.0).any()
        np.testing.assert_array_equal(
            reference.softmax_with_loss_vjp(a, 0, v), np.array([-slope, slope], dtype)
        )
        W, b = a[None], np.zeros(2, dtype)
        dx, dW, db = reference.network_loss_vjp("tanh", np.ones((1, 1), dtype), [0], W, b, v)
        np.testing.assert_array_equal(dx, np.array([[-far * slope]], dtype))
        np.testing.assert_array_equal(dW, np.array([[-slope, slope]], dtype))
        np.testing.assert_array_equal(db, dW[0])


@given(st.data())
def test_affine_by_hand(data: st.DataObject) -> None:
    """Entry by entry, in integers, so that both sides are exact."""
    N, D, K = (data.draw(st.integers(1, 4)) for _ in range(3))
    integers = st.integers(-9, 9).map(float)
    H, W, b, G = (
        data.draw(hnp.arrays(np.float64, shape, elements=integers))
        for shape in ((N, D), (D, K), (K,), (N, K))
    )
    output = reference.affine(H, W, b)
    dH, dW, db = reference.affine_vjp(H, W, b, G)
    for i in range(N):
        for k in range(K):
            assert output[i, k] == sum(H[i, d] * W[d, k] for d in range(D)) + b[k]
        for d in range(D):
            assert dH[i, d] == sum(G[i, k] * W[d, k] for k in range(K))
    for k in range(K):
        assert db[k] == sum(G[i, k] for i in range(N))
        for d in range(D):
            assert dW[d, k] == sum(H[i, d] * G[i, k] for i in range(N))
    np.testing.assert_array_equal(reference.affine(H[0], W, b), output[0])
    alone = reference.affine_vjp(H[0], W, b, G[0])
    batch = reference.affine_vjp(H[:1], W, b, G[:1])
    np.testing.assert_array_equal(alone[0], batch[0][0])
    np.testing.assert_array_equal(alone[1], batch[1])
    np.testing.assert_array_equal(alone[2], batch[2])
