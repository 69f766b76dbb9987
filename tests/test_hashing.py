from __future__ import annotations

import hashlib

from pipeline.files import sha256_of


def test_it_is_the_hash_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 9000  # more than one block
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()
