"""Each mistake gives one or two lines and its exit code and writes nothing; no damaged or hostile file a traceback."""

import errno
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

MISTAKES = [
    (2, "--epochs: must be at least 1", "train --epochs -3"),
    (2, "--learning-rate: must be a number, not 'nan'", "train --learning-rate nan"),
    (2, "--learning-rate: must be a finite number", "train --learning-rate 1e400"),
    (2, "--batch-size: must be at least 1", "train --batch-size 0"),
    (2, "--batch-size: 70000 is more than the 120 training images", "train --batch-size 70000 --dataset DATA"),
    (2, "--hidden: must be at least 1", "train --hidden 0"),
    (2, "not one of the recipes", "train --recipe nope"),
    (2, "unknown data set 'nope'", "train --dataset nope"),
    (2, "run name", "train --name ../x --dataset DATA"),
    (2, "give one of the two", "train --recipe original --config x.toml"),
    (2, "cannot be read", "train --config none.toml"),
    (2, "--sweep", "train --sweep learning_rate"),
    (2, "--sweep depth: no such setting", "train --sweep depth=1,2"),
    (2, "--until: must be at least 1", "train --until 0 --dataset DATA"),
    (2, "--checkpoint-every: must be at least 1", "train --checkpoint-every 0 --dataset DATA"),
    (2, "no other setting", "train --resume one --learning-rate 0.1 --runs ROOT"),
    (2, "no other setting", "train --resume one --recipe original --runs ROOT"),
    (2, "no other setting", "train --resume one --name two --runs ROOT"),
    (2, "--epochs: must be a whole number, not 'three'", "train --epochs three"),
    (2, "--seeds: must be a whole number, not '1.6'", "train --seeds 1.6"),
    (2, "--hidden: must be a whole number, not '12.7'", "train --hidden 12 12.7"),
    (2, "--patience: must be a whole number, not '1_0'", "train --patience 1_0"),
    (2, "--patience: must be a whole number, not 'none'", "train --patience none"),
    (2, "--until: must be a whole number, not '٣'", "train --until ٣"),
    (2, "--checkpoint-every: must be a whole number, not '1e400'", "train --checkpoint-every 1e400"),
    (2, "--devices: must be a whole number, not 'most'", "train --devices most"),
    (2, "--processes: must be a whole number, not 'two'", "launch --processes two -- train"),
    (2, "also give --coordinator", "train --process-id 0 --processes 2"),
    (2, "--port: must be a whole number, not '18768.7'", "studio --port 18768.7"),
    (2, "--learning-rate: must be a number, not '1_0'", "train --learning-rate 1_0"),
    (2, "--validation: must be a whole number of images, a share", "train --validation 1.5"),
    (
        2,
        "--activation: 'RELU' is not one of: relu, leaky_relu, sigmoid, tanh, gelu, identity; did you mean relu?\n",
        "train --activation RELU",
    ),
    (2, "layers as 128-64", "train --sweep hidden=12.7"),
    (2, "jaxquard: epochs: must be a whole number", "train --sweep epochs=1.6,2"),
    (2, "--optimizer: adamw without --weight-decay is adam; give a --weight-decay", "train --optimizer adamw"),
    (2, "--with-images: only for the format html, not for csv", "export one --to csv --with-images --runs ROOT"),
    (2, "--to: 'Html' is not one of", "export one --to Html --runs ROOT"),
    (2, "--epochs", "train --epochs"),
    (2, '"frob"', "frob"),
    (2, "unknown option --frob\n", "train --frob"),
    (2, "unknown option --lr; did you mean --learning-rate?", "train --lr 0.1"),
    (2, "unknown option --weight-deca; did you mean --weight-decay?", "train --weight-deca=0.1"),
    (2, "unknown option --output_dir; did you mean --runs?", "runs --output_dir x"),
    (2, "--sweep lr: no such setting; did you mean learning_rate?", "train --sweep lr=1,2"),
    (2, "no picture given", "predict one --runs ROOT"),
    (2, "both write to stdout", "predict one PICTURE --csv - --json --runs ROOT"),
    (2, "already there", "predict one PICTURE --csv PICTURE --runs ROOT"),
    (1, "no/p.csv: cannot write", "predict one PICTURE --csv no/p.csv --quiet --runs ROOT"),
    (2, "two runs or more", "compare one --runs ROOT"),
    (2, "--split: 'moon' is not one of: test, validation, train\n", "evaluate one --split moon --runs ROOT"),
    (
        2,
        "--background: 'White' is not one of: auto, light, dark\n",
        "predict one PICTURE --background White --runs ROOT",
    ),
    (2, "already there", "compare one one --chart PICTURE --runs ROOT"),
    (2, "held out no validation", "evaluate one --split validation --runs ROOT"),
    (3, "no such folder", "train --dataset none/at/all"),
    (3, "no such file", "predict one none.png --runs ROOT"),
    (3, "not a picture", "predict one DATA --runs ROOT"),
    (5, "no such run", "train --resume nope --runs ROOT"),
    (5, "no such run", "evaluate nope --runs ROOT"),
    (5, "no such run", "predict nope PICTURE --runs ROOT"),
    (5, "no such run", "compare one nope --runs ROOT"),
    (5, "one has one network, 0", "evaluate one@1 --runs ROOT"),
    (5, "cannot be read", "predict none.safetensors PICTURE"),
    (5, "already there", "train --name one --runs ROOT --dataset DATA --batch-size 20"),
    (5, "a file, not a folder for runs", "train --batch-size 20 --dataset DATA --runs PICTURE/runs"),
    (5, "a file, not a folder for runs", "runs --runs PICTURE"),
    (5, "a file, not a folder for runs", "recipes --runs PICTURE"),
    (2, ".: a folder; give the name of a file", "compare one one --chart . --runs ROOT"),
    (2, "--runs: the path is empty", "runs --runs="),
    (2, "~nobody-here/x: there is no user 'nobody-here'", "train --runs=~nobody-here/x"),
    (2, "charts are written as .png, .svg, .html", "compare one one --chart x.pdf --runs ROOT"),
    (2, "no other setting", "train --resume one --dataset DATA --epochs 3 --runs ROOT"),
]


@pytest.mark.parametrize(("code", "fault", "line"), MISTAKES, ids=[line for _, _, line in MISTAKES])
def test_a_mistake_gives_one_or_two_lines_and_an_exit_code_and_writes_nothing(
    jaxquard, root, npz, picture, code, fault, line
):
    places = {"ROOT": root, "DATA": npz, "PICTURE": picture}
    before = sorted(root.rglob("*"))
    words = [re.sub("|".join(places), lambda found: str(places[found[0]]), word) for word in line.split()]
    said = jaxquard(*words)
    assert said.code == code
    assert fault in said.err
    assert said.err.startswith("jaxquard: ")
    assert 1 <= said.err.count("\n") <= 2
    assert said.out == ""
    assert sorted(root.rglob("*")) == before
    assert sorted(path.name for path in Path().iterdir()) == ["picture.png"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            RuntimeError("one\ntwo"),
            "RuntimeError: one (jaxquard doctor may find the cause; JAXQUARD_DEBUG=1 shows the traceback)",
        ),
        (OSError(errno.EIO, "Input/output error", "disk"), "disk: Input/output error"),
    ],
)
def test_an_unforeseen_error_is_still_one_line(error, line, jaxquard, monkeypatch, root):
    from jaxquard.runs import figures

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(figures, "figures", fail)
    said = jaxquard("runs", "--runs", root)
    assert (said.code, said.err) == (1, f"jaxquard: {line}\n")


HOSTILE = {
    "nothing": b"",
    "zeros": bytes(4096),
    "noise": bytes(range(256)) * 16,
    "text": b"once upon a time",
    "a list": b"[]",
    "null": b"null\n",
    "an object": b"{}\n",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "NaN": b'{"epoch": NaN, "step": NaN, "dataset": NaN}\n',
    "a huge number": b'{"epoch": 1' + b"0" * 5000 + b"}\n",
    "UTF-16": "{}".encode("utf-16"),
    "twice": b'{"epoch": 1, "epoch": 2}\n',
    "a bare key": b"epochs",
    "a path": b'dataset = "../../../etc/passwd"\n',
    "a large batch": b"batch_size = 1000000\n",
    "exabytes": b"\xff" * 7 + b"\x7f{}",
}
PLACES = [
    "config.toml",
    "environment.json",
    "journal.jsonl",
    "evaluations.jsonl",
    "checkpoints/step-000000012/manifest.json",
    "checkpoints/step-000000012/state.safetensors",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_run_damaged_anyhow_is_never_a_traceback(jaxquard, root, picture, place):
    """A verb that needs the damaged file refuses it; the others work."""
    shutil.copytree(root / "one", "runs/bad")
    sound = Path("runs/bad", place).read_bytes()
    for name, data in {**HOSTILE, "half": sound[: len(sound) // 2], "twice over": sound * 2}.items():
        Path("runs/bad", place).write_bytes(data)
        for verb in (["runs"], ["compare", "bad", "bad"], ["evaluate", "bad"], ["predict", "bad", picture]):
            said = jaxquard(*verb, "--quiet")
            assert said.code in (0, 2, 3, 5), (name, verb, said)
            assert said.err == "" if said.code == 0 else re.fullmatch(r"jaxquard: .*\n(.*\n)?", said.err), (name, said)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_of_any_kind_is_never_a_traceback(jaxquard, root, picture, data):
    for suffix in (".safetensors", ".toml", ".npz", ".png"):
        Path(f"file{suffix}").write_bytes(data)
    Path("folder").mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            Path("folder", f"{part}-{kind}-ubyte.gz").write_bytes(data)
    for code, verb in (
        (5, ["evaluate", "file.safetensors"]),
        (5, ["predict", "file.safetensors", picture]),
        (3, ["predict", "one", "file.png", "--runs", root]),
        (3, ["train", "--dataset", "file.npz"]),
        (3, ["train", "--dataset", "folder"]),
        (3, ["evaluate", "one", "--dataset", "file.npz", "--runs", root]),
        (3, ["data", "file.npz"]),
    ):
        said = jaxquard(*verb)
        assert (said.code, said.out) == (code, ""), (verb, said)
        assert re.fullmatch(r"jaxquard: .*\n(.*\n)?", said.err)
    if data.strip():  # an empty file is a valid config
        assert jaxquard("train", "--config", "file.toml", "--dataset", "file.npz").code in (2, 3)
    assert not Path("runs").exists()


IMAGES, LABELS = np.random.default_rng(0).integers(1, 255, (60, 6, 6)).astype(np.uint8), np.arange(60) % 3
ODD = {  # the exit code, images and labels
    "a constant column": (0, np.where(np.arange(6) == 2, 7, IMAGES).astype(np.uint8), LABELS),
    "an empty class": (0, IMAGES, np.where(LABELS == 1, 2, LABELS)),
    "a single class": (3, IMAGES, 0 * LABELS),
    "one example": (3, IMAGES[:1], LABELS[:1]),
    "two examples": (3, IMAGES[:2], LABELS[:2]),
    "fewer labels than images": (3, IMAGES, LABELS[:-1]),
    "a negative label": (3, IMAGES, np.where(np.arange(60) == 5, -1, LABELS)),
    "all pixels alike": (3, np.full_like(IMAGES, 7), LABELS),
    "pixels that are not finite": (3, np.full((60, 6, 6), np.nan), LABELS),
    "no examples": (3, IMAGES[:0], LABELS[:0]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_data_are_trained_on_or_refused_with_an_error(jaxquard, name):
    code, images, labels = ODD[name]
    np.savez("odd.npz", images=images, labels=labels)
    said = jaxquard(
        "train", "--dataset", "odd.npz", "--batch-size", 1, "--epochs", 1, "--hidden", 4, "--json", "--quiet"
    )
    assert said.code == code, said
    if name in ("a single class", "all pixels alike"):
        assert "no network can be trained on them" in jaxquard("data", "odd.npz").out
    if code:
        assert re.fullmatch(r"jaxquard: .*\n(.*\n)?", said.err)
        assert not Path("runs").exists()
    else:
        document = said.document
        assert np.isfinite([document["train_loss"], document["test_loss"], document["test_accuracy"]]).all()
        evaluated = jaxquard("evaluate", document["run"], "--json", "--quiet").document
        assert evaluated["accuracy"] == document["test_accuracy"]
        assert np.sum(evaluated["confusion"]) == evaluated["n"]
