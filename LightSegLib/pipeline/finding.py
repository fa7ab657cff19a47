"""What of the images is segmented: the brain, or a box about an organ, found by a model of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import SimpleITK as sitk

from LightSegLib.brain import Brain, find_brain
from LightSegLib.bundles import Bundle, load_bundle
from LightSegLib.engines.base import Engine
from LightSegLib.errors import BundleError
from LightSegLib.organ_box import OrganBox, find_box
from LightSegLib.pipeline.inference import predict_probabilities
from LightSegLib.preprocess import CTSlices, PreparedCTSlices, Preprocessor, build_preprocessor

__all__ = ["Focus", "focus", "load_finder"]


@dataclass(frozen=True)
class Focus:
    """The images to segment, by channel, LPS-oriented on one grid; what they were cut from, and by what.

    `brain` is the mask that the images' intensities are measured in, `box` what was cut out of `whole`.
    """

    images: Mapping[str, sitk.Image]
    whole: sitk.Image
    brain: Brain | None = None
    box: OrganBox | None = None

    @property
    def mask(self) -> sitk.Image | None:
        """The brain mask, where there is one."""
        return None if self.brain is None else self.brain.mask

    def uncut(self, image: sitk.Image) -> sitk.Image:
        """Bring an image on the grid of `images` back to that of `whole`."""
        return image if self.box is None else self.box.paste(image, self.whole)


def load_finder(bundles: Sequence[Bundle]) -> Bundle | None:
    """Load the bundle that finds the brain or the organ's box for the first of `bundles` that names one.

    Raises BundleError when it is unknown or altered.
    """
    for bundle in bundles:
        name = bundle.preprocessing.get("brain") or bundle.preprocessing.get("box", {}).get("model")
        if name:
            return load_bundle(str(name))
    return None


def focus(
    images: Mapping[str, sitk.Image],
    main: str,
    *,
    bundle: Bundle,
    preprocessors: Sequence[Preprocessor],
    finder: Bundle | None,
    engine_of: Callable[[Bundle], Engine],
    name: str,
    advance: Callable[[float], None],
) -> Focus:
    """Find what the `preprocessors` of a bundle, or of several, look at, by the channel `main` of LPS-oriented images.

    `name` is what messages call that channel's image; `advance` is as for `predict_probabilities`.
    Raises InputError when there is no brain, or no organ, and BundleError when a finder is needed and missing.
    """
    image = images[main]
    box = bundle.preprocessing.get("box")
    if not box and not any(one.needs_brain for one in preprocessors):
        return Focus(images, image)
    if finder is None:
        raise BundleError(f"Model {bundle.name} needs a brain mask but names no brain model: reinstall it.")
    channel = finder.inputs[0].name
    preprocessor = build_preprocessor(finder.preprocessing, [channel])
    prepared = preprocessor.prepare({channel: image})
    array = predict_probabilities(engine_of(finder), prepared.array, tiling=finder.tiling, advance=advance)
    if not box:
        return Focus(images, image, brain=find_brain(image, prepared.restore(array)[0], name=name))
    if not isinstance(prepared, PreparedCTSlices):
        raise BundleError(f"Model {finder.name} cannot find a box for model {bundle.name}: reinstall both.")
    least = [one.extent_mm for one in preprocessors if isinstance(one, CTSlices)]
    found = find_box(
        image,
        prepared.maps(array)[0],
        margin_mm=[float(margin) for margin in box["margin_mm"]],
        least_mm=[max(lengths) for lengths in zip(*least, strict=True)] or (0.0, 0.0),
        organ=finder.segments[0].name.lower(),
        name=name,
    )
    return Focus({key: found.crop(one) for key, one in images.items()}, image, box=found)
