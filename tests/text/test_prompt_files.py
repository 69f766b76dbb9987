from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipeline.data import index_dataset
from pipeline.errors import UserError
from pipeline.synthetic.sample import draw_info_bar
from pipeline.text.language_model import LanguageModelWriter, UnusableAnswer
from pipeline.text.prompt_files import build_writer, write_prompts
from pipeline.text.prompt_writer import ImageStatistics, write_prompt


@pytest.fixture
def rock(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ("patch_images", "patch_mask"):
        (tmp_path / folder).mkdir()
    for number, name in enumerate(("a", "b", "depth-3729.2m")):
        image = rng.normal(120, 5 + 10 * number, (48, 64)).clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "patch_images" / f"{name}.png")
        Image.fromarray((image < 110).astype(np.uint8)).save(tmp_path / "patch_mask" / f"{name}.png")
    return tmp_path


def test_each_image_gets_the_sentence_that_its_data_set_then_carries(rock):
    done = write_prompts(rock, write_prompt)
    assert (set(done.prompts), done.kept, done.problems) == ({"a", "b", "depth-3729.2m"}, (), ())
    image = np.asarray(Image.open(rock / "patch_images" / "a.png"))
    assert done.prompts["a"] == write_prompt(ImageStatistics.of(image))
    assert {sample.name: sample.prompt for sample in index_dataset(rock).samples} == done.prompts


def test_an_info_bar_does_not_count(rock):
    told = []
    image = np.tile(np.asarray(Image.open(rock / "patch_images" / "a.png")), (5, 4))
    bar = draw_info_bar(24, image.shape[1], pixel_size_nm=10.0)
    for name, pixels in (("a", image), ("b", np.vstack([image, bar]))):
        Image.fromarray(pixels).save(rock / "patch_images" / f"{name}.png")
    write_prompts(rock, lambda statistics: told.append(statistics) or "pores")
    assert told[0] == told[1]


def test_an_info_bar_of_given_height_does_not_count(rock):
    told = []
    image = np.asarray(Image.open(rock / "patch_images" / "a.png"))
    unfound = np.random.default_rng(1).integers(0, 255, (8, image.shape[1]), np.uint8)
    Image.fromarray(np.vstack([image, unfound])).save(rock / "patch_images" / "a.png")
    write_prompts(rock, lambda statistics: told.append(statistics) or "pores", info_bar=8)
    assert told[0] == ImageStatistics.of(image)


def test_an_info_bar_as_high_as_an_image_is_refused(rock):
    with pytest.raises(UserError, match="--info_bar 48 leaves nothing of an image of 48 rows"):
        write_prompts(rock, write_prompt, info_bar=48)


def test_texts_are_kept_unless_told_otherwise(rock):
    (rock / "text").mkdir()
    (rock / "text" / "a.TXT").write_text("mine")
    done = write_prompts(rock, lambda _: "new")
    assert done.kept == ("a",)
    assert sorted(path.name for path in (rock / "text").iterdir()) == ["a.TXT", "b.txt", "depth-3729.2m.txt"]
    again = write_prompts(rock, lambda _: "newer", overwrite=True)
    assert len(again.prompts) == 3
    assert (rock / "text" / "b.txt").read_text() == "newer\n"


def test_a_writer_that_fails_leaves_what_is_done_and_the_next_run_goes_on(rock):
    asked = []

    def failing(statistics):
        asked.append(statistics)
        if len(asked) == 2:
            raise UserError("out of reach")
        return "sparse pores"

    with pytest.raises(UserError, match="out of reach"):
        write_prompts(rock, failing)
    assert [path.name for path in (rock / "text").iterdir()] == ["a.txt"]
    assert write_prompts(rock, failing).kept == ("a",)
    assert len(asked) == 4


def test_an_unusable_answer_costs_one_image_its_text_and_no_other(rock):
    asked = []

    def wordy_on_the_first(statistics):
        asked.append(statistics)
        if len(asked) == 1:
            raise UnusableAnswer("56 words")
        return "sparse pores"

    done = write_prompts(rock, wordy_on_the_first)
    assert set(done.prompts) == {"b", "depth-3729.2m"}
    (problem,) = done.problems
    assert "a.png" in problem
    assert "56 words" in problem


def test_a_blank_text_is_written_anew(rock):
    (rock / "text").mkdir()
    (rock / "text" / "a.txt").write_bytes(b"\xef\xbb\xbf \r\n")
    (rock / "text" / "b.txt").write_text("mine")
    done = write_prompts(rock, write_prompt)
    assert (done.kept, set(done.prompts)) == (("b",), {"a", "depth-3729.2m"})


def test_a_dry_run_writes_nothing(rock):
    assert len(write_prompts(rock, write_prompt, dry_run=True).prompts) == 3
    assert not (rock / "text").exists()


def test_a_bad_image_is_told_and_the_others_get_their_text(rock):
    (rock / "patch_images" / "a.png").write_bytes(b"no image")
    done = write_prompts(rock, write_prompt)
    assert set(done.prompts) == {"b", "depth-3729.2m"}
    (problem,) = done.problems
    assert "a.png" in problem


def test_two_images_of_one_name_are_refused(rock):
    (rock / "patch_images" / "a.tif").write_bytes(b"")
    with pytest.raises(UserError, match=r"several images have the same name \(a"):
        write_prompts(rock, write_prompt)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["link to nothing", "folder", "text is a file", "text is closed"])
def test_what_can_be_no_text_is_told_before_a_writer_is_asked(kind, overwrite, rock, monkeypatch):
    text, asked = rock / "text", []
    if kind == "text is a file":
        text.write_text("mine")
    else:
        text.mkdir()
    if kind == "link to nothing":
        (text / "a.txt").symlink_to("nowhere")
    elif kind == "folder":
        (text / "a.txt").mkdir()
    elif kind == "text is closed":
        monkeypatch.setattr("os.access", lambda path, mode: path != text)  # for root all folders are open
    with pytest.raises(
        UserError, match=rf"{text}(/a\.txt: it can't be read as text|: it is a file|: no permission to write)"
    ):
        write_prompts(rock, lambda statistics: asked.append(statistics) or "pores", overwrite=overwrite)
    assert not asked
    if kind == "text is closed":
        assert len(write_prompts(rock, write_prompt, dry_run=True).prompts) == 3


def test_writers(monkeypatch):
    assert build_writer("rules") is write_prompt
    with pytest.raises(UserError, match="unknown writer 'rulez': did you mean rules"):
        build_writer("rulez")
    monkeypatch.delenv("VLSENET_LLM_URL", raising=False)
    with pytest.raises(UserError, match="VLSENET_LLM_URL"):
        build_writer("language_model")
    monkeypatch.setenv("VLSENET_LLM_URL", "http://localhost:1/v1")
    monkeypatch.setenv("VLSENET_LLM_MODEL", "m")
    assert isinstance(build_writer("language_model"), LanguageModelWriter)
