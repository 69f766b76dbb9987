from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.shared_folders import shared_file_system

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
login:/home /home nfs4 rw,vers=4.2 0 0
10.0.0.2@tcp:/scratch /scratch lustre rw 0 0
tmpfs /home/local tmpfs rw 0 0
server:/a /mnt/my\\040rock fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/runs/mlflow.db", "nfs4"),
        ("/scratch/mlflow.db", "lustre"),
        ("/mnt/my rock/mlflow.db", "fuse.sshfs"),
        ("/home/local/mlflow.db", None),
        ("/homework/mlflow.db", None),
        ("/data/mlflow.db", None),
    ],
)
def test_the_kind_of_the_nearest_mount(tmp_path: Path, path: str, kind: str | None):
    (tmp_path / "mounts").write_text(MOUNTS)
    assert shared_file_system(Path(path), tmp_path / "mounts") == kind
    assert shared_file_system(Path(path), tmp_path / "none") is None
