"""The language model: its gradients, its text, its update rule, its learning rate."""

import numpy
import pytest

from kvnet import InputError
from kvnet import renumber as distinct
from kvnet.counter_random import normal
from kvnet.data.text import Text, encode_texts, made_words, words_of_lines
from kvnet.data.vocabulary import Vocabulary
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.survey import survey_random_cases
from kvnet.kernels import choose, kernel_threads
from kvnet.models import Context, MemN2NLanguageModel
from kvnet.training.batches import RandomBatches
from kvnet.training.optimizers.annealed_sgd import AnnealedSgd, annealed
from kvnet.training.recipes.language_model import LanguageModelSettings
from kvnet.training.text_loss import text_loss
from kvnet.training.text_run import TextRun, perplexity
from kvnet.training.trainer import Trainer
from kvnet.updates.adagrad import adagrad
from kvnet.updates.row_gradient import RowGradient
from kvnet.updates.sgd import sgd

V, E, M = 11, 6, 4


def small_model(**options):
    sizes = {"edim": E, "lindim": 3, "nhop": 2, "mem_size": M, "dtype": "float64", "init_std": 0.5}
    return MemN2NLanguageModel(V, **(sizes | options))


def small_text(rng, length=60):
    return Text(rng.integers(0, V, length).astype("int32"), M, V)


def test_gradients_of_every_parameter():
    subject = MODELS["memn2n_language_model"]
    plans = [("complex_step", "float64"), ("random_directions", "float64")]
    found = survey_random_cases(subject, {}, plans, numpy, examples=15, seed=0)
    assert found.failure is None
    assert set(found.rows) == {f"params[{name!r}]" for name in small_model().params}
    assert max(row.error for by_plan in found.rows.values() for row in by_plan.values()) <= 1e-12


def test_the_model_is_the_formula(rng):
    model = small_model()
    p, text = model.params, small_text(rng)
    context = text.batch(numpy.array([M, 17, 30]))
    scores, attention = model.forward(context)
    words = context.words[context.slots]
    for b in range(3):
        u = numpy.full(E, 0.1)
        for hop in range(2):
            match = numpy.array([u @ (p["A"][w] + p["TA"][i]) for i, w in enumerate(words[b])])
            weights = numpy.exp(match) / numpy.exp(match).sum()
            numpy.testing.assert_allclose(attention[hop, b], weights, rtol=1e-12)
            u = u @ p["C"] + sum(
                weight * (p["B"][w] + p["TB"][i])
                for i, (w, weight) in enumerate(zip(words[b], weights, strict=True))
            )
            u[3:] = numpy.maximum(u[3:], 0)
        numpy.testing.assert_allclose(scores[b], p["W"] @ u, rtol=1e-12)


def test_every_word_can_be_foretold_the_first_one_too():
    model = small_model()
    context = Context(numpy.array([0, 1]), numpy.zeros((1, M), int), numpy.array([0]))
    p, _ = model.predict_proba(context)
    assert p[0].min() > 0
    assert p.sum() == pytest.approx(1)
    assert model.loss(context) == pytest.approx(-numpy.log(p[0, 0]), rel=1e-12)
    assert model.loss_and_gradient(context)[0] == pytest.approx(-numpy.log(p[0, 0]), rel=1e-12)


def test_a_context_is_the_words_before(rng):
    text = small_text(rng)
    ids = text._ids
    context = text.batch(numpy.array([M, 9]))
    assert (context.words[context.slots] == [ids[M - 1 :: -1], ids[8:4:-1]]).all()
    assert (context.target == ids[[M, 9]]).all()
    assert len(set(context.words.tolist())) == len(context.words)


@pytest.mark.parametrize("cells", [distinct.CELLS_AT_A_TIME, 1])
def test_batches_together_are_those_one_by_one(rng, cells, monkeypatch):
    monkeypatch.setattr(distinct, "CELLS_AT_A_TIME", cells)
    text, rows = small_text(rng), rng.integers(M, 60, (6, 2))
    together = text.batches(rows)
    for context, part in zip(together, rows, strict=True):
        alone = text.batch(part)
        assert (alone.words == numpy.unique(alone.words[alone.slots])).all()
        # The others have no slot, but are different words: each is a row that is updated.
        assert (context.words[: len(alone.words)] == alone.words).all()
        assert len(set(context.words.tolist())) == len(context.words)
        assert (context.slots == alone.slots).all() and (context.target == alone.target).all()
    if cells > 1:
        assert len({len(context.words) for context in together}) == 1


def test_weights_start_normal():
    model = MemN2NLanguageModel(500, edim=40, lindim=20, init_std=0.05, kernels="reference")
    assert model.params["W"].std() == pytest.approx(0.05, rel=0.02)
    assert abs(model.params["A"].mean()) < 0.002
    z = normal(numpy, 0, "starting weights C", 0, (40, 40), "float32")
    numpy.testing.assert_allclose(model.params["C"], 0.05 * z, rtol=1e-6)


@pytest.mark.parametrize("clip", ["global", "each"])
@pytest.mark.parametrize("max_norm", [0.7, 1e6])
def test_a_step_is_the_formula(rng, clip, max_norm):
    tables = {"A": rng.normal(size=(700, 3)), "C": rng.normal(size=(2, 3))}
    rows = rng.permutation(700)[:500]
    gradients = {
        "A": RowGradient(rows, rng.normal(size=(500, 3))),
        "C": rng.normal(size=(2, 3)),
    }
    whole = {"A": gradients["A"].whole(numpy, tables["A"]), "C": gradients["C"]}
    norms = {name: numpy.linalg.norm(g) for name, g in whole.items()}
    if clip == "global":
        norms = dict.fromkeys(norms, numpy.hypot(*norms.values()))
    for update in (sgd, choose("fused", numpy).sgd):
        params = {name: table.copy() for name, table in tables.items()}
        update(numpy, params, gradients, 0.1, max_norm, clip)
        for name, g in whole.items():
            expected = tables[name] - 0.1 * g * min(1, max_norm / norms[name])
            numpy.testing.assert_allclose(params[name], expected, rtol=1e-12)
        untouched = numpy.setdiff1d(numpy.arange(700), rows)
        assert (params["A"][untouched] == tables["A"][untouched]).all()


@pytest.mark.parametrize("clip", ["global", "each"])
def test_an_adaptive_step_is_the_formula(rng, clip):
    rows = rng.permutation(700)[:500]
    gradient = RowGradient(rows, rng.normal(size=(500, 3)))
    table, sums = rng.normal(size=(700, 3)), rng.uniform(0.5, 2, size=(700, 3))
    g = gradient.whole(numpy, table)
    g *= 0.7 / numpy.linalg.norm(g)
    for update in (adagrad, choose("fused", numpy).adagrad):
        params, squares = {"A": table.copy()}, {"A": sums.copy()}
        update(numpy, params, squares, {"A": gradient}, 0.1, 0.7, clip)
        numpy.testing.assert_allclose(squares["A"], sums + g**2, rtol=1e-12)
        expected = table - 0.1 * g / numpy.sqrt(sums + g**2)
        numpy.testing.assert_allclose(params["A"], expected, rtol=1e-12)


def test_the_rate_falls_when_validation_does_not():
    assert annealed(0.3, []) == annealed(0.3, [5.0]) == annealed(0.3, [5.0, 4.0, 3.9]) == 0.3
    assert annealed(0.3, [5.0, 4.9999]) == pytest.approx(0.2)  # above 0.9999 of the one before
    assert annealed(0.3, [5.0, 5.1, 4.0, 4.0]) == pytest.approx(0.3 / 1.5**2)
    optimizer = AnnealedSgd(small_model(), 2e-5, 50.0, "global")
    optimizer.heed([{"validation_loss": 5.0}, {"validation_loss": 5.0}])
    assert optimizer.learning_rate_at(0) == pytest.approx(2e-5 / 1.5)
    assert not optimizer.ended
    optimizer.heed([{"validation_loss": 5.0}] * 3)
    assert optimizer.ended


def test_dropped_words_leave_their_places_empty(rng):
    text = small_text(rng)
    context = text.batch(numpy.array([M, 17, 30]))
    model = small_model(word_dropout=0.999)  # so that all are dropped
    emptied = small_model()
    for name in "AB":
        emptied.params[name][:] = 0
    assert float(model.loss_and_gradient(context, step=5)[0]) == float(emptied.loss(context))
    whole = small_model()
    assert float(model.loss_and_gradient(context)[0]) == float(whole.loss(context))
    assert float(model.loss(context)) == float(whole.loss(context))


def test_dropped_components_change_with_the_step(rng):
    context = small_text(rng).batch(numpy.arange(M, 50))
    model = small_model(dropout=0.5)
    losses = [float(model.loss_and_gradient(context, step=step)[0]) for step in (0, 1, 1)]
    assert losses[0] != losses[1] == losses[2]
    _, gradients = model.loss_and_gradient(context, step=1)
    assert numpy.isfinite(gradients["C"]).all()


def test_weights_are_averaged_over_the_steps_back(rng, monkeypatch):
    monkeypatch.setattr("kvnet.training.optimizers.annealed_sgd.AVERAGED_EVERY", 2)
    model, seen = small_model(), []
    optimizer = AnnealedSgd(model, 0.1, 50.0, "global", steps_back=6)
    expected = model.theta.copy()
    for step in range(10):
        gradients = {name: rng.normal(size=theta.shape) for name, theta in model.params.items()}
        optimizer.update(gradients, step)
        if step % 2:
            seen.append(model.theta.copy())
            plain = numpy.mean(seen, axis=0)
            expected = plain if len(seen) <= 3 else expected + (model.theta - expected) / 3
            numpy.testing.assert_allclose(optimizer.average, expected, rtol=1e-12)


def test_the_average_is_what_is_measured_and_kept(rng, tmp_path):
    data = encode_texts({split: list("abcdefgh") * 60 for split in ("train", "valid", "test")}, M)
    sizes = {"edim": E, "lindim": 3, "nhop": 2, "mem_size": M, "batch_size": 4}
    rule = {"optimizer": "adagrad", "init_lr": 0.1, "averaging": 1.0}
    settings = LanguageModelSettings(**sizes, **rule, nepoch=2)
    run = TextRun(data, settings, 0, checkpoint=tmp_path / "c")
    run.train(lambda count: None, lambda: False)
    average = run.trainer.optimizer.average
    assert (run.model.theta == average).all()
    assert run.result["validation_loss"] == text_loss(run.model, data.validation)
    again = TextRun(data, settings, 0, checkpoint=tmp_path / "c")
    again.resume()
    assert (again.model.theta != average).any()
    assert (again.trainer.optimizer.average == average).all()
    assert (MemN2NLanguageModel.load(tmp_path / "c").theta == average).all()


def test_targets_are_drawn_over_the_whole_text():
    batches = RandomBatches(words=1000, batch_size=128, random_state=0, first=M)
    assert batches.steps_per_epoch == 8
    drawn = numpy.concatenate([batches.rows(step) for step in range(200)])
    assert drawn.min() == M and drawn.max() == 999
    assert len(numpy.unique(drawn)) == 996
    assert (batches.rows(3) != batches.rows(4)).any()
    assert (batches.next_rows(3, 5) == [batches.rows(step) for step in range(3, 8)]).all()
    assert (batches.rows(3) == batches.rows(3)).all()


def test_evaluation_counts_each_word_once(rng):
    model, text = small_model(), small_text(rng, 300)
    one_by_one = [float(model.loss(text.batch(numpy.array([n])))) for n in range(M, 300)]
    assert text_loss(model, text) == pytest.approx(numpy.mean(one_by_one), rel=1e-12)


def test_lines_end_in_a_word():
    assert words_of_lines([" a b ", "c"]) == ["a", "b", "<eos>", "c", "<eos>"]
    made = made_words("train")
    assert made == made_words("train") != made_words("test")
    assert made.count("<eos>") > 1000 and "?" in made


def test_all_words_count_but_texts_must_outlast_the_memory():
    texts = {"one": list("abcde"), "two": list("abcdf"), "three": list("abcdg")}
    data = encode_texts(texts, 4)
    assert data.vocabulary.words == list("abcdefg")
    assert data.vocabulary.word(0) == "a" and len(data.vocabulary) == 7
    with pytest.raises(InputError, match=r"one: 5 words .* mem_size=5 .*; take a smaller mem_size"):
        encode_texts(texts, 5)
    with pytest.raises(InputError, match="two, from line 1 on: 'f' not among the 5"):
        encode_texts(texts, 4, vocabulary=Vocabulary("abcde", nil=False))


def trained_for_three_steps(kernels, dtype, threads=1, **options):
    rng = numpy.random.default_rng(0)
    text = Text(rng.integers(0, 2500, 3000).astype("int32"), 30, 2500)
    settings = LanguageModelSettings(
        edim=20, lindim=10, mem_size=30, batch_size=60, nhop=3, **options
    )
    model = settings.new_model(2500, 0, "numpy", kernels)
    model = MemN2NLanguageModel(**model.config | {"dtype": dtype}, kernels=kernels)
    trainer = Trainer(model, text, settings, 0)
    with kernel_threads(threads):
        for _ in range(3):
            trainer.train(1)
    return model.theta


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_three_steps_agree_with_the_textbook(optimizer):
    options = {"optimizer": optimizer, "dropout": 0.3, "word_dropout": 0.2, "averaging": 1.0}
    one, two = (trained_for_three_steps(k, "float64", **options) for k in ("reference", "fused"))
    assert numpy.linalg.norm(one - two) <= 1e-12 * numpy.linalg.norm(one)


def test_threads_do_not_change_a_bit():
    one, two = (trained_for_three_steps("fused", "float32", n) for n in (1, 2))
    assert (one == two).all()


def test_it_learns_what_only_the_memory_tells():
    rng = numpy.random.default_rng(3)

    def told(lines):
        return [w for name in rng.choice(list("abcdef"), lines) for w in ("name", name, "?", name)]

    data = encode_texts({"train": told(1500), "valid": told(100), "test": told(100)}, 4)
    settings = LanguageModelSettings(
        edim=20, lindim=10, nhop=2, mem_size=4, batch_size=32, nepoch=3, init_std=0.3, init_lr=0.03
    )
    run = TextRun(data, settings, 0)
    run.train(lambda count: None, lambda: False)
    # Of four words one is any of six, and one more for who does not look back past "?".
    found = perplexity(text_loss(run.model, data.testing))
    assert 6**0.25 < found < 1.03 * 6**0.25


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("nhop", 0),
        ("init_lr", -1.0),
        ("clip", "some"),
        ("lindim", 200),
        ("dropout", 1.0),
        ("word_dropout", -0.1),
        ("averaging", -1.0),
    ],
)
def test_settings_out_of_range(setting, value):
    with pytest.raises(InputError, match=f"{setting}=.* is out of range; it takes"):
        LanguageModelSettings(**{setting: value})
