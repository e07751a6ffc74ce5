"""Tests of the adapter with tiny models, and of mcil against it: MCIL_BIN=bin/mcil python test_adapter.py."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import transformers
import uvicorn
from PIL import Image
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

import tiny
from adapter import Limits, Service, application
from harness import PROMPT, Adapter, Direct, data_url, picture, recorder, request, said
from model import Model, decode, digest
from protocol import Answer, ApiError, Decoding

KINDS: tuple[tiny.Kind, ...] = ("t5", "vicuna")
KEY = "a-key-for-tests"
CLASSES, PER_CLASS = 20, 6

work: Path
models: dict[str, Path] = {}


def setUpModule() -> None:
    global work
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    work = Path(tempfile.mkdtemp(prefix="instructblip-"))
    unittest.addModuleCleanup(shutil.rmtree, work)
    for kind in KINDS:
        models[kind] = work / f"tiny-{kind}"
        tiny.make(kind, models[kind])


@unittest.skipUnless(os.environ.get("MCIL_BIN"), "MCIL_BIN does not name the binary")
class TestMcil(unittest.TestCase):
    def test_whole_set(self) -> None:
        mcil = os.environ["MCIL_BIN"]
        subprocess.run(
            [mcil, "synth", "--out", work / "synth", "--classes", str(CLASSES), "--per-class", str(PER_CLASS)],
            check=True, capture_output=True,
        )  # fmt: skip
        for kind in KINDS:
            with self.subTest(kind):
                self._whole_set(mcil, kind)

    def _whole_set(self, mcil: str, kind: str) -> None:
        adapter = Adapter(models[kind], key=KEY)
        self.addCleanup(adapter.stop)
        out = work / f"captions-{kind}"
        with recorder(adapter) as (endpoint, exchanges):
            done = subprocess.run(
                [mcil, "caption", "--source", work / "synth", "--out", out, "--endpoint", endpoint, "--model", f"tiny-{kind}"],
                env={**os.environ, "OPENAI_API_KEY": KEY}, capture_output=True, text=True, timeout=540,
            )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr + adapter.log)

        records = [json.loads(line) for journal in out.rglob("*.jsonl") for line in journal.read_text().splitlines()]
        captions = {r["id"]: r["raw"] for r in records if r.get("raw")}
        self.assertEqual(len(captions), CLASSES * PER_CLASS)
        answered = {answer["choices"][0]["message"]["content"] for _, answer in exchanges}
        self.assertLessEqual(set(captions.values()), answered)
        self.assertGreater(len(answered), CLASSES, "the captions must depend on the picture")

        direct = Direct(models[kind])
        searches = [exchange for exchange in exchanges if exchange[0]["temperature"] == 0]  # asked again, mcil may sample
        self.assertGreaterEqual(len(searches), CLASSES * PER_CLASS)
        for asked, answer in searches[:: len(searches) // 20][:20]:
            parts = {part["type"]: part for part in asked["messages"][0]["content"]}
            sent = base64.b64decode(parts["image_url"]["image_url"]["url"].partition(",")[2])
            penalties = ("repetition_penalty", "length_penalty")  # JSON has 2 for 2.0
            want = direct.answer(
                sent, parts["text"]["text"], do_sample=False, max_new_tokens=asked["max_tokens"], num_beams=asked["num_beams"],
                **{name: float(asked[name]) for name in penalties},
            )  # fmt: skip
            self.assertEqual(said(answer), want)
        sizes = {int(size): n for size, n in adapter.get("/healthz")[1]["batches"].items()}
        self.assertEqual(sum(size * n for size, n in sizes.items()), len(exchanges))
        self.assertLess(sum(sizes.values()), len(exchanges) / 2, f"batches are too small: {sizes}")
        print(
            f"\n{kind}: {len(captions)} captions, {len(set(captions.values()))} different; batches {sizes}; 20 equal direct calls"
        )


class TestAnswers(unittest.TestCase):
    """One adapter of each kind, that waits long for a batch to fill."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.adapters = {}
        for kind in KINDS:
            cls.adapters[kind] = Adapter(models[kind], "--max-wait-ms", "300")
            cls.addClassCleanup(cls.adapters[kind].stop)
        cls.direct = {kind: Direct(models[kind]) for kind in KINDS}

    def test_decoding_fields(self) -> None:
        cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({}, {"num_beams": 5, "repetition_penalty": 1.5, "length_penalty": 1.0, "max_new_tokens": 256}),
            ({"max_tokens": 4, "num_beams": 1, "repetition_penalty": 1.0}, {"max_new_tokens": 4}),
            ({"max_completion_tokens": 6, "num_beams": 3, "repetition_penalty": 2, "length_penalty": -1},
             {"max_new_tokens": 6, "num_beams": 3, "repetition_penalty": 2.0, "length_penalty": -1.0}),
            ({"max_tokens": 30, "min_tokens": 25, "num_beams": 2, "repetition_penalty": 1.2},
             {"max_new_tokens": 30, "min_new_tokens": 25, "num_beams": 2, "repetition_penalty": 1.2}),
        ]  # fmt: skip
        reasons = set()
        for kind in KINDS:
            for fields, direct in cases:
                for seed in range(3):
                    with self.subTest(kind, fields=fields, seed=seed):
                        status, answer, _ = self.adapters[kind].ask(request(kind, seed, **fields))
                        self.assertEqual(status, 200, answer)
                        got = said(answer)
                        self.assertEqual(got, self.direct[kind].answer(picture(seed), do_sample=False, **direct))
                        reasons.add(got.finish_reason)
        self.assertEqual(reasons, {"stop", "length"})

    def test_sampling(self) -> None:
        fields = {"temperature": 0.9, "top_p": 0.9, "top_k": 20, "min_p": 0.02, "max_tokens": 12, "min_tokens": 12}
        for kind, adapter in self.adapters.items():
            with self.subTest(kind), ThreadPoolExecutor(12) as pool:
                first = adapter.text(request(kind, seed=7, **fields) | {"seed": 5})
                torch.manual_seed(5)
                direct = {**fields, "max_new_tokens": 12, "min_new_tokens": 12, "repetition_penalty": 1.5}
                del direct["max_tokens"], direct["min_tokens"]
                self.assertEqual(first, self.direct[kind].answer(picture(7), do_sample=True, **direct).text)

                # In a crowd: the same seed again, other seeds, none, and searches.
                crowd = [{"seed": 5}, {"seed": 6}, {}, {}, {"seed": 5}, {"temperature": 0}, {"seed": 7}, {}]
                texts = list(pool.map(lambda more: adapter.text(request(kind, 7, **fields) | more), crowd))
                self.assertEqual({texts[0], texts[4]}, {first})
                self.assertEqual(len({texts[i] for i in (0, 1, 2, 3, 6, 7)}), 6, texts)

    def test_batches(self) -> None:
        prompts = [PROMPT, "What is unusual about this image?", "dog", "Write a short description of the picture for the book."]
        cases = [(seed, prompt) for seed in range(6) for prompt in prompts]
        for kind, adapter in self.adapters.items():
            with self.subTest(kind), ThreadPoolExecutor(len(cases)) as pool:
                before = adapter.get("/healthz")[1]["batches"]
                together = list(pool.map(lambda c: adapter.text(request(kind, *c, max_tokens=20)), cases))
                after = adapter.get("/healthz")[1]["batches"]
                alone = [adapter.text(request(kind, *c, max_tokens=20)) for c in cases]
                self.assertEqual(together, alone)
                batches = sum(after.values()) - sum(before.values())
                self.assertLessEqual(batches, 12, "24 questions of 4 prompts")
                want = [
                    self.direct[kind].answer(picture(s), p, num_beams=5, repetition_penalty=1.5, max_new_tokens=20).text
                    for s, p in cases
                ]
                self.assertEqual(together, want)

    def test_models(self) -> None:
        for kind, adapter in self.adapters.items():
            status, listed = adapter.get("/v1/models")
            self.assertEqual((status, [m["id"] for m in listed["data"]]), (200, [f"tiny-{kind}"]))
            self.assertEqual(listed["data"][0]["revision"], digest(models[kind]))
            self.assertEqual(adapter.get(f"/v1/models/tiny-{kind}"), (200, listed["data"][0]))
            self.assertEqual(adapter.get("/v1/models/another")[0], 404)


class TestRefusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        limits = [
            "--max-body-bytes",
            "100000",
            "--max-pixels",
            "1000000",
            "--max-tokens",
            "460",
            "--max-queue",
            "2",
            "--max-wait-ms",
            "500",
        ]
        cls.adapter = Adapter(models["vicuna"], *limits, key=KEY)
        cls.addClassCleanup(cls.adapter.stop)

    def _refused(self, got: tuple[int, dict[str, Any], Any], status: int, says: str, param: str | None = None) -> None:
        self.assertEqual(got[0], status, got[1])
        self.assertEqual(set(got[1]), {"error"})
        error = got[1]["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertIn(says, error["message"])
        if param is not None:
            self.assertEqual(error["param"], param)
        self.assertNotIn("Traceback", json.dumps(error))
        self.assertLess(len(error["message"]), 400)

    def test_bodies(self) -> None:
        def content(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
            return {"model": "tiny-vicuna", "messages": [{"role": role, "content": list(parts)}]}

        text = {"type": "text", "text": PROMPT}
        image = {"type": "image_url", "image_url": {"url": data_url(picture(1))}}

        def url(u: str) -> dict[str, Any]:
            return content({"type": "image_url", "image_url": {"url": u}}, text)

        bomb = io.BytesIO()
        Image.new("1", (4000, 4000)).save(bomb, "PNG")
        good = request("vicuna")
        cases: list[tuple[Any, int, str, str | None]] = [
            (b"{", 400, "JSON", None),
            (b"[" * 50_000, 400, "", None),
            (b"[]", 400, "", None),
            (b"\xff\xfe", 400, "", None),
            ({"model": "tiny-vicuna"}, 400, "messages", "messages"),
            (good | {"model": "gpt-4o"}, 404, "gpt-4o", "model"),
            (good | {"messages": []}, 400, "messages", "messages"),
            (good | {"messages": good["messages"] * 2}, 400, "messages", "messages"),
            (content(image, text, role="system"), 400, "role", "messages.0.role"),
            (content(text), 400, "0 pictures", "messages"),
            (content(image, image, text), 400, "2 pictures", "messages"),
            (content(image), 400, "text", "messages"),
            (content(image, {"type": "input_audio"}), 400, "messages", None),
            (url("http://127.0.0.1/a.png"), 400, "fetches nothing", "messages"),
            (url("file:///etc/passwd"), 400, "fetches nothing", "messages"),
            (url("data:text/plain;base64,AAAA"), 400, "data:image", "messages"),
            (url("data:image/png,AAAA"), 400, "base64", "messages"),
            (url("data:image/png;base64,A!AA"), 400, "base64", "messages"),
            (url("data:image/png;base64,Ä"), 400, "base64", "messages"),
            (url("data:image/png;base64,"), 400, "broken", "messages"),
            (request("vicuna", encoded=picture(1)[:-60]), 400, "broken", "messages"),
            (request("vicuna", encoded=b"<svg/>"), 400, "broken", "messages"),
            (request("vicuna", encoded=bomb.getvalue()), 413, "4000 by 4000", "messages"),
            (request("vicuna", prompt="x" * 9000), 400, "8192 characters", "messages"),
            (request("vicuna", prompt="what " * 100), 400, "Q-Former", "messages"),
            (request("vicuna", prompt="an <image> here"), 400, "<image>", "messages"),
            (request("vicuna", max_tokens=461), 400, "460", "max_tokens"),
            (request("vicuna", "", "what " * 40, encoded=picture(1), max_tokens=460), 400, "512", "max_tokens"),
            (request("vicuna", max_tokens=0), 400, "max_tokens", "max_tokens"),
            (request("vicuna", max_tokens=True), 400, "max_tokens", "max_tokens"),
            (request("vicuna", max_tokens=5, max_completion_tokens=6), 400, "differ", "max_tokens"),
            (request("vicuna", max_tokens=5, min_tokens=6), 400, "min_tokens", "min_tokens"),
            (request("vicuna", num_beams=17), 400, "16", "num_beams"),
            (request("vicuna", temperature="hot"), 400, "temperature", "temperature"),
            (request("vicuna", temperature=1e-9), 400, "temperature", "temperature"),
            (json.dumps(request("vicuna", temperature=float("nan"))).encode(), 400, "", None),
            (request("vicuna", top_p=0), 400, "top_p", "top_p"),
            (request("vicuna", n=2), 400, "n ", "n"),
            (request("vicuna", stream=True), 400, "stream", "stream"),
            (request("vicuna", presence_penalty=0.5), 400, "presence_penalty", "presence_penalty"),
            (request("vicuna", stop=["."]), 400, "stop", "stop"),
            (request("vicuna", no_repeat_ngram_size=3), 400, "no_repeat_ngram_size", "no_repeat_ngram_size"),
            (request("vicuna", guided_json={}), 400, "guided_json", "guided_json"),
            (b" " * 150_000, 413, "100000 bytes", None),
            (b" " * 5_000_000, 413, "100000 bytes", None),
        ]  # fmt: skip
        for i, (body, status, says, param) in enumerate(cases):
            with self.subTest(i, says=says, param=param):
                try:
                    got = self.adapter.ask(body)
                except ConnectionError:
                    self.assertGreater(len(body), 200_000)  # given up while sending
                    continue
                self._refused(got, status, says, param)
        self.assertEqual(self.adapter.ask(good | {"user": "me", "n": 1, "stream": False})[0], 200)

    def test_key(self) -> None:
        good = request("vicuna")
        for header in ("", "Bearer", f"Bearer {KEY}x", KEY, "Bearer \xe9"):
            with self.subTest(header):
                got = self.adapter.ask(good, headers={"Authorization": header})
                self._refused(got, 401, "key")
                self.assertEqual(got[2]["WWW-Authenticate"], "Bearer")
                self.assertEqual(self.adapter.get("/v1/models", Authorization=header)[0], 401)
        self.assertEqual(self.adapter.get("/v1/models", Authorization=f"Bearer {KEY}")[0], 200)
        self.assertEqual(self.adapter.get("/healthz")[0], 200)
        self.assertNotIn(KEY, self.adapter.log)

    def test_routes(self) -> None:
        self._refused(self.adapter.ask({}, path="/v1/embeddings"), 404, "Not Found")
        self._refused((*self.adapter.get("/v1/chat/completions"), None), 405, "Method Not Allowed")
        self._refused((*self.adapter.get("/docs"), None), 404, "Not Found")
        self._refused(self.adapter.ask(request("vicuna"), headers={"Content-Type": "text/plain"}), 415, "application/json")

    def test_queue(self) -> None:
        adapter = self.adapter
        slow = request("vicuna", 3, max_tokens=450, min_tokens=450)
        first = adapter.send(slow)
        adapter.await_waiting(1)
        adapter.await_waiting(0)  # the model has it
        second = adapter.send(request("vicuna", 4))
        adapter.await_waiting(1)
        got = adapter.ask(request("vicuna"))
        self._refused(got, 429, "under way")
        self.assertGreaterEqual(int(got[2]["Retry-After"]), 1)

        second.close()  # one that goes away leaves the queue
        adapter.await_waiting(0)
        third = adapter.send(request("vicuna", 5))
        self.assertEqual(json.loads(first.getresponse().read())["usage"]["completion_tokens"], 450)
        self.assertEqual(third.getresponse().status, 200)
        first.close()
        third.close()


class TestFailures(unittest.TestCase):
    def test_model_fails(self) -> None:
        model = Model(models["t5"], device=torch.device("cpu"), dtype=torch.float32)
        broken = True

        def answer(questions: Any, decoding: Decoding) -> list[Answer]:
            if broken:
                raise RuntimeError("a secret of the server")
            return Model.answer(model, questions, decoding)

        with mock.patch.object(model, "answer", answer):
            service = Service(model, "tiny-t5", "r", Limits(), "")
        server = uvicorn.Server(uvicorn.Config(application(service), port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            adapter = Adapter.__new__(Adapter)
            adapter.key, adapter.address = "", f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            with self.assertLogs("adapter", "ERROR"):
                status, got, _ = adapter.ask(request("t5"))
            self.assertEqual((status, got["error"]["type"]), (500, "server_error"))
            self.assertNotIn("secret", json.dumps(got))
            self.assertEqual(adapter.get("/healthz")[0], 503)
            broken = False
            self.assertEqual(adapter.ask(request("t5"))[0], 200)
            self.assertEqual(adapter.get("/healthz")[0], 200)
        finally:
            server.should_exit = True
            thread.join()

    def test_out_of_memory(self) -> None:
        model = Model(models["t5"], device=torch.device("cpu"), dtype=torch.float32)
        questions = [model.prepare(PROMPT, picture(seed), 10**6) for seed in range(7)]
        decoding = Decoding(max_tokens=5)
        want = model.answer(questions, decoding)
        generate = model._generate

        def small(most: int) -> Any:
            def generate_some(questions: Any, decoding: Decoding) -> list[Answer]:
                if len(questions) > most:
                    raise torch.OutOfMemoryError
                return generate(questions, decoding)

            return mock.patch.object(model, "_generate", generate_some)

        with small(2), self.assertLogs("adapter", "WARNING"):
            self.assertEqual(model.answer(questions, decoding), want)
        with small(0), self.assertLogs("adapter", "WARNING"), self.assertRaises(ApiError) as caught:
            model.answer(questions, decoding)
        self.assertEqual(caught.exception.status, 503)


class TestCheckpoints(unittest.TestCase):
    def _texts(self, folder: Path, prompt: str = PROMPT, **options: Any) -> list[str]:
        model = Model(folder, device=torch.device("cpu"), dtype=torch.float32, **options)
        questions = [model.prepare(prompt, picture(seed), 10**6) for seed in range(6)]
        return [answer.text for answer in model.answer(questions, Decoding(max_tokens=20))]

    def _changed(self, kind: str, name: str, **fields: Any) -> Path:
        folder = Path(tempfile.mkdtemp(dir=work)) / f"tiny-{kind}"
        shutil.copytree(models[kind], folder)
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        return folder

    def test_old_files(self) -> None:
        """What some revisions on the Hub have."""
        for kind in KINDS:
            want = self._texts(models[kind])
            for name, fields in (
                ("processor_config.json", {"processor_class": "InstructBlipVideoProcessor"}),
                ("processor_config.json", {"num_query_tokens": None}),
                ("config.json", {"image_token_index": None}),
            ):
                with self.subTest(kind, name=name, **fields):
                    self.assertEqual(self._texts(self._changed(kind, name, **fields)), want)

    def test_answer_penalty(self) -> None:
        direct = Direct(models["vicuna"])
        prompt = " ".join(tiny.WORDS[30:85])  # likely words
        prompt_tokens = direct.answer(picture(1), prompt, max_new_tokens=1).prompt_tokens
        penalty = RepetitionPenaltyLogitsProcessor(1.5, prompt_ignore_length=prompt_tokens)
        more = {"num_beams": 5, "max_new_tokens": 20, "logits_processor": LogitsProcessorList([penalty])}
        want = [direct.answer(picture(seed), prompt, **more).text for seed in range(6)]
        self.assertEqual(self._texts(models["vicuna"], prompt, penalize_prompt=False), want)
        self.assertNotEqual(self._texts(models["vicuna"], prompt), want)
        self.assertEqual(self._texts(models["t5"], prompt, penalize_prompt=False), self._texts(models["t5"], prompt))

    def test_digest(self) -> None:
        folder = self._changed("t5", "config.json")
        (folder / "config.json").write_bytes((models["t5"] / "config.json").read_bytes())
        self.assertEqual(digest(folder), digest(models["t5"]))
        weights = folder / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-100] ^= 1
        weights.write_bytes(data)
        self.assertNotEqual(digest(folder), digest(models["t5"]))
        with weights.open("r+b") as f:  # larger than what is read whole
            f.truncate(64 << 20)
            before = digest(folder)
            f.seek(1 << 20)
            f.write(b"x" * (64 << 10))
        self.assertNotEqual(digest(folder), before)

    def test_hub(self) -> None:
        """A checkpoint in the Hub's cache, without a network."""
        commit = hashlib.sha1(b"a commit").hexdigest()
        cache = Path(tempfile.mkdtemp(dir=work))
        repo = cache / "hub" / "models--some--tiny-t5"
        shutil.copytree(models["t5"], repo / "snapshots" / commit)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(commit)
        adapter = Adapter("some/tiny-t5", env={"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"})
        self.addCleanup(adapter.stop)
        model = adapter.get("/v1/models")[1]["data"][0]
        self.assertEqual((model["id"], model["revision"]), ("some/tiny-t5", commit))
        body = request("t5") | {"model": "some/tiny-t5"}
        self.assertEqual(adapter.ask(body)[1]["system_fingerprint"], commit)

    def test_no_checkpoint(self) -> None:
        with self.assertRaisesRegex(AssertionError, "cannot load the model"):
            Adapter(work / "nowhere", env={"HF_HUB_OFFLINE": "1"})


class TestPictures(unittest.TestCase):
    def test_decode(self) -> None:
        for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
            self.assertEqual(decode(picture(1, format=format), 6400).size, (80, 80))
        with self.assertRaises(ApiError):
            decode(picture(1), 6399)

        turned = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned by 90 degrees
        Image.new("RGB", (30, 20)).save(turned, "JPEG", exif=exif)
        self.assertEqual(decode(turned.getvalue(), 10**6).size, (20, 30))

        for mode, color in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
            clear = io.BytesIO()
            Image.new(mode, (2, 2), color).save(clear, "PNG")
            self.assertEqual(decode(clear.getvalue(), 10**6).getpixel((0, 0)), (255, 255, 255))
        for value in (0, 0x4000, 0xFFFF):
            deep = io.BytesIO()
            Image.new("I;16", (2, 2), value).save(deep, "PNG")
            self.assertEqual(decode(deep.getvalue(), 10**6).getpixel((0, 0)), (value >> 8,) * 3)


if __name__ == "__main__":
    unittest.main()
