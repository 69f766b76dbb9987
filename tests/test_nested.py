from __future__ import annotations

from pipeline.bundle_files import flattened


def test_names_on_the_way_to_a_value_are_joined() -> None:
    values = {
        "seed": 0,
        "optimiser": {"lr": 1e-3, "betas": [0.9, 0.99]},
        "switches": {"of": {"context": False}},
        "x": {},
    }
    assert list(flattened(values).items()) == [
        ("seed", 0),
        ("optimiser.lr", 1e-3),
        ("optimiser.betas", [0.9, 0.99]),
        ("switches.of.context", False),
    ]
    assert flattened({"switches": {"context": False}}, "::") == {"switches::context": False}
