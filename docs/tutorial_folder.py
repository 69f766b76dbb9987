"""Run by IPython as a tutorial's kernel starts (`PYTHONSTARTUP`, set in `conf.py`): into a fresh folder of its own."""

import os
import shutil
import warnings

_folder = os.environ["VLSENET_TUTORIAL"]
shutil.rmtree(_folder, ignore_errors=True)
os.makedirs(_folder)
os.chdir(_folder)
# of tqdm, where widgets aren't installed
warnings.filterwarnings("ignore", message="IProgress not found")
