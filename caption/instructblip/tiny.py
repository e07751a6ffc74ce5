"""Makes a tiny InstructBLIP of random weights, of the T5 or the Vicuna kind, in a folder as on the Hub: python tiny.py t5 FOLDER.

It is for tests: everything has the real checkpoints' classes, files and traps, and nothing their size. Its captions are
words without sense that depend on the picture.
"""

import argparse
import json
from pathlib import Path
from typing import Literal

import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertTokenizer,
    BlipImageProcessorPil,
    GenerationConfig,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    InstructBlipProcessor,
    LlamaConfig,
    LlamaTokenizer,
    PreTrainedTokenizerBase,
    T5Config,
    T5Tokenizer,
)

Kind = Literal["t5", "vicuna"]

WORDS = """a the of on in with and is are its by two three many small large bright dark red green blue yellow white black
brown picture photo painting drawing sketch toy dog cat bird fish horse tree flower leaf grass house street car boat bridge
mountain river sky cloud sun moon night day table chair cup plate bread apple cake book lamp door window wall man woman
child hand face eye hat shirt shoe standing sitting running looking holding near behind under above left right middle
line circle square pattern shadow light stone wood metal glass paper water snow sand write describe detailed short
description what unusual about this image for show answer question""".split()

QUERY_TOKENS = 32
PICTURE_SIDE = 56
HIDDEN = 64
START = 3.0  # these two are explained at _bring_to_an_end
END = 0.3


def _llama_tokenizer() -> PreTrainedTokenizerBase:
    """BPE like LLaMA's. As in the Vicuna checkpoints, the text begins with the token that also ends it."""
    special = ["<unk>", "<s>", "</s>"]
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace()
    alphabet = [chr(c) for c in range(33, 127)]
    bpe.train_from_iterator(
        [" ".join(WORDS)] * 4,
        trainers.BpeTrainer(vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    merges = [tuple(merge) for merge in json.loads(bpe.to_str())["model"]["merges"]]
    vocab = bpe.get_vocab()
    return LlamaTokenizer(vocab=vocab, merges=merges, bos_token="</s>", eos_token="</s>", pad_token="[PAD]", add_bos_token=True)


def _t5_tokenizer() -> PreTrainedTokenizerBase:
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = [(f"▁{word}", -5.0) for word in dict.fromkeys(WORDS)]
    characters = [(c, -12.0) for c in ["▁", *map(chr, range(33, 127))]]
    return T5Tokenizer(vocab=special + words + characters, extra_ids=10)


def _bert_tokenizer() -> PreTrainedTokenizerBase:
    letters = [c for c in map(chr, range(33, 127)) if not c.isupper()]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    words = [word for word in dict.fromkeys(WORDS) if len(word) > 1]
    vocab = special + letters + ["##" + c for c in letters if c.isalnum()] + words
    return BertTokenizer(vocab={word: i for i, word in enumerate(vocab)}, bos_token="[DEC]")


def make(kind: Kind, folder: Path, seed: int = 1) -> None:
    tokenizer = _t5_tokenizer() if kind == "t5" else _llama_tokenizer()
    qformer_tokenizer = _bert_tokenizer()
    processor = InstructBlipProcessor(
        BlipImageProcessorPil(size={"height": PICTURE_SIDE, "width": PICTURE_SIDE}),
        tokenizer,
        qformer_tokenizer,
        num_query_tokens=QUERY_TOKENS,
    )
    rows = -(-len(tokenizer) // 64) * 64  # as in the Vicuna checkpoints: more rows than tokens
    text = (
        T5Config(
            vocab_size=rows,
            d_model=HIDDEN,
            d_kv=16,
            d_ff=128,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            decoder_start_token_id=0,
            initializer_factor=2.0,
        )
        if kind == "t5"
        else LlamaConfig(
            vocab_size=rows,
            hidden_size=HIDDEN,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
            initializer_range=0.3,
            bos_token_id=0,  # wrong, as in the Vicuna checkpoints
            eos_token_id=1,
            pad_token_id=0,
        )
    )
    config = InstructBlipConfig(
        vision_config={
            "hidden_size": HIDDEN,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": PICTURE_SIDE,
            "patch_size": 14,
            "initializer_range": 0.3,
        },
        qformer_config={
            "vocab_size": len(qformer_tokenizer),
            "hidden_size": HIDDEN,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 128,
            "max_position_embeddings": 64,
            "initializer_range": 0.3,
        },
        text_config=text.to_dict(),
        num_query_tokens=QUERY_TOKENS,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        initializer_range=0.3,
    )
    torch.manual_seed(seed)
    net = InstructBlipForConditionalGeneration(config).eval()
    _bring_to_an_end(net, processor, END)
    net.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)


@torch.no_grad()
def _bring_to_an_end(net: InstructBlipForConditionalGeneration, processor: InstructBlipProcessor, strength: float) -> None:
    """Makes the end token so likely that most captions end after a while, but never the first: no caption is empty."""
    first: list[torch.Tensor] = []
    head = net.language_model.get_output_embeddings()
    if not net.config.use_decoder_only_language_model:
        head.weight = torch.nn.Parameter(0.3 * torch.randn_like(head.weight))  # flan-t5's is not its embedding
        net.get_input_embeddings().weight[0] *= START  # else the first state depends on the picture as much as the others
    hook = head.register_forward_pre_hook(lambda _, args: first.append(args[0][:, -1]))
    for grey in range(0, 256, 32):
        noise = torch.randint(0, 256, (PICTURE_SIDE, PICTURE_SIDE, 3), dtype=torch.uint8).numpy()
        picture = Image.blend(Image.fromarray(noise), Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), (grey, grey, grey)), 0.7)
        net.generate(**processor(images=picture, text="Write a detailed description.", return_tensors="pt"), max_new_tokens=1)
    hook.remove()
    tokenizer = processor.tokenizer
    head.weight[len(tokenizer) :] = 0
    head.weight[tokenizer.all_special_ids] = 0
    start = torch.linalg.qr(torch.cat(first).T).Q  # HIDDEN x 8, the directions in which a caption starts
    end = torch.randn(HIDDEN)
    head.weight[tokenizer.eos_token_id] = strength * (end - start @ (start.T @ end)) - torch.cat(first).mean(0)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("kind", choices=["t5", "vicuna"])
    p.add_argument("folder", type=Path)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    transformers.logging.set_verbosity_error()
    make(a.kind, a.folder, a.seed)
