"""Predictions for pictures in every format of request, and the warning for a picture unlike the training images."""

import base64
import io
import json
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxquard.errors import DataError, UsageError
from jaxquard.runs.models import load_model
from jaxquard.studio.draw import Question, Seen, as_images, familiar, is_unlike, predictions_of, see, strangeness
from jaxquard.studio.models import Subject
from jaxquard.training.evaluation import log_probabilities


def png_of(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def framed(stripes):
    """A test image with black corners, so that it is not changed."""
    image = stripes.test_images[4].copy()
    image[[0, 0, -1, -1], [0, -1, 0, -1]] = 0
    return image


def test_pixels_get_the_models_probabilities(post, root, stripes):
    answer = post("/api/predict", {"model": "fast@1", "pixels": stripes.test_images[3, ..., 0].tolist()})
    assert answer.status == 200
    (found,) = answer.json["predictions"]
    p = np.exp(log_probabilities(load_model("fast@1", root).logits(stripes.test_images[3:4])))[0]
    assert list(found["probabilities"]) == ["0", "1", "2"]
    np.testing.assert_allclose(list(found["probabilities"].values()), p)
    assert (found["model"], found["picture"], found["class_index"]) == ("fast@1", 0, p.argmax())
    assert (found["label"], found["probability"]) == (str(p.argmax()), pytest.approx(p.max()))
    assert {key: answer.json[key] for key in ("steps", "notes", "warnings")} == {
        "steps": [], "notes": [], "warnings": []
    }  # fmt: skip


def test_several_pictures_for_two_models_side_by_side(post, root, stripes):
    images = stripes.test_images[:5]
    answer = post("/api/predict", {"models": ["slow@0", "fast@0"], "pixels": images[..., 0].tolist()})
    found = [(line["model"], line["picture"], line["class_index"]) for line in answer.json["predictions"]]
    said = {name: load_model(name, root).logits(images).argmax(axis=1) for name in ("slow@0", "fast@0")}
    assert found == [(name, k, said[name][k]) for name in said for k in range(5)]


def test_a_picture_gets_the_same_answer_as_its_pixels_and_shows_its_steps(post, ask, framed):
    pixels = post("/api/predict", {"model": "part", "pixels": framed[..., 0].tolist()})
    data = base64.b64encode(png_of(framed)).decode()
    in_json = post("/api/predict", {"model": "part", "image": data})
    alone = ask("POST", "/api/predict?model=part", {"content-type": "image/png"}, [png_of(framed)])
    assert in_json.json == alone.json
    assert in_json.json["predictions"] == pixels.json["predictions"]
    assert [step["name"] for step in alone.json["steps"]] == ["decoded", "fitted"]
    received = base64.b64decode(alone.json["steps"][-1]["png"].partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(received))), framed[..., 0])
    assert "already 6 x 6 pixels" in alone.json["notes"][0]


def test_a_large_picture_s_steps_are_small(ask):
    page = np.full((900, 700, 1), 255, np.uint8)
    page[300:600, 200:500] = 40
    found = ask("POST", "/api/predict?model=part&model=slow@0", {"content-type": "image/png"}, [png_of(page)]).json
    assert [step["name"] for step in found["steps"]] == ["decoded", "fitted"]
    for step in found["steps"]:
        shown = Image.open(io.BytesIO(base64.b64decode(step["png"].partition(",")[2])))
        assert max(shown.size) <= 256
    assert [line["model"] for line in found["predictions"]] == ["part", "slow@0"]


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [
        ({"pixels": [[0] * 6] * 6}, 422, "send a model's name"),
        ({"model": 7, "pixels": [[0] * 6] * 6}, 422, "send a model's name"),
        ({"models": [], "pixels": [[0] * 6] * 6}, 422, "send a model's name"),
        ({"models": ["part"] * 3, "pixels": [[0] * 6] * 6}, 422, "send a model's name"),
        ({"models": "part", "pixels": [[0] * 6] * 6}, 422, "send a model's name"),
        ({"model": "gone", "pixels": [[0] * 6] * 6}, 404, "no model of this name"),
        ({"model": "part"}, 422, "send either image"),
        ({"model": "part", "image": "", "pixels": []}, 422, "send either image"),
        ({"model": "part", "image": "?"}, 422, "image: must be base64"),
        ({"model": "part", "image": "aG k="}, 422, "image: must be base64"),
        ({"model": "part", "image": 7}, 422, "image: must be base64"),
        ({"model": "part", "image": "é"}, 422, "image: must be base64"),
        ({"model": "part", "image": "data:image/svg+xml,<svg/>"}, 422, "a data URL must be in base64"),
        ({"model": "part", "image": "data:image/png;base64,?"}, 422, "image: must be base64"),
        ({"model": "part", "pixels": [[0] * 6] * 6, "as_is": 1}, 422, "as_is: must be true or false"),
        ({"model": "part", "pixels": [[0] * 6] * 6, "background": ["x"]}, 422, "background: must be auto"),
        ({"model": "part", "image": ""}, 422, "an empty file"),
        ({"model": "part", "image": "R0lGODlhAQ=="}, 422, "GIF picture is damaged"),
        ({"model": "part", "image": base64.b64encode(b"<svg>").decode()}, 422, "SVG is not supported"),
        ({"model": "part", "image": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()}, 422, "PNG picture is damaged"),
    ],
)
def test_invalid_requests_are_refused(post, document, status, said):
    answer = post("/api/predict", document)
    assert answer.status == status
    assert said in answer.json["error"]


WRONG = [[], [[]], [[0] * 6] * 5, [[0] * 5] * 6, [[0] * 6] * 5 + [[0] * 5], [[0.5] * 6] * 6, [[True] * 6] * 6]
WRONG += [[["0"] * 6] * 6, [[None] * 6] * 6, [[10**30] * 6] * 6, [[{}] * 6] * 6, 7, "x", None, {}]
WRONG += [[[256] * 6] * 6, [[-1] * 6] * 6, [[[[0] * 6] * 6]]]


@pytest.mark.parametrize("pixels", WRONG, ids=lambda pixels: json.dumps(pixels)[:20])
def test_invalid_pixels_are_refused(pixels):
    with pytest.raises(UsageError, match=r"^pixels: "):
        as_images(pixels, (6, 6, 1))


def test_pixels_are_unchanged(stripes, coloured):
    for data in (stripes, coloured):
        images = data.test_images[:3]
        plain = images[..., 0] if images.shape[-1] == 1 else images
        assert np.array_equal(as_images(plain.tolist(), data.image_shape), images)
        assert np.array_equal(as_images(plain[1].tolist(), data.image_shape), images[1:2])


def test_a_picture_of_any_format_may_be_larger_than_json(ask, framed):
    found = {}
    for form in ("BMP", "TIFF"):
        Image.fromarray(framed[..., 0]).resize((1200, 1200)).save(file := io.BytesIO(), form)
        data = file.getvalue()
        assert len(data) > 1_000_000
        answer = ask("POST", "/api/predict?model=part", {"content-type": "image/unknown"}, [data])
        assert answer.status == 200
        found[form] = answer.json
    assert found["BMP"] == found["TIFF"]


def test_a_request_can_set_the_background_or_skip_the_preparation(post, ask, framed):
    data = png_of(framed.repeat(9, 0).repeat(9, 1))
    image = base64.b64encode(data).decode()
    in_json = post("/api/predict", {"model": "part", "image": image, "as_is": True, "background": "light"}).json
    query = "/api/predict?model=part&as_is=true&background=light"
    assert ask("POST", query, {"content-type": "image/png"}, [data]).json == in_json
    assert "resized as a whole" in in_json["notes"]
    wrong = {"as_is=1": "as_is: must be true or false", "background=white": "background: must be auto, light or dark"}
    for option, said in wrong.items():
        answer = ask("POST", f"/api/predict?model=part&{option}", {"content-type": "image/png"}, [data])
        assert (answer.status, answer.json["error"]) == (422, said)


def test_a_data_url_is_a_picture(post, framed):
    image = base64.b64encode(png_of(framed)).decode()
    plain = post("/api/predict", {"model": "part", "image": image}).json
    for head in ("data:image/png;base64,", "DATA:;BASE64,", "data:text/plain;charset=x;base64,"):
        assert post("/api/predict", {"model": "part", "image": head + image}).json == plain
    assert post("/api/predict", {"model": "part", "image": f"data:;base64,{quote(image)}"}).json == plain


def test_strangeness_by_brute_force():
    rng = np.random.default_rng(0)
    known, new = rng.integers(0, 256, (30, 4, 3, 1)), rng.integers(0, 256, (5, 4, 3, 1))
    new[0], new[1] = known[7], 0
    found = np.asarray(strangeness(familiar(known), new.astype(np.uint8)))
    for row, image in zip(found, new.reshape(5, -1) / 255, strict=True):
        others = known.reshape(30, -1) / 255
        length = max(np.sqrt(np.sum(image**2)), 1e-3)
        distance = min(np.sum((other - image) ** 2) for other in others)
        cosine = max(other @ image / (np.sqrt(np.sum(other**2)) * length) for other in others)
        np.testing.assert_allclose(row, [distance, 1 - cosine], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[0], 0, atol=1e-5)
    assert found[1, 1] == 1


def test_noise_is_unlike_the_training_images_and_test_images_are_not(subject, stripes):
    seen = subject(hidden=())
    noise = np.random.default_rng(0).integers(0, 256, (50, 6, 6, 1)).astype(np.uint8)
    assert is_unlike(seen, noise).mean() > 0.9
    assert is_unlike(seen, np.zeros_like(noise[:1])).all()
    assert is_unlike(seen, stripes.test_images).sum() <= 2  # the strangest by each of the two measures


def test_a_warning_names_the_models(post):
    found = post("/api/predict", {"models": ["part", "slow@0"], "pixels": [[0, 255] * 3, [255, 0] * 3] * 3}).json
    assert [line["unlike"] for line in found["predictions"]] == [True, True]
    assert "unlike the training images of part and slow@0" in found["warnings"][-1]


def missing(model):
    raise DataError("nowhere")


def test_without_the_data_there_is_an_answer_and_no_warning(subject):
    seen = subject(hidden=(4,))

    alone = Subject(seen.model, missing, set())
    (found,) = predictions_of(alone, Seen(np.full((1, 6, 6, 1), 255, np.uint8), [], [], []))
    assert found["label"] in seen.model.class_names
    assert not found["unlike"]


def test_a_warning_of_the_preparation_counts_too(root):
    model = load_model("mlp", root)
    ring = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(ring).ellipse((60, 40, 140, 160), width=6)
    question = Question([], png_of(np.asarray(ring)[..., None]), None, {})
    seen = see(question, model.image_shape, model.framing)
    (found,) = predictions_of(Subject(model, missing, set()), seen)
    assert "unlike the network's training images" in seen.warnings[0]
    assert found["unlike"]


def test_a_network_that_diverged_has_no_answer(subject, stripes):
    seen = subject(hidden=(4,))
    seen.model.weights[0][0]["w"] *= np.nan
    (found,) = predictions_of(seen, Seen(stripes.test_images[:1], [], [], []))
    assert (found["label"], found["class_index"], found["probability"]) == (None, None, None)
    assert found["probabilities"] == {"0": None, "1": None, "2": None}
