"""Measure whether answers are read from the facts that are given, or remembered from training.

A model is trained on a base and then asked about another one: the values of each relation are
shuffled among its facts, facts about new names are added, and facts are removed. One sentence of
each chain of relations is never trained on; its words occur in the chain's other sentences.

    python benchmarks/knowledge_base_reading.py --seeds 0,1,2
"""

import sys
from statistics import fmean

import numpy

from kvnet import Example, FactAnswerer, KnowledgeBase, QuestionAnswerer
from kvnet.cli.arguments import ArgumentParser, seed_list
from kvnet.cli.exit_code import exit_code
from kvnet.data.made_world import SENTENCES, made_world
from kvnet.data.relation_paths import follow, parse_path

ENTITIES = 100  # asked about per chain
SMALL_SENTENCES = {
    "made_by": ["who made []", "who is the maker of []", "the maker of [] is who"],
    "^made_by": ["what did [] make", "which things did [] make", "what things are made by []"],
    "costs": ["what does [] cost", "what is the price of []", "the price of [] is what"],
    "kept_in": ["where is [] kept", "in which room is []", "in which room is [] kept"],
    "made_by/^made_by": [
        "what else did the maker of [] make",
        "which other things did the maker of [] make",
        "what other things are made by the maker of []",
    ],
}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=seed_list, default=[0], help="such as 0,1,2 (0)")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments.seeds))


def _run(seeds) -> int:
    print("Share of the answers, mean over the seeds (lowest)")
    for name, base, sentences in (
        ("invented world", made_world(), SENTENCES),
        ("200 facts", small_base(), SMALL_SENTENCES),
    ):
        shares = [shares_of(base, sentences, seed) for seed in seeds]
        for measure in shares[0]:
            values = [of_seed[measure] for of_seed in shares]
            print(f"{name}: {measure}: {fmean(values):.4f} ({min(values):.4f})", flush=True)
    values = [question_answerer_share(seed) for seed in seeds]
    print(f"QuestionAnswerer, 20 facts: values exchanged: {fmean(values):.4f} ({min(values):.4f})")
    return 0


def small_base() -> KnowledgeBase:
    """Return 201 facts about 67 things, as someone may keep them."""
    things = [f"thing {n}" for n in range(67)]
    return KnowledgeBase.of_facts(
        fact
        for n, thing in enumerate(things)
        for fact in (
            (thing, "made_by", f"maker {n % 11}"),
            (thing, "costs", f"{n % 17 + 1} crowns"),
            (thing, "kept_in", f"room {n % 7}"),
        )
    )


def shares_of(base: KnowledgeBase, sentences: dict[str, list[str]], seed: int) -> dict[str, float]:
    """Train on a base and return the shares of the answers that follow another one."""
    rng = numpy.random.default_rng(seed)
    seen, unseen = held_out(sentences, rng)
    answerer = FactAnswerer(random_state=seed).fit(base, templates=seen)
    changed = shuffled(base, rng)
    return {
        "values exchanged": followed(answerer, base, changed, seen, rng),
        "values exchanged, sentences never seen": followed(answerer, base, changed, unseen, rng),
        "facts about new names found": found_under_new_names(answerer, base, seen, rng),
        "removed facts missed": missed(answerer, base, seen, rng),
    }


def held_out(sentences: dict[str, list[str]], rng) -> tuple[dict, dict]:
    """Hold out a sentence of each chain whose words occur in the chain's other sentences."""
    kept, drawn = {}, {}
    for path, texts in sentences.items():
        words = {
            text: {word for other in texts if other != text for word in other.split()}
            for text in texts
        }
        covered = [text for text in texts if set(text.split()) <= words[text]]
        drawn[path] = [covered[rng.integers(len(covered))]] if covered else []
        kept[path] = [text for text in texts if text not in drawn[path]]
    return kept, {path: texts for path, texts in drawn.items() if texts}


def shuffled(base: KnowledgeBase, rng) -> KnowledgeBase:
    """Return a base in which the values of each relation belong to other facts."""
    facts = base.facts.copy()
    for relation in range(len(base.relations)):
        rows = numpy.flatnonzero(facts[:, 1] == relation)
        facts[rows, 2] = facts[rng.permutation(rows), 2]
    return KnowledgeBase(base.entities, base.relations, facts)


def followed(answerer, base, changed, sentences, rng) -> float:
    """Return the share of right answers where none that was right before still is."""
    right = []
    for path, texts in sentences.items():
        chain = parse_path(path, base, "")
        entities = numpy.arange(len(base.entities))
        (before, starts), (now, new_starts) = (follow(b, chain, entities) for b in (base, changed))
        asked = 0
        for entity in rng.permutation(entities):
            old = set(before[starts[entity] : starts[entity + 1]].tolist())
            new = set(now[new_starts[entity] : new_starts[entity + 1]].tolist())
            if asked == ENTITIES or not old or not new or old & new:
                continue
            asked += 1
            best = _ask(answerer, texts[asked % len(texts)], base.entities[entity], changed).best
            right.append(best is not None and changed.find(best) in new)
    return fmean(right)


def found_under_new_names(answerer, base, sentences, rng) -> float:
    """Return the share of right answers to questions about names that training did not have."""
    right = []
    for relation in base.relations:
        if relation not in sentences:
            continue
        new = [(f"New Name {n}", relation, f"New Value {n}") for n in range(20)]
        extended = KnowledgeBase.of_facts([*base, *new])
        for subject, _, value in new:
            text = sentences[relation][rng.integers(len(sentences[relation]))]
            right.append(_ask(answerer, text, subject, extended).best == value)
    return fmean(right)


def missed(answerer, base, sentences, rng) -> float:
    """Return the share of questions about removed facts that get no answer."""
    right = []
    for relation in base.relations:
        if relation not in sentences:
            continue
        subjects = list(dict.fromkeys(s for s, r, _ in base if r == relation))
        removed = set(rng.permutation(subjects)[:20].tolist())
        smaller = KnowledgeBase.of_facts(f for f in base if f[1] != relation or f[0] not in removed)
        for subject in sorted(removed):
            if subject in smaller:
                text = sentences[relation][rng.integers(len(sentences[relation]))]
                right.append(_ask(answerer, text, subject, smaller).best is None)
    return fmean(right)


def _ask(answerer, sentence, name, base):
    return answerer.predict([sentence.replace("[]", f"[{name}]")], base)[0]


def question_answerer_share(seed: int) -> float:
    """Return the share of the answers of a QuestionAnswerer that follow reversed values."""
    keys, values = [f"capital country{n}" for n in range(20)], [f"town{n}" for n in range(20)]

    def examples(values):
        return [
            Example.of_memory(f"what is the capital of country{n}?", keys, values, value)
            for n, value in enumerate(values)
        ]

    asked = examples(values[::-1])
    answers = QuestionAnswerer(random_state=seed).fit(examples(values)).predict(asked)
    return fmean(a.word == e.answer for a, e in zip(answers, asked, strict=True))


if __name__ == "__main__":
    sys.exit(main())
