from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from pipeline.text.torchscript import is_torchscript, read_torchscript


class Module(torch.nn.Module):
    """Parameters and buffers of several types and layouts, and attributes that are none."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
        self.register_buffer("turned", self.inner[0].weight.detach().t())
        self.register_buffer("part", torch.arange(12).reshape(3, 4)[1:, ::2])
        self.register_buffer("short", torch.tensor(1.5).half())
        self.register_buffer("nothing", torch.zeros(0, 4))
        self.sizes, self.names = [1, 2], {"a": 1}

    def forward(self, x):
        return x


class RunsAtLoad(torch.nn.Module):
    """TorchScript that writes a file as soon as it is loaded."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.weight = torch.nn.Parameter(torch.zeros(1))

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.path, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]):
        written = torch.from_file(state[1], True, 4, dtype=torch.uint8).fill_(65)
        self.weight = state[0] + written.sum()  # what is not used is left out of the archive
        self.path = state[1]
        self.training = state[2]

    def forward(self, x):
        return x


@pytest.mark.parametrize("compiled", [torch.jit.script, lambda module: torch.jit.trace(module, torch.zeros(1))])
def test_reads_what_state_dict_holds(compiled, tmp_path):
    module, path = Module(), tmp_path / "module.pt"
    compiled(module).save(str(path))
    assert is_torchscript(path)
    found = read_torchscript(path)
    assert set(found) == set(module.state_dict())
    for name, tensor in module.state_dict().items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_code_of_the_archive_does_not_run(tmp_path):
    path, written = tmp_path / "module.pt", tmp_path / "written"
    torch.jit.script(RunsAtLoad(str(written))).save(str(path))
    written.unlink(missing_ok=True)
    torch.jit.load(str(path))
    assert written.exists()  # which is why PyTorch's own reader is not used
    written.unlink()
    read_torchscript(path)
    assert not written.exists()


def test_other_names_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "module.pt", "w") as archive:
        archive.writestr("module/constants.pkl", b"")
        archive.writestr("module/data.pkl", pickle.dumps(os.getcwd, protocol=2))
    with pytest.raises(pickle.UnpicklingError, match="getcwd"):
        read_torchscript(tmp_path / "module.pt")


def test_tensors_stay_within_their_storage(tmp_path):
    torch.jit.script(Module()).save(str(tmp_path / "module.pt"))
    with zipfile.ZipFile(tmp_path / "module.pt") as whole, zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[: len(content) // 2] if Path(name).parent.name == "data" else content)
    with pytest.raises((RuntimeError, ValueError)):
        read_torchscript(tmp_path / "cut.pt")


def test_only_the_archives_root_counts(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"x": torch.zeros(1)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("weights/extra/constants.pkl", b"")
    assert not is_torchscript(path)
    path.write_bytes(b"no archive")
    assert not is_torchscript(path)
