"""Every CUDA operation equals its textbook form, on the CPU, and on a GPU if there is one."""

from functools import partial

import numpy
import pytest
from helpers.kernel_cases import flat
from helpers.strict_arrays import counted, launched, strict

from kvnet import operations
from kvnet.backend import to_numpy
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.equality import check_equality
from kvnet.kernels import choose_operations, fused_names
from kvnet.kernels.cuda.parts import gather, key_value_hops, large_memory, launch, products

pytestmark = pytest.mark.usefixtures("kernels")
TOLERANCES = {"float32": 1e-4, "float64": 1e-11}
SUBJECTS = {name: OPERATIONS[name] for name in fused_names("cuda") if name in OPERATIONS}


@pytest.fixture(params=TOLERANCES)
def dtype(request):
    return request.param


def case_of(xp, name, dtype, parameters):
    """Build a case of an operation in its textbook form."""
    form = {"kernels": "reference"} if "kernels" in SUBJECTS[name].variants else {}
    return SUBJECTS[name].case(xp, dtype, {"seed": 1} | parameters | form)


def kernel_of(xp, name):
    return partial(getattr(choose_operations("fused", xp), name), xp)


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_kernel_equals_its_textbook(xp, name, dtype):
    largest = {option: values[-1] for option, values in SUBJECTS[name].options().items()}
    for variant in SUBJECTS[name].combinations():
        if variant.pop("kernels", "fused") == "fused":
            case = case_of(xp, name, dtype, largest | variant)
            known = {"constants": case.constants, "scale": case.scale}
            check_equality(kernel_of(xp, name), case.function, *case.inputs, **known)


def assert_equal_to_textbook(xp, name, dtype, d_output=None, **parameters):
    """Compare output and gradients with the textbook's on NumPy, without a copy from the device."""
    case = case_of(numpy, name, dtype, parameters)
    output, *_, backward = case.function(*case.inputs)
    if d_output is None:
        d_output = numpy.random.default_rng(7).normal(size=output.shape).astype(dtype)
    inputs = case_of(xp, name, dtype, parameters).inputs
    d_on_device = xp.asarray(d_output) if isinstance(d_output, numpy.ndarray) else d_output
    with counted(xp) as transfers:
        found, *_, found_backward = kernel_of(xp, name)(*inputs)
        found_gradients = found_backward(d_on_device)
    assert transfers == []
    for one, other in zip(
        flat([found, found_gradients]), flat([output, backward(d_output)]), strict=True
    ):
        assert one.dtype == dtype and one.shape == other.shape
        # A gradient that cancels to nearly nothing is compared on the scale of its terms.
        size = max(numpy.linalg.norm(other), 1)
        assert numpy.linalg.norm(one - other) <= TOLERANCES[dtype] * size


# How the gradients of rows are gathered.
GATHERING = {
    "searched": {},
    "sorted": {"LARGEST_SEARCH": 0},
    "in windows": {"LARGEST_SEARCH": 0, "WINDOW_BYTES": 64},
    "a warp per row": {"LARGEST_SEARCH": 0, "MANY_ROWS": 0, "FEW_PLACES": 10**6},
}
SMALL = {"B": 3, "N": 5, "M": 7, "S": 3, "V": 6, "E": 5, "F": 4, "H": 2}
WIDE = {"B": 2, "N": 20, "M": 300, "S": 4, "V": 9, "E": 270, "F": 290, "H": 2}  # several blocks
PUBLISHED = {"B": 4, "N": 30, "M": 50, "V": 170, "E": 40, "F": 50, "H": 3}


def sizes_for(name, sizes):
    """Return the sizes that an operation has, with the simplest of its other options."""
    options = SUBJECTS[name].options()
    first = {option: values[0] for option, values in options.items()}
    variant = SUBJECTS[name].combinations()[0]
    return variant | first | {size: n for size, n in sizes.items() if size in options}


def gathering(monkeypatch, method):
    for name, value in GATHERING[method].items():
        monkeypatch.setattr(gather, name, value)


@pytest.mark.parametrize("method", GATHERING)
@pytest.mark.parametrize("sizes", [SMALL, WIDE], ids=["small", "wide"])
@pytest.mark.parametrize(
    "name",
    [
        "embedding_sum",
        "key_value_hops_by_row",
        "layerwise_hops_by_row",
        "adjacent_hops_by_row",
        "context_hops_by_row",
    ],
)
def test_gathering(xp, monkeypatch, name, sizes, method):
    gathering(monkeypatch, method)
    assert_equal_to_textbook(xp, name, "float32", **sizes_for(name, sizes))


@pytest.mark.parametrize("name", ["key_value_hops_by_row", "gru_reading"])
def test_several_blocks(xp, name, dtype):
    sizes = WIDE | {"F": 130} if name == "gru_reading" else WIDE
    assert_equal_to_textbook(xp, name, dtype, **sizes_for(name, sizes))


@pytest.mark.parametrize(
    "name",
    [
        "key_value_hops_by_row",
        "layerwise_hops_by_row",
        "adjacent_hops_by_row",
        "context_hops_by_row",
        "gru_reading",
        "answer_loss",
    ],
)
def test_textbook_if_a_block_has_too_little_shared_memory(xp, monkeypatch, name):
    monkeypatch.setattr(launch, "SHARED_BYTES", 1000)
    assert_equal_to_textbook(xp, name, "float32", **sizes_for(name, SMALL))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("method", ["searched", "a warp per row"])
@pytest.mark.parametrize(
    ("kernel", "E"),
    [("softmax_by_sentence", 270), *(("by_slot", E) for E in (5, 40, 100, 256))],
)
def test_large_memory(xp, monkeypatch, dtype, kernel, E, method, masked):
    gathering(monkeypatch, method)
    monkeypatch.setattr(large_memory, "LARGE_MEMORY", 0)
    monkeypatch.setattr(large_memory, "SENTENCES_PER_SLOT", int(kernel != "by_slot"))
    sizes = {"B": 2, "M": 70, "N": 60, "E": E, "F": 90, "H": 2, "masked": masked}
    with launched() as kernels:
        assert_equal_to_textbook(xp, "key_value_hops_by_row", dtype, **sizes)
    if xp is strict:
        assert kernel in kernels and "key_value_hops_by_row" not in kernels


@pytest.mark.parametrize("d_loss", [1.0, 0.3])
@pytest.mark.parametrize("large_product", [1 << 24, 0], ids=["own products", "library"])
@pytest.mark.parametrize("small_vocabulary", [2048, 0], ids=["one launch", "by operations"])
def test_answer_loss_at_the_published_sizes(
    xp, monkeypatch, dtype, small_vocabulary, large_product, d_loss
):
    monkeypatch.setattr(key_value_hops, "SMALL_VOCABULARY", small_vocabulary)
    monkeypatch.setattr(products, "LARGE_PRODUCT", large_product)
    assert_equal_to_textbook(xp, "answer_loss", dtype, d_loss, **PUBLISHED, masked=False)


@pytest.mark.parametrize("nil", [True, False])
def test_word_cross_entropy_of_many_words(xp, dtype, nil):
    sizes = {"B": 5, "V": 700, "E": 6, "nil": nil, "logits": "sharp"}
    assert_equal_to_textbook(xp, "word_cross_entropy", dtype, 0.7, **sizes)


@pytest.mark.parametrize("width", [1, 150])
def test_dropout_by_row_or_by_component(xp, rng, dtype, width):
    x, uniforms = rng.normal(size=(7, 150)).astype(dtype), rng.random((7, width)).astype(dtype)
    expected, _ = operations.dropout(numpy, x, uniforms, 0.7)
    found, backward = kernel_of(xp, "dropout")(xp.asarray(x), xp.asarray(uniforms), 0.7)
    for one in (found, backward(xp.asarray(x))):  # the same factors forward and backward
        assert to_numpy(one) == pytest.approx(expected, rel=TOLERANCES[dtype])


@pytest.mark.parametrize("shape", [(1,), (7,), (1050, 5)])
def test_uniform_has_the_same_bits(xp, dtype, shape):
    seed, purpose, step = (5 << 32) + 3, "gradient noise", (2 << 32) + 9
    expected = operations.uniform(numpy, seed, purpose, step, shape, dtype)
    for number in (step, xp.full((), step, "int64")):
        found = to_numpy(kernel_of(xp, "uniform")(seed, purpose, number, shape, dtype))
        assert found.dtype == expected.dtype
        assert (found == expected).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("M", [1, 7, 40])
@pytest.mark.parametrize("step", [None, 0, 1 << 35])
def test_slots_with_times_has_the_same_bits(xp, rng, M, share, step):
    keys = numpy.where(numpy.arange(M) < rng.integers(0, M + 1, (6, 1)), 5, 0)
    fixed = {"sentences": 9, "last": M - 1, "share": share, "random_state": 77 << 20, "step": step}
    expected = operations.slots_with_times(numpy, keys, **fixed)
    kernel, on_device = kernel_of(xp, "slots_with_times"), xp.asarray(keys)
    kernel(on_device, **fixed)  # the first call copies a table to the device
    with counted(xp) as transfers:
        found = kernel(on_device, **fixed)
    assert transfers == []
    assert (to_numpy(found) == expected).all()
