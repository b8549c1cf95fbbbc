"""Quality: whether a model is good enough for a stream, by dated benchmark figures and the floor of the task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..inputs.facts import Facts, of_tables
from ..inputs.quality import quality_models
from ..places import replicas
from ..units import Array

LEVELS = ("light", "medium", "demanding", "frontier")


@dataclass(frozen=True)
class Figures:
    """Figures over (family of tasks, model) in the points of the family, NaN where there is none, their low end and
    whether they are measured; positions of families and models, and the floors over (family, level).
    """

    value: Array
    low: Array
    measured: Array
    family: Mapping[str, int]
    model: Mapping[str, int]
    floors: Array

    def of(self, task: str, models: Sequence[str] | Array) -> Array:
        """The figures of some models for a task [point]; NaN where there is none."""
        return self.value[self.family[task], self.at(models)]

    def at(self, models: Sequence[str] | Array) -> Array:
        """Positions of models, by the keys of open models and of API offers."""
        return np.array([self.model.get(model, -1) for model in models], np.intp)

    def families(self, tasks: Sequence[str] | Array) -> Array:
        """Positions of the families of tasks."""
        return np.array([self.family[task] for task in tasks], np.intp)

    def points(self, families: Array, figure: Array) -> Array:
        """Value of figures over (scenario, any) [share]: 0 at the light level of the task or below, 1 at the frontier
        or above, 0 without a figure. `families` are the positions of the tasks.
        """
        ends = self.floors[families]
        return np.clip(np.nan_to_num((figure - ends[:, :1]) / (ends[:, -1:] - ends[:, :1])), 0, 1)


@of_tables
def figures(facts: Facts) -> Figures:
    """What data/quality.csv and data/quality_levels.csv say, by the keys of open models and of API offers."""
    levels, rows = facts.table("quality_levels"), facts.table("quality")
    serves = {key: key for key in facts.table("models").index} | quality_models(facts.table("api_offers")).to_dict()
    # one column more, of no model
    found = np.full((3, len(levels), len(serves) + 1), np.nan)
    known = rows[rows["basis"] != "none"].set_index(["family", "model"])
    at = {pair: number for number, pair in enumerate(known.index)}
    columns = known["value"], known["low"].fillna(known["value"]), (known["basis"] == "measured").astype(float)
    numbers = [column.to_numpy(float) for column in columns]
    for f, family in enumerate(levels.index):
        for m, model in enumerate(serves.values()):
            if (row := at.get((family, model))) is not None:
                found[:, f, m] = [column[row] for column in numbers]
    families, models = ({key: n for n, key in enumerate(keys)} for keys in (levels.index, serves))
    return Figures(found[0], found[1], found[2] == 1, families, models, levels[list(LEVELS)].to_numpy(float))


def floors(facts: Facts, rows: Mapping[str, Array]) -> Array:
    """The least figure of easy and of hard requests, over (scenario, easy or hard) [point]."""
    known = figures(facts)
    family = known.families(rows["task"])
    levels = ([LEVELS.index(level) for level in rows[name]] for name in ("quality_needed", "hard_quality"))
    easy, hard = (known.floors[family, level] for level in levels)
    easy = np.where(rows["quality_floor"] > 0, rows["quality_floor"], easy)
    return np.stack([easy, np.maximum(easy, hard)], axis=1)


def name(facts: Facts, key: str) -> str:
    """The name of an open model, or of the model of an API offer; of open weights whoever serves them."""
    models, offers = facts.table("models")["name"], facts.table("api_offers")
    return str(models.get(key) or models.get(offers.at[key, "open_model"]) or offers.at[key, "model"])


def described(facts: Facts, key: str, task: str) -> str:
    """A model or offer and its figure for a task, in words: value, benchmark and version, how it is known."""
    known, level = figures(facts), facts.table("quality_levels").loc[task]
    at = known.family[task], known.model[key]
    if np.isnan(known.value[at]):
        return f"{name(facts, key)}: no figure on the {level['benchmark']} {level['version']}"
    basis = "measured" if known.measured[at] else f"converted, {known.low[at]:g} at the low end"
    return f"{name(facts, key)}: {known.value[at]:g} on the {level['benchmark']} {level['version']} ({basis})"


@of_tables
def worthwhile_offers(facts: Facts, task: str, may: bytes, hosted: bool) -> Array:
    """Keys of the API offers on the front of cost and quality for a task, of open weights alone where `hosted`.

    Of those that `may` be called: a byte an offer, in the order of the table.

    No other is as good and costs as little by every price, takes prompts as long and is as cheap in a region.
    """
    table, known = facts.table("api_offers"), figures(facts)
    table = table[np.frombuffer(may, bool) & ((table["open_model"] != "") | (not hosted))]
    figure = known.of(task, table.index)
    table, figure = table[~np.isnan(figure)], figure[~np.isnan(figure)]
    cached = table["cached_input_usd_per_mtok"].fillna(table["input_usd_per_mtok"])
    price = np.column_stack([table["input_usd_per_mtok"], cached, table["output_usd_per_mtok"]])
    batch = 1 - table["batch_discount_share"].fillna(0).to_numpy()
    uplift = 1 + table["residency_uplift_share"].fillna(0).to_numpy()
    context = table["context_tokens"].fillna(np.inf).to_numpy()
    less = np.column_stack([price, price * batch[:, None], price * uplift[:, None], -figure, -context])
    return table.index[replicas.undominated(less)].to_numpy(object)


def admitted_kinds(facts: Facts, model: str, figure: Array, floor: Array) -> Array:
    """Kinds of replica of a model that reach the floor, over (kind, scenario).

    Weights rounded to 4 bit lose a little of a model that is published at more; where none reaches it, or there is no
    figure, all stand.
    """
    share = np.where(replicas.rounded(facts, model), facts.values["quality.four_bit_share"], 1.0)
    good = figure * share[:, None] >= floor
    return good | ~good.any(axis=0)
