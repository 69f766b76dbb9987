from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
import torch

from pipeline.data import DatasetIndex
from pipeline.errors import UserError
from pipeline.networks import build_network
from pipeline.phases import LabelValues, Phase
from pipeline.text import build_text_source, build_text_store
from pipeline.workflows import load_model, model_content
from tests.workflows.scan.phase_models import phases_model

SETTINGS = {"network": "vlsenet", "preset": "small", "text_dim": 256, "norm": "batch", "switches": {"context": False}}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = build_network(**SETTINGS)
    text = build_text_store(build_text_source("random"), ["pore", "thin pores"])
    samples = [SimpleNamespace(image_sha256="11", split="train"), SimpleNamespace(image_sha256="22", split="val")]
    values = LabelValues.of_pore(2)
    known = {"phases": values.phases, "values": (values,), "one_micrograph": False}
    data = SimpleNamespace(pore_label=2, samples=samples, fingerprint=lambda: {"hash": "f00d"}, **known)
    path = tmp_path / "best.pt"
    torch.save(model_content(network, SETTINGS, text, data, {"val_threshold": 0.375}, [9.5], False), path)
    return path, network


def test_a_model_comes_back_with_its_text_and_gives_the_same_answer(saved):
    path, network = saved
    model = load_model(str(path))
    text = model.text.get("thin pores")
    inputs = torch.rand(1, 1, 32, 48), text.text[None], text.tokens[None]
    with torch.no_grad():
        # not to the bit: the model is in channels-last layout, where sums run in another order
        torch.testing.assert_close(model.network(*inputs), network.eval()(*inputs), rtol=1e-5, atol=1e-6)
    assert model.threshold == 0.375
    expected = {"pore_label": 2, "fingerprint": "f00d", "train_images": ["11"], "pixel_sizes_nm": [9.5]}
    phases = {"phases": [{"name": "pore", "prompt": "pore"}], "one_micrograph": False}
    unknown = {
        "start_from": None,
        "prompt": None,
        "sentences": None,
        "about": None,
        "held_out": {},
        "familiarity": None,
    }
    values = {"values": LabelValues.of_pore(2).to_dict()}
    assert model.data == {**expected, "flatten_shading": False, **phases, **values, **unknown}


def test_a_model_of_several_phases_has_a_threshold_for_each(tmp_path):
    phases = (Phase.of("pore"), Phase.of("silt grain", "a grain of silt"))
    values = LabelValues(phases, ((2,), (1,)), (255,))
    settings = {**SETTINGS, "phases": 2, "in_channels": 2}
    text = build_text_store(build_text_source("random"), [phase.prompt for phase in phases])
    metrics = {"val_dice": 0.7, "pore/val_threshold": 0.4}
    data = DatasetIndex((tmp_path,), (), (values,))
    asked = [phase.prompt for phase in phases]
    content = model_content(build_network(**settings), settings, text, data, metrics, [], "both", None, asked, False)
    torch.save(content, tmp_path / "best.pt")
    model = load_model(str(tmp_path / "best.pt"))
    assert (model.phases, model.thresholds, model.shading) == (phases, (0.4, 0.5), "both")
    assert model.threshold == {"pore": 0.4, "silt grain": 0.5}
    assert LabelValues.from_dict(model.data["values"]) == values
    features = model.text.together(asked)
    with torch.no_grad():
        logits = model.network(torch.rand(1, 2, 32, 48), features.text[None], features.tokens[None])
    assert logits.shape == (1, 2, 32, 48)
    with pytest.raises(UserError, match="leave the option out"):
        load_model(str(tmp_path / "best.pt"), flatten_shading=True)


def test_validation_images_that_an_earlier_training_knew_are_no_evidence(saved, tmp_path):
    _, network = saved
    samples = [SimpleNamespace(source=name, image_sha256=name * 2, split="val") for name in "ab"]
    values = LabelValues.of_pore(2)
    known = {"phases": values.phases, "values": (values,), "one_micrograph": False, "pore_label": 2}
    data = SimpleNamespace(samples=samples, select=lambda split: samples, fingerprint=lambda: {"hash": "f00d"}, **known)
    text = build_text_store(build_text_source("random"), ["pore"])
    areas = {"pore": [{"number": n, "found": 0.1, "true": 0.2, "pixels": 9} for n in (0, 1)]}

    def sources(**of_data) -> list[str]:
        origin = SimpleNamespace(data={"train_images": of_data.pop("before", [])}, sha256="0")
        of = SimpleNamespace(**{**vars(data), **of_data})
        kept = model_content(network, SETTINGS, text, of, {}, origin=origin, areas=areas)["data"]["held_out"]
        return [image["source"] for image in kept.get("pore", [])]

    assert sources() == ["a", "b"]
    assert sources(before=["aa"]) == ["b"]
    assert sources(one_micrograph=True) == []


def test_shading_that_the_training_left_in_is_told(saved, caplog):
    load_model(str(saved[0]), flatten_shading=False)
    assert not caplog.records
    load_model(str(saved[0]), flatten_shading=True)
    (record,) = caplog.records
    assert record.getMessage().endswith("was trained with shading left in its images: give --flatten_shading false")


def test_a_new_prompt_is_encoded_by_the_tower_of_the_training(saved):
    model = load_model(str(saved[0]))
    expected = build_text_source("random").encode(["round pores"])["round pores"]
    torch.testing.assert_close(model.learn_prompts(["round pores"]).get("round pores").text, expected.text)


OTHER_FILES = (
    (b"", r"it is empty \(0 bytes\)"),
    (b"hello, this is a note\n" * 9, "it is a text file"),
    (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
    (b"II*\0" + bytes(90), "it is damaged, or was not written"),
    (b"PK\3\4" + bytes(90), "it is truncated or damaged"),
)


def test_a_network_without_text_speaks_of_prompts_only_where_somebody_gave_one(tmp_path, caplog):
    model = phases_model(tmp_path, "unet")
    model.ask([["pore", "silt grain", "clay"]], sentences=False)
    assert not caplog.text
    model.ask([["pore", "silt grain", "plates of clay"]], sentences=False)
    assert "a network without text and reads no prompt; texts do nothing" in caplog.text


def test_what_is_no_model_is_told(tmp_path, saved):
    text = tmp_path / "a.pt"
    text.write_text("hello")
    with pytest.raises(UserError, match="can't be read as a checkpoint"):
        load_model(str(text))
    for content, reason in OTHER_FILES:
        text.write_bytes(content)
        with pytest.raises(UserError, match=rf"a\.pt can't be read as a checkpoint \({reason}"):
            load_model(str(text))
    with pytest.raises(UserError, match="no such file"):
        load_model(str(tmp_path / "b.pt"))
    torch.save(torch.nn.Linear(2, 2), text)
    with pytest.raises(UserError, match="objects other than tensors"):
        load_model(str(text))
    torch.save({"weights": torch.zeros(1)}, text)
    with pytest.raises(UserError, match="not a VLSE-Net checkpoint"):
        load_model(str(text))
    whole = saved[0].read_bytes()
    text.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="can't be read as a checkpoint"):
        load_model(str(text))


class Attack:
    def __reduce__(self):
        return (print, ("executed",))


def test_code_in_a_checkpoint_is_not_executed(tmp_path, capsys):
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(UserError):
        load_model(str(path))
    assert "executed" not in capsys.readouterr().out
