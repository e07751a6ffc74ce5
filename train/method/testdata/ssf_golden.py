"""SSF and the classifier, as ssf, finetune, linear and joint learn them, on a small ViLT, in PyTorch and float64.

usage: ssf_golden.py FOLDER     (torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, numpy 2.4.6)

Writes ssf.safetensors into FOLDER. Parameters and inputs are drawn in float32; what comes out is rounded to float32 once. Each
example runs by itself, as a list of rows: nothing is packed or padded. Without scale and shift the forward pass below is held
to transformers' own ViltModel.

Every step of the frozen encoder is followed by y = gamma * x + beta (Lian et al., NeurIPS 2022): the map of patches, both norms of
a block, queries, keys and values, attention's output map, both maps of the MLP, and the final norm. The classifier is W f + b of
the pooled [CLS] of the text. It has rows for the classes seen alone, and those of a phase come to it as zeros.

Two phases of two classes, STEPS steps each on all of a phase's examples at once, of AdamW (0.9, 0.98) with a decay of W alone; the
rate rises linearly over half of the steps to RATE and falls so that one step more would be at 0; moments are new in each phase.
The loss is cross-entropy over all classes seen.

- finetune learns a phase's examples; linear has no scale and shift
- ssf and linear learn, in the second phase, exemplars of the first as well: examples that lack patches and tokens, of which the
  others keep their positions, and patches the picture's grid
- joint learns, in the second phase, the examples of both, from its start

In the file: weights.* (transformers' names); initial.* (scale and shift before phase 0); input.ids, input.pixels (each
[examples, ...], whole numbers); of each method METHOD.losses of the second phase's steps, METHOD.loss and METHOD.gradient.* of one
more, which is not taken, and METHOD.logits of all examples and exemplars after two phases. The metadata's "case" is JSON: config,
steps, rate, decay, classes of a phase, of each example its label, text length, grid and phase (-1: for the test alone), and of each
exemplar the example and its tokens and patches.
"""

import json
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import ViltConfig, ViltModel

torch.set_num_threads(1)
torch.multinomial = lambda weights, count, replacement=False: torch.arange(int(count)) % len(weights)  # patches in order

D, HEADS, DEPTH, HIDDEN, GRID, PATCH, TEXT, VOCAB, PER_PHASE = 8, 2, 2, 12, 3, 2, 6, 16, 2
STEPS, RATE, DECAY, EPS = 4, 0.03, 0.5, 1e-6
# label, text length, rows and columns of patches, phase; exemplars are examples of phase 0 with these tokens and patches
EXAMPLES = [(0, 6, 3, 3, 0), (1, 3, 2, 3, 0), (0, 4, 1, 4, 0), (2, 5, 3, 2, 1), (3, 3, 3, 3, 1), (2, 2, 1, 1, 1), (1, 4, 3, 3, -1), (3, 6, 2, 2, -1)]
EXEMPLARS = [(0, [0, 2, 5], [1, 3, 4, 8]), (1, [0, 1, 2], [5]), (2, [0, 3], [0, 1, 2, 3])]
METHODS = {"ssf": dict(replays=True), "finetune": {}, "linear": dict(replays=True, frozen=True), "joint": dict(anew=True)}
rng = np.random.default_rng(11)


def draw(name, shape):
    x = rng.standard_normal(shape)
    if name.endswith("gamma") or "norm" in name.lower() and name.endswith("weight"):
        x = 1 + 0.3 * x
    elif name.endswith(("bias", "beta")):
        x = 0.3 * x
    elif name.endswith(("embeddings.weight", "position_embeddings", "cls_token")):
        x = 0.6 * x
    else:
        x = 1.2 * x / math.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


config = ViltConfig(vocab_size=VOCAB, max_position_embeddings=TEXT, hidden_size=D, num_hidden_layers=DEPTH, num_attention_heads=HEADS,
                    intermediate_size=HIDDEN, image_size=GRID * PATCH, patch_size=PATCH, layer_norm_eps=EPS, hidden_dropout_prob=0.0,
                    attention_probs_dropout_prob=0.0, attn_implementation="eager")
model = ViltModel(config).eval()
stored = {f"weights.{k}": draw(k, tuple(v.shape)) for k, v in model.state_dict().items()}
model.load_state_dict({k.removeprefix("weights."): v for k, v in stored.items()}, strict=True)
model = model.double().requires_grad_(False)
W = {k: v.double() for k, v in model.state_dict().items()}

places = {"patch": D}
for i in range(DEPTH):
    places |= {f"block.{i}.{k}": w for k, w in dict(norm1=D, qkv=3 * D, proj=D, norm2=D, fc1=HIDDEN, fc2=D).items()}
places |= {"norm": D}
initial = {f"ssf.{place}.{kind}": draw(kind, (w,)) for place, w in places.items() for kind in ("gamma", "beta")}
stored |= {f"initial.{k}": v for k, v in initial.items()}


def feature(x, ssf):
    """Of rows of text, the picture's class token, and rows of patches."""

    def tuned(place, y):
        return y * ssf[f"ssf.{place}.gamma"] + ssf[f"ssf.{place}.beta"] if ssf else y

    def norm(y, name):
        return F.layer_norm(y, (D,), W[name + ".weight"], W[name + ".bias"], EPS)

    def linear(y, name):
        return F.linear(y, W[name + ".weight"], W[name + ".bias"])

    e, t = "embeddings.", "embeddings.text_embeddings."
    kind = W[e + "token_type_embeddings.weight"]
    text = W[t + "word_embeddings.weight"][x["ids"]] + W[t + "token_type_embeddings.weight"][0] + W[t + "position_embeddings.weight"][x["tokens"]]
    text = norm(text, t + "LayerNorm") + kind[0]
    at = W[e + "position_embeddings"][0]
    grid = F.interpolate(at[1:].T.reshape(1, D, GRID, GRID), size=(x["h"], x["w"]), mode="bilinear", align_corners=True)
    projection = e + "patch_embeddings.projection."
    patches = F.linear(x["pixels"], W[projection + "weight"].flatten(1), W[projection + "bias"])
    patches = tuned("patch", patches) + grid.flatten(2)[0].T[x["patches"]] + kind[1]
    x = torch.cat([text, W[e + "cls_token"][0] + at[:1] + kind[1], patches])
    for i in range(DEPTH):
        layer, block = f"encoder.layer.{i}.", f"block.{i}."
        y = tuned(block + "norm1", norm(x, layer + "layernorm_before"))
        q, k, v = tuned(block + "qkv", torch.cat([linear(y, layer + "attention.attention." + n) for n in ("query", "key", "value")], 1)).chunk(3, 1)
        q, k, v = (z.view(-1, HEADS, D // HEADS).transpose(0, 1) for z in (q, k, v))
        mixed = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(D // HEADS), -1) @ v
        x = x + tuned(block + "proj", linear(mixed.transpose(0, 1).reshape(-1, D), layer + "attention.output.dense"))
        y = tuned(block + "norm2", norm(x, layer + "layernorm_after"))
        y = F.gelu(tuned(block + "fc1", linear(y, layer + "intermediate.dense")))
        x = x + tuned(block + "fc2", linear(y, layer + "output.dense"))
    return torch.tanh(linear(tuned("norm", norm(x, "layernorm"))[0], "pooler.dense"))


ids = torch.from_numpy(rng.integers(0, VOCAB, (len(EXAMPLES), TEXT)))
pixels = torch.from_numpy(rng.integers(0, 256, (len(EXAMPLES), 3, GRID * PATCH, 4 * PATCH)))
stored["input.ids"], stored["input.pixels"] = ids.half(), pixels.half()


def example(i, tokens, patches):
    """tokens, patches: the places of those that are there; None for all."""
    label, length, h, w, _ = EXAMPLES[i]
    whole = (((pixels[i, :, : h * PATCH, : w * PATCH].double() * (1 / 255)).float() - 0.5) / 0.5).double()
    tokens = list(range(length)) if tokens is None else tokens
    patches = list(range(h * w)) if patches is None else patches
    x = {"label": label, "h": h, "w": w, "ids": ids[i][tokens], "tokens": tokens, "patches": patches}
    x["pixels"] = F.unfold(whole[None], PATCH, stride=PATCH)[0].T[patches]  # of each patch: channel, row, column
    if len(tokens) == length and len(patches) == h * w:
        out = model(input_ids=x["ids"][None], attention_mask=torch.ones_like(x["ids"])[None], pixel_values=whole[None],
                    pixel_mask=torch.ones_like(whole[:1], dtype=torch.long)).pooler_output[0]
        assert torch.allclose(feature(x, None), out, atol=1e-12), "the forward pass is not ViLT's"
    return x


examples = [example(i, None, None) for i in range(len(EXAMPLES))]
exemplars = [example(*e) for e in EXEMPLARS]
phases = [[x for x, e in zip(examples, EXAMPLES) if e[4] == p] for p in range(2)]


def rate(step):
    """Of steps counted from 1."""
    return RATE * (step / (STEPS / 2) if step <= STEPS / 2 else (STEPS + 1 - step) / (STEPS / 2 + 1))


def start(method):
    ssf = {} if method.get("frozen") else {k: v.double().requires_grad_() for k, v in initial.items()}
    return ssf, torch.zeros(0, D, dtype=torch.double), torch.zeros(0, dtype=torch.double)


for name, method in METHODS.items():
    ssf, weight, bias = start(method)
    for p in range(2):
        learned = phases[p]
        if p == 1 and method.get("replays"):
            learned = learned + exemplars
        if p == 1 and method.get("anew"):
            learned = phases[0] + phases[1]
            ssf, weight, bias = start(method)
        seen = PER_PHASE * (p + 1)
        weight = torch.cat([weight.detach(), torch.zeros(seen - len(weight), D)]).requires_grad_()
        bias = torch.cat([bias.detach(), torch.zeros(seen - len(bias))]).requires_grad_()
        solver = torch.optim.AdamW([{"params": [*ssf.values(), bias], "weight_decay": 0.0}, {"params": [weight], "weight_decay": DECAY}],
                                   betas=(0.9, 0.98), eps=1e-8)
        labels = torch.tensor([x["label"] for x in learned])
        losses = []
        for step in range(1, STEPS + 2):
            logits = torch.stack([F.linear(feature(x, ssf), weight, bias) for x in learned])
            losses.append(F.cross_entropy(logits, labels))
            solver.zero_grad()
            losses[-1].backward()
            if step > STEPS:
                break
            for group in solver.param_groups:
                group["lr"] = rate(step)
            solver.step()
    stored[f"{name}.losses"], stored[f"{name}.loss"] = torch.stack(losses[:-1]), losses[-1].view(1)
    stored |= {f"{name}.gradient.{k}": v.grad for k, v in (ssf | {"head.weight": weight, "head.bias": bias}).items()}
    with torch.no_grad():
        stored[f"{name}.logits"] = torch.stack([F.linear(feature(x, ssf), weight, bias) for x in examples + exemplars])

keys = ["model_type", "vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "image_size", "patch_size", "num_channels", "layer_norm_eps", "type_vocab_size", "modality_type_vocab_size"]
case = {"config": {k: getattr(config, k) for k in keys}, "steps": STEPS, "rate": RATE, "decay": DECAY, "per_phase": PER_PHASE,
        "examples": EXAMPLES, "exemplars": [{"of": i, "tokens": t, "patches": p} for i, t, p in EXEMPLARS]}
stored = {k: (v if k.startswith("input.") else v.detach().float()).contiguous().clone() for k, v in stored.items()}
save_file(stored, f"{sys.argv[1]}/ssf.safetensors", metadata={"case": json.dumps(case, sort_keys=True)})
