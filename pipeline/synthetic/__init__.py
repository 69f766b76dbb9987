"""Synthetic SEM images of porous rock, with exact labels.

Settings and a seed enter; images, masks and a data set's folder leave. `grains.py` and `pores.py` make the rock,
`sample.py` images it, with the artefacts of `pipeline.transforms.artifacts`; `scene.py` holds the settings of one
image.
"""

from pipeline.synthetic.dataset import DatasetSettings, write_dataset
from pipeline.synthetic.sample import generate
from pipeline.synthetic.scene import SceneSettings
