"""Find the question files of the splits in folders and file names, and read them."""

import re
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import Questions, joined, read_questions
from kvnet.errors import InputError

SPLIT_OF_WORD = {
    "train": "training",
    "training": "training",
    "dev": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "testing",
    "testing": "testing",
}
SPLITS = ("training", "validation", "testing")
WORD = re.compile(r"[a-z]+")
HOPS_OF_FOLDER = re.compile(r"([123])-?hops?")
TYPES = "_qtype"


def find_question_files(
    names: Sequence[str], hops: Sequence[int], need_training: bool = True
) -> dict[str, list[tuple[Path, int]]]:
    """Return the files of each split with the number of hops of their questions.

    A folder is searched for MetaQA's files, ``1-hop/qa_train.txt`` and so on; if it has none, for
    text files with a split's name in theirs. A file belongs to the split that its name contains, or
    to the training questions.

    Parameters
    ----------
    names : sequence of str
        Files and folders. Where two folders have a file of MetaQA, the first is used.
    hops : sequence of int
        The numbers of hops to read of MetaQA's files.
    need_training : bool
        Whether there must be training questions.

    Returns
    -------
    files : dict of str to list of (Path, int)
        By split; the number of hops is 0 where it is not known.

    Raises
    ------
    InputError
        If a name does not exist, or there are no training questions although they are needed.
    """
    files = {split: [] for split in SPLITS}
    folders = []
    for name in names:
        path = Path(name)
        if not path.exists():
            raise InputError(f"--questions: {path} does not exist; check the path")
        if path.is_dir():
            folders.append(path)
        else:
            files[split_of(path) or "training"].append((path, _hops_of(path)))
    released = [folder for folder in folders if any(folder.glob("[123]-hop/qa_*.txt"))]
    for folder in folders:
        if folder not in released:
            _add_files_of(folder, files)
    if released:
        _add_released(released, hops, files, need_training)
    if need_training and not files["training"]:
        raise InputError(
            f"--questions: no training questions in {', '.join(map(str, names))}; add a file with "
            "train in its name"
        )
    return files


def split_of(path: Path) -> str | None:
    """Return the split that a file's name contains, such as ``qa_train.txt``."""
    splits = {
        SPLIT_OF_WORD[word] for word in WORD.findall(path.stem.lower()) if word in SPLIT_OF_WORD
    }
    if len(splits) > 1:
        raise InputError(
            f"--questions: {path} names several splits, {' and '.join(sorted(splits))}; rename it"
        )
    return splits.pop() if splits else None


def _hops_of(path):
    match = HOPS_OF_FOLDER.search(path.parent.name) or HOPS_OF_FOLDER.search(path.stem)
    return int(match[1]) if match else 0


def _add_files_of(folder, files):
    found = False
    for path in sorted(folder.glob("*.txt")):
        split = split_of(path)
        if split and not path.stem.endswith(TYPES):
            files[split].append((path, _hops_of(path)))
            found = True
    if not found:
        raise InputError(
            f"--questions: {folder} has no *.txt file with train, dev or test in its name; give "
            "the files themselves"
        )


def _add_released(folders, hops, files, need_training):
    for number in hops:
        for word, split in (("train", "training"), ("dev", "validation"), ("test", "testing")):
            name = f"{number}-hop/qa_{word}.txt"
            path = next((folder / name for folder in folders if (folder / name).exists()), None)
            if path:
                files[split].append((path, number))
            elif split == "training" and need_training:
                raise InputError(f"--questions: {_why_missing(folders, number, name)}")


def _why_missing(folders, number, name):
    places = " or ".join(map(str, folders))
    maker = next((f / "make_train.py" for f in folders if (f / "make_train.py").exists()), None)
    if maker is None:
        return f"{places} has no {name}; add it, or give another folder that has it as well"
    return (
        f"{places} has no {name}; make it in a folder of yours with 'mkdir -p MADE/{number}-hop && "
        f"python {maker} {number} {maker.parent} MADE/{name}' and add MADE to --questions"
    )


def read_question_files(
    files: dict[str, list[tuple[Path, int]]],
    base: KnowledgeBase,
    unknown_answers: str = "keep",
    unknown_entities: str = "refuse",
    known_words: Collection[str] = (),
    say: Callable[[str], None] = warnings.warn,
) -> dict[str, Questions]:
    """Read the files of each split; the training questions' words help to read the others.

    Parameters
    ----------
    files : dict of str to list of (Path, int)
        From `find_question_files`.
    base : KnowledgeBase
    unknown_answers, unknown_entities, say
        As for `read_questions`.
    known_words : collection of str
        The words of training questions that are not in these files.

    Returns
    -------
    questions : dict of str to Questions
        By split; those without a file are missing.

    Raises
    ------
    InputError
        As `read_questions`.
    """
    folders = {path.parent.parent for paths in files.values() for path, _ in paths}
    questions, words = {}, set(known_words)
    for split, paths in files.items():
        if not paths:
            continue
        parts = [
            read_questions(
                path,
                base,
                hops,
                unknown_answers=unknown_answers,
                unknown_entities=unknown_entities,
                known_words=words,
                types=_types_of(path, folders),
                say=say,
            )
            for path, hops in paths
        ]
        questions[split] = joined(parts)
        if split == "training":
            words |= {word for text in questions[split].texts for word in text}
    return questions


def _types_of(path, folders):
    """Return the file of the types of some questions: beside them, or in another folder."""
    name = f"{path.stem}{TYPES}{path.suffix}"
    places = [path.with_name(name)]
    if HOPS_OF_FOLDER.fullmatch(path.parent.name):
        places += [folder / path.parent.name / name for folder in sorted(folders)]
    return next((place for place in places if place.exists()), None)
