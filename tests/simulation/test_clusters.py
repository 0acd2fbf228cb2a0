"""A cluster of replicas on virtual time. tests/suites/simulation runs many more."""

from __future__ import annotations

from simulation.replicas.world import run


def test_a_cluster_with_faults_violates_no_invariant_and_repeats() -> None:
    """The notes of a failure list the last events; the digest of all events and pages is the same again."""
    first, again, other = (run(seed, minutes=3.0) for seed in (3, 3, 4))
    assert first.digest == again.digest != other.digest
    assert first.counts["start"] > 3
    assert first.counts["scrape"] > 1
