"""Mutants of backward passes: where the generator finds them, and what planting one changes."""

import ast
import inspect
import textwrap

import numpy
import pytest
from backward_mutants import KINDS, ROOT, mutants, mutants_of
from mutation_score import METHODS, described, planted, scores, subjects_of

from kvnet import models
from kvnet import operations as ops
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.kernels import choose_operations, fused_names
from kvnet.models.fact_chain_network import FactChainNetwork

ALL = list(mutants())
MODELS = (models.KeyValueMemoryNetwork, models.MemN2N, models.MemN2NLanguageModel)


def mutants_in(function):
    """Return the mutants whose line is one of a function."""
    path = str(ROOT / inspect.getsourcefile(function))
    source, first = inspect.getsourcelines(function)
    lines = range(first, first + len(source))
    return [m for m in ALL if str(ROOT / m.path) == path and m.line in lines]


def changes_of(source):
    """Return the kind and the wrong source of every mutant of a module."""
    return [(m.kind, m.after) for m in mutants_of("module.py", textwrap.dedent(source))]


def test_there_are_mutants_of_every_kind():
    assert {mutant.kind for mutant in ALL} == set(KINDS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_gradients_that_loss_and_gradient_computes_have_mutants(model):
    found = mutants_in(model.loss_and_gradient)
    assert {"sign", "factor 1.001"} <= {mutant.kind for mutant in found}
    source, first = inspect.getsourcelines(model.loss_and_gradient)
    forward = [
        n for n, line in enumerate(source, first) if "loss, backward_" in line and " = " in line
    ]
    assert min(mutant.line for mutant in found) > max(forward)


def test_every_gradient_of_the_key_value_memory_network_has_a_mutant():
    wrong = [m.after for m in mutants_in(MODELS[0].loss_and_gradient) if m.kind == "sign"]
    for gradient in ("-d.A", "-d.output_map", "-dR_h", "-d.query", "- d.table"):
        assert any(gradient in after for after in wrong)


def test_scatter_rows_has_mutants_that_its_direct_users_run():
    found = mutants_in(ops.scatter_rows)
    assert len(found) >= 20
    assert {subject.name for subject in subjects_of(found[0])} == {
        "embedding_sum",
        "fact_answers",
        "noisy_or",
        "read_facts",
        "softmax_by_question",
        "sum_slots",
        "take_rows",
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_mutants(name):
    assert mutants_in(getattr(ops, name))
    if name in fused_names("numpy"):
        assert [m for m in ALL if m.path == f"kernels/{name}.py"]


@pytest.mark.parametrize("helper", ["question_block", "slot_hops"])
def test_the_hops_that_kernels_share_have_mutants(helper):
    found = [m for m in ALL if m.path == f"kernels/parts/{helper}.py"]
    assert len(found) >= 20
    for subject in subjects_of(found[0]):
        assert subject.name.endswith("hops_by_row") or subject.name == "answer_loss"


def test_compiled_functions_that_take_a_gradient_have_mutants():
    found = changes_of(
        """
        @njit(**OPTIONS)
        def _scatter(rows, d_table):
            d_table[rows] = weights

        @njit(**OPTIONS)
        def _look_up(rows, table):
            table[rows] = weights
        """
    )
    assert ("sign", "d_table[rows] = -weights") in found
    assert not [after for _, after in found if "= -weights" in after and "d_" not in after]
    for name in ("context_hops_by_row", "gru_reading", "word_cross_entropy"):
        mine = [m for m in ALL if m.path == f"kernels/{name}.py"]
        assert [m.compiled for m in mine].count(True) > 40


def test_every_field_of_a_returned_record_is_made_wrong():
    found = changes_of(
        """
        def backward(dy):
            return dx, Memory(d_readings, dTK)
        """
    )
    assert ("sign", "return (-dx, Memory(d_readings, dTK))") in found
    assert ("sign", "return (dx, Memory(-d_readings, dTK))") in found
    assert ("sign", "return (dx, Memory(d_readings, -dTK))") in found
    assert ("swapped operands", "Memory(dTK, d_readings)") in found


def test_a_backward_function_is_given_a_wrong_gradient():
    found = changes_of(
        """
        def loss_and_gradient(self):
            loss, backward = -self.forward()
            gradients = backward(1.0)
            gradients |= {"A": dA}
            return loss, self.in_order(gradients)
        """
    )
    assert ("sign", "gradients = backward(-1.0)") in found
    assert ("sign", "gradients |= {'A': -dA}") in found
    assert not [after for _, after in found if "loss" in after]


def test_zeros_have_no_mutants():
    assert not changes_of(
        """
        def backward(dy):
            dx, dA = xp.zeros_like(x), 0
            d_table = numpy.empty(V)
            d = 0
        """
    )


def test_a_lambda_of_a_gradient_has_mutants():
    found = changes_of("identity = lambda x: (x, lambda dy: dy)")
    assert found == [("sign", "lambda dy: -dy"), ("factor 1.001", "lambda dy: dy * 1.001")]


def test_a_planted_operation_replaces_the_function_wherever_it_is_used():
    (mutant, *_) = mutants_in(ops.take_rows)
    before, lookup = ops.take_rows, ops.embedding_lookup.__globals__
    with planted(mutant):
        assert ops.take_rows is lookup["take_rows"]
        assert ops.take_rows is not before
    assert ops.take_rows is lookup["take_rows"] is before


def test_a_class_derives_from_the_planted_one():
    mutant = next(m for m in ALL if m.path == "kvnet/models/fact_network.py")
    before = FactChainNetwork.__bases__
    with planted(mutant):
        assert FactChainNetwork.__bases__[0].__name__ == before[0].__name__
        assert FactChainNetwork.__bases__ != before
    assert FactChainNetwork.__bases__ == before


def test_a_planted_kernel_is_chosen_until_it_is_removed():
    mutant = next(m for m in ALL if m.path == "kernels/parts/slot_hops.py" and not m.compiled)

    def chosen():
        return choose_operations("fused", numpy).adjacent_hops_by_row

    before = chosen()
    with planted(mutant) as subjects:
        assert chosen() is not before
        assert [subject.variants["kernels"] for subject in subjects] == 2 * [["fused"]]
    assert chosen() is before


def test_a_mutant_is_described_by_its_place_and_change():
    row = described(ALL[0])
    assert list(row) == ["path", "line", "kind", "before", "after"]
    assert row["before"] != row["after"]


def test_a_mutant_that_ends_the_process_is_a_crash_and_the_next_one_is_scored():
    wrong = next(m for m in mutants_in(ops.linear) if m.kind == "sign")
    ending = wrong._replace(new=ast.parse("__import__('os')._exit(1)").body[0])
    rows = scores([ending, wrong], seed=0)
    assert [rows[0][method] for method in METHODS] == ["crash"] * len(METHODS)
    assert [rows[1][method] for method in METHODS] == ["caught"] * len(METHODS)
