"""What BERT's uncased fast tokenizer does with every code point, asked of the tokenizers package itself. Written to stdout
as ../bert_tables.txt. usage: bert_tables.py > ../bert_tables.txt (needs tokenizers; made with 0.23.3)

The package carries tables of several Unicode editions: its categories are older than its lower case and decompositions.
"""

import sys
import unicodedata

import tokenizers
from tokenizers import normalizers, pre_tokenizers

bert = normalizers.BertNormalizer()
nfd = normalizers.NFD()
split = pre_tokenizers.BertPreTokenizer()
whole = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def order_of(x, known):
    """The canonical combining class of x: 0, or that of the known mark with which it does not change places."""
    def swaps(a, b):
        return nfd.normalize_str(a + b) == b + a != a + b
    if x != "\u0345" and not swaps("\u0345", x):  # U+0345 has the highest class, 240
        return 0
    fits = [k for k, mark in known.items() if not swaps(mark, x) and not swaps(x, mark)]
    assert len(fits) == 1, (hex(ord(x)), fits)
    return fits[0]


def spans(points):
    """Runs of code points: 41 or 41-5A, in hexadecimal."""
    points, out = sorted(points), []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return [f"{a:X}" if a == b else f"{a:X}-{b:X}" for a, b in out]


known = {}
for c in whole:
    k, s = unicodedata.combining(chr(c)), chr(c)
    if k and nfd.normalize_str(s) == s and (c == 0x345 or nfd.normalize_str("\u0345" + s) != "\u0345" + s):
        known.setdefault(k, chr(c))

classes = {"drop": [], "space": [], "wide": [], "mark": [], "starter": [], "punct": []}
maps, orders = {}, {}
for c in whole:
    s = chr(c)
    alone = bert.normalize_str(s)
    # Between starters nothing is reordered, so what is added or missing is c's own.
    within = bert.normalize_str("a" + s + "a")
    assert within == "a" + alone + "a", hex(c)
    pieces = [p for p, _ in split.pre_tokenize_str("a" + s + "a")]
    if pieces == ["a", s, "a"]:
        classes["punct"].append(c)
    if c < 0x80 and alone == "":
        classes["drop"].append(c)
    elif alone == "":
        # A control character goes before marks are put in order; a mark goes after.
        gone = bert.normalize_str("\u302E" + s + "\U0001D165") == "\U0001D165\u302E"  # classes 224 and 216, both kept
        first = nfd.normalize_str(s)[0]
        if not gone:
            assert order_of(first, known) == 0, hex(c)
            classes["starter"].append(c)
        elif nfd.normalize_str("\u0345" + s) != "\u0345" + s or s == "\u0345":
            classes["mark"].append(c)
        else:
            classes["drop"].append(c)
    elif alone == " ":
        classes["space"].append(c)
    elif alone[0] == " ":
        assert alone[-1] == " " and len(alone) == 3, hex(c)
        classes["wide"].append(c)
        alone = alone[1]
        if alone != s:
            maps[c] = alone
    elif 0xAC00 <= c < 0xD7A4:
        i = c - 0xAC00
        want = chr(0x1100 + i // 588) + chr(0x1161 + i % 588 // 28) + (chr(0x11A7 + i % 28) if i % 28 else "")
        assert alone == want, hex(c)
    elif alone != s:
        maps[c] = alone
    if alone == s and c >= 0x80 and (k := order_of(s, known)):
        orders.setdefault(k, []).append(c)

for to in maps.values():
    for s in to:
        assert bert.normalize_str(s).strip() == s, "what a character becomes stays as it is"

print("# Made by testdata/bert_tables.py with tokenizers", tokenizers.__version__)
for name, points in classes.items():
    print(name, *spans(points))
for k, points in sorted(orders.items()):
    print(f"order{k}", *spans(points))


def distance(c):
    return ord(maps[c]) - c if len(maps[c]) == 1 else None


# Runs that move by the same distance: 41-5A>61, of every second code point 100/12E>101, else 1F80>3B1,3B9.
line, c, done = ["map"], 0, set()
for c in sorted(maps):
    if c in done:
        continue
    step = next((n for n in (1, 2) if c + n in maps and c + n not in done and distance(c) is not None and distance(c + n) == distance(c)), 0)
    end = c
    while step and end + step in maps and end + step not in done and distance(end + step) == distance(c):
        end += step
    done.update(range(c, end + 1, step or 1))
    name = f"{c:X}" if end == c else f"{c:X}{'-/'[step - 1]}{end:X}"
    line.append(name + ">" + ",".join(f"{ord(s):X}" for s in maps[c]))
print(*line)
print(f"{len(maps)} characters change", {k: len(v) for k, v in classes.items()}, {k: len(v) for k, v in orders.items()}, file=sys.stderr)
