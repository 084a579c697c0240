"""CUDA kernels against the textbook operations, on the processor, or a GPU where there is one."""

import numpy
import pytest
from conftest import loss_and_grads, random_batch, small_model
from hypothesis import given, settings
from hypothesis import strategies as st
from strict_arrays import counted
from test_device_arrays import on_device, trainer_on
from test_memory_kernels import context, story
from test_step_graph import key_values, stories

from kvnet import Settings, counter_random, operations
from kvnet.backend import array_module, to_numpy
from kvnet.data.text import Text
from kvnet.kernels import choose
from kvnet.kernels.cuda import (
    answer_loss,
    gather,
    gru_reading,
    large_memory,
    predict_words,
    products,
    slot_hops,
)
from kvnet.kernels.cuda import key_value_hops_by_row as read_slots_module
from kvnet.parameter_vector import as_vector, by_name
from kvnet.updates.row_gradient import RowGradient
from kvnet.operations.slots_with_times import slots_with_times
from kvnet.training.recipes.language_model import LanguageModelSettings
from kvnet.training.recipes.memn2n import MemN2NSettings
from kvnet.updates.noisy_adam import UpdateRule, noisy_adam
from kvnet.training.text_loss import text_loss
from kvnet.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("kernels")
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}
sizes = st.integers(1, 9)
precisions = st.sampled_from(["float32", "float64"])
few = settings(max_examples=15, deadline=None, derandomize=True)


def moved(xp, value):
    """Return arrays in any nesting as device arrays, each one once."""
    if isinstance(value, list):
        return [moved(xp, v) for v in value]
    return xp.asarray(value) if isinstance(value, numpy.ndarray) else value


def agree(got, expected, dtype):
    got = to_numpy(got)
    assert got.dtype == dtype
    assert got.shape == expected.shape
    error = numpy.linalg.norm(got - expected)
    # Gradients that cancel to nearly nothing are compared on the scale of their parts.
    assert error <= TOLERANCE[dtype] * max(numpy.linalg.norm(expected), 1)


def flat(gradients):
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [g for part in gradients for g in (part if isinstance(part, list) else [part])]


def agree_throughout(xp, name, inputs, dtype, d_output=None):
    """Compare output and gradients with the textbook's; nothing may leave the device."""
    given = [moved(xp, value) for value in inputs]
    output, *_, backward = getattr(operations, name)(numpy, *inputs)
    if d_output is None:
        d_output = numpy.random.default_rng(7).normal(size=output.shape).astype(dtype)
    d_given = moved(xp, d_output)
    with counted(xp) as transfers:
        got, *_, got_backward = getattr(choose("fused", xp), name)(xp, *given)
        got_gradients = flat(got_backward(d_given))
    assert transfers == []
    agree(got, numpy.asarray(output), dtype)
    for gradient, expected in zip(got_gradients, flat(backward(d_output)), strict=True):
        agree(gradient, expected, dtype)


# How rows are gathered: each looks for its places; they come sorted, perhaps some sentences at a
# time; many rows have few places each.
GATHERED = {
    "looked for": {},
    "sorted": {"LOOKS": 0},
    "in windows": {"LOOKS": 0, "WINDOW_BYTES": 64},
    "few": {"LOOKS": 0, "MANY_ROWS": 0, "FEW_PLACES": 10**6},
}


def gathered(patch, way):
    for name, value in GATHERED[way].items():
        patch.setattr(gather, name, value)


@few
@given(sizes, sizes, sizes, st.sampled_from([1, 5, 150]), precisions, st.integers(0, 99))
@pytest.mark.parametrize("way", ["looked for", "sorted", "in windows"])
def test_embedding_sum(xp, way, N, S, V, E, dtype, seed):
    rng = numpy.random.default_rng(seed)
    words = rng.integers(0, V, (N, S)) * rng.integers(0, 2, (N, S))
    table, encoding = (rng.normal(size=shape).astype(dtype) for shape in ((V, E), (S, E)))
    with pytest.MonkeyPatch.context() as patch:
        gathered(patch, way)
        agree_throughout(xp, "embedding_sum", (words, table, encoding), dtype)


def memory(rng, B, M, U, D, F, H, masked, dtype):
    """Draw what `key_value_hops_by_row` takes; scores are near 1 however wide it is."""

    def draw(*shape, size=0.5):
        return (size * rng.normal(size=shape)).astype(dtype)

    key_rows = rng.integers(0, U, (B, M)) * rng.integers(0, 2, (B, M))
    value_rows = numpy.where(key_rows == 0, 0, rng.integers(0, U, (B, M)))
    inputs = [draw(B, D), draw(U, D), draw(M, D), draw(M, D)]
    inputs += [draw(F, D, size=2 * F**-0.5 * D**-0.25)]
    inputs += [[draw(F, F, size=F**-0.5) for _ in range(H)], key_rows, value_rows]
    return [*inputs, key_rows != 0 if masked else None]


@few
@given(*(sizes,) * 5, st.integers(1, 4), st.booleans(), precisions, st.integers(0, 99))
def test_read_slots(xp, B, M, U, D, F, H, masked, dtype, seed):
    rng = numpy.random.default_rng(seed)
    agree_throughout(xp, "key_value_hops_by_row", memory(rng, B, M, U, D, F, H, masked, dtype), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", ["looked for", "sorted", "few"])
def test_read_slots_wider_than_a_block(xp, monkeypatch, rng, dtype, way):
    gathered(monkeypatch, way)
    agree_throughout(xp, "key_value_hops_by_row", memory(rng, 2, 300, 20, 270, 290, 2, True, dtype), dtype)


def test_read_slots_too_wide_for_shared_memory(xp, monkeypatch, rng):
    monkeypatch.setattr(read_slots_module, "SHARED_BYTES", 1000)
    agree_throughout(xp, "key_value_hops_by_row", memory(rng, 2, 5, 4, 6, 7, 2, True, "float32"), "float32")


@few
@given(*(sizes,) * 5, st.integers(1, 4), st.booleans(), precisions, st.integers(0, 99))
@pytest.mark.parametrize(
    ("way", "gathering"),
    [
        (large_memory.BySentence, "looked for"),
        (large_memory.BySlot, "looked for"),
        (large_memory.BySlot, "few"),
    ],
)
def test_read_large_memory(xp, way, gathering, B, M, U, D, F, H, masked, dtype, seed):
    rng = numpy.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        gathered(patch, gathering)
        patch.setattr(read_slots_module, "way_to", lambda *sizes: way)
        agree_throughout(xp, "key_value_hops_by_row", memory(rng, B, M, U, D, F, H, masked, dtype), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("D", "way"),
    [(270, large_memory.BySentence), *((D, large_memory.BySlot) for D in (40, 100, 256))],
)
def test_read_memory_wider_than_a_block(xp, monkeypatch, rng, dtype, D, way):
    monkeypatch.setattr(large_memory, "LARGE", 0)
    monkeypatch.setattr(large_memory, "SENTENCES_A_SLOT", way is large_memory.BySentence)
    gathered(monkeypatch, "few")
    assert large_memory.way_to(2, 300, D, 290, 290, numpy.dtype(dtype)) is way
    inputs = memory(rng, 2, 300, 290, D, 290, 2, True, dtype)
    inputs[7] = inputs[6]  # keys are values
    agree_throughout(xp, "key_value_hops_by_row", inputs, dtype)


@few
@given(*(sizes,) * 5, precisions, st.integers(0, 99))
@pytest.mark.parametrize("way", ["looked for", "sorted"])
def test_gru_reading(xp, way, N, S, V, E, F, dtype, seed):
    rng = numpy.random.default_rng(seed)
    shapes = (V, E), (E + F, 2 * F), (2 * F,), (E + F, F), (F,)
    weights = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    with pytest.MonkeyPatch.context() as patch:
        gathered(patch, way)
        agree_throughout(xp, "gru_reading", (rng.integers(0, V, (N, S)), *weights), dtype)


@few
@given(*(sizes,) * 4, st.integers(1, 4), precisions, st.integers(0, 9))
def test_context_read(xp, B, M, U, E, H, dtype, seed):
    inputs = *context(B, M, U, E, dtype, seed), H, (seed * E) // 9
    agree_throughout(xp, "context_hops_by_row", inputs, dtype)


@few
@given(*(sizes,) * 4, st.integers(1, 4), st.booleans(), st.booleans(), precisions, sizes)
@pytest.mark.parametrize("way", ["looked for", "few"])
def test_slots(xp, way, B, M, U, E, H, adjacent, with_softmax, dtype, seed):
    u, tables, matrix, rows = story(B, M, U, E, H + 1, dtype, seed)
    with pytest.MonkeyPatch.context() as patch:
        gathered(patch, way)
        if adjacent:
            agree_throughout(xp, "adjacent_hops_by_row", (u, tables, rows, with_softmax), dtype)
        else:
            inputs = u, tables[0], tables[1], matrix, rows, H, with_softmax
            agree_throughout(xp, "layerwise_hops_by_row", inputs, dtype)


@few
@given(sizes, st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 1 << 40))
def test_slots_with_times(xp, B, M, share, seed):
    rng = numpy.random.default_rng(seed)
    keys = numpy.where(numpy.arange(M) < rng.integers(0, M + 1, (B, 1)), 5, 0)
    there, U, last = xp.asarray(keys), 9, M - 1 - seed % 2
    fused = choose("fused", xp).slots_with_times
    for step in (None, 0, 1 << 35):
        expected = slots_with_times(numpy, keys, U, last, share, seed, step)
        fused(xp, there, U, last, share, seed, step)  # a table of counts is made once
        with counted(xp) as transfers:
            got = fused(xp, there, U, last, share, seed, step)
        assert transfers == []
        assert (to_numpy(got) == expected).all()


@pytest.mark.parametrize("shared", [47 << 10, 1000], ids=["in one launch", "too wide"])
def test_wide_hops_and_readers(xp, monkeypatch, rng, shared):
    for module in (slot_hops, gru_reading):
        monkeypatch.setattr(module, "SHARED_BYTES", shared)
    dtype = "float32"
    agree_throughout(xp, "context_hops_by_row", (*context(2, 300, 20, 270, dtype, 1), 2, 100), dtype)
    u, tables, matrix, rows = story(2, 300, 20, 270, 3, dtype, 2)
    agree_throughout(xp, "adjacent_hops_by_row", (u, tables, rows), dtype)
    agree_throughout(xp, "layerwise_hops_by_row", (u, *tables[:2], matrix, rows, 2), dtype)
    shapes = (9, 5), (135, 260), (260,), (135, 130), (130,)
    weights = [(0.3 * rng.normal(size=shape)).astype(dtype) for shape in shapes]
    agree_throughout(xp, "gru_reading", (rng.integers(0, 9, (3, 4)), *weights), dtype)


@few
@given(*(sizes,) * 7, st.booleans(), precisions, st.booleans(), st.integers(0, 99))
def test_answer_loss(xp, B, M, U, D, E, V, H, masked, dtype, small, seed):
    rng = numpy.random.default_rng(seed)
    F = 7
    inputs = memory(rng, B, M, U, D, F, min(H, 3), masked, dtype)
    inputs += [rng.normal(size=shape).astype(dtype) for shape in ((F, E), (V, E))]
    inputs.append(rng.integers(0, V, B))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer_loss, "SMALL_VOCABULARY", 2048 if small else 0)
        for d_loss in (1.0, 0.3):
            agree_throughout(xp, "answer_loss", inputs, dtype, d_loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("large", [products.LARGE, 0], ids=["own products", "the library's"])
def test_answer_loss_of_the_published_sizes(xp, monkeypatch, rng, dtype, large):
    monkeypatch.setattr(products, "LARGE", large)
    inputs = memory(rng, 4, 50, 30, 40, 50, 3, False, dtype)
    inputs += [(0.3 * rng.normal(size=shape)).astype(dtype) for shape in ((50, 40), (170, 40))]
    agree_throughout(xp, "answer_loss", [*inputs, rng.integers(0, 170, 4)], dtype, 1.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("V", [3, 700])
@pytest.mark.parametrize("nil", [True, False])
def test_word_cross_entropy(xp, rng, dtype, V, nil):
    h, table = (9 * rng.normal(size=shape).astype(dtype) for shape in ((5, 6), (V, 6)))
    inputs = h, table, rng.integers(0, V, 5), nil
    agree_throughout(xp, "word_cross_entropy", inputs, dtype, 0.7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 150])
def test_dropout(xp, rng, dtype, width):
    x, u = rng.normal(size=(7, 150)).astype(dtype), rng.random((7, width)).astype(dtype)
    agree_throughout(xp, "dropout", (x, u, 0.7), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_l2_penalty(xp, rng, dtype):
    theta = rng.normal(size=10_000).astype(dtype)
    agree_throughout(xp, "l2_penalty", (theta, 0.3), dtype, 0.7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (7,), (1050, 5)])
def test_uniform_has_the_same_bits(xp, dtype, shape):
    seed, purpose, step = (5 << 32) + 3, "gradient noise", (2 << 32) + 9
    expected = counter_random.uniform(numpy, seed, purpose, step, shape, dtype)
    for given_step in (step, xp.full((), step, "int64")):
        got = to_numpy(choose("fused", xp).uniform(xp, seed, purpose, given_step, shape, dtype))
        assert got.dtype == expected.dtype
        assert (got == expected).all()


@pytest.mark.parametrize("count", [1, 8, 11])
def test_as_vector(xp, rng, count):
    arrays = {f"a{n}": rng.normal(size=(n + 1, 40)) for n in range(count)}
    got = choose("fused", xp).as_vector(
        xp, {name: moved(xp, array) for name, array in arrays.items()}
    )
    assert (to_numpy(got) == as_vector(numpy, arrays)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clip_norm", [1.0, 1e6])
def test_noisy_adam(xp, rng, dtype, clip_norm):
    theta, gradient, m, v = rng.normal(size=(4, 5_001)).astype(dtype)
    sections = ((0, 7), (7, 4_099), (4_099, 5_001))
    rule = UpdateRule(sections, ((7, 9), (4_095, 4_110)), clip_norm, 0.1, 5, noise_deviation=0.3)
    expected = theta.copy(), m.copy(), abs(v)
    noisy_adam(numpy, expected[0], gradient, *expected[1:], 4, 0.01, rule)
    got = [xp.asarray(a) for a in (theta, m, abs(v))]
    choose("fused", xp).noisy_adam(xp, got[0], xp.asarray(gradient), *got[1:], 4, 0.01, rule)
    for one, other in zip(got, expected, strict=True):
        agree(one, other, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clip", ["global", "each"])
@pytest.mark.parametrize("max_norm", [1.0, 1e6])
@pytest.mark.parametrize("adaptive", [False, True])
def test_descent(xp, rng, dtype, clip, max_norm, adaptive):
    shapes = {"A": (40, 150), "C": (9, 9)} | {f"more {n}": (2, 3) for n in range(5)}
    params, whole = (
        {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
        for _ in range(2)
    )
    squares = {name: theta * theta + 1 for name, theta in params.items()}
    rows, values = numpy.array([3, 7, 39]), whole["A"][:3]
    gradients = whole | {"A": RowGradient(rows, values)}
    there = {name: xp.asarray(g) for name, g in whole.items()}
    there["A"] = RowGradient(xp.asarray(rows), xp.asarray(values))
    got = [{name: xp.asarray(a) for name, a in arrays.items()} for arrays in (params, squares)]
    expected, name = (params, squares), "adagrad" if adaptive else "sgd"
    used = slice(2 if adaptive else 1)
    with counted(xp) as transfers:
        getattr(choose("fused", xp), name)(xp, *got[used], there, 0.1, max_norm, clip)
    assert transfers == []
    getattr(choose("reference", numpy), name)(
        numpy, *expected[used], gradients, 0.1, max_norm, clip
    )
    for one, other in zip(got, expected, strict=True):
        for name, right in other.items():
            agree(one[name], right, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["any", "zero", "one direction", "equal values"])
@pytest.mark.parametrize("kernels", ["reference", "fused"])
def test_spectral_descent(xp, rng, dtype, kind, kernels):
    shapes = {"A": (300, 9), "H": (9, 9), "C": (2, 7)}  # A is of two chunks
    g = rng.normal(size=(300, 9))
    if kind == "zero":
        g *= 0
    elif kind == "one direction":
        g = g[:, :1] * g[0]
    elif kind == "equal values":
        g = numpy.linalg.qr(g)[0]  # all singular values are 1: the Frobenius norm is 3
    gradients = {"A": g, "H": 0.1 * rng.normal(size=(9, 9)), "C": rng.normal(size=(2, 7))}
    gradient = as_vector(numpy, gradients).astype(dtype)
    theta = rng.normal(size=gradient.shape).astype(dtype)
    there, d_there = xp.asarray(theta), xp.asarray(gradient)
    update = choose(kernels, xp).spectral_sgd
    update(
        xp, there, d_there, shapes, 10.0, 0.5
    )  # what stays on the device, such as chunks, is there
    there[:] = xp.asarray(theta)
    with counted(xp) as transfers:
        update(xp, there, d_there, shapes, 10.0, 0.5)
    assert transfers == []
    for name, part in by_name(to_numpy(there), shapes).items():
        G = gradients[name].astype(dtype)
        scale = min(1, 0.5 / max(numpy.linalg.norm(G, 2), 1e-9))
        agree(part, by_name(theta, shapes)[name] - 10 * float(scale) * G, dtype)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_the_language_model_trains(device, optimizer):
    text = numpy.random.default_rng(0).integers(0, 30, 90).astype(numpy.int32)
    sizes = {"edim": 6, "lindim": 3, "nhop": 2, "mem_size": 5, "batch_size": 8}
    recipe = LanguageModelSettings(**sizes, optimizer=optimizer, dropout=0.2, init_std=0.3)
    losses, thetas = [], []
    for name, kernels in (("numpy", "reference"), ("cupy", "fused")):
        model = recipe.new_model(30, 1, name, kernels)
        words = Text(text, 5, 30, model.xp)
        trainer = Trainer(model, words, recipe, 2)
        trainer.train(4)
        losses.append(text_loss(model, words))
        thetas.append(to_numpy(model.theta))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert numpy.linalg.norm(thetas[1] - thetas[0]) < 1e-5 * numpy.linalg.norm(thetas[0])


@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
@pytest.mark.parametrize("encoding", ["matlab", "paper"])
def test_memn2n_trains(device, tying, encoding):
    recipe = MemN2NSettings(
        embedding_size=6, tying=tying, encoding=encoding, batch_size=8, linear_start=0
    )
    thetas, words = [], []
    for name, kernels in (("numpy", "reference"), ("cupy", "fused")):
        xp = array_module(name)
        dataset, vocabulary_size, sizes = stories(xp)
        model = recipe.new_model(vocabulary_size, sizes, 1, name, kernels)
        Trainer(model, dataset, recipe, 2).train(3)
        thetas.append(to_numpy(model.theta))
        words.append(to_numpy(model.operations.predict_words(model, dataset)))
    assert numpy.linalg.norm(thetas[1] - thetas[0]) < 1e-5 * numpy.linalg.norm(thetas[0])
    assert (words[0] == words[1]).all()


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_a_model_does_not_know_which_it_got(device, rng, reader, same, mask_padding):
    options = {"mask_padding": mask_padding, "keep_prob": 1.0 if reader == "bow" else 0.7}
    batch = random_batch(rng, same)
    expected_loss, expected = loss_and_grads(
        small_model(reader, kernels="reference", **options), batch, 0.1, step=2
    )
    model, there = (
        small_model(reader, backend="cupy", kernels="fused", **options),
        on_device(device, batch),
    )
    with counted(device) as transfers:
        loss, gradients = loss_and_grads(model, there, 0.1, step=2)
        answers = model.predict(there)
    assert transfers == []
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-12)
    for name, gradient in expected.items():
        numpy.testing.assert_allclose(to_numpy(gradients[name]), gradient, rtol=1e-9, atol=1e-12)
    assert (to_numpy(answers) == small_model(reader, **options).predict(batch)).all()


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_three_steps_of_training_agree(device, reader):
    recipe = Settings(batch_size=6, embedding_size=12, feature_size=14, reader=reader)
    trainers = trainer_on("numpy", recipe), trainer_on("cupy", recipe, "fused")
    for trainer in trainers:
        for _ in range(3):
            trainer.train(1)
    expected, got = (to_numpy(trainer.model.theta) for trainer in trainers)
    assert numpy.linalg.norm(got - expected) < 1e-5 * numpy.linalg.norm(expected)


@pytest.mark.parametrize("one_launch", [True, False])
@pytest.mark.parametrize("variant", ["same", "apart", "masked", "simple_gru"])
def test_predict_words(device, monkeypatch, variant, one_launch):
    monkeypatch.setattr(answer_loss, "SMALL_VOCABULARY", 2048 if one_launch else 0)
    monkeypatch.setattr(predict_words, "QUESTIONS_AT_A_TIME", 30)
    recipe = Settings(
        embedding_size=6,
        feature_size=7,
        memory_size=8,
        mask_padding=variant == "masked",
        reader="simple_gru" if variant == "simple_gru" else "bow",
    )
    make = key_values if variant == "apart" else stories
    (dataset, *sizes), (there, *_) = make(numpy), make(device)
    here = recipe.new_model(*sizes, 1, "numpy", "reference")
    here.theta *= 20  # answers that hang on the question
    model = recipe.new_model(*sizes, 1, "cupy", "fused")
    model.theta[:] = device.asarray(here.theta)
    expected = here.operations.predict_words(here, dataset)
    assert len(numpy.unique(expected)) > 2
    with counted(device) as transfers:
        words = model.operations.predict_words(model, there)
    assert transfers == []
    assert words.dtype == expected.dtype and (to_numpy(words) == expected).all()
    model.params["W_mem"][1:] *= 0  # all words score zero: the lowest, nil, is the answer
    assert (to_numpy(model.operations.predict_words(model, there)) == 0).all()
