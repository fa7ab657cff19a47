"""Runs inside the application: what the extension installs is complete and loads."""

import unittest
from pathlib import Path

import slicer


class LightSegInstalledTest(unittest.TestCase):
    """The library and its resources are siblings of the module, and every model is unaltered."""

    def test_resources_are_found_beside_the_module(self) -> None:
        """The library that Slicer imports finds the folder of its own installation."""
        from LightSegLib.resources import resources_root

        module_folder = Path(slicer.modules.lightseg.path).resolve().parent
        self.assertIn(resources_root().parent, [module_folder, module_folder.parent])

    def test_every_model_is_complete(self) -> None:
        """Loading a bundle verifies its hashes."""
        from LightSegLib.bundles import list_bundles

        self.assertIn("wmh-acu", [bundle.name for bundle in list_bundles()])
