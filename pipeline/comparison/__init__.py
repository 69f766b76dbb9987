"""Runs of an MLflow store compared: which variant is better, by how much, and whether that is luck."""
