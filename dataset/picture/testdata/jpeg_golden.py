"""Writes jpeg_golden.zip: JPEGs of every kind, each NAME.jpg with Pillow's convert("RGB") of it as NAME.rgb.

    python jpeg_golden.py        # pillow 13.0.0 (libjpeg-turbo 3.2.0), numpy

Ordinary kinds are drawn and written by Pillow. Sampling that Pillow does not write, channels in scans of their own and odd
markings come from the small encoder below, which writes random coefficients: what matters is that both readers decode the same.
"""
import io, os, random, struct, zipfile
import numpy as np
from PIL import Image, ImageFile

ImageFile.MAXBLOCK = 1 << 20
rng, dice = np.random.default_rng(5), random.Random(5)
golden = {}


def add(name, data):
    with Image.open(io.BytesIO(data)) as im:
        rgb = im.convert("RGB")
    golden[name + ".jpg"] = data
    golden[name + ".rgb"] = rgb.tobytes()


def drawn(w, h, channels, noise):
    y, x = np.mgrid[:h, :w]
    a = np.stack([np.sin(x / (3 + 2 * c)) * np.cos(y / (5 - c)) * 127 + 128 for c in range(channels)], -1)
    a = a + rng.normal(0, noise, a.shape)
    a[h // 3 : h // 2, w // 3 : w // 2] = [250, 5, 120, 60][:channels]  # edges that colour bleeds over
    a = np.clip(a, 0, 255).astype(np.uint8)
    return Image.fromarray(a[..., 0]) if channels == 1 else Image.fromarray(a, {3: "RGB", 4: "CMYK"}[channels])


def pillow(name, w, h, channels=3, noise=8, **options):
    b = io.BytesIO()
    drawn(w, h, channels, noise).save(b, "JPEG", **options)
    add(name, b.getvalue())


for n in range(1, 18):
    other = n * 7 % 17 + 1
    for sub in (1, 2):
        pillow(f"size-{n}x{other}-sub{sub}", n, other, subsampling=sub, quality=90, optimize=True)
    pillow(f"size-{other}x{n}-progressive", other, n, subsampling=2, progressive=True)
for sub in (0, 1, 2):
    for progressive in (False, True):
        for quality in (1, 30, 100):
            pillow(f"quality-{quality}-sub{sub}-{'progressive' if progressive else 'baseline'}", 37, 29, subsampling=sub,
                   quality=quality, progressive=progressive, optimize=quality == 1)
for progressive in (False, True):
    kind = "progressive" if progressive else "baseline"
    pillow(f"grey-{kind}", 35, 21, 1, quality=60, progressive=progressive)
    pillow(f"cmyk-{kind}", 35, 21, 4, quality=80, progressive=progressive)
    pillow(f"rgb-{kind}", 35, 21, quality=80, progressive=progressive, keep_rgb=True, subsampling=0)
    pillow(f"restart-{kind}", 53, 41, quality=75, progressive=progressive, restart_marker_blocks=2)
    pillow(f"restart-grey-{kind}", 35, 41, 1, quality=75, progressive=progressive, restart_marker_rows=1)
    pillow(f"noise-{kind}", 48, 32, noise=90, quality=95, progressive=progressive, subsampling=2)


def segment(mark, body):
    return struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body


class Bits:
    def __init__(self):
        self.text = []

    def put(self, value, size):
        if size:
            self.text.append(format(value, f"0{size}b"))

    def value(self, v):  # T.81, F.1.2.1
        size = abs(v).bit_length()
        self.put(v if v >= 0 else v + (1 << size) - 1, size)

    def bytes(self):
        text = "".join(self.text)
        text += "1" * (-len(text) % 8)
        return int("1" + text, 2).to_bytes(len(text) // 8 + 1, "big")[1:].replace(b"\xff", b"\xff\x00")


# Every code of a table has the same length, 4 bits for DC and 8 for AC.
DC, AC = list(range(12)), [0x00, 0xF0] + [r << 4 | s for r in range(16) for s in range(1, 9)]


def encoder(name, w, h, channels, before=b"", restart=0, together=True, big=False):
    """channels: (id, horizontal, vertical samples) each."""
    max_h, max_v = max(c[1] for c in channels), max(c[2] for c in channels)
    out = b"\xff\xd8" + before
    scale = bytes(dice.randint(2, 9) for _ in range(64))
    if big:
        out += segment(0xDB, b"\x10" + b"".join(struct.pack(">H", 2 * q) for q in scale))
    else:
        out += segment(0xDB, b"\x00" + scale)
    out += segment(0xC1 if big else 0xC0, struct.pack(">BHHB", 8, h, w, len(channels)) +
                   b"".join(bytes([i, a << 4 | b, 0]) for i, a, b in channels))
    out += segment(0xC4, b"\x00" + bytes([0] * 3 + [len(DC)] + [0] * 12) + bytes(DC))
    out += segment(0xC4, b"\x10" + bytes([0] * 7 + [len(AC)] + [0] * 8) + bytes(AC))
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))
    up = lambda n, by: -(-n // by)
    for scan in [channels] if together else [[c] for c in channels]:
        out += segment(0xDA, bytes([len(scan)]) + b"".join(bytes([c[0], 0]) for c in scan) + b"\x00\x3f\x00")
        if len(scan) > 1:
            groups, blocks = up(w, 8 * max_h) * up(h, 8 * max_v), [i for i, c in enumerate(scan) for _ in range(c[1] * c[2])]
        else:
            _, a, b = scan[0]
            groups, blocks = up(up(w * a, max_h), 8) * up(up(h * b, max_v), 8), [0]
        bits, dc, marks = Bits(), [0] * len(scan), 0
        for g in range(groups):
            if restart and g and g % restart == 0:
                out += bits.bytes() + bytes([0xFF, 0xD0 + marks % 8])
                bits, dc, marks = Bits(), [0] * len(scan), marks + 1
            for i in blocks:
                new = max(-110, min(110, dc[i] + dice.randint(-60, 60)))
                bits.put(DC.index(abs(new - dc[i]).bit_length()), 4)
                bits.value(new - dc[i])
                dc[i] = new
                k = 1
                while k < 64 and dice.random() < 0.8:
                    run, v = dice.choice([0, 0, 0, 1, 2, 16]), dice.choice([-1, 1]) * dice.randint(1, 1 + 40 // k)
                    if k + run > 63:
                        break
                    if run == 16:
                        bits.put(AC.index(0xF0), 8)
                    else:
                        bits.put(AC.index(run << 4 | abs(v).bit_length()), 8)
                        bits.value(v)
                        run += 1
                    k += run
                if k < 64:
                    bits.put(AC.index(0), 8)
        out += bits.bytes()
    add(name, out + b"\xff\xd9")


def three(*sampling, ids=(1, 2, 3)):
    return [(i, *s) for i, s in zip(ids, sampling)]


jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
adobe = lambda transform: segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
one = (1, 1)
for name, s in {"444": (one, one, one), "422": ((2, 1), one, one), "440": ((1, 2), one, one), "420": ((2, 2), one, one),
                "411": ((4, 1), one, one), "410": ((4, 2), one, one), "441": ((1, 4), one, one), "311": ((3, 1), one, one),
                "mixed": ((2, 2), (1, 2), (2, 1)), "less-luma": (one, (2, 2), one), "all-double": ((2, 1), (2, 1), (2, 1)),
                "422-tall": ((2, 2), (1, 2), (1, 2)), "440-wide": ((2, 2), (2, 1), (2, 1))}.items():
    for w, h in ((41, 27), (dice.randint(1, 9), dice.randint(1, 9))):
        encoder(f"sampling-{name}-{w}x{h}", w, h, three(*s), restart=dice.choice([0, 0, 1, 3]))
    encoder(f"apart-{name}", 21, 37, three(*s), together=False, restart=dice.choice([0, 2]))
encoder("extended", 30, 20, three((2, 1), one, one), big=True)
encoder("grey-sampled", 27, 19, [(1, 2, 2)])
encoder("names-rgb", 20, 20, three(one, one, one, ids=b"RGB"))
encoder("names-rgb-jfif", 20, 20, three(one, one, one, ids=b"RGB"), jfif)
encoder("names-rgb-adobe1", 20, 20, three(one, one, one, ids=b"RGB"), adobe(1))
encoder("names-odd", 20, 20, three(one, one, one, ids=(7, 0, 9)))
encoder("adobe0", 20, 20, three(one, one, one), adobe(0))
encoder("adobe0-jfif", 20, 20, three(one, one, one), jfif + adobe(0))
encoder("adobe2", 20, 20, three((2, 2), one, one), adobe(2))
four = [(1, 2, 2), (2, 1, 1), (3, 1, 1), (4, 2, 2)]
for name, before in {"cmyk-plain": b"", "cmyk-adobe0": adobe(0), "ycck-adobe1": adobe(1), "ycck-adobe2": adobe(2)}.items():
    encoder(name, 26, 18, four, before)

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jpeg_golden.zip")
with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    for name in sorted(golden):
        z.writestr(zipfile.ZipInfo(name), golden[name], zipfile.ZIP_DEFLATED)
print(len(golden) // 2, "pictures,", os.path.getsize(path), "bytes")
