from __future__ import annotations

import json
import shutil
import zipfile

import open_clip
import pytest
import torch

from pipeline.errors import UserError
from pipeline.text.clip_tower import load_clip_tower, model_config

PROMPT = "sparse, elongated pores"


def reference(clip, prompt=PROMPT):
    with torch.no_grad():
        return clip.encode_text(open_clip.tokenize([prompt]), normalize=True)[0]


@pytest.fixture
def quick_clip(tiny_config, tiny_clip):
    """The same weights in a model with quick-GELU."""
    model = open_clip.CLIP(**tiny_config, quick_gelu=True).eval()
    model.load_state_dict(tiny_clip.state_dict())
    return model


def test_openai_tag_of_rn50_means_quick_gelu():
    assert open_clip.get_pretrained_cfg("RN50", "openai")["quick_gelu"]
    assert not model_config("RN50").get("quick_gelu")


def test_quick_gelu_follows_the_tag(tiny_model, tiny_clip, quick_clip, tiny_weights, monkeypatch):
    plain = load_clip_tower(tiny_model, "openai", tiny_weights).encode(PROMPT).text
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda model, tag: {"quick_gelu": True})
    quickened = load_clip_tower(tiny_model, "openai", tiny_weights).encode(PROMPT).text
    torch.testing.assert_close(plain, reference(tiny_clip))
    torch.testing.assert_close(quickened, reference(quick_clip))
    assert (plain - quickened).abs().max() > 1e-5


def test_only_the_text_tower_is_kept(tiny_model, tiny_weights):
    tower = load_clip_tower(tiny_model, "openai", tiny_weights)
    assert sum(p.numel() for p in tower._transformer.parameters()) < 49408 * 32 + 50_000
    assert not any("visual" in name for name, _ in tower._transformer.named_parameters())
    assert tower.encode("pore").tokens.shape == (77, 24)


def openai_archive(state):
    """A module with CLIP's parameters and, as OpenAI's own files have, three numbers besides, in half precision."""
    root = torch.nn.Module()
    numbers = {name: torch.tensor(77) for name in ("input_resolution", "context_length", "vocab_size")}
    for name, value in {**state, **numbers}.items():
        *parents, last = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, torch.nn.Module())
            module = getattr(module, parent)
        module.register_buffer(last, value.half() if value.is_floating_point() else value)
    return root


@pytest.mark.parametrize("form", ["pickle", "checkpoint", "torchscript"])
def test_forms_of_weights(form, tiny_model, tiny_clip, tmp_path):
    path = tmp_path / "weights.pt"
    if form == "torchscript":
        torch.jit.script(openai_archive(tiny_clip.state_dict())).save(str(path))
    else:
        state = tiny_clip.state_dict()
        torch.save(state if form == "pickle" else {"epoch": 1, "state_dict": state}, path)
    found = load_clip_tower(tiny_model, "openai", path).encode(PROMPT).text
    torch.testing.assert_close(found, reference(tiny_clip), atol=5e-3 if form == "torchscript" else 1e-5, rtol=0)


def test_folder_from_the_hub_brings_its_own_architecture(tiny_config, quick_clip, tiny_weights, tmp_path):
    shutil.copy(tiny_weights, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {**tiny_config, "quick_gelu": True}}))
    found = load_clip_tower("RN50", "openai", tmp_path).encode(PROMPT).text
    torch.testing.assert_close(found, reference(quick_clip))


@pytest.mark.parametrize(
    "description",
    ["{", "[]", "{}", '{"model_cfg": null}', '{"model_cfg": {"embed_dim": 32}}', '{"model_cfg": {"text_cfg": []}}'],
)
def test_a_folder_that_describes_no_clip(description, tiny_weights, tmp_path):
    shutil.copy(tiny_weights, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text(description)
    with pytest.raises(UserError, match=rf"{tmp_path}: open_clip_config\.json"):
        load_clip_tower("RN50", "openai", tmp_path)


@pytest.mark.parametrize("model", ["hf-hub:laion/x", "local-dir:/nowhere", None])
def test_a_model_is_a_name_and_no_place(model, monkeypatch):
    monkeypatch.setattr(open_clip, "get_model_config", None)  # it would ask the hub for half a minute
    with pytest.raises(UserError, match=f"text_model {model}: give the name of an architecture.*--text_weights"):
        model_config(model)


def test_folder_with_weights_only(tiny_model, tiny_clip, tiny_weights):
    found = load_clip_tower(tiny_model, "openai", tiny_weights.parent).encode(PROMPT).text
    torch.testing.assert_close(found, reference(tiny_clip))


@pytest.mark.parametrize("dress", [None, "harmful/constants.pkl", "harmful/extra/constants.pkl"])
def test_code_in_a_pickle_does_not_run(dress, tiny_model, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").write_text, ("",))

    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.pt")
    if dress:  # as TorchScript, which is read another way
        with zipfile.ZipFile(tmp_path / "harmful.pt", "a") as archive:
            archive.writestr(dress, b"")
    with pytest.raises(UserError, match=r"harmful\.pt.*might run code"):
        load_clip_tower(tiny_model, "openai", tmp_path / "harmful.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_unreadable_files_are_named(content, suffix, tiny_model, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"broken{suffix}"):
        load_clip_tower(tiny_model, "openai", path)


def test_weights_of_another_architecture(tiny_weights):
    with pytest.raises(UserError, match="not readable as weights of ViT-S-32"):
        load_clip_tower("ViT-S-32", "openai", tiny_weights)


@pytest.mark.parametrize(("model", "part"), [("RN5O", "RN50"), ("vit-b-32", "ViT-B-32")])
def test_unknown_model_gives_the_nearest(model, part):
    with pytest.raises(UserError, match=part):
        model_config(model)


def test_unknown_tag_lists_those_that_exist():
    with pytest.raises(UserError, match=r"openai.*yfcc15m"):
        load_clip_tower("RN50", "laion")
    with pytest.raises(UserError, match="no weights None"):
        load_clip_tower("RN50", None)


def test_other_tokenizers_and_towers_are_refused():
    for model in ("ViT-B-16-SigLIP", "coca_ViT-B-32", "roberta-ViT-B-32"):
        with pytest.raises(UserError, match="choose one that does"):
            model_config(model)


def test_the_callers_random_state_stays(tiny_model, tiny_weights):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_clip_tower(tiny_model, "openai", tiny_weights)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.slow
def test_rn50_with_openais_tag_equals_open_clips_quick_gelu_model(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    clip = open_clip.create_model("RN50-quickgelu", pretrained=None).eval()
    save_file(clip.state_dict(), tmp_path / "rn50.safetensors")
    found = load_clip_tower("RN50", "openai", tmp_path / "rn50.safetensors").encode(PROMPT)
    torch.testing.assert_close(found.text, reference(clip))
    assert found.text.shape == (1024,)
    assert found.tokens.shape == (77, 1024)
