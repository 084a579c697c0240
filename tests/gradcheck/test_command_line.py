"""``python -m kvnet.gradcheck``: the table, the exit code and the command of a failing case."""

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy
import pytest
from helpers import ROOT

from kvnet import gradcheck
from kvnet import operations as ops
from kvnet.gradcheck import checked_operations, command_line
from kvnet.gradcheck.cases import Case, Subject, registering
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.command_line import main
from kvnet.gradcheck.random_cases import random_cases, simplest_failure
from kvnet.gradcheck.separate_processes import Lost, in_processes
from kvnet.gradcheck.step_size_plot import STEPS, errors_by_step
from kvnet.gradcheck.survey import check_case, survey_case
from kvnet.gradcheck.table import PROGRAM


@pytest.fixture
def wrong_softmax(monkeypatch):
    """A softmax whose gradient is wrong where there is more than one slot."""

    def softmax(xp, scores, allowed=None):
        p, backward = original(xp, scores, allowed)
        return p, lambda dp: backward(dp) * (1 + 1e-6 * (p.shape[-1] > 1))

    original = ops.softmax
    monkeypatch.setattr(ops, "softmax", softmax)


def test_the_table(capsys):
    assert main(["--op", "embedding_sum"]) == 0
    out = capsys.readouterr().out
    for column in ("complex_step", "central_differences", "random_directions", "complex_step f32"):
        assert column in out
    assert "held constant: words (int64), encoding (float64 or float32)" in out
    assert "entries with zero gradient" in out
    assert out.endswith("all right\n")


def test_a_wrong_gradient_exits_with_1_and_shrinks_to_a_command(wrong_softmax, capsys):
    assert main(["--op", "softmax"]) == 1
    out, err = capsys.readouterr()
    assert "softmax (logits=ordinary): FAILS" in out
    assert "the gradient of scores is wrong at" in err
    command = next(line for line in err.splitlines() if "smallest" in line)
    assert "--case logits=ordinary,allowed=all,B=1,M=2,seed=0" in command
    arguments = shlex.split(command.partition(PROGRAM)[2])
    assert main(arguments) == 1
    assert "the gradient of scores is wrong at" in capsys.readouterr().err
    assert main([part.replace("M=2", "M=1") for part in arguments]) == 0


def test_one_method_and_dtype(capsys):
    arguments = ["--op", "linear", "--method", "random_directions", "--dtype", "float32"]
    assert main(arguments) == 0
    header = capsys.readouterr().out.splitlines()[0]
    assert header.split()[-2:] == ["random_directions", "f32"]
    assert "complex_step" not in header


def test_json_holds_every_row_and_failure(wrong_softmax, tmp_path, capsys):
    path = tmp_path / "gradcheck.json"
    assert main(["--op", "softmax", "--seed", "5", "--json", str(path)]) == 1
    document = json.loads(path.read_text())
    assert document["seed"] == 5
    assert document["numpy"] == numpy.__version__
    assert document["failures"][0]["command"].startswith(f"{PROGRAM} --op softmax")
    assert main(["--op", "hop", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert {(row["input"], row["method"]) for row in rows} >= {("matrix", "complex_step")}
    assert all(row["error"] <= row["tolerance"] for row in rows)


def test_the_same_seed_gives_the_same_table(capsys):
    outputs = []
    for seed in ("1", "1", "2"):
        main(["--op", "linear", "--seed", seed, "--method", "complex_step"])
        outputs.append(
            capsys.readouterr().out.splitlines()[:-2]
        )  # the last two lines contain the time
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.parametrize("subject", MODELS.values(), ids=MODELS)
def test_a_model_on_a_device(device, subject, capsys):
    parameters = {name: values[len(values) // 2] for name, values in subject.options().items()}
    case = ",".join(f"{name}={value}" for name, value in parameters.items())
    arguments = ["--backend", "cupy", "--model", subject.name, "--method", "complex_step"]
    assert main([*arguments, "--case", case]) == 0
    assert capsys.readouterr().out.endswith("all right\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--op", "softmux"], "invalid choice: 'softmux'"),
        (["--opp", "softmax"], "did you mean --op?"),
        (["--case", "B=1"], "--case needs the operation or model that it is a case of"),
        (
            ["--op", "hop", "--model", "memn2n", "--case", "B=1"],
            "--case is a case of one operation or model",
        ),
        (["--op", "softmax", "--case", "B=99"], "--case: 'B=99' is not valid for softmax"),
        (["--op", "softmax", "--case", "Q=1"], "--case: 'Q=1' is not valid for softmax"),
        (["--seed", "-1"], "'-1' is out of range"),
        (["--op", "hop", "--json", "missing/x.json"], "--json: the folder missing does not exist"),
    ],
    ids=str,
)
def test_invalid_arguments_exit_with_2_and_one_line(arguments, message, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_kernel_is_compared_with_its_textbook_operation(monkeypatch, capsys):
    kernels = {}

    @registering(kernels)()
    def fused_square(a, N):
        def square(x):
            return x**2, lambda dy: 2 * x * dy

        def kernel(x):
            y = numpy.empty(x.shape, x.dtype)  # does not accept complex numbers
            numpy.multiply(x, x, out=y)
            return y, lambda dy: 2 * x * dy

        return Case(kernel, (a.normal(N),), textbook=square)

    monkeypatch.setitem(OPERATIONS, "fused_square", kernels["fused_square"])
    assert "fused_square" in checked_operations.OPERATIONS
    assert main(["--op", "fused_square"]) == 0
    out = capsys.readouterr().out
    header = out.splitlines()[0]
    assert "equality" in header
    assert "central_differences" in header
    assert "complex_step" not in header
    assert "the output" in out


def test_the_plot_shows_the_error_of_each_method(tmp_path):
    path = tmp_path / "steps.png"
    assert main(["--op", "key_value_hops", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    errors = errors_by_step(OPERATIONS["key_value_hops"], numpy, 0)
    assert errors["complex step"][STEPS <= 1e-9].max() < 1e-13
    best = errors["central differences"].argmin()
    assert 1e-7 < STEPS[best] < 1e-3
    assert errors["central differences"][-1] > 1e-2
    assert errors["central differences"][best] < errors["forward differences"].min()


def run_in_checkout(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("module", ["gradcheck", "kvnet.gradcheck"])
def test_as_a_module(module):
    done = run_in_checkout("-m", module, "--op", "hop", "--method", "complex_step")
    assert done.returncode == 0, done.stderr
    assert "all right" in done.stdout


def test_help_of_the_folder_is_that_of_the_package():
    done = run_in_checkout("-m", "gradcheck", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {PROGRAM} ")


def test_the_folder_is_another_name_of_the_package():
    script = (
        "import gradcheck, gradcheck.report, kvnet.gradcheck.kinks, sys\n"
        "from gradcheck.kinks import Kink\n"
        "assert Kink is kvnet.gradcheck.kinks.Kink\n"
        "assert gradcheck is kvnet.gradcheck\n"
        "assert gradcheck.report is kvnet.gradcheck.report is sys.modules['gradcheck.report']\n"
        "assert kvnet.gradcheck.report.__spec__.name == 'kvnet.gradcheck.report'\n"
        "assert kvnet.gradcheck.report.__name__ == 'kvnet.gradcheck.report'\n"
    )
    done = run_in_checkout("-c", script)
    assert done.returncode == 0, done.stderr


def test_the_command_loads_each_module_once():
    script = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['--op', 'hop', '--method', 'complex_step']\n"
        "try:\n    runpy.run_module('gradcheck', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop:\n    print(stop.code)\n"
        "import kvnet.gradcheck\n"
        "print(*(name for name in sys.modules if name.startswith('gradcheck')))\n"
        "assert sys.modules['gradcheck'] is kvnet.gradcheck"
    )
    done = run_in_checkout("-c", script)
    assert done.stdout.splitlines()[-2:] == ["0", "gradcheck"], done.stderr


def test_the_command_needs_no_package_of_the_test_extra():
    script = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('hypothesis', 'pytest', 'matplotlib', 'autograd'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing)\n"
        "from kvnet.gradcheck.command_line import main\n"
        "sys.exit(main(['--op', 'hop', '--method', 'complex_step']))"
    )
    done = run_in_checkout("-c", script)
    assert done.returncode == 0, done.stderr


def hop_with_inputs_for_gradients(xp, u, o, matrix):
    s = u + o
    return s @ matrix.T, lambda d: (d @ matrix, d @ matrix, u.T @ s)


def partial_relu_with_inputs_for_gradients(xp, x, linear_size):
    passes = x.real > 0
    passes[:, :linear_size] = True
    return x * passes, lambda dy: x * passes


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("hop", hop_with_inputs_for_gradients),
        ("partial_relu", partial_relu_with_inputs_for_gradients),
    ],
)
@pytest.mark.parametrize("method", gradcheck.METHODS)
def test_inputs_in_place_of_the_output_s_gradient_are_seen(name, wrong, method, monkeypatch):
    monkeypatch.setattr(ops, name, wrong)
    subject = OPERATIONS[name]
    parameters = {option: values[-1] for option, values in subject.options().items()}
    survey = survey_case(subject, parameters | {"seed": 0}, [(method, "float64")], numpy)
    assert isinstance(survey.failure.error, gradcheck.GradientError)


def test_data_and_weights_are_independent_at_the_same_seed():
    drawn = {}

    def build(a):
        drawn["x"] = a.normal(20)
        return Case(lambda x: (x, lambda dy: drawn.setdefault("dy", dy)), (drawn["x"],))

    case = Subject("identity", build).case(numpy, "float64", {"seed": 3})
    check_case(case, "complex_step", 3)
    assert not numpy.isin(drawn["x"], drawn["dy"]).any()


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_return_every_outcome(processes):
    items = [2.0, "x", -1, 4.0]
    outcomes = dict(in_processes(math.sqrt, items, processes))
    assert (outcomes[2.0], outcomes[4.0]) == (math.sqrt(2), 2)
    assert isinstance(outcomes["x"], TypeError)
    assert isinstance(outcomes[-1], ValueError)


def test_a_process_that_crashes_or_does_not_end_is_lost_and_the_next_item_is_served():
    outcomes = list(in_processes(os._exit, [0], 1)) + list(
        in_processes(time.sleep, [60, 0], 1, time_limit=0.5)
    )
    assert outcomes == [(0, Lost("crash")), (60, Lost("time limit")), (0, None)]


def test_the_whole_table_is_the_same_in_processes(monkeypatch, capsys):
    monkeypatch.setattr(command_line, "OPERATIONS", {n: OPERATIONS[n] for n in ("hop", "linear")})
    monkeypatch.setattr(command_line, "MODELS", {})
    tables = []
    for cores in (1, 2):
        monkeypatch.setattr(command_line, "available_cores", lambda cores=cores: cores)
        assert main([]) == 0
        tables.append(capsys.readouterr().out.splitlines()[:-2])
    for name in ("hop", "linear"):
        assert main(["--op", name]) == 0
        tables.append(capsys.readouterr().out.splitlines()[:-2])
    assert tables[0] == tables[1] == tables[2] + tables[3][1:]


def test_counts_are_singular_and_plural(capsys):
    assert main(["--op", "l2_penalty", "--case", "N=1"]) == 0
    assert "1 operation in 1 variant; " in capsys.readouterr().out


def test_every_option_is_drawn_before_any_is_drawn_again():
    options = {"N": (1, 2, 3), "kind": ("a", "b")}
    cases = random_cases(options, 6, seed=4)
    assert cases == random_cases(options, 6, seed=4) != random_cases(options, 6, seed=5)
    for first in (0, 3):
        assert {case["N"] for case in cases[first : first + 3]} == {1, 2, 3}
    assert len({case["seed"] for case in cases}) == 6


def test_a_failure_is_simplified_parameter_by_parameter():
    options = {"N": (1, 2, 3, 5), "B": (1, 2), "kind": ("a", "b")}

    def fails(case):
        return case["N"] >= 3 and case["kind"] == "b"

    case = {"N": 5, "B": 2, "kind": "b", "seed": 99}
    assert simplest_failure(fails, options, case) == {"N": 3, "B": 1, "kind": "b", "seed": 0}


def test_ctrl_c_ends_the_command_and_its_processes():
    process = subprocess.Popen(
        [sys.executable, "-m", "kvnet.gradcheck"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in err.splitlines()[-1]
    assert "Traceback" not in err and "leaked" not in err
