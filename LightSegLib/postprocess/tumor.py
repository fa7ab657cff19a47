"""From probabilities of nested tumor regions to labels.

Regions: whole tumor (WT), the tumor core (TC) in it, enhancing tumor (ET) in the core. Labels: 1 necrotic and
non-enhancing core, 2 edema, 3 enhancing tumor, so that WT = 1 + 2 + 3 and TC = 1 + 3.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk

from LightSegLib.postprocess.components import SIZE_TOLERANCE, at_least, drop_small_groups

__all__ = ["CORE", "EDEMA", "ENHANCING", "argmax_tumor", "nested_tumor"]

CORE, EDEMA, ENHANCING = 1, 2, 3
# A tumor enhances if this share of its core does. References have shares below .01 (gliomas of low grade) or above .45.
ENHANCING_SHARE = 0.1


def nested_tumor(
    probabilities: Sequence[sitk.Image],
    *,
    thresholds: Mapping[str, float],
    min_whole_tumor_ml: float,
    min_share_of_largest: float,
    min_enhancing_ml: float,
    core_reach_mm: float,
) -> sitk.Image:
    """Threshold the whole tumor, the core inside it and the enhancing tumor inside that.

    `probabilities`: WT, TC and ET, 3D float images in 0..1 on one grid; `thresholds` by these names. Groups of the
    whole tumor below `min_whole_tumor_ml`, or below `min_share_of_largest` of the largest, are dropped: a glioma is
    one mass, and what is bright far from it is mostly something else. Enhancing tumor of less than `min_enhancing_ml`
    in all becomes core: a few voxels of it, where there should be none, are what makes Hausdorff distances large.
    In a tumor that enhances, core further than `core_reach_mm` from enhancing tumor becomes edema: necrosis lies inside
    the rim, and what looks like core elsewhere is dense edema. Returns uint8 labels on the same grid.
    Source: Ashtari et al., Low-rank convolutional networks for brain tumor segmentation, section 3.6; share and reach
    are ours (docs/decisions.md).
    """
    whole, core, enhancing = (
        at_least(probability, float(thresholds[region]))
        for region, probability in zip(("WT", "TC", "ET"), probabilities, strict=True)
    )
    whole = drop_small_groups(whole, min_whole_tumor_ml, share_of_largest=min_share_of_largest)
    core = core & whole
    enhancing = enhancing & core
    voxel_ml = math.prod(whole.GetSpacing()) / 1000
    enhancing_ml = np.count_nonzero(sitk.GetArrayViewFromImage(enhancing)) * voxel_ml
    if enhancing_ml < min_enhancing_ml * (1 - SIZE_TOLERANCE):
        enhancing = enhancing * 0
    core = _within_reach(core, enhancing, core_reach_mm)
    # 2 in the whole tumor, less 1 in the core, plus 2 in the enhancing part of it
    return whole * EDEMA - core * (EDEMA - CORE) + enhancing * (ENHANCING - CORE)


def _within_reach(core: sitk.Image, enhancing: sitk.Image, reach_mm: float) -> sitk.Image:
    """Keep the core within `reach_mm` of enhancing tumor, if a fair share of the core enhances."""
    voxels, bright = (np.count_nonzero(sitk.GetArrayViewFromImage(image)) for image in (core, enhancing))
    if bright == 0 or bright < ENHANCING_SHARE * voxels:
        return core
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(core)
    box = shape.GetBoundingBox(1)
    start, size = box[:3], box[3:]
    distance = sitk.SignedMaurerDistanceMap(
        sitk.RegionOfInterest(enhancing, size, start), squaredDistance=False, useImageSpacing=True
    )
    near = sitk.Cast(distance <= reach_mm, sitk.sitkUInt8)
    return core & sitk.Paste(enhancing * 0, near, size, destinationIndex=start)


def argmax_tumor(probabilities: Sequence[sitk.Image]) -> sitk.Image:
    """Give each voxel its most probable label, the plain way that `nested_tumor` is compared with.

    `probabilities`: WT, TC and ET as for `nested_tumor`. P(background) = 1 - WT, P(edema) = WT - TC, P(core) = TC - ET
    and P(enhancing) = ET, none below 0; of equal ones the first counts. Returns uint8 labels on the same grid.
    """
    whole, core, enhancing = (sitk.GetArrayViewFromImage(image) for image in probabilities)
    best = 1 - whole
    labels = np.zeros(best.shape, np.uint8)
    # One at a time, as four float volumes of a whole head are a lot of memory.
    for label, larger, inner in ((EDEMA, whole, core), (CORE, core, enhancing), (ENHANCING, enhancing, None)):
        probability = larger if inner is None else larger - inner
        better = probability > best
        labels[better] = label
        best[better] = probability[better]
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(probabilities[0])
    return image
