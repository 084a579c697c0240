"""TextContinuer: fit, continue_text, perplexity, save and load."""

from dataclasses import asdict, replace
from math import exp

import numpy
import pytest
from helpers.training import train

from kvnet import InputError, LanguageModelRecipe, TextContinuer
from kvnet.data.text import encode_texts, words_of_lines
from kvnet.files.checkpoint import read_arrays
from kvnet.training.text_run import TextRun

TALE = "the cat sat on the mat\nthe dog lay on the rug\n" * 40
SMALL = LanguageModelRecipe(
    embedding_size=8, linear_size=4, hops=2, memory_size=5, batch_size=32, epochs=4, init_std=0.3
)
QUICK = replace(SMALL, epochs=15, optimizer="adagrad", learning_rate=0.1)


@pytest.fixture(scope="module")
def fitted():
    return TextContinuer(QUICK).fit(TALE)


def test_it_continues_a_text_that_it_has_learned(fitted):
    added = fitted.continue_text("the cat sat on the", 3)
    assert [next_word.word for next_word in added] == ["mat", "<eos>", "the"]
    assert min(next_word.probability for next_word in added[:2]) > 0.5
    assert added[1].context == ["mat", "the", "on", "sat", "cat"]  # the nearest first
    assert added[1].attention.shape == (2, 5)
    numpy.testing.assert_allclose(added[1].attention.sum(axis=1), 1, rtol=1e-5)


def test_a_short_text_and_the_start_of_a_line_can_be_continued(fitted):
    assert fitted.continue_text("the", 1)[0].context == ["the", "<eos>"]
    assert fitted.continue_text("on the mat\n", 1)[0].context[0] == "<eos>"


def test_the_same_seed_draws_the_same_words():
    continuer = TextContinuer(replace(SMALL, epochs=1)).fit(TALE)

    def draw(random_state, count=20):
        return [w.word for w in continuer.continue_text("the cat", count, random_state)]

    assert draw(5) == draw(5)
    assert draw(5, count=7) == draw(5)[:7]
    assert draw(5) != draw(6)


def test_an_unknown_word_is_refused_unless_the_vocabulary_has_unk(fitted):
    text = "the cat sat on the zebra\n"
    with pytest.raises(InputError, match="'zebra' is not among the"):
        fitted.continue_text(text, 1)
    with pytest.raises(InputError, match="'zebra' is not among the"):
        fitted.perplexity(text)
    with_unk = TextContinuer(replace(SMALL, epochs=1)).fit(TALE.replace("mat", "<unk>"))
    said = r"text: 1 of 7 words \(14%\) is not in the model's vocabulary and read as <unk>"
    with pytest.warns(UserWarning, match=said) as caught:
        assert with_unk.continue_text(text, 1)[0].context[:2] == ["<eos>", "<unk>"]
        perplexity = with_unk.perplexity(text)
    assert len(caught) == 2 and {warning.filename for warning in caught} == {__file__}
    assert perplexity == with_unk.perplexity(text.replace("zebra", "<unk>"))


def test_a_fit_that_diverges_leaves_the_continuer_as_it_was():
    continuer = TextContinuer(replace(SMALL, learning_rate=1e29))
    with pytest.raises(InputError, match=r"diverged; set learning_rate below 1e\+29"):
        continuer.fit(TALE)
    with pytest.raises(InputError, match="is not trained; call fit"):
        continuer.perplexity(TALE)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_only_line_feeds_and_carriage_returns_end_a_line(end):
    recipe, text = replace(SMALL, epochs=1), TALE.replace("cat sat", "cat\u2028sat\x0b")
    expected = TextContinuer(recipe).fit(text)
    assert expected.vocabulary.words == TextContinuer(recipe).fit(TALE).vocabulary.words
    other = TextContinuer(recipe).fit(text.replace("\n", end))
    assert (other.model.theta == expected.model.theta).all()


def test_perplexity_is_that_of_the_last_validation():
    validation = "the dog sat on the mat\n" * 10
    continuer = TextContinuer(SMALL).fit(TALE, validation_text=validation)
    assert [record["epoch"] for record in continuer.history] == [1, 2, 3, 4]
    assert continuer.perplexity(validation) == exp(continuer.history[-1]["validation_loss"])
    assert continuer.perplexity(TALE) < exp(continuer.history[0]["validation_loss"])


def test_the_last_tenth_of_the_lines_is_the_validation_text():
    lines = [f"line {n % 4} of a tale" for n in range(50)]
    by_default = TextContinuer(SMALL).fit("\n".join(lines) + "\n\n")
    apart = TextContinuer(SMALL).fit("\n".join(lines[:45]), "\n".join(lines[45:]))
    assert by_default.history == apart.history
    assert (by_default.model.theta == apart.model.theta).all()


@pytest.mark.parametrize("changes", [{}, {"averaging": 1.0}], ids=str)
def test_fit_trains_as_a_run_does(changes):
    recipe, validation = replace(SMALL, **changes), "the dog sat on the mat\n" * 10
    continuer = TextContinuer(recipe, random_state=7).fit(TALE, validation)
    texts = {"a": words_of_lines(TALE.splitlines()), "b": words_of_lines(validation.splitlines())}
    run = TextRun(encode_texts(texts, recipe.memory_size), recipe, 7)
    train(run)
    assert (continuer.model.theta == run.model.theta).all()
    assert continuer.history == run.history


def test_a_continuer_is_loaded_as_it_was_saved(fitted, tmp_path):
    path = tmp_path / "continuer.safetensors"
    fitted.save(path)
    loaded = TextContinuer.load(path)
    assert loaded.recipe == QUICK
    assert read_arrays(path)[1]["recipe"] == asdict(QUICK)
    assert loaded.vocabulary.words == fitted.vocabulary.words
    assert loaded.perplexity(TALE) == fitted.perplexity(TALE)
    for found, expected in zip(
        loaded.continue_text("the dog", 9), fitted.continue_text("the dog", 9), strict=True
    ):
        assert found[:3] == expected[:3]
        assert (found.attention == expected.attention).all()


def test_error_of_a_text_that_is_too_short_is_one_line(fitted):
    for short, message in [
        (lambda: TextContinuer(SMALL).fit("the cat\nsat\n"), "text: 3 words"),
        (lambda: TextContinuer(SMALL).fit(TALE, "the cat"), "validation_text: 3 words"),
        (lambda: fitted.perplexity("the cat"), "text: 3 words"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            short()
        assert "are too few for a memory of 5 words; use a smaller memory_size" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "the cat sat on the mat " * 50])
def test_a_text_without_two_lines_is_refused(text):
    with pytest.raises(InputError, match="text has fewer than two lines, but the last is held out"):
        TextContinuer(SMALL).fit(text)


def test_an_untrained_continuer_is_refused():
    for use in (
        lambda: TextContinuer().continue_text("a", 1),
        lambda: TextContinuer().perplexity("a"),
        lambda: TextContinuer().save("continuer.safetensors"),
    ):
        with pytest.raises(InputError, match="is not trained; call fit, or use load"):
            use()


def test_progress_is_shown_only_if_verbose(capfd):
    TextContinuer(SMALL).fit(TALE)
    assert capfd.readouterr() == ("", "")
    TextContinuer(SMALL, verbose=True).fit(TALE)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("training: epoch 4/4, perplexity ")
