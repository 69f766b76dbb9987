from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from pipeline.text.clip_tower import load_clip_tower

PROMPTS = ["pore", "A rock image showing sparse, small to medium pores—mostly round, with some clustered.", ""]


@pytest.fixture
def tower(tiny_model, tiny_weights):
    return load_clip_tower(tiny_model, "none", tiny_weights)


def test_equals_open_clips_own_encoding(tower, tiny_model, tiny_clip):
    import open_clip

    with torch.no_grad():
        expected = tiny_clip.encode_text(open_clip.get_tokenizer(tiny_model)(PROMPTS), normalize=True)
    found = torch.stack([tower.encode(prompt).text for prompt in PROMPTS])
    torch.testing.assert_close(found, expected)


def test_tokens_are_projected_and_one_of_them_is_the_global_feature(tower, tiny_model, tiny_clip):
    import open_clip

    for prompt in PROMPTS:
        numbers = open_clip.get_tokenizer(tiny_model)([prompt])
        with torch.no_grad():  # all tokens, by hand from the parts of open_clip's model
            x = tiny_clip.token_embedding(numbers) + tiny_clip.positional_embedding
            x = tiny_clip.ln_final(tiny_clip.transformer(x, attn_mask=tiny_clip.attn_mask))
            expected = normalize(x[0] @ tiny_clip.text_projection, dim=-1)
        found = tower.encode(prompt)
        assert found.tokens.shape == (77, 24)
        torch.testing.assert_close(found.tokens, expected)
        torch.testing.assert_close(found.text, found.tokens[numbers.argmax()])


def test_without_gradient_or_chance(tower):
    item = tower.encode("pore")
    assert torch.equal(tower.encode("pore").tokens, item.tokens)
    assert not item.text.requires_grad
    # usable in a training step, which tensors of inference mode are not
    weight = torch.ones(24, requires_grad=True)
    (weight * item.text).sum().backward()
    assert torch.equal(weight.grad, item.text)


def test_long_prompts_are_cut_with_one_warning(tower, caplog):
    cut = tower.encode("pore " * 200)
    tower.encode("pore " * 300)
    assert [record.message for record in caplog.records if "77 tokens are cut" in record.message][1:] == []
    assert "this one has 202" in caplog.text
    assert torch.equal(cut.text, tower.encode("pore " * 75).text)


def test_a_prompt_that_just_fits_gives_no_warning(tower, caplog):
    tower.encode("pore " * 75)
    assert "cut" not in caplog.text
