"""Segmentation of scans of any size: what is read, what is written, what is counted."""
