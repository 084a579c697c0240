"""The GPU benchmark's own logic, on small sizes with the processor in the GPU's place."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from cuda_on_the_host import COMPILER, WHY_NOT
from strict_arrays import strict

from kvnet import backend

pytestmark = pytest.mark.skipif(COMPILER is None, reason=WHY_NOT)


@pytest.fixture
def gpu(monkeypatch):
    """Return the benchmark with a small configuration in each one's place."""
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    import gpu
    import gpu_measures
    import peers.workload

    class Small(peers.workload.RandomRecipe):
        def load(self, *args):
            settings, data = super().load(*args)
            return replace(settings, epochs=2, evaluation_interval=1), data

    small = Small(slots=3, vocabulary=6, batch_size=2, embedding_size=3, feature_size=4, hops=1)
    monkeypatch.setattr(gpu, "Recipe", lambda *args: small)
    sharing = {"large": small, "large, own stories": small._replace(questions_a_story=1, batches=1)}
    monkeypatch.setattr(gpu, "LARGE_SHARING", sharing)
    monkeypatch.setattr(gpu, "QUESTIONS_OF_LARGE_CHECK", 2)
    monkeypatch.setattr(gpu, "STARTS", (1, 2))
    monkeypatch.setattr(gpu_measures, "LARGE", 8)
    monkeypatch.setattr(gpu_measures, "REPETITIONS", 1)
    monkeypatch.setattr(gpu_measures, "COPIED_BYTES", 1 << 10)
    monkeypatch.setattr(gpu_measures, "machine", lambda xp: {})
    monkeypatch.setattr(gpu, "machine", lambda xp: {"gpu": "none"})
    event = SimpleNamespace(record=lambda: None, synchronize=lambda: None)
    monkeypatch.setattr(strict.cuda, "Event", lambda: event, raising=False)
    monkeypatch.setattr(strict.cuda, "get_elapsed_time", lambda *events: 2.0, raising=False)
    return gpu


def test_every_section_runs_and_is_written(gpu, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    code = gpu.main(["--json", str(path), "--rounds", "1", "--peers", "kvnet"])
    report = json.loads(path.read_text())
    found = {
        outcome["what"]: outcome
        for section in report["sections"].values()
        for outcome in section["outcomes"]
    }
    assert [name for name, section in report["sections"].items() if section["failed"]] == []
    assert [*report["sections"]] == [*gpu.SECTIONS]
    checks = [name for name, o in found.items() if o["met"] is False and "over" not in name]
    checks = [name for name in checks if "questions/s" not in name]
    assert checks == []  # only the speed of a processor misses its bars
    assert code == 1
    assert found["joint: questions/s, 2 starts"]["got"] == pytest.approx(2 * 4 * 2 / 0.002)
    assert capsys.readouterr().out.count("| joint: questions/s, 2 starts | 8,000 |") == 1


def test_a_wrong_step_is_found(gpu, monkeypatch):
    rule = gpu.Trainer

    def wrong(model, *args):
        trainer = rule(model, *args)
        if model.xp is strict:
            optimizer = trainer.optimizer
            optimizer.rule = optimizer.rule._replace(noise_deviation=2e-3)
        return trainer

    monkeypatch.setattr(gpu, "Trainer", wrong)
    outcomes = gpu.correctness(strict, SimpleNamespace(data_dir=None))
    assert False in (next(outcomes).met, next(outcomes).met)


def test_a_section_that_fails_leaves_the_others(gpu, tmp_path, monkeypatch):
    def breaks(xp, arguments):
        yield gpu.Outcome("measured before", 1.0)
        raise RuntimeError("broken\nin two lines")

    monkeypatch.setitem(gpu.SECTIONS, "joint", breaks)
    path = tmp_path / "gpu.json"
    assert gpu.main(["--json", str(path), "--sections", "joint,large"]) == 1
    sections = json.loads(path.read_text())["sections"]
    assert sections["joint"]["failed"] == "RuntimeError: broken"
    assert len(sections["joint"]["outcomes"]) == 1 and len(sections["large"]["outcomes"]) > 3


def test_without_a_gpu_it_ends_with_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", None)
    import gpu

    assert gpu.main(["--json", str(tmp_path / "gpu.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "gpu.json").exists()
