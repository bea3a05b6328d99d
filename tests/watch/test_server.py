"""The server over plain HTTP: what it gives to whom."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fedray.errors import UserError
from fedray.watch.server import is_loopback
from tests.analysis.pages import a_round, a_run


def ask(address: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    place = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = (answer.status, answer.headers, answer.read())
    connection.close()
    return found


def news(address: str, count: int) -> list[dict]:
    """The first `count` runs that the stream reports."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    connection.request("GET", "/news")
    answer, found = connection.getresponse(), []
    while len(found) < count:
        event = answer.readline()
        if event.startswith(b"event: "):
            answer.readline()
        elif event.startswith(b"data: "):
            found.append(json.loads(event[6:]))
    connection.close()
    return found


def test_the_page_needs_no_network_and_lets_no_other_page_in(watching, tmp_path: Path) -> None:
    address = watching(a_run(tmp_path / "run").path)
    status, headers, page = ask(address, "/")
    assert status == 200
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert b"http" not in page.replace(b"https://", b"http")
    assert ask(address, "/assets/plotly.js")[0] == 200
    assert ask(address, "/assets/page.js")[1]["Content-Type"].startswith("text/javascript")
    assert ask(address, "/assets/..%2fserver.py")[0] == 404
    assert ask(address, "/", Host="evil.example")[0] == 400


def test_news_come_for_every_run_and_again_when_it_grows(watching, tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs" / "one")
    a_run(tmp_path / "runs" / "two", method="fedit")
    address = watching(tmp_path / "runs")
    assert {view["name"] for view in news(address, 2)} == {"one", "two"}
    run.append_round(a_round(4, 8, 0.9))
    deadline = time.monotonic() + 20
    while max(view["rounds"] for view in news(address, 2)) < 4:
        assert time.monotonic() < deadline


def test_a_round_is_given_on_demand_and_wrong_ones_are_said(watching, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    address = watching(run.path)
    news(address, 1)
    status, _, body = ask(address, "/round?run=run&round=2")
    assert (status, json.loads(body)["round"], len(json.loads(body)["devices"])) == (200, 2, 8)
    assert ask(address, "/round?run=run&round=9")[0] == 404
    assert ask(address, "/round?run=..%2f..&round=1")[0] == 404
    assert ask(address, "/round?run=run&round=-1")[0] == 400
    (run.path / "devices.jsonl").write_text('{"round": 1, "eaten": true}\n')
    status, _, body = ask(address, "/round?run=run&round=1")
    assert status == 422
    assert b"not those of a run" in body


def test_beyond_loopback_nothing_is_told_without_the_token(watching, tmp_path: Path) -> None:
    address = watching(a_run(tmp_path / "run").path, "--bind", "0.0.0.0")
    token = address.partition("?token=")[2]
    assert len(token) > 20
    for path in ("/", "/news", "/round?run=run&round=1", "/assets/page.js", "/?token=wrong"):
        assert ask(address, path)[0] == 401
    assert ask(address, "/", Authorization=f"Bearer {token}")[0] == 200
    assert ask(address, "/", Authorization="Bearer")[0] == 401
    status, headers, _ = ask(address, f"/?token={token}")
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert ask(address, "/", Cookie=cookie.partition(";")[0])[0] == 200


def test_ctrl_c_ends_it_even_while_somebody_listens(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fedray", "watch", str(a_run(tmp_path / "run").path), "--port", "0"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    address = server.stdout.readline().split()[-1]
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    connection.request("GET", "/news")
    connection.getresponse().readline()
    os.kill(server.pid, signal.SIGINT)
    _, err = server.communicate(timeout=30)
    connection.close()
    assert server.returncode in (0, 130)
    assert "Traceback" not in err


def test_wrong_words_are_one_plain_error(fedray, tmp_path: Path) -> None:
    for words, said in (
        ([tmp_path / "nowhere"], "no such folder"),
        ([tmp_path, "--bind", "everywhere"], "--bind"),
        ([tmp_path, "--bind", "192.0.2.77", "--port", "0"], "192.0.2.77 is no address of this machine"),
    ):
        refused = fedray("watch", *words)
        assert refused.code == 2
        assert said in refused.err
        assert "Traceback" not in refused.err
    (tmp_path / "scenario.yaml").write_text("schema_version: 1\n")
    (tmp_path / "rounds.jsonl").write_text("nonsense\n")
    refused = fedray("watch", tmp_path)
    assert refused.code == 2
    assert "not the rounds of a run" in refused.err


def test_loopback_is_told_from_everything_else() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1")))
    with pytest.raises(UserError, match="--bind"):
        is_loopback("everywhere")
