"""Labels that were made in other programs, and how they become the labels of a data set.

Files of annotations enter (`reading.py` tells their format): outlines and strokes with the names of classes
(`labelme.py`, `coco.py`, `qupath.py`, `imagej.py`, `labkit.py`, `ilastik.py`), label images, coloured masks, corrected
results of our own. Each gives `Annotation`s (`drawn.py`), which `values.py` turns into label values, and
`importing.py` into `labels/` and `phases.csv`. The images are looked at for their size alone. `stroke_store.py` keeps
strokes that are being painted.
"""
