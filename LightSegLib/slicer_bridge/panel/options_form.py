"""How to compute and what becomes of the probabilities: folded away, as the shipped settings suit most."""

import os
from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from LightSegLib.bundles import Bundle
from LightSegLib.job import RunOptions
from LightSegLib.postprocess.choices import SHIPPED, Number, numbers, strategies
from LightSegLib.slicer_bridge.panel.choice_box import ChoiceBox

__all__ = ["OptionsForm"]

FIRST_NUMBER_ROW = 1
"""Below the postprocessing strategy."""
STEP = {"threshold": 0.05, "min_lesion_ml": 0.01}
DECIMALS = {"threshold": 2, "min_lesion_ml": 3}


class OptionsForm:
    """The section of options. What the user changes is kept in the parameter node; numbers of each model apart."""

    def __init__(self, ui: Any, devices: Callable[[], "list[tuple[str, str]]"]) -> None:
        self._ui = ui
        self._devices = devices
        self._parameters: Any = None
        self._bundle: Bundle | None = None
        self._boxes: dict[Number, Any] = {}
        self._labels: list[Any] = []
        self._strategy = ChoiceBox(ui.postprocessingSelector, self._on_strategy)
        self._device = ChoiceBox(ui.deviceSelector, self._on_device)
        self._precision = ChoiceBox(ui.precisionSelector, self._on_precision)
        self._precision.fill([("auto", _("Automatic")), ("fp32", _("32 bit (fp32)"))], "auto")
        ui.threadsSpinBox.maximum = os.cpu_count() or 1

    def show(self, bundle: Bundle, parameters: Any) -> None:
        """Show what a model allows, with the values of a typed parameter node."""
        self._bundle, self._parameters = bundle, parameters
        self.show_devices()
        self._precision.show(parameters.precision)
        titles = {
            SHIPPED: _("As shipped"),
            "nested": _("Nested thresholds"),
            "argmax": _("Most probable class"),
            "largest_component": _("Largest component"),
            "morphological": _("Morphological clean-up"),
            "none": _("None"),
        }
        allowed = strategies(bundle.postprocessing)
        self._strategy.fill([(name, titles[name]) for name in allowed], parameters.postprocessing)
        self._ui.postprocessingSelector.enabled = len(allowed) > 1
        self._ui.probabilitiesCheckBox.enabled = len(bundle.segments) == 1
        self._show_numbers()

    @property
    def wants_probabilities(self) -> bool:
        """Whether a map of probabilities is asked for, and the model has one structure to make it of."""
        return bool(self._parameters.probabilities and self._ui.probabilitiesCheckBox.enabled)

    def show_devices(self) -> None:
        """Ask again which devices there are."""
        self._device.fill(self._devices(), self._parameters.device)

    def options(self) -> RunOptions:
        """Return what the user wants."""
        changed = {number: box.value for number, box in self._boxes.items() if abs(box.value - number.value) > 1e-6}
        thresholds = {number.region: value for number, value in changed.items() if number.option == "threshold"}
        smallest = [value for number, value in changed.items() if number.option == "min_lesion_ml"]
        return RunOptions(
            device=self._parameters.device,
            threads=self._parameters.threads or None,
            precision=self._parameters.precision,
            postprocessing=self._strategy.value or SHIPPED,
            threshold=thresholds.get("", thresholds or None),
            min_lesion_ml=smallest[0] if smallest else None,
        )

    def _show_numbers(self) -> None:
        for widget in (*self._labels, *self._boxes.values()):
            widget.visible = False
            widget.deleteLater()  # which takes it out of the layout
        self._labels, self._boxes = [], {}
        assert self._bundle is not None
        for number in numbers(self._bundle.postprocessing, self._strategy.value):
            box = qt.QDoubleSpinBox()
            box.decimals, box.singleStep = DECIMALS[number.option], STEP[number.option]
            box.minimum, box.maximum = number.lowest, number.highest
            box.suffix = " ml" if number.option == "min_lesion_ml" else ""
            box.value = float(self._parameters.parameterNode.GetParameter(self._key(number)) or number.value)
            box.toolTip = _("As shipped: {value}").format(value=f"{number.value:g}{box.suffix}")
            box.objectName = f"{number.option}{number.region}SpinBox"
            box.connect("valueChanged(double)", self._on_number(number))
            label = qt.QLabel(number.title.capitalize().replace(number.region.lower(), number.region) + ":")
            self._ui.optionsButton.layout().insertRow(FIRST_NUMBER_ROW + len(self._boxes), label, box)
            self._labels.append(label)
            self._boxes[number] = box

    def _key(self, number: Number) -> str:
        assert self._bundle is not None
        return f"Number.{self._bundle.name}.{number.option}.{number.region}"

    def _on_number(self, number: Number) -> Callable[[float], None]:
        def keep(value: float) -> None:
            self._parameters.parameterNode.SetParameter(self._key(number), f"{value:g}")

        return keep

    def _on_strategy(self, value: str) -> None:
        self._parameters.postprocessing = value
        self._show_numbers()

    def _on_device(self, value: str) -> None:
        self._parameters.device = value

    def _on_precision(self, value: str) -> None:
        self._parameters.precision = value
