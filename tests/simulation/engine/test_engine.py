"""The whole engine on a simulated Kafka: whatever befalls its workers, the laws hold; and faults are found."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.broker.workers import ROOT
from tests.simulation.engine.mutants import MUTANTS, Mutant
from tests.simulation.engine.simulate import simulate

SEEDS, A_TEST = 300, 25


@pytest.mark.parametrize("first", range(0, SEEDS, A_TEST))
def test_whatever_befalls_the_workers_the_laws_hold(first: int) -> None:
    outcomes = [simulate(seed) for seed in range(first, first + A_TEST)]

    assert {each.seed: each.broken for each in outcomes if each.broken} == {}
    happened = sum((each.happened for each in outcomes), Counter[str]())
    assert {"kill", "freeze", "stop", "an agent raises"} <= happened.keys()
    assert sum(each.openings for each in outcomes) > 2 * A_TEST


@pytest.mark.parametrize("seed", [7, 8])
def test_a_seed_is_the_whole_story(seed: int) -> None:
    """In another process too, where sets of strings have another order."""
    command = [sys.executable, "-m", "tests.simulation.engine", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}

    there = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    assert f"course {simulate(seed).trace}," in there.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault.__name__)
def test_an_engine_with_a_fault_is_found_out(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.fault(monkeypatch)

    assert any(simulate(seed).broken for seed in mutant.seeds)
