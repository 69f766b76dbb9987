"""Runs of MLflow stores compared: which variant is better, by how much, and whether that is luck.

Evaluated runs enter, from `pipeline.tracking.stores.Store`; tables, verdicts and one HTML report leave. The door is
`compare.compare`. A new score belongs into `scores`, a new statistic into `paired` or `differences`.
"""
