"""Serves InstructBLIP by OpenAI's chat completions, for captioning: python adapter.py --model FOLDER_OR_HUB_NAME.

It listens on loopback unless told otherwise. Where INSTRUCTBLIP_API_KEY is set, that bearer key is asked for.
"""

import argparse
import asyncio
import hmac
import logging
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from batches import Batches
from model import Model, Question, locate
from protocol import ApiError, Decoding, completion, parse

log = logging.getLogger("adapter")

KEY_VARIABLE = "INSTRUCTBLIP_API_KEY"
CLIENT_WENT_AWAY = 499  # nobody reads it


@dataclass(frozen=True, slots=True)
class Limits:
    max_batch: int = 8  # questions
    max_wait_ms: float = 50  # how long a question waits for others
    max_queue: int = 256  # requests under way, the ones being answered among them
    max_body_bytes: int = 32 << 20
    max_pixels: int = 50_000_000  # of a picture
    max_tokens: int = 1024  # new tokens a request may ask for
    max_beams: int = 16
    body_timeout_s: float = 60


class Service:
    """What the routes share."""

    def __init__(self, model: Model, name: str, revision: str, limits: Limits, key: str) -> None:
        self.model, self.name, self.revision, self.limits = model, name, revision, limits
        self.started = int(time.time())
        self.batches: Batches[Question] = Batches(model.answer, most=limits.max_batch, wait_s=limits.max_wait_ms / 1000)
        self._key = key.encode()
        self._preparing = ThreadPoolExecutor(2, thread_name_prefix="prepare")
        self._under_way = 0

    def description(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "object": "model",
            "created": self.started,
            "owned_by": "local",
            "revision": self.revision,
            "dtype": str(self.model.dtype).removeprefix("torch."),
        }

    def authorize(self, request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        if self._key and not hmac.compare_digest(given, b"Bearer " + self._key):
            why = "the bearer key is missing or wrong"
            raise ApiError(401, why, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    async def chat(self, request: Request) -> Response:
        try:
            self.authorize(request)
            # A page in a browser can send other types to loopback without asking first.
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise ApiError(415, "the content type must be application/json")
            if self._under_way >= self.limits.max_queue:
                after = {"Retry-After": str(self.batches.retry_after_s())}
                why = f"{self._under_way} requests are under way: try again later"
                raise ApiError(429, why, code="queue_full", headers=after)
        except ApiError:
            await self._read(request, keep=False)  # else a client that is still sending might not see the answer
            raise
        self._under_way += 1
        try:
            return await self._answer(request)
        finally:
            self._under_way -= 1

    async def _answer(self, request: Request) -> Response:
        body = await self._read(request)
        loop = asyncio.get_running_loop()
        question, decoding = await loop.run_in_executor(self._preparing, self._prepare, body)
        del body
        answer = asyncio.create_task(self.batches.ask(question, decoding, question.shape))
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                log.info("a client went away")
                return Response(status_code=CLIENT_WENT_AWAY)
            if answer.cancelled():
                raise ApiError(503, "the server is stopping")
            return JSONResponse(
                completion(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), self.name, self.revision, answer.result())
            )
        finally:
            answer.cancel()
            gone.cancel()

    def _prepare(self, body: bytes) -> tuple[Question, Decoding]:
        asked = parse(body)
        if asked.model != self.name:
            why = f"the model {asked.model[:100]!r} is not served: {self.name!r} is"
            raise ApiError(404, why, param="model", code="model_not_found")
        decoding = asked.decoding()
        for param, value, most in (
            ("max_tokens", decoding.max_tokens, self.limits.max_tokens),
            ("num_beams", decoding.num_beams, self.limits.max_beams),
        ):
            if value > most:
                raise ApiError(400, f"{param}: {value} is more than this server's {most}", param=param)
        question = self.model.prepare(*asked.question(), self.limits.max_pixels)
        self.model.check(question, decoding)
        return question, decoding

    async def _read(self, request: Request, *, keep: bool = True) -> bytes:
        """The body. One over the limit is read for a while yet, without being kept, so that its client sees the answer."""
        most = self.limits.max_body_bytes
        read, parts = 0, []
        try:
            async with asyncio.timeout(self.limits.body_timeout_s):
                async for part in request.stream():
                    read += len(part)
                    if keep and read <= most:
                        parts.append(part)
                    else:
                        parts.clear()
                    if read > 2 * most:
                        break
        except TimeoutError:
            why = f"the body took longer than {self.limits.body_timeout_s:g} s"
            raise ApiError(408, why, headers={"Connection": "close"}) from None
        if keep and read > most:
            raise ApiError(413, f"the body has more than {most} bytes", headers={"Connection": "close"})
        return b"".join(parts)


async def _disconnected(request: Request) -> None:
    """Ends when the client has gone. The body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def application(service: Service) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        serving = asyncio.create_task(service.batches.serve())
        yield
        serving.cancel()

    app = FastAPI(title="InstructBLIP", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        return await service.chat(request)

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        service.authorize(request)
        return {"object": "list", "data": [service.description()]}

    @app.get("/v1/models/{name:path}")
    async def model(request: Request, name: str) -> dict[str, Any]:
        service.authorize(request)
        if name != service.name:
            raise ApiError(404, "this model is not served", param="model", code="model_not_found")
        return service.description()

    @app.get("/healthz")
    async def health() -> Response:
        batches = service.batches
        state = {"status": "failing" if batches.failed else "ok", "waiting": batches.waiting, "batches": batches.sizes}
        return JSONResponse(state, 503 if batches.failed else 200)

    @app.exception_handler(ApiError)
    async def refused(_: Request, e: ApiError) -> Response:
        return JSONResponse(e.body(), e.status, e.headers)

    @app.exception_handler(HTTPException)
    async def unrouted(_: Request, e: HTTPException) -> Response:
        return JSONResponse(ApiError(e.status_code, str(e.detail)).body(), e.status_code, e.headers)

    @app.exception_handler(ClientDisconnect)
    async def went_away(_: Request, e: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_WENT_AWAY)

    @app.exception_handler(Exception)
    async def broken(_: Request, e: Exception) -> Response:  # the server's log gets the traceback
        return JSONResponse(ApiError(500, "internal error: see the server's log").body(), 500)

    return app


def main() -> None:
    limits = Limits()
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="folder of a checkpoint, or its name on the Hub")
    p.add_argument("--revision", help="branch, tag or commit on the Hub")
    p.add_argument("--name", help="the model's name to clients (default: the name on the Hub, or of the folder)")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8000, help="0: any free one (default: 8000)")
    p.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: cuda where there is one)")
    p.add_argument("--dtype", choices=["float32", "float16", "bfloat16"], help="default: bfloat16 on CUDA, else float32")
    p.add_argument("--threads", type=int, help="CPU threads of the model")
    p.add_argument("--answer-penalty", action="store_true", help="Vicuna: do not penalize repeating the prompt (as LAVIS)")
    for name, what in (
        ("max_batch", "questions a batch"),
        ("max_wait_ms", "how long a question waits for others"),
        ("max_queue", "requests under way; more get 429"),
        ("max_body_bytes", "a request's body"),
        ("max_pixels", "of a picture"),
        ("max_tokens", "new tokens a request may ask for"),
        ("max_beams", "beams a request may ask for"),
    ):
        default = getattr(limits, name)
        p.add_argument("--" + name.replace("_", "-"), type=type(default), default=default, help=f"{what} (default: {default})")
    p.add_argument("--verbose", action="store_true", help="a line for every batch")
    a = p.parse_args()

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    log.setLevel(logging.INFO if a.verbose else logging.WARNING)
    transformers.logging.set_verbosity_error()
    if a.threads:
        torch.set_num_threads(a.threads)
    device = torch.device(a.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = getattr(torch, a.dtype or ("bfloat16" if device.type == "cuda" else "float32"))
    key = os.environ.get(KEY_VARIABLE, "")
    if not key and a.host not in ("127.0.0.1", "::1", "localhost"):
        log.warning("listening on %s without a key: set %s to ask for one", a.host, KEY_VARIABLE)
    try:
        folder, revision = locate(a.model, a.revision)
        model = Model(folder, device=device, dtype=dtype, penalize_prompt=not a.answer_penalty)
    except Exception as e:
        log.debug("loading", exc_info=True)
        sys.exit(f"adapter: cannot load the model {a.model}: {e}")
    name = a.name or (Path(a.model).resolve().name if Path(a.model).is_dir() else a.model)
    if a.answer_penalty:
        revision += "+answer-penalty"  # it changes captions
    given = {f: getattr(a, f) for f in Limits.__dataclass_fields__ if hasattr(a, f)}
    service = Service(model, name, revision, Limits(**given), key)

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            for socket in (s for server in self.servers for s in server.sockets):
                host, port = socket.getsockname()[:2]
                print(f"serving {name} at http://{f'[{host}]' if ':' in host else host}:{port}/v1", flush=True)

    Server(
        uvicorn.Config(
            application(service),
            host=a.host,
            port=a.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=120,  # longer than clients keep idle connections, so that they never send into a closing one
            timeout_graceful_shutdown=60,
        )
    ).run()


if __name__ == "__main__":
    main()
