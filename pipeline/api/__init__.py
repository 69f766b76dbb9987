"""The package in Python: `import pipeline as vlsenet`, and its public names.

A path or an array enters, a result whose parts are arrays, tables and numbers leaves. All is done by the engine of the
commands (`workflows.scan`), so that the same scan gets the same bytes. Nothing is written unless a folder is given, and
nothing of the process is changed: no logging, seeds, hooks or environment. `pipeline.__all__` has the public names.

- `loading.py`: `load`, from a file, a training's folder or a bundle to a `Model`.
- `model.py`: `Model`: `predict` arrays, `segment` files. `scan_options.py`: the options of both.
- `segmentation_result.py`: `Segmentation`, what both give. `measured.py`: `measure`, and what is known of one phase.
- `stored_array.py`: masks too large for memory. `notebook.py`: results as a notebook shows them.
- `mlflow_loader.py`: a model that a training logged, as `mlflow.pyfunc` loads it.
- `python_wording.py`: messages that name arguments where those of the commands name options.
"""
