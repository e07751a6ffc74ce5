"""What transformers' ViltModel and PyTorch's autograd make of small random configurations, with and without SSF.

usage: vilt_golden.py FOLDER     (torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, numpy 2.4.6)

Writes golden-NAME.safetensors for each case into FOLDER, the same bytes each time on one machine. Parameters and inputs are
drawn in float32, and nothing is at a value that would hide its absence; the model runs in float64, and what comes out is
rounded to float32 once, so a deviation from it is not the reference's own.

The model is transformers' own code, eager attention, in eval mode. Two things are put around it:

- torch.multinomial is replaced by one that returns indices in order. ViltEmbeddings.visual_embed draws a picture's patches
  with it, without replacement, which shuffles the image rows of every picture as large as the batch's largest; here they
  stay in raster order.
- SSF is put in by forward hooks at its seven kinds of place: the patch projection, layernorm_before, query, key and value
  (thirds of one vector of 3*D), attention's output map, layernorm_after, the intermediate map (before GELU), the output
  map (before the residual), and the final norm.

In a file: weights.* (transformers' names), head.*, ssf.*; input.ids and input.text [B,T], input.pixels [B,3,H,W] (0 to 255;
junk where the mask is 0) and input.mask [B,H,W]; and from the model as it is (plain.*) and with SSF (tuned.*): hidden.I,
last, attention.I, pooler, logits, loss, and gradient.* by every weight and the head (plain) or every SSF vector and the head
(tuned). Rows are packed as mcil packs them: each sequence's own text tokens, class token and patches, the next sequence's
after them; padding is left out. An attention is, for each sequence, [heads, rows, rows]. The metadata's "case" is JSON: the
config, classes, how many of them compete in the loss, labels, and the length to which text positions are extended, or 0.
"""

import json
import logging
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
logging.disable(logging.WARNING)
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import ViltConfig, ViltModel

torch.set_num_threads(1)


def in_order(weights, count, replacement=False):
    return torch.arange(int(count)) % len(weights)


torch.multinomial = in_order

# Pictures are grids of patches, h by w. A mask other than the whole picture is (rows of pixels, columns of pixels, holes),
# holes being patches in the middle of it that are left out. A text is its length, or the list of its positions.
CASES = {
    "least": dict(width=4, depth=1, heads=1, hidden=6, grid=1, patch=3, text=3, grids=[(1, 1)], texts=[2]),
    "alone": dict(width=8, depth=1, heads=2, hidden=20, grid=3, patch=4, text=7, grids=[(1, 4)], texts=[7]),
    "equal": dict(width=20, depth=2, heads=5, hidden=28, grid=4, patch=3, text=6, grids=[(4, 4)] * 3, texts=[6] * 3),
    "ragged": dict(width=24, depth=3, heads=3, hidden=40, grid=5, patch=4, text=11,
                   grids=[(5, 5), (3, 4), (5, 8), (8, 3), (1, 8), (2, 1)], texts=[11, 4, 7, 2, 9, 10]),
    "wide": dict(width=48, depth=2, heads=4, hidden=96, grid=2, patch=8, text=8, grids=[(2, 3), (3, 2), (1, 1)], texts=[3, 8, 5]),
    "narrow": dict(width=16, depth=5, heads=8, hidden=12, grid=6, patch=2, text=12, grids=[(3, 2), (6, 7), (1, 6)], texts=[12, 5, 3]),
    "twelve": dict(width=24, depth=12, heads=12, hidden=36, grid=12, patch=2, text=40, grids=[(1, 19), (2, 3)], texts=[3, 9]),
    # The picture is 6 by 6 patches of 4; masks end within a patch, which then counts, or have holes.
    "masked": dict(width=24, depth=2, heads=2, hidden=32, grid=4, patch=4, text=9, grids=[(4, 6)] * 4,
                   masks=[(9, 24, []), (16, 13, [(1, 2), (3, 1)]), (16, 24, [(1, 1), (1, 2), (2, 5), (3, 3)]), (4, 1, [])],
                   texts=[[0, 1, 3, 8], [0, 2, 4, 5, 6, 7], 9, [0, 8]]),
    "extended": dict(width=16, depth=2, heads=4, hidden=24, grid=3, patch=4, text=7, extended=18, grids=[(3, 3), (2, 4)], texts=[18, 11]),
    # an epsilon that shows in every norm
    "coarse": dict(width=12, depth=2, heads=3, hidden=20, grid=3, patch=3, text=7, eps=1e-2, grids=[(3, 4), (2, 2)], texts=[7, 4]),
}


def config_of(c):
    return ViltConfig(
        vocab_size=60, max_position_embeddings=c["text"], hidden_size=c["width"], num_hidden_layers=c["depth"],
        num_attention_heads=c["heads"], intermediate_size=c["hidden"], image_size=c["grid"] * c["patch"], patch_size=c["patch"],
        layer_norm_eps=c.get("eps", 1e-12), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager")


def draw(rng, name, shape):
    """A parameter in float32, of a spread at which each one matters."""
    x = rng.standard_normal(shape)
    if name.endswith("gamma") or "norm" in name.lower() and name.endswith("weight"):
        x = 1 + 0.3 * x
    elif name.endswith(("bias", "beta")):
        x = 0.3 * x
    elif name.endswith(("embeddings.weight", "position_embeddings", "cls_token")):
        x = 0.6 * x
    else:
        x = 1.2 * x / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(x.astype(np.float32))


def places(config):
    """As vilt.Places: name, width, modules of transformers' model that it follows."""
    d = config.hidden_size
    yield "patch", d, ["embeddings.patch_embeddings.projection"]
    for i in range(config.num_hidden_layers):
        layer, block = f"encoder.layer.{i}.", f"block.{i}."
        yield block + "norm1", d, [layer + "layernorm_before"]
        yield block + "qkv", 3 * d, [layer + "attention.attention." + x for x in ("query", "key", "value")]
        yield block + "proj", d, [layer + "attention.output.dense"]
        yield block + "norm2", d, [layer + "layernorm_after"]
        yield block + "fc1", config.intermediate_size, [layer + "intermediate.dense"]
        yield block + "fc2", d, [layer + "output.dense"]
    yield "norm", d, ["layernorm"]


def hook_in(model, ssf):
    """Puts SSF's vectors, in float64 and wanting gradients, after what they follow."""
    handles = []
    for place, width, modules in places(model.config):
        gammas = ssf[f"ssf.{place}.gamma"].chunk(len(modules))
        betas = ssf[f"ssf.{place}.beta"].chunk(len(modules))
        for name, gamma, beta in zip(modules, gammas, betas):
            def hook(module, args, out, gamma=gamma, beta=beta):
                shape = (1, -1, 1, 1) if isinstance(module, torch.nn.Conv2d) else (-1,)
                return out * gamma.view(shape) + beta.view(shape)
            handles.append(model.get_submodule(name).register_forward_hook(hook))
    return handles


def inputs_of(rng, c, config):
    p, b = config.patch_size, len(c["grids"])
    longest = c.get("extended", config.max_position_embeddings)
    texts = [list(range(t)) if isinstance(t, int) else t for t in c["texts"]]
    t = max(max(x) + 1 for x in texts)
    assert t <= longest
    ids, text = rng.integers(0, config.vocab_size, (b, t)), np.zeros((b, t), np.int64)
    h, w = p * max(g[0] for g in c["grids"]), p * max(g[1] for g in c["grids"])
    pixels, mask = rng.integers(0, 256, (b, 3, h, w)), np.zeros((b, h, w), np.int64)
    for i, (gh, gw) in enumerate(c["grids"]):
        text[i, texts[i]] = 1
        mh, mw, holes = c["masks"][i] if "masks" in c else (gh * p, gw * p, [])
        mask[i, :mh, :mw] = 1
        for y, x in holes:
            assert y > 0 and x > 0  # the model reads the grid off the first row and column
            mask[i, y * p:(y + 1) * p, x * p:(x + 1) * p] = 0
    return {k: torch.from_numpy(v) for k, v in dict(ids=ids, text=text, pixels=pixels, mask=mask).items()}


def normalised(pixels):
    """As ViltImageProcessorPil: 1/255 in float64, to float32, then mean and deviation of 0.5."""
    x = (pixels.double() * (1 / 255)).float()
    return (x - 0.5) / 0.5


def run(model, head, inputs, labels, active):
    x = inputs
    out = model(input_ids=x["ids"], attention_mask=x["text"], pixel_values=normalised(x["pixels"]).double(), pixel_mask=x["mask"],
                output_attentions=True, output_hidden_states=True)
    logits = F.linear(out.pooler_output, head["head.weight"], head["head.bias"])
    loss = F.cross_entropy(logits[:, :active], labels)
    t, p = x["ids"].shape[1], model.config.patch_size
    valid = x["mask"][:, ::p, ::p].flatten(1).sum(1)  # these come first, in raster order
    rows = [torch.cat([text.nonzero()[:, 0], t + torch.arange(1 + int(v))]) for text, v in zip(x["text"], valid)]

    def packed(states):
        return torch.cat([s[r] for s, r in zip(states, rows)])

    assert len(out.hidden_states) == model.config.num_hidden_layers + 1 and len(out.attentions) == model.config.num_hidden_layers
    result = {"last": packed(out.last_hidden_state), "pooler": out.pooler_output, "logits": logits, "loss": loss.view(1)}
    for i, h in enumerate(out.hidden_states):
        result[f"hidden.{i}"] = packed(h)
    for i, a in enumerate(out.attentions):
        result[f"attention.{i}"] = torch.cat([m[:, r][:, :, r].flatten() for m, r in zip(a, rows)])
        for m, r in zip(a, rows):  # nothing looks at padding
            assert torch.allclose(m[:, r][:, :, r].sum(-1), torch.ones(1, dtype=m.dtype))
    return result, loss


def make(name, c, seed):
    rng = np.random.default_rng(seed)
    config, classes = config_of(c), 5
    active = 5 if seed % 2 else 4
    model = ViltModel(config).eval()
    weights = {k: draw(rng, k, tuple(v.shape)) for k, v in model.state_dict().items()}
    model.load_state_dict(weights, strict=True)
    model = model.double()
    table = model.embeddings.text_embeddings.position_embeddings
    stored = {f"weights.{k}": v for k, v in weights.items()}
    if "extended" in c:
        # as missing-aware prompts extend it: along positions, float32
        old = weights["embeddings.text_embeddings.position_embeddings.weight"]
        new = F.interpolate(old[None, None], size=(c["extended"], config.hidden_size), mode="bilinear", align_corners=False)[0, 0]
        stored["extended"] = new
        text = model.embeddings.text_embeddings
        text.position_embeddings = torch.nn.Embedding.from_pretrained(new.double(), freeze=False)
        text.position_ids = torch.arange(c["extended"]).expand((1, -1))
        text.token_type_ids = torch.zeros((1, c["extended"]), dtype=torch.long)
    head = {k: draw(rng, k, s) for k, s in {"head.weight": (classes, config.hidden_size), "head.bias": (classes,)}.items()}
    ssf = {}
    for place, width, _ in places(config):
        for kind in "gamma", "beta":
            ssf[f"ssf.{place}.{kind}"] = draw(rng, kind, (width,))
    inputs = inputs_of(rng, c, config)
    labels = torch.from_numpy(rng.integers(0, active, len(c["grids"])))
    stored |= head | ssf | {f"input.{k}": v.half() for k, v in inputs.items()}  # whole numbers to 255: exact

    def variables(tensors):
        return {k: v.double().requires_grad_() for k, v in tensors.items()}

    # plain: by every weight
    h = variables(head)
    out, loss = run(model, h, inputs, labels, active)
    wanted = dict(model.named_parameters()) | h
    out |= {f"gradient.{k}": g for k, g in zip(wanted, torch.autograd.grad(loss, wanted.values()))}
    # tuned: the encoder is frozen
    model.requires_grad_(False)
    h, s = variables(head), variables(ssf)
    handles = hook_in(model, s)
    assert len(handles) == 2 + 8 * config.num_hidden_layers
    tuned, loss = run(model, h, inputs, labels, active)
    wanted = s | h
    tuned |= {f"gradient.{k}": g for k, g in zip(wanted, torch.autograd.grad(loss, wanted.values()))}

    stored |= {f"plain.{k}": v for k, v in out.items()} | {f"tuned.{k}": v for k, v in tuned.items()}
    stored = {k: v.detach().to(torch.float16 if k.startswith("input.") else torch.float32).contiguous().clone() for k, v in stored.items()}
    keys = ["model_type", "vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "num_attention_heads",
            "intermediate_size", "image_size", "patch_size", "num_channels", "layer_norm_eps", "type_vocab_size", "modality_type_vocab_size"]
    case = {"config": {k: getattr(config, k) for k in keys}, "classes": classes, "active": active, "labels": labels.tolist(),
            "extended": c.get("extended", 0), "torch": torch.__version__.split("+")[0]}
    # one key: the order of several is not fixed
    save_file(stored, f"{sys.argv[1]}/golden-{name}.safetensors", metadata={"case": json.dumps(case, sort_keys=True)})


for i, (name, c) in enumerate(CASES.items()):
    make(name, c, 2021 + i)
