"""Files made wrong by hand. In the place of each kind: files of other programs, and files of this kind with one error
at a time: a field, a length, an order, a type, a key. Each must be refused.
"""

import gzip
import json
import pickle
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import readers
from common import HOME, Row, in_child

from jaxquard.config import Config

Case = tuple[str, bytes]  # a description, and the file


def measure(short: bool = False) -> list[Row]:
    """All of them, however short."""
    found = readers.report(in_child(attack))
    promise = (
        "Of hundreds of files made wrong by hand, each is refused in one of our errors, which names it; none is run"
    )
    figure = f"{found.refused} of {found.tried} refused, {found.figure()}"
    return [Row(promise, figure, "all of ≥ 300, 1 s, 64 MB", found.holds(short) and found.tried >= 300)]


def attack() -> readers.Found:
    """Every case, in this process."""
    warnings.simplefilter("error")
    every = readers.prepare()
    before = {*HOME.rglob("*"), *(Path(reader.named) for reader in every.values())}
    found = readers.attack(every, cases(every), all_refused=True)
    made = sorted(f"{path}: made by reading" for path in {*HOME.rglob("*")} - before)
    return found._replace(faults=found.faults + made)


def cases(every: dict[str, readers.Reader]) -> Iterator[tuple[str, str, bytes]]:
    """(kind, description, bytes)."""
    for kind, reader in every.items():
        for name, data in strangers():
            if not is_harmless(kind, data):
                yield kind, name, data
        for name, data in OWN[kind](reader.sound):
            yield kind, name, data


def is_harmless(kind: str, data: bytes) -> bool:
    """An empty TOML file is a valid config. A line of a journal may be empty of facts, or unfinished."""
    return (kind == "TOML" and not data.strip()) or (kind == "journal" and (b"\n" not in data or data == b"{}\n"))


class Payload:
    """What a pickle of it would do."""

    def __reduce__(self) -> tuple:
        return Path.touch, (HOME / "touched",)


def strangers() -> Iterator[Case]:
    """Files of other programs."""
    yield from {
        "nothing": b"",
        "a newline": b"\n",
        "a zero byte": b"\0",
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "every byte": bytes(range(256)) * 16,
        "text": b"once upon a time",
        "a page": b"<!DOCTYPE html><html><title>Please log in</title></html>\n",
        "null": b"null\n",
        "a number": b"3\n",
        "a list": b"[]\n",
        "an object": b"{}\n",
        "deep lists": b"[" * 100_000 + b"\n",
        "deep objects": b'{"a":' * 100_000 + b"\n",
        "NaN": b'{"epoch": NaN, "step": NaN, "dataset": NaN}\n',
        "infinity": b'{"epoch": 1e999, "step": 1e999}\n',
        "a huge number": b'{"epoch": 1' + b"0" * 5000 + b"}\n",
        "a key twice": b'{"epoch": 1, "epoch": 2}\n',
        "UTF-16": '{"epoch": 1}\n'.encode("utf-16"),
        "a byte-order mark": b"\xef\xbb\xbf{}\n",
        "half a character": b'{"epoch": "\xc3"}\n',
        "a pickle": pickle.dumps(Payload()) + b"\n",
        "an old pickle": pickle.dumps(Payload(), protocol=0) + b"\n",
        "YAML that runs": b"!!python/object/apply:os.system ['touch x']\n",
        "Python": b"import os\nos.abort()\n",
        "a shell script": b"#!/bin/sh\nexit 1\n",
        "entities of entities": b'<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "&a;&a;">]><x>&a;</x>\n',
        "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
        "an archive": b"PK\5\6" + bytes(18),
        "an executable": b"\x7fELF" + bytes(60),
        "a tape archive": b"name".ljust(257, b"\0") + b"ustar\x0000" + bytes(248),
        "a document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "a database": b"SQLite format 3\0" + bytes(84),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(88),
        "an array": b"\x93NUMPY\x01\x00\x10\x00{'descr': '|O'}\n",
        "a gzip of nothing": gzip.compress(b""),
        "a gzip of zeros": gzip.compress(bytes(1 << 20)),
        "a zlib stream": zlib.compress(bytes(96)),
        "exabytes": b"\xff" * 7 + b"\x7f{}",
        "a path": b"../../../../etc/passwd\n",
    }.items()


def idx(sound: bytes) -> Iterator[Case]:
    """16 bytes of header: 0, 0, type, dimensions, and three sizes of four bytes."""
    for offset in range(4):
        for value in (1, 7, 0x7F, 0xFF):
            yield f"{value} at byte {offset}", changed(sound, offset, bytes([value]))
    for kind in (0x09, 0x0B, 0x0C, 0x0D, 0x0E):
        yield f"values of type {kind:#x}", changed(sound, 2, bytes([kind]))
    for dimensions in (0, 1, 2, 4, 5):
        yield f"{dimensions} dimensions", changed(sound, 3, bytes([dimensions]))
    for offset in (4, 8, 12):
        for size in (0, 1, 3, 6, 2**31 - 1, 2**31, 2**32 - 1):
            yield f"a size of {size} at byte {offset}", changed(sound, offset, struct.pack(">I", size))
    yield "little-endian", struct.pack("<IIII", 2051, 5, 4, 4) + sound[16:]
    for length in range(1, 16):
        yield f"{length} bytes of header", sound[:length]
    for length in (16, 17, 40, len(sound) - 1):
        yield f"cut at {length}", sound[:length]
    for behind in (b"\0", bytes(4096), sound):
        yield f"{len(behind)} bytes behind", sound + behind


def gzipped(sound: bytes) -> Iterator[Case]:
    """10 bytes of header, the deflated data, CRC-32, length."""
    plain = gzip.decompress(sound)
    for name, data in idx(plain):
        yield f"inside: {name}", gzip.compress(data, mtime=0)
    yield "another method", changed(sound, 2, b"\7")
    yield "reserved flags", changed(sound, 3, b"\xe0")
    yield "an extra field without an end", changed(sound, 3, b"\4") + b"\xff"
    yield "a wrong checksum of the header", changed(sound, 3, b"\2")
    yield "a wrong checksum", changed(sound, len(sound) - 8, b"\1\2\3\4")
    yield "a wrong length", changed(sound, len(sound) - 4, b"\1\2\3\4")
    yield "a second member", sound * 2
    yield "zeros behind", sound + bytes(512)
    yield "twice gzipped", gzip.compress(sound)
    yield "no header", sound[10:]
    for length in range(2, len(sound), 5):
        yield f"cut at {length}", sound[:length]


def npz(sound: bytes) -> Iterator[Case]:
    """A zip archive: local headers (PK 3 4), the directory (PK 1 2), its end (PK 5 6)."""
    local, directory, end = sound.index(b"PK\3\4"), sound.index(b"PK\1\2"), sound.index(b"PK\5\6")
    yield "encrypted", changed(changed(sound, local + 6, b"\1"), directory + 8, b"\1")
    yield "another method", changed(changed(sound, local + 8, b"\x63"), directory + 10, b"\x63")
    yield "a wrong checksum", changed(changed(sound, local + 14, b"\1\2\3\4"), directory + 16, b"\1\2\3\4")
    yield "a size of gigabytes", changed(sound, directory + 24, b"\xff\xff\xff\x7f")
    yield "a packed size of gigabytes", changed(sound, directory + 20, b"\xff\xff\xff\x7f")
    yield "a header beyond the end", changed(sound, directory + 42, b"\xff\xff\xff\x7f")
    yield "no directory", sound[:directory]
    yield "a directory beyond the end", changed(sound, end + 16, b"\xff\xff\xff\x7f")
    yield "a directory of gigabytes", changed(sound, end + 12, b"\xff\xff\xff\x7f")
    for name, other in {
        "objects": (b"'<i8'", b"'|O8'"),
        "floats": (b"'<i8'", b"'<f8'"),
        "too many labels": (b"(12,)", b"(99,)"),
        "too few labels": (b"(12,)", b"(1,) "),
        "labels in a square": (b"(12,)", b"(3,4)"),
        "a negative shape": (b"(12, 4, 4)", b"(-2, 4, 4)"),
        "a huge shape": (b"(12, 4, 4)", b"(9e9, 4,4)"),
        "an expression": (b"(12, 4, 4)", b"exit(99999"),
        "another format": (b"\x93NUMPY\1", b"\x93NUMPY\t"),
        "no array": (b"\x93NUMPY", b"\x93NUMPI"),
        "another name": (b"labels.npy", b"babels.npy"),
        "an unsafe name": (b"labels.npy", b"../../x.py"),
        "one name twice": (b"labels.npy", b"images.npy"),
    }.items():
        yield name, sound.replace(*other)
    for length in range(1, len(sound), len(sound) // 12):
        yield f"cut at {length}", sound[:length]


def safetensors(sound: bytes) -> Iterator[Case]:
    """The header's length in eight bytes, the header in JSON, the tensors' bytes."""
    size = int.from_bytes(sound[:8], "little")
    header, body = json.loads(sound[8 : 8 + size]), sound[8 + size :]
    name = next(iter(header))
    one = header[name]

    def file(header: object, body: bytes = body, size: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text + body

    for wrong in (0, 1, size - 1, size + 1, len(sound), 2**31, 2**63, 2**64 - 1):
        yield f"a header of {wrong} bytes", file(header, size=wrong)
    for text in (b"", b"[]", b"null", b"{}", b"{", b"'x'", b"\xff", b"[" * 9999, b'{"a":1,"a":1}', b"NaN"):
        yield f"for a header {text[:9]!r}", file(text)
    for change in (
        *({"dtype": value} for value in ("F7", "", None, 5, "O")),
        *({"shape": value} for value in ([2**50], [-1], [1.5], "x", None, [[1]], [2**63, 2**63])),
        *({"data_offsets": value} for value in ([4, 0], [-4, 0], [0], [], None, "x", [0, 2**60], [0, 10**40])),
    ):
        yield f"a tensor with {change}", file(header | {name: one | change})
    for key in ("dtype", "shape", "data_offsets"):
        yield f"a tensor without {key}", file(header | {name: {k: v for k, v in one.items() if k != key}})
    yield "two tensors in one place", file(header | {"../../x": one})
    yield "a tensor that is null", file(header | {name: None})
    yield "a tensor missing", file({key: value for key, value in header.items() if key != name})
    yield "text that is none", file(header | {"__metadata__": {"a": 1}})
    yield "a body one byte short", sound[:-1]
    yield "a body one byte long", sound + b"\0"
    yield "no body", file(header, b"")


def manifest(sound: bytes) -> Iterator[Case]:
    """One JSON object, which holds a hash of itself."""
    whole = json.loads(sound)
    for key in whole:
        yield f"no {key}", json.dumps({k: v for k, v in whole.items() if k != key}).encode()
        for value in (None, True, -1, 1.5, "x", [], {}, 10**30):
            if whole[key] != value or type(whole[key]) is not type(value):
                yield f"{key}: {value!r}", json.dumps(whole | {key: value}).encode()
    yield "a blank more", sound + b" "
    yield "indented", json.dumps(whole, indent=1).encode()
    yield "one key more", json.dumps(whole | {"pickle": "x"}).encode()
    yield "a file more", json.dumps(whole | {"sha256": whole["sha256"] | {"../x": "0" * 64}}).encode()
    for length in range(1, len(sound), 40):
        yield f"cut at {length}", sound[:length]


def toml(sound: bytes) -> Iterator[Case]:
    """Every setting with a value of another type, or out of bounds."""
    for name in Config().to_dict():
        for value in ("{}", "[[]]", "1979-05-27", "nan", "-inf", '"\\u0000"'):
            if (name, value) not in {("dataset", '"\\u0000"')}:
                yield f"{name} = {value}", f"{name} = {value}\n".encode()
    for text in ("epochs = 0", "epochs = 1e99", "seed = -1", "epoch = 3", "epochs = 1\nepochs = 2", "epochs =", "= 3"):
        yield text, text.encode()
    for text in ("[sweep]\nlr = [1]", "[sweep]\nlearning_rate = []", "sweep = 3", "[sweep]\nlearning_rate = [nan]"):
        yield text, text.encode()
    yield "not UTF-8", b'dataset = "\xff"'
    yield "deep", b"hidden = " + b"[" * 100_000
    yield "endless digits", b"epochs = 1" + b"0" * 5000


def environment(sound: bytes) -> Iterator[Case]:
    """The facts of the data set, each absent or of another type."""
    whole = json.loads(sound)
    for key in whole["dataset"]:
        if key not in ("framing", "notes", "own_validation", "scaled_from"):  # a model file need not say these
            left = {k: v for k, v in whole["dataset"].items() if k != key}
            yield f"no {key}", json.dumps(whole | {"dataset": left}).encode()
        for value in (None, True, -1, 0, 1.5, [], [None], {"a": []}, 2**40):
            if (key, value) not in (("notes", []), ("own_validation", 0)) and not (  # these two may be so
                isinstance(value, dict) if key == "sha256" else type(value) is type(whole["dataset"][key]) is bool
            ):
                yield f"{key}: {value!r}", json.dumps(whole | {"dataset": whole["dataset"] | {key: value}}).encode()
    for value in (None, [], "x", 3, {}):
        yield f"dataset: {value!r}", json.dumps(whole | {"dataset": value}).encode()
    yield "trailing", sound + b"{}"
    yield "cut", sound[:-2]


def lines(sound: bytes) -> Iterator[Case]:
    """A journal with one line wrong in its midst."""
    first, rest = sound.split(b"\n", 1)
    for line in (
        *(b"", b"[]", b"3", b"null", b"{", b"{}{}", b"\xff\xfe", b"\0", b'{"epoch": 1, "st', b"{" * 100_000),
        *(b'{"epoch": 1, "epoch": 2}', b'{"epoch": NaN}', b'{"epoch": -1e999}', b"epoch: 1", b"{'epoch': 1}"),
        *(json.dumps({"epoch": 1, "step": 1} | {key: value}).encode()
          for key in ("epoch", "step", "seconds") for value in ("x", None, [], {}) if (key, value) != ("x", None)),
        *(json.dumps({"epoch": 1, "step": 1} | {key: value}).encode()
          for key in ("train_loss", "val_accuracy") for value in ("x", {}, ["x"], [[1]])),
    ):  # fmt: skip
        yield f"{line[:40]!r}", first + b"\n" + line + b"\n" + rest


def png(sound: bytes) -> Iterator[Case]:
    """A signature, and chunks: length, type, data, CRC-32."""
    ihdr = sound[16:29]

    def header(offset: int, value: bytes) -> bytes:
        new = changed(ihdr, offset, value)
        return sound[:16] + new + struct.pack(">I", zlib.crc32(b"IHDR" + new)) + sound[33:]

    for size in (0, 2**31 - 1, 2**31, 2**32 - 1, 13_000 * 13_000):
        yield f"{size} wide", header(0, struct.pack(">I", size))
        yield f"{size} high", header(4, struct.pack(">I", size))
    for offset, value in ((8, 3), (8, 0), (9, 1), (9, 5), (9, 7), (12, 7)):
        yield f"{value} at byte {offset} of the header", header(offset, bytes([value]))
    start = sound.index(b"IDAT")
    yield "no header", sound[:8] + sound[33:]
    yield "a wrong checksum", changed(sound, 29, b"\1\2\3\4")
    yield "no pixels", sound[: start - 4] + sound[-12:]
    yield "pixels that are none", changed(sound, start + 4, b"\xff" * 8)
    yield "another signature", changed(sound, 1, b"JPG")
    for length in range(1, len(sound) - 1, 4):
        yield f"cut at {length}", sound[:length]


def jpeg(sound: bytes) -> Iterator[Case]:
    """Segments that begin with 0xff and a letter; SOF0 (0xc0) holds the size."""
    frame = sound.index(b"\xff\xc0")
    for size in (0, 2**16 - 1):
        yield f"{size} high", changed(sound, frame + 5, struct.pack(">H", size))
        yield f"{size} wide and high", changed(sound, frame + 5, struct.pack(">HH", size, size))
    yield "no components", changed(sound, frame + 9, b"\0")
    yield "another precision", changed(sound, frame + 4, b"\x0d")
    yield "no tables", sound[:2] + sound[frame:]
    yield "no frame", sound[:frame] + sound[frame + 13 :]
    for length in range(1, len(sound) - 2, 23):
        yield f"cut at {length}", sound[:length]


def changed(data: bytes, offset: int, new: bytes) -> bytes:
    """The data with other bytes at one place."""
    return data[:offset] + new + data[offset + len(new) :]


OWN = {
    "IDX": idx,
    "gzip": gzipped,
    "npz": npz,
    "safetensors": safetensors,
    "manifest": manifest,
    "TOML": toml,
    "environment": environment,
    "journal": lines,
    "PNG": png,
    "JPEG": jpeg,
}
