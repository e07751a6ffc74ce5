"""Writes what the tests of ease and simplecil are held to: python ease_golden.py FOLDER     (torch 2.15, transformers 5.23)

EASE as its paper has it (Zhou et al., CVPR 2024), on transformers' ViltModel in float64, one example at a time: no packing, no
graph, no fused step. Adapters are put beside the blocks' MLPs by hooks. Three phases of two classes each; adapters are drawn, not
learned, so that every equation is seen on values of the order of one.

- step: the loss of a batch of the second phase's classes and its gradients by the adapter, the temporary classifier and its scale
- ease.2, ease.3: logits of the test examples after two and three phases, with a scale of one and alpha 0.1
- simplecil.2, simplecil.3: the same by mean features of the encoder without adapters
"""

import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import ViltConfig, ViltModel

torch.set_num_threads(1)
# ViltEmbeddings.visual_embed draws the patches of a picture in random order, which the pooled feature does not depend on
torch.multinomial = lambda weights, count, replacement=False: torch.arange(int(count)) % len(weights)

WIDTH, DEPTH, NARROW, SCALE, ALPHA, PHASES, PER_PHASE = 16, 3, 5, 0.5, 0.1, 3, 2
rng = np.random.default_rng(7)


def draw(spread, *shape, mean=0.0):
    return torch.from_numpy((mean + spread * rng.standard_normal(shape)).astype(np.float32))


def parameter(name, shape):
    if "norm" in name.lower() and name.endswith("weight"):
        return draw(0.3, *shape, mean=1.0)
    if name.endswith("bias"):
        return draw(0.3, *shape)
    if name.endswith(("embeddings.weight", "position_embeddings", "cls_token")):
        return draw(0.6, *shape)
    return draw(1.2 / np.sqrt(np.prod(shape[1:])), *shape)


config = ViltConfig(vocab_size=40, max_position_embeddings=8, hidden_size=WIDTH, num_hidden_layers=DEPTH, num_attention_heads=2, intermediate_size=24,
                    image_size=12, patch_size=4, layer_norm_eps=1e-6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager")
model = ViltModel(config).eval()
stored = {f"weights.{k}": parameter(k, tuple(v.shape)) for k, v in model.state_dict().items()}
model.load_state_dict({k.removeprefix("weights."): v for k, v in stored.items()}, strict=True)
model = model.double().requires_grad_(False)


def adapter():
    shapes = {"down.weight": (NARROW, WIDTH), "down.bias": (NARROW,), "up.weight": (WIDTH, NARROW), "up.bias": (WIDTH,)}
    return {f"adapter.{i}.{k}": draw(0.6, *s) for i in range(DEPTH) for k, s in shapes.items()}


adapters = [adapter() for _ in range(PHASES)]
for t, a in enumerate(adapters):
    stored |= {f"phase.{t}.{k}": v for k, v in a.items()}


def example(label):
    """Of a class: words and a brightness of its own, so that means differ; a size of its own."""
    length, (h, w) = int(rng.integers(3, 8)), [(3, 3), (2, 4), (3, 2)][int(rng.integers(3))]
    ids = torch.from_numpy(rng.integers(0, 40, length))
    ids[1] = 3 + label
    pixels = torch.from_numpy(rng.integers(0, 160, (3, 4 * h, 4 * w)) + 15 * label)
    return {"label": label, "ids": ids, "pixels": pixels, "h": h, "w": w}


def feature(x, a):
    """The pooler's output at the text's [CLS], under an adapter or none."""
    handles = []
    for i, layer in enumerate(model.encoder.layer if a else []):
        stream = []
        handles.append(layer.layernorm_after.register_forward_pre_hook(lambda _, args, stream=stream: stream.append(args[0])))

        def beside(_, args, out, i=i, stream=stream):
            narrow = torch.relu(F.linear(stream.pop(), a[f"adapter.{i}.down.weight"], a[f"adapter.{i}.down.bias"]))
            return out + SCALE * F.linear(narrow, a[f"adapter.{i}.up.weight"], a[f"adapter.{i}.up.bias"])

        handles.append(layer.output.register_forward_hook(beside))
    pixels = ((x["pixels"].double() * (1 / 255)).float() - 0.5) / 0.5
    out = model(input_ids=x["ids"][None], attention_mask=torch.ones_like(x["ids"])[None], pixel_values=pixels.double()[None],
                pixel_mask=torch.ones(1, *x["pixels"].shape[1:], dtype=torch.long))
    for handle in handles:
        handle.remove()
    return out.pooler_output[0]


train = [[example(c) for c in range(PER_PHASE * t, PER_PHASE * (t + 1)) for _ in range(3)] for t in range(PHASES)]
test = [example(c) for c in range(PER_PHASE * PHASES)]
doubles = [{k: v.double() for k, v in a.items()} for a in adapters]

# A step of the second phase. Its two classes compete and no others.
weight, sigma = draw(0.5, PER_PHASE, WIDTH), draw(0, 1, mean=3.0)
stored |= {"step.classifier": weight, "step.sigma": sigma}
wanted = {k: v.clone().requires_grad_() for k, v in doubles[1].items()} | {
    "classifier": weight.double().requires_grad_(), "sigma": sigma.double().requires_grad_()}
losses = []
for x in train[1]:
    f = feature(x, wanted)
    logits = wanted["sigma"] * F.linear(F.normalize(f, dim=0)[None], F.normalize(wanted["classifier"], dim=1))
    losses.append(F.cross_entropy(logits, torch.tensor([x["label"] - PER_PHASE])))
loss = torch.stack(losses).mean()
stored["step.loss"] = loss.view(1)
stored |= {f"step.gradient.{k}": g for k, g in zip(wanted, torch.autograd.grad(loss, wanted.values()))}


def means(t, a):
    return torch.stack([torch.stack([feature(x, a) for x in train[t] if x["label"] == c]).mean(0) for c in range(PER_PHASE * t, PER_PHASE * (t + 1))])


def ease(phases):
    known = {(t, j): means(t, doubles[j]) for t in range(phases) for j in range(t + 1)}
    rows = {}
    for i in range(phases):
        for d in range(phases):
            if d <= i:
                rows[i, d] = known[i, d]
                continue
            newer = range(d, phases)
            a, b = torch.cat([known[k, i] for k in newer]), torch.cat([known[k, d] for k in newer])
            likeness = F.linear(F.normalize(known[i, i], dim=1), F.normalize(a, dim=1)).softmax(1)
            rows[i, d] = likeness @ b
            stored[f"complement.{phases}.{i}.{d}"] = rows[i, d]
    logits = []
    for x in test:
        f = [feature(x, doubles[j]) for j in range(phases)]
        row = []
        for i in range(phases):
            for c in range(PER_PHASE):
                cosines = [F.cosine_similarity(f[j], rows[i, j][c], dim=0) for j in range(phases)]
                row.append(cosines[i] + sum(ALPHA / (phases - 1) * v for j, v in enumerate(cosines) if j != i))
        logits.append(torch.stack(row))
    return torch.stack(logits)


def simplecil(phases):
    rows = torch.cat([means(t, None) for t in range(phases)])
    return torch.stack([F.linear(F.normalize(feature(x, None), dim=0), F.normalize(rows, dim=1)) for x in test])


for phases in 2, 3:
    stored[f"ease.{phases}"], stored[f"simplecil.{phases}"] = ease(phases), simplecil(phases)
for name, xs in [(f"train.{t}", train[t]) for t in range(PHASES)] + [("test", test)]:
    for i, x in enumerate(xs):
        stored[f"{name}.{i}.ids"] = x["ids"]
        stored[f"{name}.{i}.patches"] = F.unfold(x["pixels"].double()[None], 4, stride=4)[0].T  # [P, 3·4·4], raster order
        stored[f"{name}.{i}.about"] = torch.tensor([x["label"], x["h"], x["w"]])
keys = ["model_type", "vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "image_size", "patch_size", "num_channels", "layer_norm_eps", "type_vocab_size", "modality_type_vocab_size"]
case = {"config": {k: getattr(config, k) for k in keys}, "width": NARROW, "scale": SCALE, "alpha": ALPHA, "phases": PHASES, "per_phase": PER_PHASE}
save_file({k: v.detach().float().contiguous().clone() for k, v in stored.items()}, f"{sys.argv[1]}/ease.safetensors", metadata={"case": json.dumps(case, sort_keys=True)})
