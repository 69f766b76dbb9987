"""VLSE-Net for rock SEM: pores, porosity and their evidence, built on MONAI."""

__version__ = "0.1.0"
