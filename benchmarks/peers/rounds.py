"""Our service and the peers in turn: each is started, asked for all the images, and stopped, round after round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import cpu, decode, eager, service
from benchmarks.client import Client, Request, multipart
from benchmarks.peers.catalogue import Peer, Tuning
from benchmarks.peers.server import serving
from benchmarks.rows import Row, Setup
from benchmarks.spread import ratio
from tests.testing.service import running

TOLERANCE = 0.02
"""How far a peer's probability may lie from ours: farther, and it is not doing the same work."""
TRIAL = 64
"""Images with which a tuning is tried."""
WARM_UP = 32


class WrongAnswer(Exception):
    """A peer says something else of an image than our network does."""


@dataclass(frozen=True, slots=True)
class Work:
    """One file a request, and what the network says of each."""

    requests: list[Request]
    expected: list[float]


def work(peer: Peer, setup: Setup, count: int, salt: str, expected: Sequence[float]) -> Work:
    files = setup.images.stream(count, salt)
    sent = [multipart("/predict", peer.field, [file], (number,)) for number, file in enumerate(files)]
    return Work(sent, [expected[number % len(expected)] for number in range(count)])


def expected_of(setup: Setup) -> list[float]:
    """What our weights say of each file."""
    pixels = np.stack([decode.plain(data) for data in setup.images.files])
    return [prediction.probability for prediction in eager.predict_all(eager.load(), pixels)]


def images_per_s(peer: Peer, client: Client, asked: Work, concurrency: int) -> float:
    """From the first byte sent to the last answer, every one of which is checked afterwards.

    Raises:
        WrongAnswer: an answer is more than 0.02 away.
    """
    with cpu.measured() as used:
        answers = client.send_all(asked.requests, concurrency)
    for answer, expected in zip(answers, asked.expected, strict=True):
        probability = peer.probability(answer.body)
        if abs(probability - expected) > TOLERANCE:
            raise WrongAnswer(
                f"{peer.words} says {probability:.4f} of image {answer.numbers[0]}; it should be {expected:.4f}."
            )
    return len(answers) / used.wall_s


def run(peer: Peer, tuning: Tuning, setup: Setup, count: int, salt: str, expected: Sequence[float]) -> float:
    """Start it, warm it up, measure, stop it; images per second."""
    warm_up = work(peer, setup, min(count, WARM_UP), f"{salt} warm-up", expected)
    with serving(peer, tuning, warm_up.requests[0], setup.build) as client:
        images_per_s(peer, client, warm_up, tuning.concurrency)
        return images_per_s(peer, client, work(peer, setup, count, salt, expected), tuning.concurrency)


def best_tuning(peer: Peer, setup: Setup, expected: Sequence[float]) -> Tuning:
    """The fastest on this machine of those that the peer's documentation suggests."""
    rates = {}
    for tuning in peer.tunings:
        rates[tuning] = run(peer, tuning, setup, min(setup.count, TRIAL), f"trial {tuning}", expected)
        setup.say(f"  {peer.words}, {tuning}: {rates[tuning]:.1f} images/s")
    return max(rates, key=lambda tuning: rates[tuning])


def run_ours(setup: Setup, salt: str) -> float:
    with running() as ours:
        service.run(ours, setup.images, min(setup.count, WARM_UP), f"{salt} warm-up")
        return service.run(ours, setup.images, setup.count, salt).images_per_s


def measure(setup: Setup, peers: Sequence[Peer]) -> dict[str, Row]:
    """A row for each peer. A round runs ours and all of them; every other round goes backwards."""
    expected = expected_of(setup)
    tunings = {peer: best_tuning(peer, setup, expected) for peer in peers}
    ours: list[float] = []
    theirs: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(setup.repeats):
        for peer in [None, *peers][:: 1 if number % 2 == 0 else -1]:
            if peer is None:
                ours.append(run_ours(setup, f"round {number}"))
            else:
                rate = run(peer, tunings[peer], setup, setup.count, f"round {number}", expected)
                theirs[peer.name].append(rate)
        last = ", ".join(f"{name} {rates[-1]:.1f}" for name, rates in theirs.items())
        setup.say(f"  round {number + 1} of {setup.repeats}: ours {ours[-1]:.1f} images/s, {last}")
    return {peer.name: _row(ours, theirs[peer.name], tunings[peer]) for peer in peers}


def _row(ours: list[float], theirs: list[float], tuning: Tuning) -> Row:
    row = Row(facts={"tuning": str(tuning), "answers": f"every probability within {TOLERANCE} of ours"})
    row.add("ours_images_per_s", *ours)
    row.add("images_per_s", *theirs)
    row.add("ratio", *ratio(ours, theirs))
    return row
