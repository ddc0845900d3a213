"""Files made wrong by hand: in place of every kind of file, files of other programs; in place of manifests, configs,
environments and journals, also files with one error: a length, a type, a key. Each must be refused.
"""

import gzip
import json
import pickle
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import readers
from common import HOME, Row, in_child

from jaxquard.config import Config

Case = tuple[str, bytes]  # a description, and the file


def measure(short: bool = False) -> list[Row]:
    """Every file, also in the short form."""
    found = readers.report(in_child(attack))
    promise = (
        "Hundreds of files made wrong by hand are each refused with an error that names the file; none is executed"
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
        for name, data in OWN.get(kind, lambda _: ())(reader.sound):
            yield kind, name, data


def is_harmless(kind: str, data: bytes) -> bool:
    """An empty TOML file is a valid config. A journal may have a line without facts or an unfinished one."""
    return (kind == "TOML" and not data.strip()) or (kind == "journal" and (b"\n" not in data or data == b"{}\n"))


class Payload:
    """Its pickle makes a file when it is loaded."""

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
    """The facts of the data set, each missing or of another type."""
    whole = json.loads(sound)
    need_not = {
        "by_class": False,
        "framing": ...,
        "notes": [],
        "scaled_from": ...,
        "validation": 0,
        "value_range": None,
        "reading": None,
    }
    for key in whole["dataset"]:
        allowed = 0 if key == "test" else need_not.get(key, ...)  # an estimator's run has no test images
        if key not in need_not:  # a model file need not say these; most may also be empty
            left = {k: v for k, v in whole["dataset"].items() if k != key}
            yield f"no {key}", json.dumps(whole | {"dataset": left}).encode()
        for value in (None, True, -1, 0, 1.5, [], [None], {"a": []}, 2**40):
            if allowed != value and not (
                isinstance(value, dict) if key == "sha256" else type(value) is type(whole["dataset"][key]) is bool
            ):
                yield f"{key}: {value!r}", json.dumps(whole | {"dataset": whole["dataset"] | {key: value}}).encode()
    for value in (None, [], "x", 3, {}):
        yield f"dataset: {value!r}", json.dumps(whole | {"dataset": value}).encode()
    yield "trailing", sound + b"{}"
    yield "cut", sound[:-2]


def lines(sound: bytes) -> Iterator[Case]:
    """A journal with one wrong line in the middle."""
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


OWN = {"manifest": manifest, "TOML": toml, "environment": environment, "journal": lines}
