#!/usr/bin/env python3
"""Writes the files of torch.save that the tests read: python torch_files.py FOLDER. Made with PyTorch 2.15.

Value i of a tensor is ((crc32(name) % 97) + i % 31) / 16 - 3, which float16 and bfloat16 hold exactly, so that the tests
know every value from its name. Names are those of transformers' ViltModel."""

import collections
import os
import sys
import types
import zlib

import torch

D, DEPTH, HIDDEN, VOCAB, TEXT, GRID, PATCH = 8, 2, 12, 9, 5, 2, 4


def value(name, *shape, dtype=torch.float32):
    n = int(torch.Size(shape).numel())
    return ((zlib.crc32(name.encode()) % 97 + torch.arange(n) % 31) / 16 - 3).reshape(shape).to(dtype)


def model(modalities=2, dtype=torch.float32, depth=DEPTH):
    shapes = {
        "embeddings.cls_token": (1, 1, D),
        "embeddings.position_embeddings": (1, 1 + GRID * GRID, D),
        "embeddings.text_embeddings.word_embeddings.weight": (VOCAB, D),
        "embeddings.text_embeddings.position_embeddings.weight": (TEXT, D),
        "embeddings.text_embeddings.token_type_embeddings.weight": (2, D),
        "embeddings.text_embeddings.LayerNorm.weight": (D,),
        "embeddings.text_embeddings.LayerNorm.bias": (D,),
        "embeddings.patch_embeddings.projection.weight": (D, 3, PATCH, PATCH),
        "embeddings.patch_embeddings.projection.bias": (D,),
        "embeddings.token_type_embeddings.weight": (modalities, D),
    }
    for i in range(depth):
        layer = f"encoder.layer.{i}."
        for part, out, inside in (
            ("attention.attention.query", D, D),
            ("attention.attention.key", D, D),
            ("attention.attention.value", D, D),
            ("attention.output.dense", D, D),
            ("intermediate.dense", HIDDEN, D),
            ("output.dense", D, HIDDEN),
        ):
            shapes[f"{layer}{part}.weight"] = (out, inside)
            shapes[f"{layer}{part}.bias"] = (out,)
        for part in ("layernorm_before", "layernorm_after"):
            shapes[f"{layer}{part}.weight"] = shapes[f"{layer}{part}.bias"] = (D,)
    shapes["layernorm.weight"] = shapes["layernorm.bias"] = shapes["pooler.dense.bias"] = (D,)
    shapes["pooler.dense.weight"] = (D, D)
    return collections.OrderedDict((name, value(name, *shape, dtype=dtype)) for name, shape in shapes.items())


def masked_language_model(dtype=torch.float32):
    """As ViltForMaskedLM: prefix, old buffer, a head whose decoder is tied to the words, and the metadata of a module."""
    state = collections.OrderedDict(("vilt." + k, v) for k, v in model(dtype=dtype).items())
    state["vilt.embeddings.text_embeddings.position_ids"] = torch.arange(TEXT)[None]
    state["mlm_score.transform.dense.weight"] = torch.zeros(D, D)
    state["mlm_score.bias"] = state["mlm_score.decoder.bias"] = torch.zeros(VOCAB)
    state["mlm_score.decoder.weight"] = state["vilt.embeddings.text_embeddings.word_embeddings.weight"]
    state._metadata = collections.OrderedDict([("", {"version": 1}), ("vilt", {"version": 1})])
    return state


def deep(depth):
    """As ViltForMaskedLM of that many blocks, with the metadata of each module, views of one storage to keep the file small."""
    state = collections.OrderedDict(("vilt." + k, v) for k, v in model(depth=depth).items())
    state["vilt.embeddings.text_embeddings.position_ids"] = torch.arange(TEXT)[None]
    numbers = torch.cat([v.flatten().float() for v in state.values() if v.dtype == torch.float32])
    at = 0
    for name, v in state.items():
        if v.dtype == torch.float32:
            state[name] = numbers[at:at + v.numel()].view(v.shape)
            at += v.numel()
    modules = {""}
    for name in state:
        parts = name.split(".")
        modules |= {".".join(parts[:i]) for i in range(1, len(parts))}
    state._metadata = collections.OrderedDict((m, {"version": 1}) for m in sorted(modules))
    return state


def adamw(state):
    """As the state of torch.optim.AdamW after a step of every weight."""
    none = torch.zeros(1)
    return {
        "state": {i: {"step": none.view(()), "exp_avg": none.expand(v.shape), "exp_avg_sq": none.expand(v.shape)} for i, v in enumerate(state.values())},
        "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.01, "amsgrad": False, "params": list(range(len(state)))}],
    }


def original(modalities):
    """As the original release: its names, query, key and value in one, heads of its tasks."""
    new, old = model(modalities), collections.OrderedDict()
    for name in new:
        if ".attention.attention." not in name:
            n = name.replace("embeddings.text_embeddings.", "text_embeddings.")
            for a, b in (
                ("embeddings.cls_token", "transformer.cls_token"),
                ("embeddings.patch_embeddings.projection.", "transformer.patch_embed.proj."),
                ("encoder.layer.", "transformer.blocks."),
                (".layernorm_before.", ".norm1."),
                (".layernorm_after.", ".norm2."),
                (".attention.output.dense.", ".attn.proj."),
                (".intermediate.dense.", ".mlp.fc1."),
                (".output.dense.", ".mlp.fc2."),
            ):
                n = n.replace(a, b)
            if n == "embeddings.position_embeddings":
                n = "transformer.pos_embed"
            if n.startswith("embeddings.token_type"):
                n = n[len("embeddings."):]
            if n.startswith("layernorm."):
                n = "transformer.norm." + n[len("layernorm."):]
            old[n] = new[name]
        elif ".query." in name:
            parts = [new[name.replace("query", p)] for p in ("query", "key", "value")]
            block, kind = name.split(".")[2], name.split(".")[-1]
            old[f"transformer.blocks.{block}.attn.qkv.{kind}"] = torch.cat(parts)
    old["text_embeddings.position_ids"] = torch.arange(TEXT)[None]
    for head in ("itm_score.fc", "vqa_classifier.0", "nlvr2_classifier.0", "rank_output"):
        old[head + ".weight"] = torch.zeros(2, D)
    return old


def checkpoint(state, *optimizers):
    """As Lightning saves it: a class as a key, which is named and never made, and an optimizer's state beside the weights."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    callback = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = callback
    sys.modules["pytorch_lightning"] = types.ModuleType("pytorch_lightning")
    sys.modules["pytorch_lightning.callbacks"] = types.ModuleType("pytorch_lightning.callbacks")
    sys.modules[module.__name__] = module
    return {
        "epoch": 3, "global_step": 200000, "pytorch-lightning_version": "1.1.4",
        "callbacks": {callback: {"best_model_score": torch.tensor(0.5), "best_model_path": ""}},
        "optimizer_states": list(optimizers) or [{"state": {0: {"step": 1, "exp_avg": torch.zeros(3, dtype=torch.float64)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.98)}]}],
        "state_dict": state,
        "hyper_parameters": {"exp_name": "mlm_itm", "loss_names": {"itm": 1, "vqa": 0}, "image_size": 384, "draw_false_text": None, "vit": True},
    }


def main(folder):
    def save(name, value, zipped=True):
        torch.save(value, os.path.join(folder, name), _use_new_zipfile_serialization=zipped)

    save("mlm.bin", masked_language_model())
    save("mlm-legacy.bin", masked_language_model(), zipped=False)
    save("half.bin", masked_language_model(torch.float16))
    save("brain.bin", masked_language_model(torch.bfloat16), zipped=False)
    save("original.ckpt", checkpoint(original(2)))
    save("original-nlvr2.ckpt", checkpoint(original(3)), zipped=False)
    save("deep.bin", deep(24))
    twelve = deep(12)
    save("adamw.ckpt", checkpoint(twelve, adamw(twelve)))


if __name__ == "__main__":
    main(sys.argv[1])
