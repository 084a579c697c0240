"""Every CUDA update equals its textbook form, on the CPU, and on a GPU if there is one."""

import numpy
import pytest
from helpers.strict_arrays import counted, launched, strict

from kvnet import updates
from kvnet.backend import to_numpy
from kvnet.kernels import choose_updates
from kvnet.kernels.cuda.parts.cached_per_array import cached_per_array
from kvnet.parameter_vector import by_name
from kvnet.updates import RowGradient, UpdateRule

pytestmark = pytest.mark.usefixtures("kernels")
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


@pytest.fixture(params=TOLERANCES)
def dtype(request):
    return request.param


def assert_near(found, expected):
    found = to_numpy(found)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    error = numpy.linalg.norm(found - expected)
    assert error <= TOLERANCES[expected.dtype.name] * max(numpy.linalg.norm(expected), 1)


@pytest.mark.parametrize("count", [1, 8, 11])
def test_as_vector(xp, rng, count):
    arrays = {f"a{n}": rng.normal(size=(n + 1, 40)) for n in range(count)}
    on_device = {name: xp.asarray(array) for name, array in arrays.items()}
    vector = choose_updates("fused", xp).as_vector(xp, on_device)
    assert (to_numpy(vector) == updates.as_vector(numpy, arrays)).all()


@pytest.mark.parametrize("l2_lambda", [0, 0.3])
@pytest.mark.parametrize("clip_norm", [1.0, 1e6])
def test_noisy_adam(xp, rng, dtype, clip_norm, l2_lambda):
    theta, gradient, m, v = rng.normal(size=(4, 5_001)).astype(dtype)
    rule = UpdateRule(
        sections=((0, 7), (7, 4_099), (4_099, 5_001)),
        silent=((7, 9), (4_095, 4_110)),
        l2_lambda=l2_lambda,
        clip_norm=clip_norm,
        epsilon=0.1,
        random_state=5,
        noise_deviation=0.3,
    )
    expected = theta.copy(), gradient, m.copy(), abs(v)
    found = [xp.asarray(array) for array in (theta, gradient, m, abs(v))]
    expected_penalty = updates.noisy_adam(numpy, *expected, 4, 0.01, rule)
    update = choose_updates("fused", xp).noisy_adam
    update(xp, *(array.copy() for array in found), 4, 0.01, rule)  # copies the rule to the device
    with counted(xp) as transfers, launched() as kernels:
        penalty = update(xp, *found, 4, 0.01, rule)
    assert transfers == []
    assert kernels == (["chunk_squares", "noisy_adam"] if xp is strict else [])
    for one, other in zip([*found, penalty], [*expected, expected_penalty], strict=True):
        assert_near(one, other)


@pytest.mark.parametrize("clip", ["global", "each"])
@pytest.mark.parametrize("max_norm", [1.0, 1e6])
@pytest.mark.parametrize("name", ["sgd", "adagrad"])
def test_descent(xp, rng, dtype, clip, max_norm, name):
    shapes = {"A": (40, 150), "C": (9, 9)} | {f"more {n}": (2, 3) for n in range(5)}

    def draw():
        return {key: rng.normal(size=shape).astype(dtype) for key, shape in shapes.items()}

    params, gradients = draw(), draw()
    squares = {key: theta * theta + 1 for key, theta in params.items()}
    state = (params, squares) if name == "adagrad" else (params,)
    on_device = [{key: xp.asarray(array) for key, array in arrays.items()} for arrays in state]
    d_on_device = {key: xp.asarray(array) for key, array in gradients.items()}
    rows = numpy.array([3, 7, 39])
    gradients["A"] = RowGradient(rows, gradients["A"][:3])
    d_on_device["A"] = RowGradient(xp.asarray(rows), d_on_device["A"][:3])
    with counted(xp) as transfers:
        update = getattr(choose_updates("fused", xp), name)
        update(xp, *on_device, d_on_device, 0.1, max_norm, clip)
    assert transfers == []
    getattr(updates, name)(numpy, *state, gradients, 0.1, max_norm, clip)
    for found, expected in zip(on_device, state, strict=True):
        for key, array in expected.items():
            assert_near(found[key], array)


@pytest.mark.parametrize("kind", ["any", "zero", "one direction", "equal values"])
@pytest.mark.parametrize("kernels", ["reference", "fused"])
def test_spectral_sgd(xp, rng, dtype, kind, kernels):
    shapes = {"A": (300, 9), "H": (9, 9), "C": (2, 7), "b": (11,)}  # A has two chunks
    G = rng.normal(size=(300, 9))
    if kind == "zero":
        G *= 0
    elif kind == "one direction":
        G = G[:, :1] * G[0]
    elif kind == "equal values":
        G = numpy.linalg.qr(G)[0]  # all singular values are 1, the Frobenius norm is 3
    gradients = {"A": G, "H": 0.1 * rng.normal(size=(9, 9)), "C": rng.normal(size=(2, 7))}
    gradients["b"] = rng.normal(size=11)
    gradient = updates.as_vector(numpy, gradients).astype(dtype)
    theta = rng.normal(size=gradient.shape).astype(dtype)
    found, d_found = xp.asarray(theta), xp.asarray(gradient)
    update = choose_updates(kernels, xp).spectral_sgd
    update(xp, found.copy(), d_found, shapes, 10.0, 0.5)  # copies the chunks to the device
    with counted(xp) as transfers:
        update(xp, found, d_found, shapes, 10.0, 0.5)
    assert transfers == []
    before, after = by_name(theta, shapes), by_name(to_numpy(found), shapes)
    for name, G in gradients.items():
        G = G.astype(dtype)
        scale = min(1, 0.5 / max(numpy.linalg.norm(G, 2), 1e-9))
        assert_near(after[name], before[name] - 10 * float(scale) * G)


def test_results_are_cached_as_long_as_their_array(xp):
    calls = []
    cached = cached_per_array(lambda xp, array, n: calls.append(n) or n)
    array = xp.zeros(3)
    assert [cached(xp, array, n) for n in (1, 1, 2)] == [1, 1, 2] and calls == [1, 2]
    del array
    assert cached(xp, xp.zeros(3), 1) == 1 and calls == [1, 2, 1]
