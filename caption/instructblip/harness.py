"""What the tests share: an adapter as a process, the model without it, requests, and a recording endpoint."""

import base64
import http.client
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from PIL import Image
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor

import tiny
from adapter import KEY_VARIABLE
from protocol import Answer

PROMPT = "Write a detailed description."


class Adapter:
    """A running adapter."""

    def __init__(self, model: str | Path, *args: str, key: str = "", env: dict[str, str] | None = None) -> None:
        self.key = key
        program = Path(__file__).with_name("adapter.py")
        command = [sys.executable, str(program), f"--model={model}", "--port=0", "--threads=1", *args]
        environment = {**os.environ, KEY_VARIABLE: key, **(env or {})}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self._log: list[str] = []
        self._reading = threading.Thread(target=lambda: self._log.extend(self.process.stderr), daemon=True)
        self._reading.start()
        line = self.process.stdout.readline()
        if not (found := re.search(r"http://\S+", line)):
            self.stop()
            raise AssertionError(f"the adapter did not start: {line}{self.log}")
        self.url = found[0]
        self.address = urlsplit(self.url).netloc

    @property
    def log(self) -> str:
        return "".join(self._log)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._reading.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def send(
        self, body: Any, *, path: str = "/v1/chat/completions", headers: dict[str, str] | None = None
    ) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.address, timeout=120)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            connection.request("POST", path, data, {"Content-Type": "application/json", **key, **(headers or {})})
        except OSError:
            connection.close()
            raise
        return connection

    def ask(self, body: Any, **more: Any) -> tuple[int, dict[str, Any], http.client.HTTPMessage]:
        connection = self.send(body, **more)
        try:
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.headers
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def text(self, body: Any) -> str:
        status, answer, _ = self.ask(body)
        if status != 200:
            raise AssertionError(f"{status} {answer}")
        return answer["choices"][0]["message"]["content"]

    def await_waiting(self, n: int) -> None:
        deadline = time.monotonic() + 60
        while self.get("/healthz")[1]["waiting"] != n:
            if time.monotonic() > deadline:
                raise AssertionError(f"never {n} waiting")
            time.sleep(0.01)


def said(answer: dict[str, Any]) -> Answer:
    """What a chat completion says."""
    choice, usage = answer["choices"][0], answer["usage"]
    if usage["total_tokens"] != usage["prompt_tokens"] + usage["completion_tokens"]:
        raise AssertionError(f"a wrong sum: {usage}")
    return Answer(choice["message"]["content"], choice["finish_reason"], usage["prompt_tokens"], usage["completion_tokens"])


class Direct:
    """The same checkpoint by transformers alone, as its documentation shows it."""

    def __init__(self, folder: Path) -> None:
        self.processor = InstructBlipProcessor.from_pretrained(folder)
        self.model = InstructBlipForConditionalGeneration.from_pretrained(folder).eval()

    def answer(self, picture: bytes, prompt: str = PROMPT, **decoding: Any) -> Answer:
        tokenizer = self.processor.tokenizer
        inputs = self.processor(images=Image.open(io.BytesIO(picture)).convert("RGB"), text=prompt, return_tensors="pt")
        output = self.model.generate(
            **inputs, **decoding, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
        )
        prompt_tokens = tiny.QUERY_TOKENS + len(tokenizer(prompt).input_ids)
        new = output[0, 1:] if self.model.config.text_config.is_encoder_decoder else output[0, prompt_tokens:]
        ended = new[-1].item() == tokenizer.eos_token_id  # alone in its batch, so that nothing follows
        text = self.processor.batch_decode(new[None], skip_special_tokens=True)[0].strip()
        return Answer(text, "stop" if ended else "length", prompt_tokens, len(new))


def picture(seed: int, side: int = 80, format: str = "PNG") -> bytes:
    pixels = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)).numpy()
    out = io.BytesIO()
    Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST).save(out, format)
    return out.getvalue()


def data_url(encoded: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(encoded).decode()


def request(kind: str, seed: int = 0, prompt: str = PROMPT, *, encoded: bytes | None = None, **fields: Any) -> dict[str, Any]:
    url = data_url(picture(seed) if encoded is None else encoded)
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": prompt}]
    return {"model": f"tiny-{kind}", "messages": [{"role": "user", "content": content}], **fields}


@contextmanager
def recorder(adapter: Adapter) -> Iterator[tuple[str, list[tuple[dict[str, Any], dict[str, Any]]]]]:
    """An endpoint that hands everything on to the adapter, and what was asked and answered."""
    exchanges: list[tuple[dict[str, Any], dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection(adapter.address, timeout=300)
            kept = {k: v for k, v in self.headers.items() if k in ("Content-Type", "Authorization")}
            connection.request(self.command, self.path, body, kept)
            response = connection.getresponse()
            answer = response.read()
            connection.close()
            if body:
                exchanges.append((json.loads(body), json.loads(answer)))
            self.send_response(response.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _forward

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", exchanges
    finally:
        server.shutdown()
        server.server_close()
