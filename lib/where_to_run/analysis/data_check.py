"""Check of the data: everything wrong with the facts, from a missing source to more tokens than a GPU can read."""

from ..decision import rules
from ..inputs import facts, tables
from ..inputs.facts import Facts
from ..places.replicas import EIGHT_BIT, PEAKS
from ..units import BYTES_PER_GB, FLOPS_PER_TFLOPS, PARAMETERS_PER_BILLION


def problems() -> list[str]:
    """Everything wrong with tables, rules and measured points, a sentence each; none where all is sound."""
    found = tables.problems()
    if found:
        return found
    loaded = facts.load()
    return rules.problems(loaded.rules) + above_ceiling(loaded)


def above_ceiling(facts: Facts) -> list[str]:
    """Measured points that no such machine could reach, a sentence each.

    Every answer token reads the cache of its own context once, so tokens/s x (ISL + OSL/2) x cache bytes must stay
    under the bandwidth of the replica; and every token, prompt or answer, takes 2 x active parameters operations.
    """
    points = facts.table("throughput").reset_index()
    cards, models = facts.table("gpus").loc[points["gpu"]], facts.table("models").loc[points["model"]]
    context = points["input_tokens"] + points["output_tokens"] / 2
    read = points["output_tokens_per_s"] * context * models["kv_bytes_per_token"].to_numpy() * EIGHT_BIT
    bandwidth = points["gpus"] * cards["bandwidth_gb_per_s"].to_numpy() * BYTES_PER_GB
    tokens = points["output_tokens_per_s"] * (1 + points["input_tokens"] / points["output_tokens"])
    work = tokens * 2 * models["active_params_b"].to_numpy() * PARAMETERS_PER_BILLION
    peak = [card[PEAKS[precision]] for (_, card), precision in zip(cards.iterrows(), points["precision"], strict=True)]
    flops = points["gpus"] * peak * FLOPS_PER_TFLOPS
    over = (read > bandwidth) | (work > flops)
    return [
        f"throughput.csv, key {key!r}: more tokens per second than its GPUs can read or compute"
        for key in points["key"][over]
    ]
