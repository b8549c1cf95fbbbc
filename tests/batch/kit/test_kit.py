"""The kit as a whole: the folder, its README, and what is refused."""

import io
import re
import zipfile

import pytest

import kits
from where_to_run.batch import kit
from where_to_run.cli import main
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.inputs.question import ScenarioError


def test_the_command_writes_the_files_and_a_readme_that_names_each(tmp_path, capsys):
    folder = tmp_path / "kit"
    assert main(["kit", "--preset", "bank", "--out", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "README.md")
    named = re.findall(r"^\| `([^`]+)` \|", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(["README.md", *named]) == sorted(path.name for path in folder.iterdir())


def test_a_newer_kit_takes_the_place_of_an_older_one_whole(tmp_path):
    kit.write(kits.answer("bank"), tmp_path / "kit")
    kit.write(kits.answer("hospital"), tmp_path / "kit")
    assert {path.name for path in (tmp_path / "kit").iterdir()} == set(kit.files(kits.answer("hospital")))
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ScenarioError, match=r"exists and holds other things than a kit; name a new folder"):
        kit.write(kits.answer("hospital"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_archive_holds_the_files_of_the_folder():
    with zipfile.ZipFile(io.BytesIO(kit.packed(kits.answer("hospital")))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == kit.files(kits.answer("hospital"))


def test_several_scenarios_have_no_kit():
    with pytest.raises(ScenarioError, match="a kit is about one scenario; 2 were asked"):
        kit.files(evaluate(question.grid(spikiness=[3.0, 8.0]), facts.load()))


def test_where_nothing_is_allowed_there_is_no_kit():
    with pytest.raises(ScenarioError, match=r"none is allowed here. Change the question until one is"):
        kit.files(kits.answer(budget_usd_per_month=0.0))
