"""How answers and verdicts are laid out on a page."""

import re
from html import escape

from kvnet.fact_answerer import LEAST_PROBABILITY, FactAnswer
from kvnet.gradcheck.step_size_plot import figure_of
from kvnet.lab.edited_operation import Verdict, formula_of
from kvnet.lab.pages import figure, table, weight_cell
from kvnet.lab.stories import Asked
from kvnet.question_answerer import QuestionAnswerer

LEAST_SHOWN = 0.005  # of the attention to empty slots
FACTS_SHOWN = 5
WORDS_SHOWN = 300


def network_html(text: str, answerer: QuestionAnswerer) -> str:
    """Lay out what is said about a network, and the words that it knows."""
    vocabulary = answerer.vocabulary
    words = sorted((vocabulary.spelling.get(w, w) for w in vocabulary.words if w), key=str.lower)
    shown = words[:WORDS_SHOWN]
    rest = f" and {len(words) - len(shown):,} others" if len(words) > len(shown) else ""
    return (
        f'<p class="muted">{escape(text)}</p><details><summary>The {len(words):,} words that it '
        f"knows</summary><p>{escape(', '.join(shown))}{rest}</p></details>"
    )


def answer_html(asked: Asked) -> str:
    """Lay out an answer: the word, the most probable words, and the attention as a heat map."""
    answer = asked.answer
    parts = [
        f'<p class="answer">Answer: <strong>{escape(answer.word)}</strong> '
        f"(probability {answer.probability:.3f})</p>"
    ]
    if asked.right is None:
        parts.append(
            '<p class="muted">The simulator cannot derive an answer from these sentences, so no '
            "supporting facts are marked.</p>"
        )
    else:
        agrees = asked.right.lower() == answer.word.lower()
        verdict = '<span class="good">right</span>' if agrees else '<span class="bad">wrong</span>'
        parts.append(
            f"<p>This is {verdict}: by the rules of the simulated world the answer is "
            f"<strong>{escape(asked.right)}</strong>.</p>"
        )
    parts.append(
        table(
            "The most probable words",
            ["word", "probability"],
            [(escape(word), weight_cell(p)) for word, p in answer.candidates],
        )
    )
    return "".join(parts) + _heat_map(asked)


def _heat_map(asked):
    answer, sentences = asked.answer, asked.sentences
    hops, slots = answer.attention.shape
    rows, classes = [], []
    unread = len(sentences) - slots
    for position, text in enumerate(sentences):
        supporting = position in asked.supporting
        mark = ' <span class="good">supporting fact</span>' if supporting else ""
        head = f"{position + 1} {escape(text)}{mark}"
        if position < unread:
            cells = [f'<td colspan="{hops}">not read: the memory has {slots} slots</td>']
        else:
            weights = answer.attention[:, len(sentences) - 1 - position]  # slot 0 is the last one
            cells = [weight_cell(float(weight)) for weight in weights]
        rows.append((head, *cells))
        classes.append("supporting" if supporting else "")
    empty = 1 - answer.attention.sum(axis=1)
    if empty.max() > LEAST_SHOWN:
        rows.append(("(empty slots)", *(weight_cell(max(0.0, float(each))) for each in empty)))
        classes.append("")
    columns = ["sentence", *(f"hop {hop + 1}" for hop in range(hops))]
    return table("Attention of each hop to each sentence", columns, rows, classes)


def formula_html(name: str) -> str:
    """Lay out the docstring of an operation, with its formulas."""
    text = re.sub(r"``(.+?)``", r"<code>\1</code>", escape(formula_of(name)), flags=re.DOTALL)
    return f"<pre tabindex=0>{text}</pre>"


def verdict_html(verdict: Verdict) -> str:
    """Lay out a verdict: the sentence, a row per input, and the plot."""
    kind, word = ("good", "Correct") if verdict.is_correct else ("bad", "Wrong")
    parts = [
        f'<h2>Verdict of the gradient checker: <span class="{kind}">{word}</span></h2>'
        f"<p>{escape(verdict.sentence[:1].upper() + verdict.sentence[1:])}.</p>"
    ]
    if verdict.inputs:
        columns = ["input", "shape", "verdict", "error", "tolerance", "worst entry"]
        columns += ["by backward", "by the complex step"]
        parts.append(table("Inputs of the case that decided", columns, map(_row, verdict.inputs)))
        held = ", ".join(f"{name} ({kind})" for name, kind in verdict.constants.items())
        parts.append(f'<p class="muted">Held constant: {escape(held or "nothing")}.</p>')
    if verdict.printed:
        parts.append(f"<h2>Printed by the code</h2><pre tabindex=0>{escape(verdict.printed)}</pre>")
    if verdict.errors:
        plotted = figure_of(verdict.errors)
        plotted.set_size_inches(7, 3.6)
        parts.append(
            f"<h2>Error against step size, along {escape(verdict.plotted)}</h2>"
            "<p>Forward and central differences lose digits to cancellation in small steps, a "
            "complex step does not. If the backward pass is wrong, no step size helps: all curves "
            "end at the size of the bug.</p>"
            + figure(plotted, "Relative error of the slope against the step size, by method")
        )
    return "".join(parts)


def _row(checked):
    verdict = '<span class="bad">wrong</span>' if checked.fault else '<span class="good">ok</span>'
    shape = " × ".join(map(str, checked.shape)) or "scalar"
    entry = "" if checked.index is None else f"[{', '.join(map(str, checked.index))}]"
    values = ["" if v is None else f"{v:.6g}" for v in (checked.analytic, checked.numeric)]
    cells = [shape, verdict, f"{checked.error:.1e}", f"{checked.tolerance:.1e}", entry, *values]
    return escape(checked.name), *(f"<td>{cell}</td>" for cell in cells)


def facts_html(answer: FactAnswer) -> str:
    """Lay out an answer from a knowledge base: the answers, and the facts of each hop."""
    parts = [f'<p class="muted">{escape(note)}.</p>' for note in answer.notes]
    if answer.best is None:
        parts.append(
            f"<p>Not in the memory: no fact on the way from {escape(answer.entity)} answers this."
            "</p>"
        )
    else:
        parts.append(f'<p class="answer">Answer: <strong>{escape(answer.best)}</strong></p>')
        rows = [
            (escape(name), weight_cell(probability))
            for name, probability in answer.answers
            if probability >= LEAST_PROBABILITY
        ]
        parts.append(table("Answers", ["entity", "probability"], rows))
    parts.append(f"<p>The question starts at <strong>{escape(answer.entity)}</strong>.</p>")
    for number, facts in enumerate(answer.hops, start=1):
        rows = [
            (
                escape(read.fact.subject),
                *(f"<td>{escape(each)}</td>" for each in (read.fact.relation, read.fact.object)),
                weight_cell(read.weight),
            )
            for read in facts[:FACTS_SHOWN]
        ]
        more = f", the {FACTS_SHOWN} with the largest weights" if len(facts) > FACTS_SHOWN else ""
        columns = ["subject", "relation", "object", "weight"]
        parts.append(
            table(f"Hop {number}: the facts that were read{more}", columns, rows)
            if rows
            else f"<p>Hop {number} read no fact: the question needs no more of them.</p>"
        )
    return "".join(parts)
