"""A folder of label maps like ../shared/data/labels, but made of ellipsoids and small, so that cases take no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.training.synthesis.anatomy import Head, load_head

# FreeSurfer ids of the toy head
SKIN, BONE, FLUID, CORTEX, WHITE_MATTER, VENTRICLE, BRAIN_STEM, WHITE_MATTER_LESION = 120, 102, 24, 3, 2, 4, 16, 25
SHAPE = (84, 76, 68)  # (z, y, x) in mm
MNI_SHAPE = (182, 218, 182)  # of the real lesion masks, 1 mm
MASK_SHAPE = (155, 240, 240)  # of the real tumor masks, 1 mm
CANAL_END = 8  # z of the lowest voxel of the spinal canal


def toy_labels() -> np.ndarray:
    """A head of ellipsoids with a brain stem that continues as a fluid-filled canal, (z, y, x)."""
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in SHAPE), indexing="ij", sparse=True)

    def inside(rz: float, ry: float, rx: float, *, up: float = 6.0) -> np.ndarray:
        return ((z - up) / rz) ** 2 + (y / ry) ** 2 + (x / rx) ** 2 <= 1

    labels = np.zeros(SHAPE, np.uint8)
    for radius, identifier in ((33, SKIN), (29.5, BONE), (26, FLUID), (24, CORTEX), (20, WHITE_MATTER)):
        labels[inside(radius, radius * 1.08, radius * 0.95)] = identifier
    labels[inside(5, 9, 5)] = VENTRICLE
    neck = np.arange(SHAPE[0])[:, None, None] < 26
    for radius, identifier in ((14, SKIN), (9, BONE), (6, FLUID)):
        tube = neck & (y**2 + x**2 <= radius**2) & np.isin(labels, (0, SKIN, BONE, FLUID))
        labels[tube & (labels != FLUID)] = identifier
    labels[(np.arange(SHAPE[0])[:, None, None] >= 18) & neck & (y**2 + x**2 <= 16)] = BRAIN_STEM
    labels[:CANAL_END] = np.where(labels[:CANAL_END] == FLUID, SKIN, labels[:CANAL_END])
    labels[48:53, 52:56, 40:44] = WHITE_MATTER_LESION
    return labels


def toy_tumor() -> np.ndarray:
    """A ring-enhancing tumor of 30 mm with edema of 24 mm about it in a brain of real size, (z, y, x)."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in MASK_SHAPE), indexing="ij", sparse=True)
    mm = np.sqrt((z - 85.0) ** 2 + (y - 120.0) ** 2 + (x - 90.0) ** 2)
    return np.select([mm < 10, mm < 15, mm < 39], [1, 3, 2], 0).astype(np.uint8)


def write_toy_library(folder: Path) -> Path:
    """Write `brain/head_01.nii.gz`, `tumor_masks/toy_01.nii.gz` and the lesion files of a library into `folder`."""
    (folder / "brain").mkdir(parents=True)
    (folder / "lesions").mkdir()
    (folder / "tumor_masks").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(toy_tumor()), str(folder / "tumor_masks" / "toy_01.nii.gz"))
    image = sitk.GetImageFromArray(toy_labels())
    sitk.WriteImage(image, str(folder / "brain" / "head_01.nii.gz"))
    mask = np.zeros(MNI_SHAPE, np.uint8)
    mask[70:110, 80:130, 60:120] = 1
    np.savez(folder / "lesions" / "ms_lesion_masks_mni152_1mm.npz", shape=MNI_SHAPE, masks=np.packbits(mask)[None])
    shape = np.ones((6, 8, 4), np.uint8)
    bits = np.packbits(shape)
    boxes = np.array([[75, 100, 70, *shape.shape], [90, 110, 100, *shape.shape]])
    np.savez(
        folder / "lesions" / "lesion_shapes_mni152_1mm.npz",
        bits=np.concatenate([bits, bits]),
        offsets=np.array([0, bits.size, 2 * bits.size]),
        boxes_zyx=boxes,
        voxels=np.array([shape.size, shape.size]),
    )
    return folder


def toy_head(library: Path) -> Head:
    """The toy head, loaded as training loads heads."""
    return load_head(library / "brain" / "head_01.nii.gz")
