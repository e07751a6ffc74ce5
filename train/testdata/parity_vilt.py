"""transformers' side of the parity test of ViLT.

usage: parity_vilt.py make FOLDER           FOLDER/safetensors and FOLDER/torch: a random ViLT-B/32, as ViltModel saves it, and
                                            with a language head as torch.save does (ViltForMaskedLM's names)
       parity_vilt.py run MODEL DATA OUT    OUT.json and OUT.f32: what MODEL, with a vocab.txt beside it, makes of the pictures
                                            and captions that DATA/captions.jsonl lists: the tokens' ids, the grids, the
                                            pooled features, and the last block's attention of [CLS], averaged over heads
       parity_vilt.py same A B              fails unless both open without a word and hold the same values
"""

import json
import logging
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
logging.disable(logging.WARNING)
import numpy as np
import PIL
import torch
import transformers
from PIL import Image
from transformers import BertTokenizerFast, ViltConfig, ViltForMaskedLM, ViltModel
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil

transformers.utils.logging.disable_progress_bar()
# ViltEmbeddings.visual_embed shuffles the patches of a batch's largest pictures with this. The pooled feature does not
# depend on it; the attention is comparable only in raster order.
torch.multinomial = lambda weights, count, replacement=False: torch.arange(int(count)) % len(weights)


def spread(name, x):
    """About what trained weights have, and nothing at 0 or 1."""
    if "norm" in name.lower() and name.endswith("weight"):
        return 1 + 0.2 * x
    if name.endswith("bias"):
        return 0.1 * x
    if "position" in name:
        return 0.3 * x
    return (0.05 if "embeddings" in name else 0.04) * x


def make(folder):
    rng = np.random.default_rng(32)
    model = ViltForMaskedLM(ViltConfig()).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            x = torch.from_numpy(rng.standard_normal(p.shape, dtype=np.float32))
            p.copy_(spread(name, x))
    model.vilt.save_pretrained(f"{folder}/safetensors")
    os.mkdir(f"{folder}/torch")
    model.config.save_pretrained(f"{folder}/torch")
    torch.save(model.state_dict(), f"{folder}/torch/pytorch_model.bin")
    print(f"{sum(p.numel() for p in model.vilt.parameters())} values in {len(model.vilt.state_dict())} tensors, {len(model.state_dict())} with the head")


@torch.no_grad()
def run(folder, data, out):
    model = ViltModel.from_pretrained(folder, attn_implementation="eager").eval()
    longest = model.config.max_position_embeddings
    tokenizer = BertTokenizerFast.from_pretrained(folder, model_max_length=longest)
    assert tokenizer.is_fast
    processor = ViltImageProcessorPil()
    with open(f"{data}/captions.jsonl", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    features, about = [], []
    # the first half one at a time, the others padded to the largest of four
    half = len(rows) // 2
    batches = [rows[i:i + 1] for i in range(half)] + [rows[i:i + 4] for i in range(half, len(rows), 4)]
    for batch in batches:
        pictures = []
        for row in batch:
            with Image.open(f"{data}/{row['path']}") as opened:
                pictures.append(opened.convert("RGB"))
        image = processor(pictures, return_tensors="pt")
        text = tokenizer([row["caption"] for row in batch], padding=True, truncation=True, max_length=longest, return_tensors="pt")
        got = model(**text, pixel_values=image["pixel_values"], pixel_mask=image["pixel_mask"], output_attentions=True)
        features.append(got.pooler_output)
        first = got.attentions[-1][:, :, 0].mean(1)  # of [CLS], over heads
        t = text["input_ids"].shape[1]
        for i in range(len(batch)):
            h, w = (int(x) // 32 for x in (image["pixel_mask"][i, :, 0].sum(), image["pixel_mask"][i, 0].sum()))
            n = int(text["attention_mask"][i].sum())
            about.append({"ids": text["input_ids"][i, :n].tolist(), "grid_h": h, "grid_w": w,
                          "attention": torch.cat([first[i, :n], first[i, t:t + 1 + h * w]]).tolist()})
    torch.cat(features).numpy().astype("<f4").tofile(f"{out}.f32")
    with open(f"{out}.json", "w") as f:
        json.dump(about, f)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, pillow {PIL.__version__}, {type(tokenizer).__name__}, {type(processor).__name__}")


def same(a, b):
    states = []
    for folder in a, b:
        model, info = ViltModel.from_pretrained(folder, output_loading_info=True)
        assert not any(info.values()), info
        states.append(model.state_dict())
    assert states[0].keys() == states[1].keys()
    differ = [k for k, v in states[0].items() if not torch.equal(v, states[1][k])]
    assert not differ, differ
    print(f"{len(states[0])} tensors equal")


{"make": make, "run": run, "same": same}[sys.argv[1]](*sys.argv[2:])
