"""Synthetic SEM images of porous rock, with exact labels."""

from pipeline.synthetic.dataset import DatasetSettings as DatasetSettings
from pipeline.synthetic.dataset import write_dataset as write_dataset
from pipeline.synthetic.sample import SyntheticSample as SyntheticSample
from pipeline.synthetic.sample import generate as generate
from pipeline.synthetic.scene import SceneSettings as SceneSettings
