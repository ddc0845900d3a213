"""The Hub's own parser reads the model card; hostile names stay text; the files are those of the other formats."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

import jaxquard
from jaxquard.errors import UsageError
from jaxquard.exporting import huggingface, onnx, safetensors
from jaxquard.exporting.facts import recorded_evaluation
from jaxquard.runs.models import load_model

from .test_onnx import made

HOSTILE = [
    "<script>alert(1)</script>",
    "](javascript:alert(1))",
    "a|b",
    "---",
    "`b`",
    "\\",
    "'\"",
    "🎽 é",
    "null: [1",
    "http://a.bc",
    "www.a.bc",
]


def read(card: str) -> ModelCard:
    """The card as the Hub reads it. It must have no HTML and no links."""
    found = ModelCard(card)
    blocks = MarkdownIt("commonmark").enable("table").parse(found.text)
    kinds = {token.type for block in blocks for token in (block, *(block.children or ()))}
    assert not kinds & {"html_block", "html_inline", "link_open", "image"}
    return found


def shown(card: ModelCard) -> list[str]:
    """The texts of the card's paragraphs, items and cells."""
    blocks = MarkdownIt("commonmark").enable("table").parse(card.text)
    return ["".join(part.content for part in block.children) for block in blocks if block.type == "inline"]


@pytest.mark.parametrize("name", ["mlp", "cnn-small"])
def test_a_model_of_the_package_has_its_figures_and_a_licence(name, tmp_path):
    folder, model = jaxquard.export(name, to="huggingface").file, load_model(name, tmp_path)
    assert sorted(os.listdir(folder)) == ["README.md", "config.json", "model.onnx", "model.safetensors"]
    assert (folder / "model.onnx").read_bytes() == onnx.content(model)
    assert (folder / "model.safetensors").read_bytes() == safetensors.content(model)
    config = json.loads((folder / "config.json").read_bytes())
    assert config["id2label"] == {str(k): label for k, label in enumerate(model.class_names)}
    assert config["image_shape"] == [28, 28, 1]
    card = read((folder / "README.md").read_text(encoding="utf-8"))
    about, found = card.data.to_dict(), recorded_evaluation(model)
    assert (about["license"], about["library_name"]) == ("mit", "jaxquard")
    assert (about["pipeline_tag"], about["datasets"]) == ("image-classification", ["zalando-datasets/fashion_mnist"])
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_split) == ("accuracy", found.accuracy, "test")
    assert result.metric_name.startswith(
        f"accuracy on 10,000 images; 95 % interval {found.low:.4f} to {found.high:.4f}"
    )
    assert "Shirt" in shown(card)[shown(card).index("worst classes") + 5 :][0]
    assert any("calibration error of its probabilities is 7." in text for text in shown(card))


def test_the_card_of_a_run_says_how_it_was_trained_and_what_was_evaluated(root, npz, tmp_path):
    shutil.copytree(root / "three", "three")
    found = jaxquard.export("three@all", to="huggingface", runs=tmp_path, licence="My-Own-1.0")
    card = read((found.file / "README.md").read_text(encoding="utf-8"))
    assert (card.data.license, card.data["license_name"], card.data.eval_results) == ("other", "my-own-1.0", None)
    assert "so its accuracy is not known" in card.text
    for text in ("Seeds: 0 to 2.", "Updates: 10, in 2 passes over the training images.", "hidden", "5, 4"):
        assert text in shown(card)
    jaxquard.evaluate("three@0", runs=tmp_path)
    card = read(huggingface.content(load_model("three@0", tmp_path))["README.md"].decode())
    assert card.data.license == "unknown"
    assert any(text.startswith("The expected calibration error") for text in shown(card))
    assert "The run has 2 evaluations on test images." in card.text


def test_names_of_strangers_stay_text():
    model = made(classes=len(HOSTILE), model="cnn", widths=(3,))
    facts = model.dataset | {
        "class_names": HOSTILE,
        "name": HOSTILE[0],
        "sha256": {"a|b": "<i>"},
        "train": 1,
        "test": 0,
    }
    config = model.config.replace(dataset="mnist", sweep=(("l2", (0, 0.1)),), validation=None, teacher="a|b")
    model = replace(model, name="<b>*net*</b>", dataset=facts, config=config)
    files = huggingface.content(model)
    card = read(files["README.md"].decode())
    assert card.data.to_dict().keys() == {"license", "library_name", "pipeline_tag", "tags"}
    assert shown(card)[0] == "<b>*net*</b>"
    assert ", ".join(HOSTILE) in shown(card)[1]
    assert "l2: 0.0, 0.1" in shown(card)
    assert "a|b" in shown(card)
    assert "Seed: 0." in shown(card)
    assert not any(start in card.text for start in ("http:/", "www."))  # GitHub would make links of them
    assert json.loads(files["config.json"])["class_names"] == HOSTILE


def test_a_licence_is_an_identifier_and_of_this_format_alone():
    for options in ({"licence": ""}, {"licence": "the MIT licence"}, {"licence": "mit\nx: 1"}):
        with pytest.raises(UsageError, match="licence: must be an identifier of at most 60 letters, digits, "):
            jaxquard.export("mlp", to="huggingface", **options)
    with pytest.raises(UsageError, match="licence: only for the format huggingface, not for onnx"):
        jaxquard.export("mlp", to="onnx", licence="mit")
    assert list(Path().iterdir()) == []
