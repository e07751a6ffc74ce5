"""The training step in PyTorch: transformers' ViltModel with SSF modules and a linear classifier.

It reads requests, one a line, and answers each with a line of JSON on what was standard output when it started:

    train N    N steps of training: forward, backward, AdamW
    infer N    N forward passes under inference_mode
    sdpa N     N steps of training with scaled_dot_product_attention in the place of the model's own attention
    merged N   N forward passes without the SSF modules, which cost nothing once they are merged into the weights
    mark       the peak memory is counted from here on
    peak       the peak memory since

Everything that an answer's seconds do not need is prepared before: the inputs are tensors, and the model is on its way.
"""

import argparse
import json
import os
import shutil
import sys
import time
import types

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch import nn
from transformers import ViltModel


class SSF(nn.Module):
    """Scale and shift, a pair per channel, in one pass over the values."""

    merged = False  # all of them are left out

    def __init__(self, vectors, channels_first=False):
        super().__init__()
        shape = (1, -1, 1, 1) if channels_first else (-1,)
        self.gamma = nn.Parameter(vectors[0].reshape(shape).clone())
        self.beta = nn.Parameter(vectors[1].reshape(shape).clone())

    def forward(self, x):
        return x if SSF.merged else torch.addcmul(self.beta, x, self.gamma)


class Tuned(nn.Module):
    """A module of the model and the SSF that follows it."""

    def __init__(self, module, ssf):
        super().__init__()
        self.module, self.ssf = module, ssf

    def forward(self, x):
        return self.ssf(self.module(x))


class TunedPatches(Tuned):
    @property
    def projection(self):  # the model asks for the shape of its weight
        return self.module.projection


def insert(model, vectors):
    """Inserts SSF at the seven kinds of place. vectors(width) are the next pair, in the order of the file."""
    model.requires_grad_(False)
    config = model.config
    d, hidden = config.hidden_size, config.intermediate_size
    e = model.embeddings
    e.patch_embeddings = TunedPatches(e.patch_embeddings, SSF(vectors(d), channels_first=True))
    for layer in model.encoder.layer:
        layer.layernorm_before = Tuned(layer.layernorm_before, SSF(vectors(d)))
        gamma, beta = vectors(3 * d)  # one pair over query, key and value, which this model has apart
        a = layer.attention.attention
        for i, name in enumerate(["query", "key", "value"]):
            part = slice(i * d, (i + 1) * d)
            setattr(a, name, Tuned(getattr(a, name), SSF((gamma[part], beta[part]))))
        layer.attention.output.dense = Tuned(layer.attention.output.dense, SSF(vectors(d)))
        layer.layernorm_after = Tuned(layer.layernorm_after, SSF(vectors(d)))
        layer.intermediate.dense = Tuned(layer.intermediate.dense, SSF(vectors(hidden)))
        layer.output.dense = Tuned(layer.output.dense, SSF(vectors(d)))
    model.layernorm = Tuned(model.layernorm, SSF(vectors(d)))


def fused_attention(self, hidden_states, attention_mask=None, output_attentions=False):
    """ViltSelfAttention.forward by scaled_dot_product_attention. No token is masked: the mask is left out."""
    shape = (*hidden_states.shape[:-1], -1, self.attention_head_size)
    q, k, v = (f(hidden_states).view(shape).transpose(1, 2) for f in (self.query, self.key, self.value))
    out = F.scaled_dot_product_attention(q, k, v)
    return (out.transpose(1, 2).reshape(hidden_states.shape),)


class Classifier(nn.Module):
    def __init__(self, vilt, head):
        super().__init__()
        self.vilt, self.head = vilt, head

    def forward(self, inputs):
        return self.head(self.vilt(**inputs).pooler_output)


def floats(folder, name):
    return torch.from_numpy(np.fromfile(os.path.join(folder, name), dtype="<f4"))


def ints(folder, name):
    return torch.from_numpy(np.fromfile(os.path.join(folder, name), dtype="<i4").astype(np.int64))


class Peer:
    def __init__(self, o):
        try:  # what the model has; in transformers 5.23 it is its own attention only
            vilt = ViltModel.from_pretrained(o.folder, attn_implementation="sdpa", dtype=torch.float32)
        except ValueError:
            vilt = ViltModel.from_pretrained(o.folder, attn_implementation="eager", dtype=torch.float32)
        self.attention = vilt.config._attn_implementation
        all_vectors, at = floats(o.folder, "ssf.bin"), 0

        def vectors(width):
            nonlocal at
            at += 2 * width
            return all_vectors[at - 2 * width : at - width], all_vectors[at - width : at]

        insert(vilt, vectors)
        assert at == len(all_vectors), (at, len(all_vectors))
        d = vilt.config.hidden_size
        head = nn.Linear(d, o.classes)
        with torch.no_grad():
            values = floats(o.folder, "head.bin")
            head.weight.copy_(values[: o.classes * d].reshape(o.classes, d))
            head.bias.copy_(values[o.classes * d :])
        self.model = Classifier(vilt, head)
        self.vilt = vilt
        self.labels = ints(o.folder, "labels.bin")
        batch, side = len(self.labels), vilt.config.image_size
        tokens = ints(o.folder, "tokens.bin").reshape(batch, -1)
        self.inputs = {
            "input_ids": tokens,
            "attention_mask": torch.ones_like(tokens),
            "token_type_ids": torch.zeros_like(tokens),
            "pixel_values": floats(o.folder, "pixels.bin").reshape(batch, 3, side, side),
            "pixel_mask": torch.ones(batch, side, side, dtype=torch.long),
        }
        decayed, others = [], []
        for name, p in self.model.named_parameters():
            if p.requires_grad:
                (decayed if name == "head.weight" else others).append(p)
        groups = [{"params": decayed, "weight_decay": o.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=o.learning_rate, betas=(0.9, 0.98), eps=1e-8, fused=True)
        self.forward = self.model
        if o.compile:
            compiler = os.environ.get("CXX", "g++")
            if not (shutil.which(compiler) or shutil.which("clang++")):
                raise RuntimeError(f"torch.compile needs a C++ compiler, and there is no {compiler}")
            # Picks patches by counts that it reads from a mask, which no compiler can follow: left as it is, what comes
            # before and after is compiled whole.
            vilt.embeddings.visual_embed = torch.compiler.disable(vilt.embeddings.visual_embed)
            self.forward = torch.compile(self.model)

    def train(self, steps):
        self.model.train()
        losses = []
        for _ in range(steps):
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.forward(self.inputs), self.labels)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return losses

    def infer(self, passes):
        self.model.eval()
        with torch.inference_mode():
            for _ in range(passes):
                logits = self.forward(self.inputs)
            return [F.cross_entropy(logits, self.labels).item()]

    def sdpa(self, steps):
        layers = [layer.attention.attention for layer in self.vilt.encoder.layer]
        for a in layers:
            a.forward = types.MethodType(fused_attention, a)
        try:
            return self.train(steps)
        finally:
            for a in layers:
                del a.forward

    def merged(self, passes):
        SSF.merged = True
        try:
            return self.infer(passes)
        finally:
            SSF.merged = False


def mark():
    """Sets the kernel's record of the peak back to what the process has now."""
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")


def peak():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    raise RuntimeError("no VmHWM in /proc/self/status")


def answer(peer, request):
    name, *count = request.split()
    if name == "mark":
        mark()
        return {}
    if name == "peak":
        return {"peak_bytes": peak()}
    work = {"train": peer.train, "infer": peer.infer, "sdpa": peer.sdpa, "merged": peer.merged}[name]
    began = time.perf_counter()
    losses = work(int(count[0]))
    return {"seconds": time.perf_counter() - began, "losses": losses}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--weight-decay", type=float, required=True)
    parser.add_argument("--compile", action="store_true")
    o = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints goes elsewhere
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)

    def say(value):
        out.write(json.dumps(value) + "\n")

    try:
        peer = Peer(o)
    except Exception as e:
        say({"error": f"{type(e).__name__}: {e}"})
        return
    say({"versions": {
        "python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
        "attention": peer.attention, "threads": str(torch.get_num_threads()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(), "mkl": str(torch.backends.mkl.is_available()),
    }})
    for line in sys.stdin:
        try:
            say(answer(peer, line))
        except Exception as e:
            say({"error": f"{type(e).__name__}: {str(e).strip().splitlines()[0]}"})


main()
