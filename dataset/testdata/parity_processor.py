"""Pictures of many kinds, and what transformers' ViltImageProcessorPil makes of them. usage: parity_processor.py FOLDER COUNT

Written into FOLDER: pictures, index.jsonl with a line for each (file, kind, and the new w and h), and FILE.rgb with the
resized bytes, [3, h, w].
"""

import json
import logging
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
logging.disable(logging.WARNING)
import numpy as np
import PIL
import transformers
from PIL import Image, ImageFile
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

ImageFile.MAXBLOCK = 1 << 22  # progressive files are written in one go
folder, count = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(32)
processor = ViltImageProcessorPil(do_rescale=False, do_normalize=False)


def draw(w, h):
    """Something between a photograph and a drawing: smooth colour, edges and grain."""
    small = rng.integers(0, 256, (int(rng.integers(2, 12)), int(rng.integers(2, 12)), 3), np.uint8)
    a = np.asarray(Image.fromarray(small).resize((w, h), Image.Resampling.BICUBIC)).astype(int)
    for _ in range(8):
        x, y = rng.integers(0, w), rng.integers(0, h)
        a[y:y + rng.integers(1, h), x:x + rng.integers(1, w)] = rng.integers(0, 256, 3)
    a += rng.integers(-12, 13, a.shape) * int(rng.integers(0, 3))
    return Image.fromarray(a.clip(0, 255).astype(np.uint8))


kinds = {
    "444": dict(subsampling=0), "422": dict(subsampling=1), "420": dict(subsampling=2), "420 progressive": dict(subsampling=2, progressive=True),
    "444 progressive": dict(subsampling=0, progressive=True), "grey": {}, "cmyk": {}, "png": None, "png grey": None, "png alpha": None,
}
with open(f"{folder}/index.jsonl", "w") as index:
    for i in range(count):
        kind = list(kinds)[i % len(kinds)]
        long = int(rng.integers(60, 1100))
        short = max(40, int(long / rng.choice([1, 1.2, 4 / 3, 1.5, 1.8, 3.1])))
        picture = draw(*((long, short) if rng.integers(2) else (short, long)))
        if "grey" in kind:
            picture = picture.convert("L")
        elif kind == "cmyk":
            picture = picture.convert("CMYK")
        elif kind == "png alpha":
            picture.putalpha(Image.fromarray(rng.integers(0, 256, (picture.height, picture.width), np.uint8)))
        file = f"{i:04}.{'png' if kinds[kind] is None else 'jpg'}"
        options = {} if kinds[kind] is None else dict(quality=int(rng.integers(30, 101)), **kinds[kind])
        picture.save(f"{folder}/{file}", **options)
        with Image.open(f"{folder}/{file}") as opened:
            out = processor(opened.convert("RGB"), return_tensors="np")["pixel_values"][0]
        assert out.dtype == np.uint8
        out.tofile(f"{folder}/{file}.rgb")
        print(json.dumps({"file": file, "kind": kind, "w": out.shape[2], "h": out.shape[1]}), file=index)
print(f"transformers {transformers.__version__}, pillow {PIL.__version__}")
