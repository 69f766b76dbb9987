"""The window of `vlsenet label`: napari with a dock that leads from strokes to a model. Only this package needs Qt.

A folder of images enters; the labels of a data set, and a model, leave. `levels.py` shows images of any size to
napari, `window_layers.py` makes the layers, `canvas_view.py` knows where the canvas looks, `painted_field.py` is what
can be painted on, `asked_model.py` what a model says of the view, `training_watch.py` watches a training, `jobs.py`
runs what takes time beside the window, `handed_over.py` hands an image to `vlsenet segment`, and `dock.py` is the
dock, `dock_form.py` its form, `open_dock.py` what it has open. `collector.py` keeps Python from freeing widgets in
other threads. What is done with strokes is in `pipeline/annotations` and `pipeline/workflows/label_loop`, which know
no window. `napari.yaml` makes `plugin.py` known to napari.
"""
