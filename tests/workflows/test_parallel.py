"""Several processes train one model as one process does: gradients in the small, the real commands in the large."""

from __future__ import annotations

import logging
from pathlib import Path
from socket import socket

import mlflow
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing
from torch import nn

from pipeline.errors import UserError
from pipeline.networks import SegmentationLoss, SegmentationOutput
from pipeline.synthetic import write_dataset
from pipeline.workflows import GlobalBatchLoss, Ranks, share_batch_statistics
from pipeline.workflows.ranks import distributed
from tests.paths import CONFIGS
from tests.workflows.commands import bundle, ended, started, words

ROUNDING = 1e-4  # relative, of the loss after some steps: sums in another order


class Network(nn.Module):
    """A small network with both outputs of VLSE-Net."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 1)

    def forward(self, image: torch.Tensor) -> SegmentationOutput:
        features = self.first(image).relu()
        return SegmentationOutput(self.last(features), features.mean((1, 2, 3)))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(4, 1, 12, 12, generator=generator)
    mask = (torch.rand(4, 1, 12, 12, generator=generator) > torch.tensor([0.2, 0.5, 0.9, 1.0]).view(4, 1, 1, 1)).float()
    return image, mask


def gradients(network: nn.Module, loss: nn.Module, image: torch.Tensor, mask: torch.Tensor) -> tuple[float, list]:
    value = loss(network(image), mask)
    value.backward()
    return value.item(), [parameter.grad.tolist() for parameter in network.parameters()]


def made() -> Network:
    torch.manual_seed(1)
    return Network()


def one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)  # OpenMP's other threads are not there after a fork
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    image, mask = (part[2 * rank : 2 * rank + 2] for part in batch())
    torch.save(
        gradients(distributed(made(), "cpu"), GlobalBatchLoss(SegmentationLoss()), image, mask), f"{folder}/{rank}"
    )
    dist.destroy_process_group()


def test_two_processes_have_the_loss_and_the_gradients_of_one(tmp_path: Path) -> None:
    # forked, they need not load the libraries again
    torch.multiprocessing.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method="fork")
    value, wanted = gradients(made(), SegmentationLoss(), *batch())
    for rank in (0, 1):
        found, grads = torch.load(tmp_path / str(rank))
        assert found == pytest.approx(value, rel=1e-6)
        for grad, expected in zip(grads, wanted, strict=True):
            np.testing.assert_allclose(grad, expected, rtol=1e-5, atol=1e-7)
    # a mean of the parts' losses would have been another one
    parts = [gradients(made(), SegmentationLoss(), *(p[i : i + 2] for p in batch()))[0] for i in (0, 2)]
    assert np.mean(parts) != pytest.approx(value, rel=1e-3)


def test_batch_norms_are_shared_on_gpus_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vlsenet"):
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.InstanceNorm2d(2))
        assert share_batch_statistics(network, "cuda:0") is network
        assert not caplog.messages
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        assert isinstance(share_batch_statistics(network, "cpu")[1], nn.BatchNorm2d)
        assert "--norm batch on CPUs" in caplog.text
        weight = network[1].weight
        shared = share_batch_statistics(network, "cuda:0")
        assert isinstance(shared[1], nn.SyncBatchNorm)
        assert shared[1].weight is weight


def test_torchrun_without_the_overlay_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.workflows import TrainingRun

    monkeypatch.setenv("WORLD_SIZE", "2")
    run = TrainingRun(None, None, None, None, None, 1)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"multi_gpu_train\.yaml"):
        run.prepare(False, {})


def test_a_lost_process_is_told_from_other_errors() -> None:
    closed = RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]")
    assert Ranks(0, 2).has_lost_another(closed)
    assert not Ranks().has_lost_another(closed)
    assert not Ranks(0, 2).has_lost_another(RuntimeError("CUDA out of memory"))


def train(folder: Path, output_dir: str, processes: int) -> str:
    """Train by so many processes; returns what they say on stderr."""
    settings = {
        "dataset_dir": "rock",
        "output_dir": output_dir,
        "max_epochs": 2,
        "val_interval": 1,
        "steps_per_epoch": 3,
        "batch_size": 4,
        "patch_size": 64,
        "features": "[8,8,16,16,32]",
        "precision": "float32",
    }
    if processes == 1:
        return bundle(folder, "train", **settings)
    line = words("train", CONFIGS / "multi_gpu_train.yaml", **settings)
    with socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started_by_torchrun = [
        started(folder, line, folder / f"told_{rank}.txt", torchrun(rank, processes, port)) for rank in range(processes)
    ]
    for rank, process in enumerate(started_by_torchrun):
        assert ended(process) == 0, (folder / f"told_{rank}.txt").read_text()[-3000:]
    return "".join((folder / f"told_{rank}.txt").read_text() for rank in range(processes))


def torchrun(rank: int, processes: int, port: int) -> dict[str, str]:
    """What torchrun tells each process; that it starts them is tested with a scan, `scan/test_command.py`."""
    own, all_of_them = str(rank), str(processes)
    numbers = {"RANK": own, "LOCAL_RANK": own, "WORLD_SIZE": all_of_them, "LOCAL_WORLD_SIZE": all_of_them}
    return {**numbers, "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}


def curve(folder: Path, name: str) -> list[float]:
    client = mlflow.MlflowClient(f"sqlite:///{folder.parent}/mlflow.db")
    experiment = client.get_experiment_by_name("vlsenet").experiment_id
    (run,) = client.search_runs([experiment], f"tags.mlflow.runName = '{folder.name}'")
    assert run.info.status == "FINISHED"
    return [value.value for value in client.get_metric_history(run.info.run_id, name)]


def test_two_processes_have_the_loss_curve_of_one_with_the_same_batch(tmp_path: Path) -> None:
    write_dataset(tmp_path / "rock", 4, shape=(80, 96), seed=3, val=1, test=0, text=True)
    for output_dir, processes in (("one", 1), ("two", 2)):
        told = train(tmp_path, output_dir, processes)
        assert told.count("epoch 2/2") == 1  # of two, one process speaks for both
    for name, rounding in (("train_loss", ROUNDING), ("val_dice", 1e-3)):
        one, two = (curve(tmp_path / output_dir, name) for output_dir in ("one", "two"))
        assert len(one) == 2
        np.testing.assert_allclose(two, one, rtol=rounding, atol=rounding)
    # augmented patches of another seed would not come near
    losses = curve(tmp_path / "one", "train_loss")
    assert abs(losses[0] - losses[1]) > 10 * ROUNDING
    saved = [torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True) for name in ("one", "two")]
    for name, value in saved[0]["network"].items():
        torch.testing.assert_close(saved[1]["network"][name], value, rtol=1e-2, atol=1e-3, msg=name)
