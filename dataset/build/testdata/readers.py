"""Opens the three layouts of a dataset with the programs that will read them, and compares every row.

usage: readers.py DATASET NAME ROWS.jsonl CLASSES.json

ROWS.jsonl holds what the source has, one JSON object a row, in the order of the splits' rows. It was made from the source
and the captions alone, without reading the dataset. Ends with a line of counts, or with the first difference.
"""

import hashlib
import io
import json
import os
import sys

import datasets
import pyarrow as pa
from PIL import Image

datasets.disable_progress_bars()
directory, name, rows_file, classes_file = sys.argv[1:]
classes = json.load(open(classes_file))
want = {}
for line in open(rows_file):
    row = json.loads(line)
    want.setdefault(row.pop("split"), []).append(row)

EXTRA = ["id", "wnid", "class_name", "style", "width", "height", "orientation", "image_sha256", "caption_raw", "caption_model",
         "caption_prompt", "request_fingerprint", "caption_flags", "flag_values"]


def same(where, got, wanted):
    if got != wanted:
        sys.exit(f"{where}: {got!r}, want {wanted!r}")


def picture(where, encoded, row):
    same(where + " picture", hashlib.sha256(encoded).hexdigest(), row["image_sha256"])
    image = Image.open(io.BytesIO(encoded))
    same(where + " orientation", image.getexif().get(0x0112, 1), row["orientation"])
    same(where + " size", image.convert("RGB").size, (row["width"], row["height"]))


def columns(where, got, row):
    for column in EXTRA:
        same(f"{where} {column}", got[column], row[column])


def check_datasets(where, d):
    """d is a DatasetDict with Image and ClassLabel features."""
    same(where + " splits", sorted(d), sorted(want))
    count = 0
    for split, rows in want.items():
        same(f"{where} {split} rows", len(d[split]), len(rows))
        features = d[split].features
        if not isinstance(features["image"], datasets.Image):
            sys.exit(f"{where}: image is {features['image']}")
        same(where + " classes", features["label"].names, classes)
        plain = d[split].cast_column("image", datasets.Image(decode=False))
        for i, row in enumerate(rows):
            got, at = plain[i], f"{where} {split} {i}"
            picture(at, got["image"]["bytes"], row)
            same(at + " path", got["image"]["path"], row["id"])
            same(at + " label", got["label"], row["label"])
            same(at + " caption", got["caption"], row["caption"])
            columns(at, got, row)
            count += 1
        d[split][0]["image"].load()  # decoded by datasets itself
    return count


def check_vilt(where, folder):
    """As ViLT's BaseDataset reads its files."""
    count = 0
    for split, rows in want.items():
        short = {"validation": "val"}.get(split, split)
        tables = [pa.ipc.RecordBatchFileReader(pa.memory_map(f"{folder}/{name}_{short}.arrow", "r")).read_all()]
        table = pa.concat_tables(tables, promote_options="default")
        same(f"{where} {split} columns", table.column_names[:5], ["image", "text", "label", "image_id", "split"])
        same(f"{where} {split} rows", table.num_rows, len(rows))
        texts = table["text"].to_pandas().tolist()
        for i, row in enumerate(rows):
            at = f"{where} {split} {i}"
            picture(at, table["image"][i].as_py(), row)
            same(at + " text", list(texts[i]), [row["caption"]])
            same(at + " label", table["label"][i].as_py(), row["label"])
            same(at + " image_id", table["image_id"][i].as_py(), row["id"])
            same(at + " split", table["split"][i].as_py(), short)
            columns(at, {c: table[c][i].as_py() for c in EXTRA}, row)
            count += 1
    return count


cache = os.path.join(os.path.dirname(rows_file), "cache")
counts = {
    "hf": check_datasets("hf", datasets.load_from_disk(directory + "/hf")),
    "hub": check_datasets("hub", datasets.load_dataset(directory + "/hub", cache_dir=cache)),
    "vilt": check_vilt("vilt", directory + "/vilt"),
}
first = next(iter(datasets.load_dataset("arrow", data_files=f"{directory}/vilt/{name}_train.arrow", cache_dir=cache)["train"]))
same("vilt by datasets", first["image_id"], want["train"][0]["id"])
print(f"{name}: " + ", ".join(f"{n} rows of {layout}" for layout, n in counts.items()) +
      f" are the source's (datasets {datasets.__version__}, pyarrow {pa.__version__})")
