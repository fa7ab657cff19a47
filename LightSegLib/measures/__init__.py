"""Measures of a segmentation, alone and against a reference."""

from LightSegLib.measures.agreement import Agreement, compare, lesion_count, volume_ml
from LightSegLib.measures.lesions import count_lesions, lesion_f1, lesion_precision, lesion_recall
from LightSegLib.measures.location import largest_finding_mm
from LightSegLib.measures.overlap import avd_percent, dice, fpr, ppv, tpr
from LightSegLib.measures.partition import segments_between_membranes, v_info, v_rand
from LightSegLib.measures.pixels import mean_iou, pixel_accuracy
from LightSegLib.measures.surface import assd_mm, hausdorff_mm, hd95_mm

__all__ = [
    "Agreement",
    "assd_mm",
    "avd_percent",
    "compare",
    "count_lesions",
    "dice",
    "fpr",
    "hausdorff_mm",
    "hd95_mm",
    "largest_finding_mm",
    "lesion_count",
    "lesion_f1",
    "lesion_precision",
    "lesion_recall",
    "mean_iou",
    "pixel_accuracy",
    "ppv",
    "segments_between_membranes",
    "tpr",
    "v_info",
    "v_rand",
    "volume_ml",
]
