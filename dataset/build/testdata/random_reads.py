"""Rows a second, read at random, by datasets and by pyarrow: medians of three rounds, as JSON. usage: random_reads.py DATASET"""

import bisect
import glob
import json
import random
import statistics
import sys
import time

import datasets
import pyarrow as pa

directory = sys.argv[1]


def rate(read, n, count):
    rates, rng = [], random.Random(5)
    for _ in range(3):
        places = [rng.randrange(n) for _ in range(count)]
        start = time.perf_counter()
        for i in places:
            read(i)
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def batches(tables):
    """Record batches with the first row of each, so that a row is found as fast as can be in Python."""
    parts, starts, n = [], [], 0
    for b in tables:
        parts.append(b)
        starts.append(n)
        n += b.num_rows
    return parts, starts, n


def by_pyarrow(parts, starts):
    names = parts[0].schema.names

    def read(i):
        k = bisect.bisect_right(starts, i) - 1
        j = i - starts[k]
        return {name: parts[k].column(c)[j].as_py() for c, name in enumerate(names)}

    return read


rates = {}
hf = datasets.load_from_disk(directory + "/hf")["train"].cast_column("image", datasets.Image(decode=False))
rates["datasets on hf"] = rate(lambda i: hf[i], len(hf), 4000)

streams = [pa.ipc.open_stream(pa.memory_map(f)) for f in sorted(glob.glob(directory + "/hf/train/*.arrow"))]
parts, starts, n = batches(b for s in streams for b in s)
rates["pyarrow on hf"] = rate(by_pyarrow(parts, starts), n, 4000)

file = pa.ipc.open_file(pa.memory_map(glob.glob(directory + "/vilt/*_train.arrow")[0]))
parts, starts, n = batches(file.get_batch(i) for i in range(file.num_record_batches))
rates["pyarrow on vilt"] = rate(by_pyarrow(parts, starts), n, 4000)
print(json.dumps(rates))
