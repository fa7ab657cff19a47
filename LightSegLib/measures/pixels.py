"""Measures that count the pixels of all classes, the background among them.

Label images are integer or bool arrays of one shape, of any number of axes; a bool mask is a label image of two
classes. Errors: ValueError when the shapes differ or there are no pixels.
"""

import numpy as np

__all__ = ["mean_iou", "pixel_accuracy"]


def pixel_accuracy(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the part of all pixels whose class is right, 0..1, best 1: (TP + TN) / all pixels of two classes.

    Source: SD-UNet paper (Gadosey et al., Diagnostics 10, 2020), equation (9).
    """
    _check(segmentation, reference)
    return float(np.mean(segmentation == reference))


def mean_iou(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return TP / (TP + FP + FN), averaged over the classes that occur in either image, 0..1, best 1.

    All classes weigh the same, however few pixels they have. A class that only one image has counts as 0.
    Source: SD-UNet paper (Gadosey et al., Diagnostics 10, 2020), equation (10) and Table 2.
    """
    _check(segmentation, reference)
    both = np.concatenate([segmentation.ravel(), reference.ravel()])
    _, classes = np.unique(both, return_inverse=True)
    guessed, true = np.split(classes, 2)
    count = int(classes.max()) + 1
    common = np.bincount(true[guessed == true], minlength=count)
    union = np.bincount(guessed, minlength=count) + np.bincount(true, minlength=count) - common
    return float(np.mean(common / union))


def _check(segmentation: np.ndarray, reference: np.ndarray) -> None:
    if segmentation.shape != reference.shape or not reference.size:
        raise ValueError(f"expected two images of one shape, not empty, got {segmentation.shape} and {reference.shape}")
