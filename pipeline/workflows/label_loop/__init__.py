"""What leads a person from images without masks to a model: what to label next, and a preview of the labels.

An image and a model enter (`seen_image.py`); ranked regions with pictures leave (`suggestion.py`), and for a view the
phase of each pixel as its strokes say (`preview.py`, on the features of `pixel_features.py`). Nothing here needs a
window; `pipeline/label` puts one in front of it.
"""
