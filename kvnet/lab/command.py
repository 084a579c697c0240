"""The command ``kvnet-lab``."""

import multiprocessing
import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from kvnet.cli.arguments import ArgumentParser, path_name, refuse_without_effect, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.errors import InputError
from kvnet.version import __version__

NEEDED = ("marimo", "matplotlib", "nbformat", "zmq")
LARGEST_PORT = 65_535


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    code : int
        0; otherwise as `exit_code` says. Ctrl-C in the laboratory ends the process with 0.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    return exit_code(parser.prog, lambda: _run(parser.parse_args(argv)))


def _run(arguments) -> int:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"the laboratory needs {missing[0]}; install it: pip install -e '.[lab]'")
    if arguments.export_notebooks is not None:
        refuse_without_effect(arguments, "--export-notebooks", ("export_notebooks",))
        from kvnet.lab.notebooks import export

        for path in export(Path(arguments.export_notebooks)):
            print(path)
        return 0
    _serve(arguments)


def _serve(arguments) -> NoReturn:
    os.environ["MARIMO_SKIP_UPDATE_CHECK"] = "1"
    from kvnet.lab import checkpoint
    from kvnet.lab.server import FIRST, HOST, TOKEN, application, listening_socket, serve

    os.environ.pop(checkpoint.VARIABLE, None)
    if arguments.checkpoint is not None:
        checkpoint.load(arguments.checkpoint)
    # uvicorn raises KeyboardInterrupt again once it has shut down.
    with suppress(KeyboardInterrupt), listening_socket(arguments.port) as listening:
        port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
        app = application(token, port)
        first = FIRST if checkpoint.fact_answerer() is None else "knowledge_base"
        address = f"http://{HOST}:{port}/{first}/?{TOKEN}={token}"
        print(
            f"The laboratory is open at\n\n  {address}\n\n"
            "It can be reached from this computer only, and only with the token in this address. "
            "Pages of\nother origins are refused. Code that you edit in it runs on this computer, "
            "with your rights.\nCtrl-C ends it.",
            flush=True,
        )
        if not arguments.no_browser:
            # In a thread: a browser of the terminal returns only when it is closed.
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        serve(listening, app)
    _exit()


def _exit() -> NoReturn:
    """End the process without its threads: a page may be in a training, which nothing awaits."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.stdout.flush()
    os._exit(0)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="kvnet-lab",
        description="Open the laboratory: try the networks and the gradients in the browser.",
    )
    parser.add_argument(
        "--checkpoint",
        type=path_name,
        metavar="FOLDER",
        help="ask the network of this folder instead of one that is trained on the spot",
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, LARGEST_PORT),
        default=0,
        metavar="N",
        help="the port to listen on (default: any that is free)",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="only print the address, open no browser"
    )
    parser.add_argument(
        "--export-notebooks",
        type=path_name,
        metavar="FOLDER",
        help="write the chapters to this folder as notebooks for Jupyter, and end",
    )
    parser.add_argument("--version", action="version", version=f"kvnet {__version__}")
    return parser
