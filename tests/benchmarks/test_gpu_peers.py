"""The PyTorch peers for a GPU take the same steps as kvnet; tested on the CPU.

A direct call replaces each CUDA graph, and functions that would be compiled run uncompiled.
"""

from types import SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def workload():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from peers.workload import RandomSpec, Workload

    return Workload(RandomSpec(7, 30, 3, 6, 8, 9, length=5))


@pytest.fixture(scope="module")
def expected(workload):
    from peers import ON_A_GPU
    from peers.worker import Local
    from training_speed import first_steps

    reference = Local("reference", ON_A_GPU["reference"], workload)
    return first_steps(reference, workload.recipe.max_grad_norm)


@pytest.fixture
def peer(request, workload, monkeypatch):
    """Return a peer of the requested class that runs on the CPU."""
    from peers import torch_gpu, torch_graph, torch_usual

    def warmed_up(step):
        for _ in range(torch_graph.WARM_UPS):
            step()
        return step

    monkeypatch.setattr(torch_graph, "recorded", warmed_up)
    monkeypatch.setattr(torch_graph.TorchCompiledRecorded, "compiled_step", lambda p: p.step)
    if request.param == "usual":
        return torch_usual.TorchUsual(workload, 1, compile_step=False)
    module = torch_gpu if hasattr(torch_gpu, request.param) else torch_graph
    return getattr(module, request.param)(workload, 1, "cpu")


CLASSES = ["TorchGpu", "TorchGpuByHand", "TorchRecorded", "TorchCompiledRecorded"]


@pytest.mark.parametrize("peer", ["usual", *CLASSES, "TorchReduceOverhead"], indirect=True)
def test_a_peer_takes_the_same_steps(peer, workload, expected):
    from training_speed import compare, first_steps

    def run(method, *arguments):
        return getattr(peer, method)(*arguments)

    found = first_steps(run, workload.recipe.max_grad_norm)
    worker = SimpleNamespace(label=type(peer).__name__, threads=1)
    compare(worker, workload.starting_weights(), found, expected)


@pytest.mark.parametrize("peer", CLASSES, indirect=True)
def test_a_peer_draws_noise_except_for_nil_rows(peer, workload):
    results = []
    for _ in range(2):
        peer.start(workload.clip_norm, 1e-3)
        peer.train(range(4))
        results.append(peer.parameters())
    for name, weights in results[0].items():
        assert (weights != results[1][name]).any()
        assert name not in ("W", "W_mem") or not weights[0].any()
