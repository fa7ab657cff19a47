"""Tasks and models as the panel lists them."""

from LightSegLib.bundles import list_bundles
from LightSegLib.slicer_bridge.panel.catalog import describe, list_tasks, measured_dice


def test_every_shipped_bundle_that_answers_a_question_is_listed_once() -> None:
    tasks = {task.title: [bundle.name for bundle in task.bundles] for task in list_tasks()}
    assert set(tasks) == {
        "White matter hyperintensity segmentation",
        "Brain tumor segmentation",
        "Liver segmentation",
        "Brain extraction",
    }
    listed = [name for names in tasks.values() for name in names]
    assert sorted(listed) == sorted(bundle.name for bundle in list_bundles() if bundle.name != "liver-finder")
    assert len(listed) == len(set(listed))


def test_the_model_with_the_highest_dice_comes_first() -> None:
    for task in list_tasks():
        dice = [next(iter(measured_dice(bundle).values()), 0) for bundle in task.bundles]
        assert dice == sorted(dice, reverse=True)


def test_a_line_tells_size_time_dice_and_license() -> None:
    bundles = {bundle.name: bundle for bundle in list_bundles()}
    assert describe(bundles["liver-pocket"]) == "0.3 MB · about 6 s · Dice 0.95 · CC BY-SA 4.0"
    assert describe(bundles["wmh-acu"], seconds=2.4).startswith("1.7 MB · took 2 s here · Dice 0.70 · Apache-2.0")
    tumor = describe(bundles["tumor-acu"])
    assert "Dice 0.89 whole tumor, 0.79 tumor core, 0.80 enhancing tumor" in tumor


def test_every_model_of_a_task_tells_its_time_and_its_dice() -> None:
    for task in list_tasks():
        for bundle in task.bundles:
            if task.title != "Brain extraction":
                assert "about" in describe(bundle) and "Dice" in describe(bundle), bundle.name
