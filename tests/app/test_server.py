"""The server: what visitors get and what they cannot get, seats, kernels that end, tokens, base URLs, stopping."""

import asyncio
import json
import os
import re
import select
import signal
import socket
import time
import uuid
from contextlib import asynccontextmanager, contextmanager

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import websocket_connect

import served
from where_to_run import cli
from where_to_run.app import door, kernels
from where_to_run.app.kernels import VisitorKernels

QUERY = "from voila.utils import get_query_string\nprint('query:', get_query_string())\nslider"
SLIDER = """import sys; sys.modules["rfc3987_syntax"] = None  # as the package does
import ipywidgets
hidden_name = ipywidgets.IntSlider(description="shown")
slider = hidden_name"""
CLOSED = [
    "small.ipynb",
    "voila/files/small.ipynb",
    "voila/files/x.svg",
    "voila/tree",
    "voila/render/small.ipynb",
    "voila/api/contents",
    "api/contents",
    "api/kernels",
    "api/sessions",
    "api/terminals",
    "api/kernelspecs",
    "files/small.ipynb",
    "lab",
    "tree",
    "voila/templates/x",
    "voila/templates/where_to_run/conf.json",
    "voila/templates/where_to_run/static/%2e%2e/index.html.j2",
    "voila/static/%2e%2e/app.py",
]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Two seats; a closed page keeps its seat for a minute unless it says that it closes."""
    folder = tmp_path_factory.mktemp("house")
    small = served.notebook(folder / "small.ipynb", SLIDER, QUERY)
    with served.app(folder, small, seats=2, warm=1, fill_delay_s=0, turn_s=0) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A base URL, a token, and a notebook that fails."""
    folder = tmp_path_factory.mktemp("guarded")
    failing = served.notebook(
        folder / "failing.ipynb", "1 + 1", "raise ValueError('an inner detail')", "print('after')"
    )
    with served.app(folder, failing, base_url="/deep/er/", token="sesame", seats=1) as server:
        yield server


def kernel_of(page):
    return re.search(r'"kernelId": "([-0-9a-f]+)"', page)[1]


def leave(server, reply, xsrf=True):
    """Close a page, as its script does."""
    token = re.search(r'data-xsrf="([^"]+)"', reply.body)[1]
    form = f"_xsrf={token}" if xsrf else "x=1"
    cookies = f"_xsrf={token}"
    return server.get(f"voila/api/shutdown/{kernel_of(reply.body)}", form.encode(), cookies).status


@contextmanager
def visit(server, path=""):
    reply = server.get(path)
    assert reply.status == 200, reply.body
    yield reply
    leave(server, reply)


def foreign(body):
    """Addresses of other hosts in a page."""
    return [url for url in re.findall(r"https?:/?/?[\w.]+", body) if "127.0.0.1" not in url and "w3.org" not in url]


def test_a_visitor_gets_the_page_and_no_code(house):
    with visit(house, "?preset=hospital&a=1") as reply:
        page = reply.body
    assert '<html lang="en">' in page and "<title>Where to run</title>" in page and page.count("<main>") == 1
    assert "query: preset=hospital&amp;a=1" in page and "widget-view+json" in page
    assert "hidden_name" not in page and "import" not in re.sub(r"remoteEntry|<script.*?</script>", "", page)
    assert foreign(page) == []
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "object-src 'none'" in policy and "http" not in policy
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_example_is_shown_first_and_says_that_it_is_one(house):
    def page():
        with visit(house) as reply:
            return reply.body if 'id="example"' in reply.body else None

    body = served.wait_until(page)
    opening = body[: body.index("rendered_cells")]
    assert "An example: the default scenario" in opening and "class='bottom-line'" in opening
    assert opening.count("<figure>") == 1 and foreign(opening) == []
    with visit(house, "?preset=hospital") as reply:
        assert 'id="example"' not in reply.body and "Your scenario is loading" in reply.body


@pytest.mark.parametrize("path", CLOSED)
def test_files_and_apis_are_closed(house, path):
    reply = house.get(path)
    assert reply.status in (403, 404) and "hidden_name" not in reply.body and "Traceback" not in reply.body
    assert foreign(reply.body) == []


def test_another_template_is_not_taken(house):
    with visit(house, "?template=reveal&theme=dark") as reply:
        assert "reveal" not in re.sub(r"query:.*", "", reply.body) and "voila/templates/where_to_run/" in reply.body


@asynccontextmanager
async def channels(server, kernel):
    """A websocket to a kernel, as the page has one."""
    path = f"api/kernels/{kernel}/channels?session_id=s"
    line = await websocket_connect(server.url(path).replace("http://", "ws://"))
    yield line
    line.close()
    while await line.read_message() is not None:
        pass


def message(kind, **content):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "", "version": "5.3"}
    whole = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    return json.dumps(whole)


def test_a_visitor_can_run_no_code(house, tmp_path):
    target = tmp_path / "written"

    async def try_it(kernel):
        kinds = []
        async with channels(house, kernel) as line:
            await line.write_message(message("execute_request", code=f"open({str(target)!r}, 'w')", silent=False))
            await line.write_message(message("kernel_info_request"))
            while "kernel_info_reply" not in kinds:
                kinds.append(json.loads(await asyncio.wait_for(line.read_message(), 10))["msg_type"])
        return kinds

    with visit(house) as reply:
        kinds = asyncio.run(try_it(kernel_of(reply.body)))
    assert "execute_reply" not in kinds and "execute_input" not in kinds and not target.exists()


def test_a_page_of_another_site_cannot_connect(house):
    with visit(house) as reply:
        path = f"api/kernels/{kernel_of(reply.body)}/channels?session_id=s"
        assert house.upgrade(path, Origin="https://elsewhere.example") == 403
        assert house.upgrade(path, Origin=house.root.rstrip("/")) == 101


def test_who_finds_no_seat_is_told_the_place_in_the_line_and_served_when_a_page_closes(house):
    first, second = house.get(), house.get()
    with house.reading() as third, house.reading() as fourth:
        assert "wtr_place(1, true)" in third("wtr_place(1") and "wtr_place(2, true)" in fourth("wtr_place(2")
        assert leave(house, first, xsrf=False) == 403
        assert leave(house, first) == 204
        page = third("</html>")
        assert "shown" in page and "wtr_place(1, true)" in fourth("wtr_place(1")
    # the fourth has left the line, so the next seat is there for whoever comes
    leave(house, served.Reply(200, None, page))
    with visit(house):
        pass
    leave(house, second)


def test_a_line_too_long_turns_visitors_away(house, monkeypatch):
    manager = type("Manager", (VisitorKernels,), {"__init__": lambda self: None})()
    manager.line = {object(): "10.0.0.1" for _ in range(kernels.LONGEST_OF_ONE)}
    assert manager.crowded("10.0.0.1") and not manager.crowded("10.0.0.2")
    manager.line |= {object(): str(number) for number in range(kernels.LONGEST)}
    assert manager.crowded("10.0.0.2")


def test_nobody_but_a_kernel_of_this_server_may_wait_to_be_told_of_a_visitor(house):
    waiting = re.findall(r"Kernel started: (\S+)", house.logged())[-1]
    for kernel in (str(uuid.uuid4()), waiting):
        assert house.upgrade(f"voila/query/{kernel}") == 404
        assert house.upgrade(f"{'x' * 43}/voila/query/{kernel}") == 404
    with visit(house, "?preset=bank") as reply:
        assert "query: preset=bank" in reply.body


def test_what_a_kernel_prints_or_fails_with_and_broken_messages_stay_in_the_log(house):
    async def talk(kernel):
        seen = []
        async with channels(house, kernel) as line:
            # as a page that is not ours might: a widget without a state, then no message at all
            await line.write_message(message("comm_open", comm_id="x", target_name="jupyter.widget", data={"state": 7}))
            await line.write_message(message("kernel_info_request"))
            while not seen or json.loads(seen[-1])["msg_type"] != "kernel_info_reply":
                seen.append(await asyncio.wait_for(line.read_message(), 10))
            await line.write_message('{"header": 5, "channel": "shell"}')
        return "".join(seen)

    with visit(house) as reply:
        heard = asyncio.run(talk(kernel_of(reply.body)))
        assert "Traceback" not in heard and "site-packages" not in heard
    assert served.wait_until(lambda: "Exception opening comm" in house.logged())
    assert "a broken message, TypeError" in house.logged()


def test_half_a_request_and_an_answer_nobody_reads_are_given_up_and_one_address_holds_so_many_lines(monkeypatch):
    """In this process, with less patience than the server has."""
    monkeypatch.setattr(door, "PATIENCE_S", 0.3)
    monkeypatch.setattr(door, "CONNECTIONS", 3)

    class Endless(RequestHandler):
        async def get(self):
            for _ in range(200):
                self.write(b"x" * 1_000_000)
                await self.flush()

        def on_connection_close(self):
            ended.set()

    async def run():
        server = door.Door(Application([("/", Endless)]))
        (listening,) = bind_sockets(0, "127.0.0.1")
        server.add_sockets([listening])
        at = listening.getsockname()
        half, hole = await asyncio.open_connection(*at), await asyncio.open_connection(*at)
        third, fourth = await asyncio.open_connection(*at), await asyncio.open_connection(*at)
        assert await asyncio.wait_for(fourth[0].read(), 5) == b""  # one too many
        half[1].write(b"GET / HTT")
        hole[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await asyncio.wait_for(half[0].read(), 5) == b"" and await asyncio.wait_for(third[0].read(), 5) == b""
        await asyncio.wait_for(ended.wait(), 15)
        for _, writer in (half, hole, third, fourth):
            writer.close()
        server.stop()

    ended = asyncio.Event()
    asyncio.run(run())


def test_kernels_of_closed_pages_end_and_those_of_open_pages_and_of_the_pool_stay(tmp_path):
    small = served.notebook(tmp_path / "small.ipynb", SLIDER, QUERY)
    quick = {"warm": 1, "fill_delay_s": 0, "turn_s": 0, "grace_s": 1, "closed_s": 1, "cull_every_s": 1}

    async def open_one_and_close_one(server):
        opened = kernel_of(server.get().body)
        async with channels(server, opened):
            closed = kernel_of(server.get().body)
            gone = lambda: server.get(f"api/kernels/{closed}").status == 404  # noqa: E731
            await asyncio.to_thread(served.wait_until, gone)
            return server.get(f"api/kernels/{opened}").status

    with served.app(tmp_path, small, **quick) as server:
        assert asyncio.run(open_one_and_close_one(server)) == 200
        waiting = re.findall(r"Kernel started: (\S+)", server.logged())[-1]
        assert kernel_of(server.get().body) == waiting


def test_a_kernel_that_died_while_waiting_is_replaced(house):
    waiting = served.wait_until(lambda: house.kernels() if len(house.kernels()) == 1 else None)[0]
    handle = os.pidfd_open(waiting)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    assert select.select([handle], [], [], 30)[0]  # until all its threads are gone, the server takes it for alive
    os.close(handle)
    with visit(house) as reply:
        assert "shown" in reply.body
    assert "died while it waited" in house.logged()


def test_without_the_token_there_is_a_login_and_nothing_else(guarded):
    reply = guarded.get("?preset=hospital")
    assert reply.status == 302 and reply.headers["Location"].startswith("/deep/er/login?next=")
    login = guarded.get("login")
    assert login.status == 200 and 'action="/deep/er/login' in login.body and foreign(login.body) == []
    assert guarded.get("api/kernels/" + str(uuid.uuid4())).status == 403
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', login.body)[1]

    def log_in(word):
        return guarded.get("login", f"_xsrf={xsrf}&password={word}".encode(), f"_xsrf={xsrf}")

    begun = time.monotonic()
    refused = log_in("wrong")
    assert refused.status == 401 and "Invalid credentials" in refused.body
    assert guarded.get("?token=wrong").status == 302
    assert time.monotonic() - begun >= 2 * door.WRONG_S
    assert log_in("sesame&new_password=mine").status == 302 and log_in("mine").status == 401
    let_in = log_in("sesame")
    assert let_in.status == 302 and let_in.headers["Location"] == "/deep/er/"
    assert guarded.upgrade(f"api/kernels/{uuid.uuid4()}/channels") == 403


def test_with_the_token_everything_stands_below_the_base_url_and_a_failure_is_told_in_words(guarded):
    reply = guarded.get("?token=sesame")
    assert reply.status == 200 and "This page could not be made in full" in reply.body
    assert "inner detail" not in reply.body and "ValueError" not in reply.body and "after" not in reply.body
    assert "inner detail" in guarded.logged()
    linked = re.findall(r'(?:src|href)="([^"]+)"', reply.body)
    assert len(linked) > 5 and all(url.startswith(("/deep/er/", "#", "data:")) for url in linked)
    assert '"baseUrl": "/deep/er/"' in reply.body and "sesame" not in reply.body
    assert all(guarded.get(url.removeprefix("/deep/er/")).status == 200 for url in linked if url.startswith("/"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_every_kernel(tmp_path, number):
    small = served.notebook(tmp_path / "small.ipynb", SLIDER, QUERY)
    with served.app(tmp_path, small) as server:
        if number == signal.SIGTERM:  # with a visitor; the other signal comes while the first kernels start
            server.get()
        assert f"Open {server.root} in a browser. Ctrl-C here ends the app." in server.logged()
        kernels = served.wait_until(server.kernels)
        assert server.stop(number) == 0, server.logged()
    assert kernels and server.kernels() == [] and "Traceback" not in server.logged()
    assert "not trusted" not in server.logged() and "never awaited" not in server.logged()


def test_a_port_in_use_is_named_with_what_to_do(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["app", "--no-browser", "--port", str(port)]) == cli.REFUSED
    told = capsys.readouterr().err
    assert f"port {port} cannot be used" in told and f"where-to-run app --port {port + 1}" in told


def test_a_server_without_a_seat_or_with_an_empty_password_does_not_start(capsys, monkeypatch):
    assert cli.main(["app", "--no-browser", "--kernels", "0"]) == cli.REFUSED
    assert "--kernels 0: give 1 or more" in capsys.readouterr().err
    monkeypatch.setattr("getpass.getpass", lambda prompt: "")
    assert cli.main(["app", "--no-browser", "--password"]) == cli.REFUSED
    assert "let everybody in" in capsys.readouterr().err
    assert cli.main(["app", "--no-browser", "--token", " "]) == cli.REFUSED
    monkeypatch.setenv("WHERE_TO_RUN_TOKEN", "")
    assert cli.main(["app", "--no-browser"]) == cli.REFUSED
    assert capsys.readouterr().err.count("let everybody in") == 2


def test_jupyterlab_opens_without_news_updates_or_other_hosts(tmp_path):
    with served.lab(tmp_path) as server:
        page = server.get("lab/tree/notebooks/1_decide.ipynb")
        assert page.status == 200 and foreign(page.body) == []
        settings = json.loads(server.get("lab/api/settings/@jupyterlab/apputils-extension:notification").body)
        defaults = settings["schema"]["properties"]
        assert defaults["fetchNews"]["default"] == "false" and defaults["checkForUpdates"]["default"] is False
        assert json.loads(server.get("lab/api/news").body)["news"] == []
        assert json.loads(server.get("lab/api/update").body)["notification"] is None
        said = server.logged()
        assert "Open " + server.url("lab/tree/notebooks/1_decide.ipynb") + " in a browser. Ctrl-C here" in said
        assert "Warning" not in said and "not trusted" not in said and "encrypt" not in said
