"""An editor's go-to-definition finds every operation that a model calls."""

import re

import jedi
import pytest
from helpers import ROOT

MODELS = ("key_value_memory_network", "memn2n", "memn2n_language_model")


@pytest.mark.parametrize("model", MODELS)
def test_an_editor_finds_the_definition_of_every_operation(model):
    path = ROOT / "kvnet/models" / f"{model}.py"
    source = path.read_text()
    script = jedi.Script(source, path=path, project=jedi.Project(ROOT))
    calls = [
        (number, match.start(1), match[1])
        for number, line in enumerate(source.splitlines(), start=1)
        for match in re.finditer(r"\bops\.(\w+)\(", line)
    ]
    assert calls
    for line, column, name in calls:
        (found,) = script.infer(line, column)
        assert (found.type, found.name) == ("function", name)
        assert found.module_name.startswith("kvnet.operations.")
