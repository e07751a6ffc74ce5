"""What transformers' BertTokenizerFast makes of texts, and of every code point among letters, for tokenizer_golden_test.go.
usage: tokenizer_golden.py > tokenizer_golden.json (made with transformers 5.23.0, tokenizers 0.23.3)
"""

import collections
import hashlib
import json
import os
import random
import sys
import tempfile

import tokenizers
import transformers

rng = random.Random(40)
words = """a the of with standing photograph dog's well-known café naïve Zürich Straße ŁÓDŹ İstanbul ΣΊΣΥΦΟΣ Ǆungla 1990s 3.14 $5
100% #tag @name (left) “curly” — … «ça» 東京 日本語 한국어 العربية עברית हिन्दी ไทย 🐶 👩‍👩‍👧 🇨🇭 👍🏽 ☃ ½ ﬁ Å ™ [CLS] [SEP] [MASK] [UNK] [PAD]
[cls] [MASK [[MASK]] x[SEP]y unaffable ##ing ## [unused0] http://a.b/c?d=e ≠ \u1fef \u037e \u2f9f \U0002f830""".split()
joins = [" ", " ", " ", ", ", ". ", "", "\n", "\t", "-", "\u00a0", "\u3000", "\u200b", "\r\n", "\u0301", "\u2028", "\x85"]
spans = [(0, 0x24F), (0x300, 0x5FF), (0x600, 0xDFF), (0x1100, 0x11FF), (0x1D00, 0x2FFF), (0x3000, 0x30FF), (0xAC00, 0xAFFF), (0xF900, 0xFFFF),
         (0x10000, 0x11FFF), (0x1D100, 0x1D1FF), (0x1F300, 0x1FAFF), (0xE0000, 0xE01FF)]
marks = [0x301, 0x323, 0x34F, 0x302E, 0x302F, 0x1D165, 0x1D16D, 0x1D15E, 0x1B44, 0x8D4, 0x1DFB, 0x1E944, 0x11442, 0x16FF0, 0x94D, 0x903, 0x200D, 0x61]

texts = ["", " ", "x" * 100, "x" * 101, "e\u0301" * 100, "e\u0301" * 101, "\uac01" * 33, "\uac01" * 34, "\u302e" * 100 + "\U0001d165", "a\u0345\u0301\u302e\U0001d165b"]
for i in range(500):
    if i % 3 < 2:
        texts.append("".join(rng.choice(words) + rng.choice(joins) for _ in range(rng.randint(1, 14))))
    elif i % 2:
        texts.append("".join(chr(rng.choice(marks)) for _ in range(rng.randint(2, 12))))
    else:
        texts.append("".join(chr(rng.randint(*rng.choice(spans))) for _ in range(rng.randint(1, 20))))

normal, split = tokenizers.normalizers.BertNormalizer(), tokenizers.pre_tokenizers.BertPreTokenizer()


def cut(text):
    return [w for w, _ in split.pre_tokenize_str(normal.normalize_str(text))]


counts = collections.Counter(w for t in texts for w in cut(t))
letters = sorted({c for w in counts for c in w})
vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters if ord(c) % 7]
vocabulary += sorted({w for w, n in counts.items() if len(w) > 1 and n > 3} | {"un", "##aff", "##able", "stand", "##ing", "##\u0131"} - set(vocabulary))
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8", newline="\n") as f:
        f.write("\n".join(vocabulary) + "\n")
    tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
assert len(tokenizer) == len(vocabulary)

cases = []
for i, text in enumerate(texts):
    limit = [0, 40, 10][i % 3]
    options = {"truncation": True, "max_length": limit} if limit else {}
    cases.append([text, limit, tokenizer(text, **options)["input_ids"]])

blocks = []
for block in range(0, 0x110000, 0x1000):
    h = hashlib.sha256()
    for c in range(block, block + 0x1000):
        if not 0xD800 <= c < 0xE000:
            h.update((" ".join(cut("a" + chr(c) + "A\u0301")) + "\n").encode())
    blocks.append(h.hexdigest()[:12])

json.dump({"made": f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}",
           "vocabulary": vocabulary, "cases": cases, "blocks": blocks}, sys.stdout, separators=(",", ":"), ensure_ascii=True)
print()
