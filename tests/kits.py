"""Kits of the tests: the answer to each preset, once a process, names that try to break out, stand-ins for vendors."""

import contextlib
import json
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd

from where_to_run.batch.kit import triggers
from where_to_run.batch.kit.routing import recommended
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question

PRESETS = ("", *question.presets())


@cache
def answer(preset="", **changes):
    """The answer to a preset, with fields changed."""
    return evaluate(question.grid(preset, **changes), facts.load())


ENDS = ("", "\n", "\r\n", "\u2028", "\x85", "\x00", "\x1b[31m", "'", '"', "\\")
BODIES = (
    "- model_name: open",
    "---\n",
    "{{ evil }} ${HOME} $(reboot)",
    "`reboot` | **x** <b>",
    "*a &b !!python/object",
)
HOSTILE = [f"{end}{body}{end}: # {n}" for n, (end, body) in enumerate((e, b) for e in ENDS for b in BODIES)]
"""Names that would leave YAML, a shell line, Markdown or a comment, were they not written with care."""


class StandIns:
    """Endpoints of vendors and machines on loopback: the first part of a path says whose; `seen` who was asked for
    which model, `down` who answers nothing.
    """

    def __init__(self, port: int) -> None:
        self.port, self.seen, self.down = port, list[tuple[str, str]](), set[str]()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}/v1"


@contextlib.contextmanager
def stand_ins() -> Iterator[StandIns]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name, model = self.path.split("/")[1], body["model"]
            here.seen.append((name, model))
            if name in here.down:
                self.send_error(503)
                return
            said = anthropic(model) if self.path.endswith("/messages") else openai(model)
            content = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = StandIns(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield here
    server.shutdown()
    server.server_close()


def openai(model: str) -> dict:
    message = {"role": "assistant", "content": "yes"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": choices, "usage": usage}


def anthropic(model: str) -> dict:
    told = {"content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn"}
    return {
        "id": "1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    } | told


STAKES = pd.DataFrame(
    {
        "table": ["assumptions", "assumptions"],
        "key": ["api.retry_share", "router.usd_per_request"],
        "value": [0.02, 0.00002],
        "low": [0.0, 0.000005],
        "high": [0.08, 0.0001],
        "unit": ["share", "USD"],
        "option_at_low": ["RECOMMENDED", "RECOMMENDED"],
        "option_at_high": ["RECOMMENDED", "another"],
    }
)


def tell_stakes(monkeypatch):
    """Say by hand what is most at stake: to find it takes a minute, and its own tests hold it to what it should be."""
    monkeypatch.setattr(triggers, "at_stake", lambda answer: STAKES.replace("RECOMMENDED", recommended(answer)))
