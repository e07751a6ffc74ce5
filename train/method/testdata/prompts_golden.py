"""L2P, DualPrompt and CODA-Prompt on a small ViLT, written from the papers, in PyTorch and float64.

usage: prompts_golden.py FOLDER     (torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, numpy 2.4.6)

Writes prompts-NAME.safetensors for each case into FOLDER. Parameters and inputs are drawn in float32; what comes out is rounded
to float32 once. Nothing here is batched but the loss: each example runs by itself, as a list of rows, so that no example can
depend on another, and keys and values of prompts cannot trade places. Queries are transformers' own ViltModel's pooled feature;
without prompts the forward pass below is held to it.

What is learned: two phases of two classes, STEPS steps of torch.optim.Adam each on the phase's examples, a new optimizer a phase.

In a file: weights.* (transformers' names); initial.* (prompts, keys, classifier before phase 0); begin.T.* (components that phase
T starts from, where they are drawn); input.ids, input.pixels (each [examples, ...], whole numbers); of each phase T loss.T and
gradient.T.* of its first step; logits and features of all examples at the end, asked one at a time. The metadata's "case" is
JSON: method, config, prompts, steps, rate, and of each example its label, text length, grid and phase (-1: for the test alone).
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

D, HEADS, DEPTH, HIDDEN, GRID, PATCH, TEXT, VOCAB, CLASSES, STEPS, RATE = 16, 2, 3, 24, 3, 2, 6, 20, 4, 3, 0.02
EPS = 1e-6
CASES = {
    "l2p": dict(method="l2p", pool=4, length=2, top=2, key_weight=0.5),
    "l2p-batchwise": dict(method="l2p", pool=5, length=1, top=2, key_weight=0.1, batchwise=True),
    "dualprompt": dict(method="dualprompt", pool=2, length=3, key_weight=0.5, first=1, last=2),
    "dualprompt-small-pool": dict(method="dualprompt", pool=1, length=2, key_weight=1.0, first=1, last=1),
    "coda-prompt": dict(method="coda-prompt", pool=6, length=2, first=0, last=2),
}
GENERAL = 5
# label, text length, rows and columns of patches, phase
EXAMPLES = [(0, 6, 3, 3, 0), (1, 2, 2, 3, 0), (0, 4, 1, 4, 0), (2, 5, 3, 2, 1), (3, 3, 3, 3, 1), (2, 2, 1, 1, 1), (1, 4, 3, 3, -1), (3, 6, 2, 2, -1)]


def draw(rng, name, shape):
    x = rng.standard_normal(shape)
    if "norm" in name.lower() and name.endswith("weight"):
        x = 1 + 0.3 * x
    elif name.endswith("bias"):
        x = 0.3 * x
    elif name.endswith(("embeddings.weight", "position_embeddings", "cls_token")):
        x = 0.6 * x
    else:
        x = 1.2 * x / math.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


class Encoder:
    def __init__(self, model):
        self.w = {k: v.double() for k, v in model.state_dict().items()}
        self.model = model.double()

    def norm(self, x, name):
        return F.layer_norm(x, (D,), self.w[name + ".weight"], self.w[name + ".bias"], EPS)

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def embed(self, ids, pixels):
        """Rows of the text, and rows of the picture, its class token first."""
        w, e = self.w, "embeddings."
        t = e + "text_embeddings."
        text = w[t + "word_embeddings.weight"][ids] + w[t + "token_type_embeddings.weight"][0] + w[t + "position_embeddings.weight"][: len(ids)]
        text = F.layer_norm(text, (D,), w[t + "LayerNorm.weight"], w[t + "LayerNorm.bias"], EPS)
        patches = F.conv2d(pixels[None], w[e + "patch_embeddings.projection.weight"], w[e + "patch_embeddings.projection.bias"], stride=PATCH)
        h, width = patches.shape[2:]
        at = w[e + "position_embeddings"][0]
        grid = at[1:].T.reshape(1, D, GRID, GRID)
        grid = F.interpolate(grid, size=(h, width), mode="bilinear", align_corners=True)
        image = torch.cat([w[e + "cls_token"][0] + at[:1], (patches + grid).flatten(2)[0].T])
        modality = w[e + "token_type_embeddings.weight"]
        return text + modality[0], image + modality[1]

    def block(self, i, x, prefix=None):
        """prefix: keys [L,D] and values [L,D] that come before the block's own."""
        at = f"encoder.layer.{i}."
        y = self.norm(x, at + "layernorm_before")
        q, k, v = (self.linear(y, at + "attention.attention." + n) for n in ("query", "key", "value"))
        if prefix is not None:
            k, v = torch.cat([prefix[0], k]), torch.cat([prefix[1], v])
        mixed = []
        for h in range(HEADS):
            s = slice(h * D // HEADS, (h + 1) * D // HEADS)
            mixed.append(torch.softmax(q[:, s] @ k[:, s].T / math.sqrt(D // HEADS), -1) @ v[:, s])
        x = x + self.linear(torch.cat(mixed, 1), at + "attention.output.dense")
        y = F.gelu(self.linear(self.norm(x, at + "layernorm_after"), at + "intermediate.dense"))
        return x + self.linear(y, at + "output.dense")

    def pool(self, x):
        return torch.tanh(self.linear(self.norm(x[0], "layernorm"), "pooler.dense"))

    def query(self, ids, pixels):
        with torch.no_grad():
            out = self.model(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], pixel_values=pixels[None],
                             pixel_mask=torch.ones_like(pixels[:1], dtype=torch.long)).pooler_output[0]
            x = torch.cat(self.embed(ids, pixels))
            for i in range(DEPTH):
                x = self.block(i, x)
            assert torch.allclose(self.pool(x), out, atol=1e-12), "the forward pass is not ViLT's"
        return out


def cos(a, b):
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T if b.dim() > 1 else F.cosine_similarity(a, b, dim=-1)


class L2P:
    def __init__(self, c, rng):
        self.c = c
        self.p = {"l2p.prompts": rng.uniform(-1, 1, (c["pool"], c["length"] * D)), "l2p.keys": rng.uniform(-1, 1, (c["pool"], D))}

    def begin(self, phase):
        pass

    def choose(self, queries, phase):
        """phase: None when it is not learned."""
        top = [torch.topk(cos(q, self.p["l2p.keys"]), self.c["top"]).indices.tolist() for q in queries]
        if phase is not None and self.c.get("batchwise"):
            count = [sum(k in t for t in top) for k in range(self.c["pool"])]
            order = sorted(range(self.c["pool"]), key=lambda k: (-count[k], k))[: self.c["top"]]
            top = [order] * len(queries)
        return top

    def feature(self, encoder, text, image, query, chosen):
        prompts = torch.cat([self.p["l2p.prompts"][k].view(-1, D) for k in chosen])
        x = torch.cat([text[:1], prompts, text[1:], image])
        for i in range(DEPTH):
            x = encoder.block(i, x)
        return encoder.norm(x[1: 1 + len(prompts)], "layernorm").mean(0)

    def pull(self, queries, chosen):
        total = sum(cos(q, self.p["l2p.keys"][k]) for q, own in zip(queries, chosen) for k in own)
        return -self.c["key_weight"] * total / len(queries)


class DualPrompt:
    def __init__(self, c, rng):
        self.c, self.p, self.phase = c, {}, 0
        for i in range(c["last"] + 1):
            if i < c["first"]:
                self.p[f"dualprompt.general.{i}"] = rng.uniform(-1, 1, (1, 2 * GENERAL * D))
            else:
                self.p[f"dualprompt.expert.{i}"] = rng.uniform(-1, 1, (c["pool"], 2 * c["length"] * D))
        self.p["dualprompt.keys"] = rng.uniform(-1, 1, (c["pool"], D))

    def begin(self, phase):
        self.phase = phase
        if 0 < phase < self.c["pool"]:
            with torch.no_grad():
                for name, p in self.p.items():
                    if "expert" in name:
                        p[phase] = p[phase - 1]

    def choose(self, queries, phase):
        if phase is not None and phase < self.c["pool"]:
            return [[phase]] * len(queries)
        return [[int(torch.argmax(cos(q, self.p["dualprompt.keys"][: self.phase + 1])))] for q in queries]

    def feature(self, encoder, text, image, query, chosen):
        x = torch.cat([text, image])
        for i in range(DEPTH):
            prefix = None
            if i < self.c["first"]:
                prefix = self.p[f"dualprompt.general.{i}"][0].view(2, GENERAL, D)
            elif i <= self.c["last"]:
                prefix = self.p[f"dualprompt.expert.{i}"][chosen[0]].view(2, self.c["length"], D)
            x = encoder.block(i, x, prefix)
        return encoder.pool(x)

    def pull(self, queries, chosen):
        return -self.c["key_weight"] * sum(cos(q, self.p["dualprompt.keys"][k[0]]) for q, k in zip(queries, chosen)) / len(queries)


class CODAPrompt:
    def __init__(self, c, rng):
        self.c, self.rng, self.p, self.own = c, rng, {}, c["pool"] // 2
        for i in range(c["first"], c["last"] + 1):
            for kind, width in ("prompts", 2 * c["length"] * D), ("keys", D), ("attention", D):
                self.p[f"codaprompt.{kind}.{i}"] = np.zeros((c["pool"], width))

    def begin(self, phase):
        """Rows of the phase, orthogonal to those before by way of QR."""
        self.lo, self.hi = phase * self.own, (phase + 1) * self.own
        begun = {}
        with torch.no_grad():
            for name, p in self.p.items():
                fresh = torch.from_numpy(self.rng.standard_normal((self.own, p.shape[1])))
                q = torch.linalg.qr(torch.cat([p[: self.lo], fresh]).T)[0].T[self.lo:]
                p[self.lo: self.hi] = q.float().double()
                begun[f"begin.{phase}.{name}"] = p[self.lo: self.hi].float()
        return begun

    def choose(self, queries, phase):
        return [None] * len(queries)

    def feature(self, encoder, text, image, query, chosen):
        x = torch.cat([text, image])
        for i in range(DEPTH):
            prefix = None
            if self.c["first"] <= i <= self.c["last"]:
                # earlier components are constants, later ones are not there yet
                P, K, A = (torch.cat([self.p[f"codaprompt.{n}.{i}"][: self.lo].detach(), self.p[f"codaprompt.{n}.{i}"][self.lo: self.hi]])
                           for n in ("prompts", "keys", "attention"))
                w = F.cosine_similarity(query * A, K, dim=1)
                prefix = (w @ P).view(2, self.c["length"], D)
            x = encoder.block(i, x, prefix)
        return encoder.pool(x)

    def pull(self, queries, chosen):
        return 0


def make(name, c, seed):
    rng = np.random.default_rng(seed)
    config = ViltConfig(vocab_size=VOCAB, max_position_embeddings=TEXT, hidden_size=D, num_hidden_layers=DEPTH, num_attention_heads=HEADS,
                        intermediate_size=HIDDEN, image_size=GRID * PATCH, patch_size=PATCH, layer_norm_eps=EPS, hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0, attn_implementation="eager")
    model = ViltModel(config).eval()
    weights = {k: draw(rng, k, tuple(v.shape)) for k, v in model.state_dict().items()}
    model.load_state_dict(weights, strict=True)
    stored = {f"weights.{k}": v.clone() for k, v in weights.items()}
    encoder = Encoder(model)

    ids = rng.integers(0, VOCAB, (len(EXAMPLES), TEXT))
    pixels = rng.integers(0, 256, (len(EXAMPLES), 3, GRID * PATCH, 4 * PATCH))
    stored["input.ids"], stored["input.pixels"] = torch.from_numpy(ids).half(), torch.from_numpy(pixels).half()
    samples = []
    for i, (label, text, h, w, phase) in enumerate(EXAMPLES):
        x = (torch.from_numpy(pixels[i, :, : h * PATCH, : w * PATCH]).double() * (1 / 255)).float()
        x = ((x - 0.5) / 0.5).double()
        samples.append((torch.from_numpy(ids[i, :text]), x))

    m = {"l2p": L2P, "dualprompt": DualPrompt, "coda-prompt": CODAPrompt}[c["method"]](c, rng)
    m.p = {k: torch.from_numpy(v.astype(np.float32)) for k, v in m.p.items()}
    head = {"head.weight": draw(rng, "head.weight", (CLASSES, D)), "head.bias": draw(rng, "head.bias", (CLASSES,))}
    stored |= {f"initial.{k}": v.clone() for k, v in (m.p | head).items()}
    m.p = {k: v.double().requires_grad_() for k, v in m.p.items()}
    head = {k: v.double().requires_grad_() for k, v in head.items()}

    def logits_of(batch, phase):
        queries = [encoder.query(*s) for s in batch]
        with torch.no_grad():
            chosen = m.choose(queries, phase)
        features = torch.stack([m.feature(encoder, *encoder.embed(*s), q, k) for s, q, k in zip(batch, queries, chosen)])
        return features, F.linear(features, head["head.weight"], head["head.bias"]), queries, chosen

    for phase in range(2):
        stored |= m.begin(phase) or {}
        own = [i for i, e in enumerate(EXAMPLES) if e[4] == phase]
        labels = torch.tensor([EXAMPLES[i][0] for i in own])
        old, seen = 2 * phase, 2 * phase + 2
        variables = m.p | head
        solver = torch.optim.Adam(variables.values(), lr=RATE)
        for step in range(STEPS):
            solver.zero_grad(set_to_none=False)
            _, logits, queries, chosen = logits_of([samples[i] for i in own], phase)
            loss = F.cross_entropy(logits[:, old:seen], labels - old) + m.pull(queries, chosen)
            loss.backward()
            for v in variables.values():  # a parameter that the loss does not reach has no gradient yet
                v.grad = torch.zeros_like(v) if v.grad is None else v.grad
            if step == 0:
                stored[f"loss.{phase}"] = loss.detach().view(1).float()
                stored |= {f"gradient.{phase}.{k}": v.grad.float() for k, v in variables.items()}
            solver.step()
    features, logits = [], []
    with torch.no_grad():
        for s in samples:
            f, l, _, _ = logits_of([s], None)
            features.append(f)
            logits.append(l)
    stored["features"], stored["logits"] = torch.cat(features).float(), torch.cat(logits).float()
    case = dict(c, config=json.loads(config.to_json_string(use_diff=False)), steps=STEPS, rate=RATE, examples=EXAMPLES)
    keep = ("vocab_size max_position_embeddings hidden_size num_hidden_layers num_attention_heads intermediate_size image_size patch_size "
            "num_channels layer_norm_eps type_vocab_size modality_type_vocab_size model_type").split()
    case["config"] = {k: case["config"][k] for k in keep}
    save_file({k: v.contiguous() for k, v in stored.items()}, f"{sys.argv[1]}/prompts-{name}.safetensors", {"case": json.dumps(case)})


for seed, (name, c) in enumerate(CASES.items(), 1):
    make(name, c, seed)
