"""Captions the pictures of a tar with the official OpenAI client, as mcil caption does.

usage: client.py ARCHIVE.tar BASE_URL MODEL CALLS OUT.jsonl [--original]

A pool of processes reads and prepares the pictures: decoded, upright, at most 336 pixels on the longer side by a bicubic
filter, JPEG of quality 90 with 4:2:0 chroma. CALLS requests are under way at a time, and as many pictures again are ready
or in work. Prints how long it took without the imports.
"""

import asyncio
import base64
import io
import json
import os
import sys
import tarfile
import time
from concurrent.futures import ProcessPoolExecutor

import openai
from PIL import Image, ImageOps

archive, base_url, model, calls, out = sys.argv[1:6]
original = "--original" in sys.argv[6:]
PROMPT = "Write a detailed description."
LONGER = 336


def read(offset, size):
    with open(archive, "rb", buffering=0) as f:
        return os.pread(f.fileno(), size, offset)


def data_url(offset, size):
    encoded = read(offset, size)
    if not original:
        image = Image.open(io.BytesIO(encoded))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        w, h = image.size
        if max(w, h) > LONGER:
            image = image.resize((max(1, round(w * LONGER / max(w, h))), max(1, round(h * LONGER / max(w, h)))), Image.Resampling.BICUBIC)
        if image.mode not in ("RGB", "L"):
            image = image.convert("RGB")
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        encoded = buffer.getvalue()
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode("ascii")


async def ask(client, name, url):
    answer = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": PROMPT}]}],
        max_tokens=256,
        temperature=0,
        extra_body={"num_beams": 5, "repetition_penalty": 1.5, "length_penalty": 1.0},
    )
    choice = answer.choices[0]
    return {
        "id": name,
        "raw": choice.message.content,
        "finish_reason": choice.finish_reason,
        "model": answer.model,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
    }


async def run(pool):
    with tarfile.open(archive, "r:") as t:
        members = [(m.name.removeprefix("imagenet-r/"), m.offset_data, m.size) for m in t if m.isfile()]
    loop, ready = asyncio.get_running_loop(), asyncio.Queue(int(calls))
    lines = 0

    async def prepare():
        for name, offset, size in members:
            work = loop.run_in_executor(pool, data_url, offset, size) if pool else data_url(offset, size)
            await ready.put((name, work))
        for _ in range(int(calls)):
            await ready.put(None)

    async def worker(client, f):
        nonlocal lines
        while (item := await ready.get()) is not None:
            name, work = item
            record = await ask(client, name, await work if pool else work)
            f.write(json.dumps(record) + "\n")
            lines += 1

    with open(out, "w") as f:
        async with openai.AsyncOpenAI(base_url=base_url) as client:
            await asyncio.gather(prepare(), *(worker(client, f) for _ in range(int(calls))))
    return lines


def main():
    began = time.perf_counter()
    if original:  # a pool would only move the bytes once more
        lines = asyncio.run(run(None))
    else:
        with ProcessPoolExecutor() as pool:
            lines = asyncio.run(run(pool))
    print(json.dumps({"pictures": lines, "seconds": time.perf_counter() - began}))


main()
