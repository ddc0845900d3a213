"""Prediction with a trained network: one picture from process start, then many, one by one and in batches."""

import sysconfig
from pathlib import Path

from benchmarks.arena import FILES, Arena
from benchmarks.peers.common import read_idx
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Bound, Row, Spread

COMMAND = Path(sysconfig.get_path("scripts")) / "jaxquard"
RATES = {"one by one": "one_by_one", "in batches of 256": "in_batches"}
ONCE = ("torch first", "torch rates")


def contestants(arena: Arena) -> dict[str, Contestant]:
    """Our predictions with a model trained here, and PyTorch's."""
    runs, picture = arena.scratch / "runs", arena.scratch / "picture.png"
    draw_first_test_image(arena, picture)
    train = ("train", "--epochs", "1", "--name", "model", "--runs", runs, "--data-dir", arena.scratch / "home")
    arena.offer_raw_files(arena.scratch / "home")
    arena.run((COMMAND, *train, "--offline", "--quiet"))
    by_torch = ("-m", "benchmarks.peers.torch_predict", "--weights", arena.scratch / "weights.pt", "--picture", picture)
    return {
        "first": arena.program(COMMAND, "predict", "model", picture, "--runs", runs),
        "torch first": arena.program(*by_torch),
        "rates": arena.program(
            "-m", "benchmarks.ours.predict", "--model", "model", "--runs", runs, "--picture", picture
        ),
        "torch rates": arena.program(*by_torch, "--rates"),
    }


def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """Seconds to the first answer, and answers per second after it."""
    seconds = {name: Spread.of(outcome.seconds for outcome in outcomes[name]) for name in ("first", "torch first")}
    measure, goal = "`predict` one picture, from process start", (Bound("≤ 0.9 s", 0.9),)
    start = Row(measure, "s", seconds["first"], {"PyTorch": seconds["torch first"]}, goal)
    rates = []
    for how, key in RATES.items():
        ours, torch = (
            Spread.of(outcome.report[key] for outcome in outcomes[name]) for name in ("rates", "torch rates")
        )
        goal = (Bound("ahead of PyTorch", torch.median),)
        measure = f"predictions {how}, after warm-up"
        rates.append(Row(measure, "images/s", ours, {"PyTorch": torch}, goal, more_is_better=True))
    return [start, *rates]


def draw_first_test_image(arena: Arena, path: Path) -> None:
    """Write the picture that all systems classify."""
    from PIL import Image

    Image.fromarray(read_idx(arena.data / FILES["test_images"])[0]).save(path)
