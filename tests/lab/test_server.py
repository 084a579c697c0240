"""Who may use the laboratory: this computer, with the token, from its own pages."""

import http.client
import socket
import subprocess
import sys

import pytest
from helpers import ROOT

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
FOREIGN = ("http://evil.example", "http://127.0.0.1:1", "null", "https://127.0.0.1", "")


def get(laboratory, path, **headers):
    """Return the status and the headers of a request; ``_`` in a header's name is ``-``."""
    connection = http.client.HTTPConnection("127.0.0.1", laboratory.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=named)
    response = connection.getresponse()
    connection.close()
    return response.status, dict(response.getheaders())


@pytest.fixture(scope="module")
def cookie(laboratory):
    """The cookie that a browser has after it has opened the printed address."""
    status, headers = get(laboratory, f"/story/?access_token={laboratory.token}&a=b")
    assert status == 303
    assert headers["location"] == "/story/?a=b"
    assert "HttpOnly" in headers["set-cookie"]
    assert laboratory.token not in headers["set-cookie"]
    return headers["set-cookie"].partition(";")[0]


def test_it_says_who_can_use_it(laboratory):
    for text in ("from this computer only", "only with the token", "other origins are refused"):
        assert text in " ".join(laboratory.printed.split())


def test_it_listens_on_this_computer_only(laboratory):
    with socket.socket(socket.AF_INET) as elsewhere:
        # Another address of this computer: a server that listens on all of them would answer.
        assert elsewhere.connect_ex(("127.0.0.2", laboratory.port)) != 0


@pytest.mark.parametrize("path", ["/", "/story/", "/story/api/status", "/training/assets/x.js"])
@pytest.mark.parametrize("query", ["", "?access_token=", "?access_token=wrong"])
def test_nothing_without_the_token(laboratory, path, query):
    assert get(laboratory, path + query)[0] == 401


def test_no_websocket_without_the_token(laboratory):
    status, _ = get(laboratory, "/story/ws?session_id=s_test", Origin=laboratory.root, **UPGRADE)
    assert status == 403


def test_pages_with_the_cookie(laboratory, cookie):
    status, headers = get(laboratory, "/story/", Cookie=cookie)
    assert status == 200
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert get(laboratory, "/", Cookie=cookie)[0] == 307


def test_a_websocket_of_the_laboratorys_own_page(laboratory, cookie):
    headers = UPGRADE | {"Cookie": cookie}
    status, _ = get(laboratory, "/story/ws?session_id=s_test", Origin=laboratory.root, **headers)
    assert status == 101


@pytest.mark.parametrize("origin", FOREIGN)
def test_foreign_origins_are_refused(laboratory, cookie, origin):
    assert get(laboratory, "/story/", Cookie=cookie, Origin=origin)[0] == 403
    path = "/story/ws?session_id=s_test"
    assert get(laboratory, path, Cookie=cookie, Origin=origin, **UPGRADE)[0] == 403
    with_token = f"/story/?access_token={laboratory.token}"
    assert get(laboratory, with_token, Origin=origin)[0] == 403


def test_parts_of_foreign_pages_are_refused(laboratory, cookie):
    headers = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Cookie": cookie}
    assert get(laboratory, "/story/", **headers)[0] == 403
    headers |= {"Sec-Fetch-Mode": "navigate"}  # a link on another page
    assert get(laboratory, "/story/", **headers)[0] == 200


def test_other_host_names_are_refused(laboratory, cookie):
    host = f"evil.example:{laboratory.port}"
    assert get(laboratory, "/story/", Cookie=cookie, Host=host)[0] == 403
    assert get(laboratory, f"/story/?access_token={laboratory.token}", Host=host)[0] == 403


def test_a_taken_port_is_one_line(laboratory):
    done = subprocess.run(
        [sys.executable, "-m", "kvnet.lab", "--no-browser", "--port", str(laboratory.port)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"--port {laboratory.port} cannot be used (Address already in use)" in done.stderr
