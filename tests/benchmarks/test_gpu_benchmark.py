"""Tests of the GPU benchmark's own logic, at small sizes and with the CPU instead of a GPU."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from gpu_measures import counted_copies
from helpers.cuda_on_the_host import COMPILER, WHY_NOT
from helpers.strict_arrays import strict

from kvnet import backend

compiled = pytest.mark.skipif(COMPILER is None, reason=WHY_NOT)


@pytest.fixture
def gpu(monkeypatch):
    """Return the benchmark with a small configuration, and with kvnet in place of every peer."""
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    import gpu
    import gpu_measures
    import peers.workload

    class Small(peers.workload.RandomSpec):
        def load(self, *args):
            recipe, data = super().load(*args)
            return replace(recipe, epochs=2, evaluation_interval=1), data

    small = Small(slots=3, vocabulary=6, batch_size=2, embedding_size=3, feature_size=4, hops=1)
    monkeypatch.setattr(gpu, "BabiSpec", lambda *args: small)
    own_stories = small._replace(questions_per_story=1, batches=1)
    monkeypatch.setattr(gpu, "LARGE_SHARING", {"large": small, "large, own stories": own_stories})
    monkeypatch.setattr(gpu, "CHECKED_QUESTIONS", 2)
    monkeypatch.setattr(gpu, "SAME_BITS_STEPS", 5)
    monkeypatch.setattr(gpu, "STARTS", (1, 2))
    monkeypatch.setattr(gpu_measures, "LARGE", 8)
    monkeypatch.setattr(gpu_measures, "REPETITIONS", 1)
    monkeypatch.setattr(gpu_measures, "COPIED_BYTES", 1 << 10)
    monkeypatch.setattr(gpu, "commit", lambda: "c0ffee")
    monkeypatch.delenv("KVNET_DATA", raising=False)
    stand_in = peers.Kind("", "kvnet_itself", "reference")
    for name in (*gpu.EAGER, *gpu.CAPTURED):
        monkeypatch.setitem(gpu.ON_A_GPU, name, stand_in._replace(label=f"instead of {name}"))
    missing = stand_in._replace(label="instead of best", needs="a_missing_package")
    monkeypatch.setitem(gpu.ON_A_GPU, "best", missing)
    return gpu


def read(path):
    """Return a report, and its outcomes by quantity."""
    report = json.loads(path.read_text())
    sections = report["sections"].values()
    return report, {outcome["quantity"]: outcome for s in sections for outcome in s["outcomes"]}


@compiled
def test_every_section_runs_and_is_written(gpu, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    code = gpu.main(["--json", str(path), "--rounds", "1"])
    report, found = read(path)
    assert {name: s["failed"] for name, s in report["sections"].items() if s["failed"]} == {}
    assert [*report["sections"]] == [*gpu.SECTIONS]
    speed = ("over", "questions/s")
    missed = [name for name, outcome in found.items() if outcome["met"] is False]
    assert [name for name in missed if not any(word in name for word in speed)] == []
    assert code == 1  # the CPU misses the targets of speed

    eager, captured = (name for name in missed if "the fastest PyTorch" in name)
    assert "PyTorch eager" in eager and eager.endswith("; 2 of 3 peers ran")
    assert found[eager]["target"] == ">= 25" and found[captured]["target"] == ">= 5"
    prefix = "kvnet: speed-up over instead of"
    ratios = [o["value"] for name, o in found.items() if name.startswith(prefix)]
    assert len(ratios) == 2 + len(gpu.CAPTURED)
    assert found[eager]["value"] == min(ratios[:2])
    assert found[captured]["value"] == min(ratios[2:])
    unmeasured = [name for name, outcome in found.items() if outcome["value"] is None]
    assert [name for name in unmeasured if "a_missing_package" in name]

    table = capsys.readouterr().out
    assert "gpu: the CPU\n" in table and "commit: c0ffee\n" in table
    targets, figures = table.split("| all figures |")
    for name, outcome in found.items():
        assert figures.count(f"| {name} | ") == 1
        assert targets.count(f"| {name} | ") == (outcome["met"] is not None)


@compiled
def test_a_wrong_step_is_detected(gpu, monkeypatch):
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


def test_a_peer_that_does_different_work_is_skipped(gpu, tmp_path, monkeypatch):
    from peers.kvnet_itself import KvnetItself

    class Wrong(KvnetItself):
        def start(self, clip_norm, noise_deviation):
            super().start(2 * clip_norm, noise_deviation)

    def local(name, kind, workload):
        worker = make(name, gpu.ON_A_GPU["reference"]._replace(label=kind.label), workload)
        if name == "usual":
            worker.peer = Wrong(workload, 1, "reference")
        return worker

    make = gpu.Local
    monkeypatch.setattr(gpu, "Local", local)
    path = tmp_path / "gpu.json"
    arguments = ["--sections", "joint", "--rounds", "1", "--peers", "kvnet,usual,by-hand"]
    assert gpu.main(["--json", str(path), *arguments]) == 1
    _, found = read(path)
    skipped = [name for name, outcome in found.items() if outcome["value"] is None]
    assert len(skipped) == 1 and "differs from kvnet's reference" in skipped[0]
    assert [name for name in found if name.startswith("kvnet: speed-up over ")] == [
        "kvnet: speed-up over instead of by-hand"
    ]


def test_a_peer_that_fails_while_it_is_timed_is_skipped(gpu, tmp_path, monkeypatch):
    def seconds(xp, workload, worker, epoch):
        if worker.name == "usual" and epoch == 2:
            raise RuntimeError("an illegal memory access")
        return {"kvnet": 1.0, "usual": 20.0, "by-hand": 30.0}[worker.name]

    def local(name, kind, workload):
        return make(name, gpu.ON_A_GPU["reference"]._replace(label=kind.label), workload)

    make = gpu.Local
    monkeypatch.setattr(gpu, "Local", local)
    monkeypatch.setattr(gpu, "_seconds_per_step", seconds)
    path = tmp_path / "gpu.json"
    arguments = ["--sections", "joint", "--rounds", "2", "--peers", "kvnet,usual,by-hand"]
    assert gpu.main(["--json", str(path), *arguments]) == 0
    _, found = read(path)
    assert found["instead of usual: RuntimeError: an illegal memory access"]["value"] is None
    (outcome,) = (outcome for outcome in found.values() if outcome["target"])
    assert outcome["value"] == 30.0 and outcome["met"]
    assert outcome["quantity"].endswith("1 of 3 peers ran")


@pytest.fixture
def with_fake_sections(gpu, monkeypatch):
    """Return the benchmark with sections that measure nothing: one passes, two do not."""

    def passing(xp, arguments):
        yield gpu.Outcome("measured", 1.0, "<= 2", True)

    def failing(xp, arguments):
        yield gpu.Outcome("measured before", 1.0)
        raise RuntimeError("broken\nin two lines")

    def interrupted(xp, arguments):
        yield gpu.Outcome("measured in time", 1.0)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    sections = {"passing": passing, "failing": failing, "interrupted": interrupted}
    monkeypatch.setattr(gpu, "SECTIONS", sections)
    return gpu


def test_other_sections_run_after_a_failure(with_fake_sections, tmp_path):
    path = tmp_path / "gpu.json"
    assert with_fake_sections.main(["--json", str(path), "--sections", "failing,passing"]) == 1
    report, found = read(path)
    assert [*found] == ["measured before", "measured"]
    assert report["sections"]["failing"]["failed"] == "RuntimeError: broken"
    assert report["sections"]["passing"]["failed"] is None


def test_a_time_limit_keeps_finished_figures(with_fake_sections, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    sections = ["--sections", "passing,interrupted"]
    assert with_fake_sections.main(["--json", str(path), *sections]) == 130
    report, found = read(path)
    assert [*found] == ["measured", "measured in time"]
    assert report["sections"]["interrupted"]["failed"] == "interrupted"
    assert "| measured in time | 1 | " in capsys.readouterr().out


def test_sections_of_one_commit_are_collected_in_one_table(
    with_fake_sections, tmp_path, monkeypatch
):
    path, main = tmp_path / "gpu.json", with_fake_sections.main
    main(["--json", str(path), "--sections", "failing"])
    assert main(["--json", str(path), "--sections", "passing"]) == 1  # the other one failed
    assert [*read(path)[1]] == ["measured before", "measured"]
    monkeypatch.setattr(with_fake_sections, "commit", lambda: "deadbeef")
    assert main(["--json", str(path), "--sections", "passing"]) == 0
    assert [*read(path)[1]] == ["measured"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sections", "joint,larg"], "'larg' is not one of correctness, joint"),
        (["--peers", "usuall"], "'usuall' is not one of reference, kvnet"),
        (["--rounds", "0"], "whole number from 1"),
        (["--json", "missing/gpu.json"], "the folder missing does not exist"),
        (["--data-dir", "missing"], "missing"),
    ],
)
def test_a_usage_error_prints_one_line(gpu, flags, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        json_flags = [] if "--json" in flags else ["--json", "gpu.json"]
        sys.exit(gpu.main([*json_flags, *flags]))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert not (tmp_path / "gpu.json").exists()


def test_reduced_precision_is_refused(gpu, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "1")
    assert gpu.main(["--json", str(tmp_path / "gpu.json")]) == 2
    assert "CUPY_TF32=1 is set" in capsys.readouterr().err


def test_work_on_another_stream_is_refused(gpu, monkeypatch):
    monkeypatch.setattr(strict.cuda, "get_elapsed_time", lambda before, after: 1.0)
    with pytest.raises(RuntimeError, match="by device events"):
        gpu.seconds_on_device(strict, lambda: time.sleep(0.02))


def test_a_missing_gpu_is_reported_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", None)
    import gpu

    assert gpu.main(["--json", str(tmp_path / "gpu.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "gpu.json").exists()


def test_a_copy_is_counted_once():
    class Array:
        """An array whose methods call each other, as CuPy's do."""

        def get(self):
            return 3

        item = tolist = __float__ = __bool__ = get

        def __int__(self):
            return self.get()

    xp = SimpleNamespace(ndarray=Array, asarray=Array)
    with counted_copies(xp) as copies:
        assert int(Array()) == Array().get() == 3
    assert copies == ["__int__", "get"]
