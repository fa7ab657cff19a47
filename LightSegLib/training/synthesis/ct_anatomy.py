"""Labelled bodies for synthetic CT: organs by name, and the outline that the labels do not have. (z, y, x) at 2 mm."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from LightSegLib.preprocess.grid import isotropic_grid
from LightSegLib.training.synthesis.anatomy import smooth_field

__all__ = ["SPACING_MM", "Body", "Organ", "dress", "load_body"]

SPACING_MM = 2.0


class Organ(IntEnum):
    """What has an intensity of its own in CT; left and right are one."""

    AIR = 0  # outside the body
    FAT = 1  # inside it, where nothing else is
    MUSCLE = 2
    SKIN = 3
    LIVER = 4
    SPLEEN = 5
    KIDNEY = 6
    PANCREAS = 7
    GALLBLADDER = 8
    STOMACH = 9
    BOWEL = 10
    COLON = 11
    ARTERY = 12
    VEIN = 13
    PORTAL_VEIN = 14
    HEART = 15
    LUNG = 16
    BONE = 17
    CARTILAGE = 18
    BLADDER = 19
    SPINAL_CORD = 20
    ESOPHAGUS = 21
    GLAND = 22
    AIRWAY = 23
    TABLE = 24


# How the names of TotalSegmentator's structures begin.
NAMES = {
    Organ.MUSCLE: ("autochthon", "gluteus", "iliopsoas"),
    Organ.LIVER: ("liver",),
    Organ.SPLEEN: ("spleen",),
    Organ.KIDNEY: ("kidney",),
    Organ.PANCREAS: ("pancreas",),
    Organ.GALLBLADDER: ("gallbladder",),
    Organ.STOMACH: ("stomach",),
    Organ.BOWEL: ("small_bowel", "duodenum"),
    Organ.COLON: ("colon",),
    Organ.ARTERY: ("aorta", "brachiocephalic_trunk", "common_carotid", "iliac_artery", "subclavian"),
    Organ.VEIN: ("brachiocephalic_vein", "iliac_vena", "inferior_vena", "superior_vena", "pulmonary_vein"),
    Organ.PORTAL_VEIN: ("portal_vein",),
    Organ.HEART: ("heart", "atrial"),
    Organ.LUNG: ("lung",),
    Organ.BONE: ("clavicula", "femur", "hip", "humerus", "rib", "sacrum", "scapula", "skull", "sternum", "vertebrae"),
    Organ.CARTILAGE: ("costal_cartilages",),
    Organ.BLADDER: ("urinary_bladder",),
    Organ.SPINAL_CORD: ("spinal_cord", "brain"),
    Organ.ESOPHAGUS: ("esophagus",),
    Organ.GLAND: ("adrenal", "prostate", "thyroid"),
    Organ.AIRWAY: ("trachea",),
}


@dataclass(frozen=True)
class Body:
    """A labelled body: uint8 `Organ` (z, y, x), feet first, right side first."""

    organs: np.ndarray


def load_body(path: Path, names: Path) -> Body:
    """Read a label map of TotalSegmentator's ids, whose names by id are in the JSON file `names`."""
    labels = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    lookup = np.zeros(256, np.uint8)
    for identifier, name in json.loads(names.read_text(encoding="utf-8")).items():
        for organ, beginnings in NAMES.items():
            if name.startswith(beginnings):
                lookup[int(identifier)] = organ
    grid = isotropic_grid(labels, SPACING_MM)
    sampled = sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return Body(lookup[sitk.GetArrayFromImage(sampled)])


def dress(body: Body, rng: np.random.Generator) -> Body:
    """Give labelled organs a body around them: wall of muscle, fat, skin and, mostly, a table below.

    In every axial slice the wall is the convex hull of the labels, closed along z; muscle lies in it between the bones,
    fat around it, 2 to 45 mm thick and thicker at the belly and the sides. The volume is enlarged to hold it all.
    """
    most = round(60 / SPACING_MM)
    organs = np.pad(body.organs, ((0, 0), (most, most), (most, most)))
    inside = _hulls(organs > 0)
    depth = ndimage.distance_transform_edt(inside)  # voxels below the surface of the wall
    wall = depth * SPACING_MM < rng.uniform(5, 14)
    muscle = inside & wall & (organs == Organ.AIR)
    dressed = np.where(inside & (organs == Organ.AIR), np.uint8(Organ.FAT), organs)
    dressed[muscle] = Organ.MUSCLE
    away = ndimage.distance_transform_edt(~inside) * SPACING_MM
    thickness = _thickness(organs.shape, rng)
    dressed[~inside & (away < thickness)] = Organ.FAT
    dressed[~inside & (away >= thickness) & (away < thickness + rng.uniform(1.5, 3.5))] = Organ.SKIN
    if rng.random() < 0.85:
        _lay_on_table(dressed, rng)
    return Body(dressed)


def _thickness(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw how thick the fat below the skin is, in mm, in each direction from the middle."""
    typical = float(np.exp(rng.uniform(np.log(4), np.log(25))))
    rough = smooth_field(rng, shape, scale=40)[0].numpy()
    y = np.linspace(-1, 1, shape[1])[None, :, None]  # anterior to posterior
    x = np.linspace(-1, 1, shape[2])[None, None, :]
    favored = 1 + rng.uniform(-0.3, 0.6) * -y + rng.uniform(0, 0.6) * np.abs(x)
    return np.clip(typical * favored * np.exp(0.3 * rough), 2, 45)


def _hulls(labels: np.ndarray) -> np.ndarray:
    """Fill the convex hull of each axial slice, smoothed along z so that single organs do not show outside: bool."""
    outline = np.zeros(labels.shape, np.float32)
    y, x = np.mgrid[: labels.shape[1], : labels.shape[2]]
    pixels = np.stack([y.ravel(), x.ravel()], axis=1)
    for index, slice_ in enumerate(labels):
        points = np.argwhere(slice_ & ~ndimage.binary_erosion(slice_))
        try:
            hull = ConvexHull(points)
        except (QhullError, ValueError):  # fewer than three points, or all on a line
            continue
        normals, offsets = hull.equations[:, :2], hull.equations[:, 2]
        outline[index] = (pixels @ normals.T + offsets <= 1e-6).all(axis=1).reshape(slice_.shape)
    smooth = ndimage.gaussian_filter1d(outline, 12 / SPACING_MM, axis=0, mode="nearest")
    return (smooth > 0.4) | labels


def _lay_on_table(organs: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a thin curved table below the back, in place."""
    back = int(np.flatnonzero((organs > 0).any(axis=(0, 2)))[-1])
    x = np.arange(organs.shape[2]) - organs.shape[2] / 2
    curve = back + round(rng.uniform(1, 6)) - rng.uniform(0, 0.0015) * x**2
    y = np.arange(organs.shape[1])[:, None]
    shell = (np.abs(y - curve) < rng.uniform(0.6, 1.6)) & (np.abs(x) < rng.uniform(90, 130))
    organs[(organs == Organ.AIR) & shell[None]] = Organ.TABLE
