"""Do masks keep what is drawn? For each masked exemplar of runs on drawn pictures: the share of pairs of a kept and a dropped
patch of which the kept one has more contrast (standard deviation of grey), 0.5 for patches at random.

    python3 contrast.py 'phases/masked_phases-10_seed-*' ...      # in the experiments' folder; needs numpy, pyarrow and pillow
"""

import glob
import statistics
import sys

import numpy as np
import pyarrow as pa
from PIL import Image


def exemplars(run):
    last = sorted(glob.glob(f"{run}/phase-*/memory.arrow"))[-1]
    with pa.memory_map(last) as f:
        return pa.ipc.open_file(f).read_all().select(["id", "grid_h", "grid_w", "patch_px", "patch_bits"]).to_pylist()


def share(e):
    h, w, px = e["grid_h"], e["grid_w"], e["patch_px"]
    grey = Image.open(f"drawn-src/{e['id']}").convert("L").resize((w * px, h * px), Image.BICUBIC)
    contrast = np.asarray(grey, float).reshape(h, px, w, px).transpose(0, 2, 1, 3).reshape(h * w, -1).std(1)
    kept = np.unpackbits(np.frombuffer(e["patch_bits"], np.uint8), bitorder="little")[: h * w].astype(bool)
    if kept.all():
        return None
    a, b = contrast[kept, None], contrast[None, ~kept]
    return (a > b).mean() + (a == b).mean() / 2


for pattern in sys.argv[1:]:
    runs = [[s for s in map(share, exemplars(run)) if s is not None] for run in sorted(glob.glob(pattern))]
    means = [statistics.mean(r) for r in runs]
    print(f"{pattern}: {statistics.mean(means):.2f} over {len(runs)} runs, {len(runs[0])} exemplars in the first")
