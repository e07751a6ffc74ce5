"""What transformers' BertTokenizerFast makes of texts. usage: parity_tokenizer.py FOLDER

FOLDER holds vocab.txt, texts.jsonl (a JSON string a line) and characters.jsonl. Written into it: ids.txt and cut.txt, the
ids of each text a line, whole and truncated to 40; words.txt, the words of each line of characters.jsonl.
"""

import json
import logging
import os
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
logging.disable(logging.WARNING)
import tokenizers
import transformers

folder = sys.argv[1]
tokenizer = transformers.BertTokenizerFast.from_pretrained(folder)
assert tokenizer.is_fast


def batches(name, size=10000):
    with open(f"{folder}/{name}", encoding="utf-8", newline="\n") as lines:
        batch = []
        for line in lines:
            batch.append(json.loads(line))
            if len(batch) == size:
                yield batch
                batch = []
        yield batch


with open(f"{folder}/ids.txt", "w") as whole, open(f"{folder}/cut.txt", "w") as cut:
    for batch in batches("texts.jsonl"):
        if not batch:
            continue
        for out, options in (whole, {}), (cut, {"truncation": True, "max_length": 40}):
            for ids in tokenizer(batch, **options)["input_ids"]:
                print(*ids, file=out)

normal, split = tokenizer.backend_tokenizer.normalizer, tokenizer.backend_tokenizer.pre_tokenizer
with open(f"{folder}/words.txt", "w", encoding="utf-8", newline="\n") as out:
    for batch in batches("characters.jsonl"):
        for text in batch:
            print(*(w for w, _ in split.pre_tokenize_str(normal.normalize_str(text))), file=out)

print(f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}, {type(tokenizer).__name__}")
