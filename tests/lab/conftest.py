"""One laboratory and one browser for all tests of the folder."""

import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
from helpers import ROOT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
# The command, in a process that reports each connection to another computer.
WATCHED = """
import sys

def watch(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        outside = isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1")
    else:
        outside = event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "localhost")
    if outside:
        print("OUTSIDE", event, arguments, file=sys.stderr, flush=True)

sys.addaudithook(watch)
from kvnet.lab.command import main

if __name__ == "__main__":
    sys.exit(main())
"""


def start(*arguments):
    """Start the laboratory; return its process, its address, its token and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "--no-browser", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed = ""
    while process.poll() is None and "ends it" not in printed:
        printed += process.stdout.readline()
    address = re.search(r"(http://127\.0\.0\.1:(\d+))/\w+/\?access_token=(\S+)", printed)
    assert address, printed + process.stderr.read()
    return SimpleNamespace(
        process=process,
        printed=printed,
        open_at=address[0],
        root=address[1],
        port=int(address[2]),
        token=address[3],
    )


def stop(laboratory):
    """Press Ctrl-C; return the exit code, the seconds that it took, and standard error."""
    began = time.monotonic()
    laboratory.process.send_signal(signal.SIGINT)
    _, errors = laboratory.process.communicate(timeout=20)
    return laboratory.process.returncode, time.monotonic() - began, errors


@pytest.fixture(scope="session")
def laboratory():
    """A laboratory for all tests, which ends cleanly and has connected to nothing outside."""
    running = start()
    yield running
    children = psutil.Process(running.process.pid).children(recursive=True)
    code, seconds, errors = stop(running)
    assert (code, errors) == (0, "")
    assert seconds < 5
    assert psutil.wait_procs(children, timeout=5)[1] == []


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install -e '.[test]'"
    )
    if BROWSER is None:
        pytest.skip("no chromium to open a page with: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser, laboratory):
    """A window that has opened the printed address; a request to another host fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    outside = []
    context.on("request", lambda request: note_outside(request.url, laboratory, outside))
    context.new_page().goto(laboratory.open_at)
    yield context
    assert outside == []
    context.close()


def note_outside(address, laboratory, outside):
    """Note an address that is not the laboratory's, and not part of the page itself."""
    if not address.startswith((laboratory.root + "/", "data:", "blob:")):
        outside.append(address)
