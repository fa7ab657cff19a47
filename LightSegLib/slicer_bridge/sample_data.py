"""The samples that come with LightSeg, in Slicer's Sample Data module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import slicer

from LightSegLib.errors import InputError
from LightSegLib.resources import resources_root

__all__ = ["SAMPLES", "Sample", "load_sample", "register_samples"]

CATEGORY = "LightSeg"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A generated case: a model for it, its files by channel, and its reference.

    `title` is what Sample Data calls it, and its nodes' names begin with `prefix`.
    """

    title: str
    prefix: str
    model: str
    files: Mapping[str, str]
    reference: str


SAMPLES = {
    "wmh": Sample(
        title="WMH FLAIR (generated)",
        prefix="WMH sample",
        model="wmh-acu",
        files={"FLAIR": "wmh_flair.nii.gz"},
        reference="wmh_reference.nii.gz",
    ),
    "tumor": Sample(
        title="Brain tumor MRI (generated)",
        prefix="Tumor sample",
        model="tumor-acu",
        files={
            "T1": "tumor_t1.nii.gz",
            "T1ce": "tumor_t1ce.nii.gz",
            "T2": "tumor_t2.nii.gz",
            "FLAIR": "tumor_flair.nii.gz",
        },
        reference="tumor_reference.nii.gz",
    ),
    "liver": Sample(
        title="Liver CT (generated)",
        prefix="Liver sample",
        model="liver-pocket",
        files={"CT": "liver_ct.nii.gz"},
        reference="liver_reference.nii.gz",
    ),
}


def load_sample(name: str) -> "dict[str, slicer.vtkMRMLVolumeNode]":
    """Load a sample and return its nodes: the volumes by channel, and the labelmap "reference".

    Raises InputError for an unknown name and for files that cannot be loaded.
    """
    if name not in SAMPLES:
        raise InputError(f"Unknown sample '{name}': choose {', '.join(SAMPLES)}")
    sample, folder = SAMPLES[name], resources_root() / "Samples"
    nodes: dict[str, Any] = {}
    for channel, file in {**sample.files, "reference": sample.reference}.items():
        load = slicer.util.loadLabelVolume if channel == "reference" else slicer.util.loadVolume
        try:
            nodes[channel] = load(str(folder / file), {"name": f"{sample.prefix} {channel}"})
        except RuntimeError as error:
            raise InputError(f"The sample {folder / file} cannot be loaded: reinstall LightSeg") from error
    return nodes


def register_samples(loaded: Callable[[str, Mapping[str, Any]], None]) -> None:
    """List the samples in Sample Data under LightSeg; `loaded(name, nodes)` is called when the user has clicked one.

    Does nothing where the application has no Sample Data module.
    """
    try:
        import SampleData
    except ImportError:
        return
    for name, sample in SAMPLES.items():
        files = [resources_root() / "Samples" / file for file in (*sample.files.values(), sample.reference)]
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=sample.title,
            uris=[file.as_uri() for file in files],
            fileNames=[file.name for file in files],
            nodeNames=[f"{sample.prefix} {channel}" for channel in (*sample.files, "reference")],
            customDownloader=_downloader(name, loaded),
        )


def _downloader(name: str, loaded: Callable[[str, Mapping[str, Any]], None]) -> Callable[[Any], list[Any]]:
    def download(source: Any) -> list[Any]:
        nodes = load_sample(name)
        loaded(name, nodes)
        return list(nodes.values())

    return download
