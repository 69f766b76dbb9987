"""Every option of the configs, once: the checks, `--help`, the configs' defaults and the guides' tables follow it.

Options stand in the order in which they are listed to a user. After a change, `make generated` writes what follows from
it into the configs and the guides.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.options.domain_kinds import (
    Device,
    Existing,
    InfoBar,
    LabelValue,
    OneOrMore,
    OutputFolder,
    Phases,
    PixelSize,
    Region,
    Store,
    Widths,
)
from pipeline.options.kinds import (
    Choice,
    Flag,
    FlagOr,
    Group,
    NamedNumbers,
    Names,
    Number,
    PathText,
    Regex,
    Text,
    Whole,
)
from pipeline.options.option import Option

#: what may be chosen for the surroundings (`pipeline.networks.surroundings`, which takes seconds to import)
SURROUNDINGS = ("auto", "none", "240px", "496px", "1008px")
#: the commands that run a config
BUNDLE = ("train", "evaluate", "inference", "audit", "scan", "export")
_LABELLED = ("train", "evaluate", "audit")
_SCORING = ("evaluate", "audit")
_WITH_MODEL = ("evaluate", "inference", "audit", "scan", "export")
_ON_IMAGES = ("train", "evaluate", "inference", "audit", "scan")
_WINDOWS = ("train", "evaluate", "inference", "audit")
#: what decides on their results only validates a training
_PREDICTING = ("evaluate", "inference", "audit", "scan")
#: commands of `vlsenet` that read a data set and run no config
_DATA_SETS = ("prepare", "experiment")

_DATA_SET = "folder with images/ and labels/ (or patch_images/ and patch_mask/), and optionally text/"
_SIZE_READ_FROM = (
    "Read from files of Thermo Fisher/FEI, Phenom, ZEISS, TESCAN, Hitachi, JEOL and Gatan, OME, ImageJ, MRC, NIfTI and "
    "TIFF's tags."
)
_MODEL_FILE = Existing(what="a checkpoint file (.pt)", example="runs/my_rock/checkpoints/best.pt")
_FOUND_MODEL = (
    "the file in VLSENET_CHECKPOINT, or best.pt (or the only .pt) in the current folder, or else the "
    "default model, which comes with vlsenet"
)


def _switch(name: str, help: str, default: bool = True) -> Option:
    return Option(name, Flag(), ("train",), help, default)


# a table, more than code
# fmt: off
OF_CONFIGS: tuple[Option, ...] = (
    # ---- what goes in, and where results go
    Option("dataset_dir", OneOrMore("a folder with images/ and labels/", Path.is_dir, "data/my_rock"),
        (*_LABELLED, "experiment"), f"{_DATA_SET}; or several such folders, each with phases of its own", shared=True,
        required=True, fallback={"experiment": "the plan's"}, metavar="DIR", result=True),
    Option("dataset_dir", Existing("a folder with images/ and labels/", Path.is_dir, "data/my_rock"),
        ("prepare", "prompts"), _DATA_SET, required=True, metavar="DIR", result=True),
    Option("input", PathText("a scan", "scan.tif"), ("scan",),
        "TIFF, OME-TIFF, OME-Zarr or Zarr (folder, zip or address), MRC, NIfTI, PNG, JPEG, BMP; or a folder "
        "of scans", required=True, metavar="FILE|DIR", result=True),
    Option("input", Existing("an image or a folder of images", Path.exists, "scan.tif"), ("inference",),
        "an image, or a folder of images", required=True, metavar="FILE|DIR", result=True),
    Option("checkpoint", _MODEL_FILE, _WITH_MODEL, "model: best.pt of a training",
        "$pipeline.workflows.bundle_model(str(@bundle_root))",
        "models/model.pt of the bundle, or else the model that comes with vlsenet",
        fallback=dict.fromkeys(("evaluate", "audit", "scan", "export"), _FOUND_MODEL),
        result=True),
    Option("output_dir", OutputFolder(), BUNDLE, "folder for all results", shared=True, required=True,
        fallback={
            "evaluate": "NAME_scores in the current folder",
            "audit": "NAME_audit in the current folder",
            "scan": "NAME_pores in the current folder",
            "export": "exported",
        },
        result=False),
    Option("stack", Flag(), ("scan",), "the folder of slices, or the file with several images, is one volume (FIB-SEM)",
        False, result=True, entry="settings"),
    Option("split", Choice(("train", "val", "test", "all")), _SCORING, "score the images of this part", "val",
        result=True),
    Option("pore_label", Whole(), _LABELLED + _DATA_SETS,
        "value of pore in the labels, where they have more than two; evaluation and audit know that of the training",
        shared=True, result=True, metavar="K", entry="data"),
    Option("phases", Phases(), _LABELLED + _DATA_SETS,
        "the phases and their values in the labels: \"pore=2, silt grain=1\", or several values: pore=2+3",
        otherwise="phases.csv in dataset_dir, or pore alone", shared=True, result=True, entry="data"),
    Option("unlabelled", LabelValue(), _LABELLED + _DATA_SETS,
        "value in the labels of pixels about which nothing is known, such as 255, or none",
        otherwise="as phases.csv says, or none", shared=True, result=True, entry="data"),
    Option("group_pattern", Regex(), (*_LABELLED, *_DATA_SETS), "finds the micrograph in a file name: its first group",
        otherwise="each file is one", flag=(*_LABELLED, *_DATA_SETS), shared=True, result=True, entry="data"),
    Option("split_csv", OneOrMore("a file with the columns name,source,split"), _LABELLED,
        "file with sources and splits; of several data sets, one for each", otherwise="split.csv in dataset_dir",
        flag=False, shared=True, result=True,
        entry="data"),
    Option("info_bar", InfoBar(), (*_ON_IMAGES, *_DATA_SETS, "prompts"),
        "the microscope's strip of text: auto (find it and cut it off), keep, its height below the image, or top: and "
        "that of one on top (px)",
        "auto", shared=True, result=True),
    Option("skip_bad", Flag(), (*_WINDOWS, *_DATA_SETS), "continue without files that can't be used", False,
        shared=True, result=True),
    # ---- scans
    Option("roi", Region(), ("scan",), "segment this part only", otherwise="all", unit="px", result=True,
        entry="settings"),
    Option("page", Whole(), ("scan",), "which image of a file with several, from 0", result=True, metavar="K",
        entry="settings"),
    Option("pixel_size_nm", PixelSize(0, 1e8), ("scan",),
        "side of a pixel, or scale-bar: as the bar drawn in the image says", otherwise="as the file says", unit="nm",
        more=f"{_SIZE_READ_FROM} See [a scale that is only drawn](#a-scale-that-is-only-drawn).", result=True),
    Option("pixel_size_nm", Number(0, 1e8), ("evaluate", "inference", "audit"), "side of a pixel",
        otherwise="as the file says", unit="nm", more=_SIZE_READ_FROM, shared=True, result=True, metavar="NM"),
    Option("slice_spacing_nm", Number(0, 1e8), ("scan",), "distance between the slices of a stack",
        otherwise="as the file says", unit="nm", result=True, metavar="NM", entry="settings"),
    Option("invert", Flag(), ("scan",), "pores are bright in this scan", False, result=True, entry="settings"),
    Option("rescale", Flag(), _ON_IMAGES,
        "resample an image of another pixel size to that of the training for the network; results keep the image's",
        True, flag=False, shared=True, result=_PREDICTING, entry="prediction"),
    Option("skip_empty", Flag(), _ON_IMAGES, "neither segment nor count resin and blank border around the rock", True,
        flag=False, shared=True, result=True, entry="prediction"),
    Option("chunk_size", Whole(256, 256), _ON_IMAGES,
        "side of the chunks that are computed at a time, a multiple of 256",
        otherwise="1024, on a GPU 2048, or what memory allows", unit="px",
        flag=False, shared=True, result=_PREDICTING, entry="prediction"),
    Option("halo", Whole(16, 16), _ON_IMAGES,
        "border read around each chunk, a multiple of 16; a scan's seam certificate shows whether it is enough", 128,
        unit="px", flag=False, shared=True, result=_PREDICTING, entry="prediction"),
    Option("batch", Whole(1), _ON_IMAGES, "chunks in one forward pass", otherwise="1 on a CPU, by memory on a GPU",
        flag=False, shared=True, result=_PREDICTING, entry="prediction"),
    # ---- network and training
    Option("network", Choice(("vlsenet", "unet")), ("train",),
        "vlsenet, or unet: MONAI's U-Net, the baseline, at the same widths and with the same training", "vlsenet",
        result=True),
    Option("preset", Choice(("small", "base", "large")), ("train",),
        "widths of the network: small (16 to 256), base (32 to 512), large (64 to 1024, as published)", "small",
        result=True),
    Option("features", Widths(), ("train",), "widths of four levels and the bottleneck, as in [24,48,96,192,384]",
        otherwise="the preset's", flag=False, result=True),
    Option("surroundings", Choice(SURROUNDINGS), ("train",),
        "how far the network sees beyond its window, at an eighth of the resolution: none, 240px, 496px, 1008px, or "
        "auto: as thick phases and large images ask for", "auto", flag=False,
        more="See [surroundings](#surroundings).", result=True),
    Option("norm", Choice(("batch", "instance", "group")), ("train",),
        "instance, group (statistics of the image) or batch (of the training data)", "instance", flag=False,
        result=True),
    Option("max_epochs", Whole(1), ("train",), "length of the training", 40, unit="epochs", result=False),
    Option("steps_per_epoch", Whole(1), ("train",),
        "batches of random patches in an epoch, whatever the size of the data set", 25, flag=False, result=True),
    Option("batch_size", Whole(1), ("train",), "patches in a step", 8, result=True),
    Option("patch_size", Whole(32), ("train",), "side of a training patch", 192, unit="px", flag=False, result=True),
    Option("pixel_size_nm", Number(0, 1e8), ("train",),
        "side of a pixel of the images; scans of another pixel size are shown to the network at this one",
        otherwise="as their files say", unit="nm", flag=False, result=False, metavar="NM"),
    Option("learning_rate", Number(0, 1), ("train",),
        "of AdamW, at its highest; what another model has learned is forgotten at the rate of a start from nothing",
        "$2.0e-4 if @start_from else 2.0e-3", otherwise="0.002, or 0.0002 with start_from", flag=False, result=True),
    Option("weight_decay", Number(0, 1, "[]"), ("train",), "of AdamW", 1.0e-4, flag=False, result=True),
    Option(
        "start_from",
        _MODEL_FILE,
        ("train",),
        "start with the weights of this model: best.pt of another training, or default, the model that comes along",
        otherwise="random weights",
        more="See [below](#starting-from-another-model).",
        result=True,
    ),
    Option("seed", Whole(), ("train",), "random seed", 0, result=True, metavar="K"),
    Option("seed", Whole(), ("audit",), "random seed of the exchange and the random features", 0, result=True,
        metavar="K"),
    Option("set_weights", NamedNumbers(Number(0, ends="[)")), ("train",),
        "how often patches are drawn from each of several data sets, by the names of their folders",
        otherwise="all alike", result=True),
    Option("cache_rate", Number(0, 1, "[]"), ("train",), "share of the training images kept in memory", 1.0, flag=False,
        result=False),
    Option("num_workers", Whole(), ("train",), "loader processes; on a CPU they would compete with the network",
        "$0 if str(@device) == 'cpu' else 4", otherwise="0 on a CPU, or else 4", flag=False, result=False),
    Option("val_interval", Whole(1), ("train",), "validate every so many epochs, and after the last", 2, flag=False,
        result=False),
    Option("early_stop_patience", Whole(1), ("train",),
        "validations without a better Dice before the training stops; the last, slow steps matter", 20, flag=False,
        result=False),
    Option("picture_interval", Whole(1), ("train",), "epochs between two sets of validation pictures", 5, flag=False,
        result=False),
    Option("wide_augmentation", Flag(), ("train",),
        "vary magnification, contrast, sharpness and noise of patches far more: for scans of other microscopes and "
        "rocks", False, flag=False, result=True),
    Option("compile", Choice(("default", "reduce-overhead", "max-autotune")), ("train",),
        "torch.compile: default, reduce-overhead (CUDA graphs) or max-autotune. For GPUs; slower on a CPU",
        otherwise="off", more="The first step then takes minutes.", flag=False, result=False),
    Option("allow_leaks", Flag(), ("train",), "train although two splits share image content", False, result=False),
    # ---- text
    Option("text_source", Choice(("learned", "clip", "none", "random", "untrained")), ("train",),
        "text prior: learned, clip, none, random, or untrained (a tower without weights, for tests)", "learned",
        more="See [text prior](text_prior.md).", result=True),
    Option("text_model", Text(), ("train",), "open_clip's model, for text_source clip", "RN50", flag=False,
        result=True),
    Option("text_pretrained", Text(), ("train",), "open_clip's name of the weights, for text_source clip", "openai",
        flag=False, result=True),
    Option("text_weights", PathText(), BUNDLE, "file or folder with CLIP's weights, where they can't be downloaded",
        flag=("train", "audit", "export"), shared=True, result=True),
    Option(
        "switches",
        Group(
            members=(
                _switch("skip_gate", "gate the skips by the decoder"),
                _switch("modulate_skips", "LSCM: semantic modulation (FiLM) of the skips ..."),
                _switch("modulate_bottleneck", "... the bottleneck ..."),
                _switch("modulate_decoder", "... and the decoder"),
                _switch(
                    "renormalise",
                    "keep each channel's spread in them (published; instance norm then cancels most of the text's "
                    "effect)",
                    False,
                ),
                _switch("bounded_modulation", "bound what they do to a channel (published: no bound)"),
                _switch("text_adapters", "LSCM: text adapters in the decoder"),
                _switch("cross_attention", "LSCM: tokens of the prompt at the bottleneck"),
                _switch("text_head", "with several phases: the last convolution's weights from the text"),
                _switch("alignment", "LSCM: region alignment loss ..."),
                _switch("contrast", "... which with several phases contrasts them (published: each by itself)"),
                _switch("asrm_skip", "ASRM on the deepest skip ..."),
                _switch("asrm_bottleneck", "... the bottleneck ..."),
                _switch("asrm_decoder", "... and the first decoder stage"),
                _switch("snake_horizontal", "ASRM's directional branches"),
                _switch("snake_vertical", ""),
                _switch("context", "multi-scale context at the bottleneck"),
            ),
            example="context false",
        ),
        ("train",),
        "the parts of VLSE-Net; one is switched off by --switches::alignment false",
        otherwise="all on, but for renormalise",
        flag=False,
        result=True,
    ),
    Option("prompt", Text(), _ON_IMAGES, "what a single phase is asked for with", otherwise="its phrase, such as pore",
        more="Several phases are asked for with their own phrases. See [text prior](text_prior.md).", shared=True,
        result=True),
    Option("sentences", Flag(), ("train", "evaluate", "inference", "scan"),
        "ask each image with its own sentence of text/NAME.txt, where there is one, instead of the prompt", False,
        shared=True, result=True),
    Option("prompt", Text(), ("export",),
        "text built into the exported network for a single phase: one of the training's, or any other if CLIP's "
        "weights are available", otherwise="its phrase, such as pore",
        more="Several phases have their own phrases built in.", result=True),
    Option("phases", Text(), ("scan",), "some of the model's phases, by name, as in \"pore, silt grain\"",
        otherwise="all of them", more="Which phase a pixel is, is decided among those that are asked for.",
        result=True, metavar="NAMES"),
    # ---- pixels to pores
    Option("threshold", NamedNumbers(Number(0, 1), alone=True), ("evaluate", "inference", "audit", "scan"),
        "pixels at or above this probability are pore", "$@model.threshold", otherwise="the model's",
        more="Of several phases: one for all, or `pore=0.4, silt grain=0.6`. The model's is 0.5 unless the training's "
        "validation images gave clear evidence for another.", result=True,
        metavar="P"),
    Option("threshold", NamedNumbers(Number(0, 1), alone=True), ("export",),
        "threshold written to export.json; the exported network returns probabilities", "$@model.threshold",
        otherwise="the model's", result=True, metavar="P"),
    Option("mirror", FlagOr(("auto",)), _ON_IMAGES,
        "average over four mirrorings of each window, steadier but four times slower; auto: of images of up to 2048 x "
        "2048 px, and not in the validations of a training", "auto", flag=False, shared=True, result=_PREDICTING,
        entry="prediction"),
    Option("precision", Choice(("auto", "float32", "bfloat16")), _ON_IMAGES,
        "auto (bfloat16 if the device has it in hardware), float32 or bfloat16", "auto", flag=False, shared=True,
        result=True, entry="prediction"),
    Option("statistics", Choice(("micrograph", "network")), _ON_IMAGES,
        "what norms compute their statistics over: micrograph, or network (each norm in its own way: batch "
        "norm over the training images, instance and group norm over each window)", "micrograph", flag=False,
        shared=True, result=True, entry="prediction"),
    Option("flatten_shading", FlagOr(("both",)), _ON_IMAGES,
        "remove slow changes of brightness, and steps between the fields of a mosaic, from the image; both: the "
        "network sees the image with and without them",
        otherwise="as in the training; there true where pore is the only phase, or else both",
        more="The checkpoint records the choice of the training: a later command that differs from it warns.",
        flag=False, shared=True, result=True, entry="prediction"),
    # ---- what comes out
    Option(
        "tolerances",
        Group(
            members=(
                Option("surface", Number(), ("evaluate",), "of the surface Dice (px)", 1.0),
                Option("boundary", Number(), ("evaluate",), "of the boundary F1 (px)", 2.0),
                Option("small_pore", Number(), ("evaluate",), "largest area of a small pore (px)", 25.0),
            ),
            example="surface 1.5",
        ),
        ("evaluate",),
        "lengths and areas in the scores",
        otherwise="surface 1, boundary 2, small_pore 25",
        unit="px",
        flag=False,
        result=True,
    ),
    Option("report", Flag(), ("scan",), "measure every pore: pores.csv, pores.parquet, report.html with its figures",
        True, flag=False, result=False, entry="settings"),
    Option("min_pore_area_px", Whole(1), ("scan",), "leave smaller pores out of the table; mask and porosity keep them",
        4, unit="px", result=False, entry="settings"),
    Option("formats", Names(("tiff", "nifti")), ("scan",),
        "also write the mask in these formats: pyramidal OME-TIFF, NIfTI", [], metavar="tiff,nifti", otherwise="none",
        result=False, entry="settings"),
    Option("formats", Names(("torch_export", "onnx", "torchscript", "bioimageio"), least=1), ("export",),
        "some of torch_export, onnx, torchscript, bioimageio", ["torch_export", "onnx", "torchscript"],
        otherwise="the first three", result=False),
    Option("text_inputs", Flag(), ("export",),
        "take the text features as inputs, and write the stored ones to text_features.safetensors", False, result=True),
    Option("variant", Text(), ("evaluate",), "what vlsenet compare calls this model", otherwise="the training's folder",
        result=False, metavar="NAME"),
    # ---- MLflow
    Option("tracking_uri", Store(), ("train",), "MLflow store: sqlite:///FILE.db or a server's address",
        otherwise="mlflow.db in the folder around output_dir, which trainings side by side share", result=False,
        entry="mlflow_run"),
    Option("tracking_uri", Store(), ("audit",), "MLflow store: sqlite:///FILE.db or a server's address",
        otherwise="mlflow.db in output_dir", result=False, entry="mlflow_run"),
    Option("tracking_uri", Store(or_none=True), ("evaluate",),
        "MLflow store of the scores: sqlite:///FILE.db, a server's address, or none",
        otherwise="that of the training, if the checkpoint lies in its folder", result=False, entry="mlflow_log"),
    Option(
        "tracking_uri",
        Store(),
        ("scan",),
        "MLflow store (sqlite:///FILE.db or a server's address) for settings, numbers and report",
        otherwise="none",
        more="What it does not accept is [kept and sent later](training.md#when-the-mlflow-store-does-not-answer).",
        result=False,
        entry="segmentation",
    ),
    Option("experiment_name", Text(), ("train", "audit"), "MLflow experiment", "vlsenet", flag=False, result=False,
        metavar="NAME", entry="mlflow_run"),
    Option("experiment_name", Text(), ("evaluate",), "MLflow experiment", "vlsenet", flag=False, result=False,
        metavar="NAME", entry="mlflow_log"),
    Option("experiment_name", Text(), ("scan",), "MLflow experiment", "scans", flag=False, result=False,
        metavar="NAME", entry="segmentation"),
    Option("run_name", Text(), ("train", "audit"), "MLflow name of the run", otherwise="the name of output_dir",
        flag=False, result=False, metavar="NAME", entry="mlflow_run"),
    Option("mlflow_run_id", Text(), ("train",), "existing MLflow run for this training", otherwise="a new one",
        flag=False, result=False, metavar="ID"),
    Option("mlflow_run_id", Text(), ("evaluate",), "MLflow run of the scores",
        otherwise="that of the training if it is in the store, or a new one", result=False, metavar="ID"),
    # ---- many tasks at once
    Option("workers", Whole(1), ("scan", "experiment"),
        "processes on this machine, spread over its GPUs, that share the scans of a folder or the trainings",
        otherwise="one after the other", result=False, entry="pool"),
    Option("scheduler", Text(), ("scan", "experiment"),
        "a running Dask cluster whose workers do so: the address of its scheduler, or the file that it wrote",
        result=False, metavar="ADDRESS", entry="pool"),
    Option("cluster", PathText(), ("scan", "experiment"),
        "YAML file with settings of dask-jobqueue: jobs of Slurm, PBS, SGE or LSF do so",
        more="See [on a cluster](cluster.md).", result=False, metavar="FILE", entry="pool"),
    Option("dashboard", Text(), ("scan", "experiment"), "where Dask's dashboard listens", "127.0.0.1:0",
        result=False, metavar="HOST:PORT", entry="pool"),
    # ---- earlier results, and where to run
    Option("resume", Flag(), ("train", "inference"), "resume from earlier results in output_dir", False, shared=True,
        result=False),
    Option("overwrite", Flag(), BUNDLE, "replace earlier results in output_dir", False, shared=True, result=False),
    Option("device", Device(), _ON_IMAGES, "cpu, cuda:0 ...",
        "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')", otherwise="the first GPU, or else the CPU",
        shared=True, result=False),
)
# fmt: on
