"""Every option of the `vlsenet` commands that run no config; some of them also take options of the configs."""

from __future__ import annotations

from pathlib import Path

from pipeline.options.domain_kinds import InfoBar, OneOrMore, OutputFolder, Phases
from pipeline.options.kinds import Choice, Flag, Names, Number, Numbers, PathText, Text, Whole
from pipeline.options.option import Option

# fmt: off
OF_COMMANDS: tuple[Option, ...] = (
    # ---- prepare
    Option("val", Number(0, 1, "[)"), ("prepare",), "share of the pixels for validation", 0.2),
    Option("test", Number(0, 1, "[)"), ("prepare",), "share of the pixels for testing", 0.0),
    Option("seed", Whole(), ("prepare",), "another seed gives another split", 0, metavar="K"),
    Option("check", Flag(), ("prepare",), "only look for leaks in the existing split.csv", False),
    Option("overwrite", Flag(), ("prepare",), "replace an existing split.csv", False),
    # ---- prompts
    Option("writer", Choice(("rules", "language_model")), ("prompts",),
        "what writes the sentences: fixed rules, offline, or a language model, which gets the statistics only", "rules",
        more="A language model is never sent the image or its name."),
    Option("dry_run", Flag(), ("prompts",), "print the sentences and write nothing", False),
    Option("overwrite", Flag(), ("prompts",), "also replace existing texts", False),
    # ---- compare
    Option("output_dir", OutputFolder(), ("compare",), "folder of report.html and the tables", required=True),
    Option("experiment", Text(), ("compare",), "MLflow experiment, where a store holds several",
        otherwise="the one with evaluated runs", metavar="NAME"),
    Option("runs", Names(), ("compare",), "only these runs; a parent run's id stands for its children", [],
        otherwise="all", metavar="ID,..."),
    Option("split", Text(), ("compare",), "evaluations of this part of the data, such as test", metavar="NAME"),
    Option("baseline", Text(), ("compare",), "what the others are compared with",
        otherwise="unet, or the only U-Net, or the first training whose folder is named", metavar="VARIANT"),
    Option("metric", Text(), ("compare",), "score of the verdicts at the top", "dice", metavar="SCORE"),
    # ---- experiment
    Option("output_dir", OutputFolder(), ("experiment",), "folder of all results", required=True),
    Option("only", Names(), ("experiment",), "run these variants only", [], otherwise="all"),
    Option("seeds", Names(), ("experiment",), "random seeds", [], otherwise="the plan's", metavar="K,..."),
    Option("folds", Text(), ("experiment",), "split, 5, leave_one_source_out, {leave_out: [11]}",
        otherwise="the plan's", metavar="FOLDS"),
    Option("jobs", Whole(1), ("experiment",), "earlier name of --workers", otherwise="as --workers says"),
    Option("threads", Whole(1), ("experiment",), "CPU threads of each run", otherwise="its share", metavar="T"),
    Option("retry_failed", Flag(), ("experiment",), "run again what failed before", False),
    Option("report", Flag(), ("experiment",), "only write the report of the finished runs", False),
    Option("tracking_uri", Text(), ("experiment",), "MLflow store", otherwise="mlflow.db in output_dir", metavar="URI"),
    Option("experiment_name", Text(), ("experiment",), "MLflow experiment", otherwise="the name of output_dir",
        metavar="NAME"),
    # ---- rerun
    Option("output_dir", OutputFolder(), ("rerun",), "a new folder", required=True),
    Option("dataset_dir", OneOrMore("a folder with images/ and labels/", Path.is_dir), ("rerun",),
        "where the data are now; of several data sets, each of them in the order of the training",
        otherwise="where they were", metavar="DIR"),
    Option(
        "tolerance",
        Number(0, ends="[)"),
        ("rerun",),
        "largest difference that still counts as agreement",
        0.005,  # half a point of Dice; on the processor of the first run the numbers are the same to the last bit
        metavar="T",
    ),
    # ---- convert
    Option("formats", Names(("tiff", "nifti", "instances", "geojson", "roi", "csv"), least=1), ("convert",),
        "what to write: the mask as OME-TIFF or NIfTI, numbered objects, outlines for QuPath or Fiji, figures' data",
        required=True, metavar="tiff,nifti,instances,geojson,roi,csv"),
    Option("output_dir", OutputFolder(), ("convert",), "folder of the files", otherwise="that of the results"),
    Option("most_outlines", Whole(1), ("convert",), "outlined objects of each phase, the largest first", 20000),
    Option("tolerance", Number(ends="[)"), ("convert",), "how far an outline may leave the true one", 0.5,
        unit="pixels", metavar="PX"),
    # ---- import-labels
    Option("phases", Phases(), ("import-labels",), "what the values of label images mean, as in 'pore=1, rest=2'",
        otherwise="as phases.csv or the file says", metavar="NAME=K,..."),
    Option("rename", Text(), ("import-labels",), "classes, and the phases that they are, as in 'Pore_v2=pore'",
        otherwise="classes are phases", metavar="CLASS=PHASE,..."),
    Option("unnamed", Text(), ("import-labels",), "the phase of shapes that have no class",
        otherwise="they are refused", metavar="PHASE"),
    Option("background", Choice(("unlabelled", "rest")), ("import-labels",),
        "what pixels are that nothing marks: nothing is known of them, or none of the phases",
        otherwise="unlabelled, where more than one class is marked"),
    Option("colours", Text(), ("import-labels",),
        "what the colours of masks mean: 'pore=#ff0000, rest=#000000', or a CSV file of colour,phase",
        otherwise="images hold label values", metavar="NAME=#RRGGBB,...|FILE"),
    Option("line_width", Number(), ("import-labels",), "of strokes and points without a width", 3.0, unit="pixels",
        metavar="PX"),
    Option("new_phases", Flag(), ("import-labels",), "add phases that phases.csv does not name", False),
    Option("overwrite", Flag(), ("import-labels",), "replace labels that are there", False),
    # ---- suggest
    Option("checkpoint", PathText(), ("suggest",), "the model that is asked, best.pt of a training",
        otherwise="as for vlsenet segment: in the end the default model"),
    Option("output_dir", OutputFolder(), ("suggest",), "folder of the tables and pictures",
        otherwise="NAME_suggestions in the current folder"),
    Option("count", Whole(1), ("suggest",), "regions at most", 20),
    Option("side", Whole(64), ("suggest",), "of a region, up to 512", 256, unit="pixels", metavar="PX"),
    Option("info_bar", InfoBar(), ("suggest",), "the microscope's strip of text, as for vlsenet segment", "auto"),
    # ---- bundle
    Option("output_dir", OutputFolder(), ("bundle",), "folder of the zip file", required=True),
    Option("checkpoint", PathText("a model", "best.pt"), ("bundle",), "model: best.pt of a training",
        otherwise="as for vlsenet segment", metavar="FILE"),
    Option("name", Text(), ("bundle",), "of the bundle: letters, digits, _ and -", "vlsenet_model"),
    Option("scores", PathText("an evaluation", "runs/first/val"), ("bundle",),
        "folder that vlsenet evaluate wrote for this model", otherwise="the card states no scores", metavar="DIR"),
    Option("authors", Text(), ("bundle",), "of the model", "not stated"),
    Option("licence", Text(), ("bundle",), "of the weights", "not stated"),
    Option("data_source", Text(), ("bundle",), "where the training images come from", "not stated"),
    Option("overwrite", Flag(), ("bundle",), "replace an earlier zip file of this name", False),
    # ---- paths
    Option("which", Choice(("configs", "model", "card", "bundle", "ablation", "licence")), ("paths",),
        "print this path alone", otherwise="all, with their names"),
    # ---- info
    Option("page", Whole(), ("info",), "which image of a file with several, from 0", metavar="K"),
    Option("scale_bar_png", PathText(), ("info",), "write a picture of the scale bar as it was read", metavar="FILE"),
    Option("json", Flag(), ("info",), "print as JSON", False),
    # ---- synthetic
    Option("output_dir", OutputFolder(), ("synthetic",), "folder to write, empty or absent", required=True),
    Option("count", Whole(1), ("synthetic",), "number of images", 40),
    Option("size", Numbers(), ("synthetic",), "height and width", (256, 256), unit="pixels", metavar="H,W"),
    Option("seed", Whole(), ("synthetic",), "same seed, same images", 0, metavar="K"),
    Option("porosity", Numbers(), ("synthetic",), "pore area fraction, 0 to 0.4", (0.05, 0.15), metavar="P,P"),
    Option("anisotropy", Numbers(), ("synthetic",), "alignment, 0 to 1", (0.2, 0.9), metavar="A,A"),
    Option("orientation", Numbers(), ("synthetic",), "preferred direction, counter-clockwise from horizontal", (0, 180),
        unit="degrees", metavar="DEG,DEG"),
    Option("pixel_size_nm", Number(), ("synthetic",), "side of a pixel", 20.0, unit="nanometres", metavar="NM"),
    Option("val", Number(ends="[)"), ("synthetic",), "validation images: a number, or a share below 1", 0.2),
    Option("test", Number(ends="[)"), ("synthetic",), "test images: a number, or a share below 1", 0.2),
    Option("varied", Flag(), ("synthetic",),
        "draw porosity, anisotropy, orientation, sizes, sharpness, noise and artefacts of each image from far wider "
        "ranges",
        False),
    Option("phases", Flag(), ("synthetic",),
        "labels hold organic matter and pyrite beside the pores, with their names in phases.csv", False),
    Option("info_bar", Flag(), ("synthetic",), "write the microscope's info bar below each image", False),
    Option("text", Flag(), ("synthetic",),
        "also write text/, made from the true masks: for tests of the text path only, as a score of a model "
        "that reads it is worth nothing", False),
    Option("overwrite", Flag(), ("synthetic",), "replace an earlier synthetic set in the folder", False),
    # ---- mlflow
    Option("port", Whole(1, most=65535), ("mlflow",), "of the pages on this machine", 5000, metavar="N"),
    # ---- send
    Option("tracking_uri", Text(), ("send",), "MLflow store", otherwise="the one that was named before", metavar="URI"),
)
# fmt: on
