"""Sizes and normal values of transformers' ViLT processor, and bytes resized by Pillow, for processor_golden_test.go.
usage: processor_golden.py > processor_golden.json (made with transformers 5.23.0, pillow 13.0.0, numpy 2.4.6)
"""

import hashlib
import json
import random
import sys

import numpy as np
import PIL
import transformers
from PIL import Image
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil, get_resize_output_image_size

rng = random.Random(384)
processor = ViltImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)


def noise(n):
    """n bytes of the generator that the test has too."""
    x, out = 1, bytearray(n)
    for i in range(n):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = x >> 24
    return bytes(out)


def size(w, h, short, patch):
    image = np.broadcast_to(np.uint8(0), (3, h, w))
    h, w = get_resize_output_image_size(image, short, int(1333 / 800 * short), patch, "channels_first")
    return [w, h]


sizes = []
for short, patch in (384, 32), (128, 16), (96, 16):
    for i in range(700):
        w, h = rng.randint(1, 4000), rng.randint(1, 4000)
        if i % 3 == 0:
            h = max(1, min(4000, round(w / rng.choice([1, 4 / 3, 3 / 2, 639 / 384, 16 / 9, 20.2, 20.3, 10.3]))))
        sizes.append([short, patch, w, h] + size(w, h, short, patch))

resized = []
pairs = [(1, 1, 384, 384), (2, 3, 64, 32), (500, 375, 512, 384), (333, 500, 384, 576), (384, 384, 384, 384), (384, 500, 384, 224),
         (500, 384, 224, 384), (640, 480, 512, 384), (1000, 50, 608, 32), (37, 700, 32, 608), (1201, 903, 512, 384), (5, 5, 3, 4), (3000, 7, 20, 14)]
pairs += [tuple(rng.randint(1, 300) for _ in range(4)) for _ in range(40)]
for w, h, nw, nh in pairs:
    for mode, channels in ("RGB", 3), ("L", 1):
        picture = Image.frombytes(mode, (w, h), noise(w * h * channels))
        out = picture.resize((nw, nh), Image.Resampling.BICUBIC).tobytes()
        resized.append({"mode": mode, "size": [w, h, nw, nh], "sha256": hashlib.sha256(out).hexdigest()[:16]})

# A whole small picture, to see where bytes differ should they.
small = {"size": [7, 5, 6, 8], "pix": list(Image.frombytes("RGB", (7, 5), noise(105)).resize((6, 8), Image.Resampling.BICUBIC).tobytes())}

ramp = np.zeros((384, 384, 3), np.uint8)
ramp[0, :256, :] = np.arange(256)[:, None]
normal = processor(Image.fromarray(ramp), return_tensors="np")["pixel_values"][0, 0, 0, :256]
assert normal.dtype == np.float32

# The processor whole: [3, h, w], turned back into bytes, which loses nothing.
whole = []
for w, h in (500, 375), (120, 97), (1000, 330), (50, 900), (800, 800), (384, 512):
    out = processor(Image.frombytes("RGB", (w, h), noise(w * h * 3)), return_tensors="np")["pixel_values"][0]
    table = {v: i for i, v in enumerate(normal.tolist())}
    pix = bytes(table[v] for v in out.ravel().tolist())
    whole.append({"size": [w, h, out.shape[2], out.shape[1]], "sha256": hashlib.sha256(pix).hexdigest()[:16]})

json.dump({
    "made": f"transformers {transformers.__version__}, pillow {PIL.__version__}, numpy {np.__version__}",
    "sizes": sizes, "resized": resized, "small": small, "whole": whole, "normal": normal.view(np.uint32).tolist(),
}, sys.stdout, separators=(",", ":"))
print()
