"""Other rules: each by what it is known for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllr.transport.rivals import BATCH, RULES, Ranked

N, K = 5000, 4
SHARES = torch.tensor([0.4, 0.3, 0.2, 0.1])


def probabilities(seed: int, bias: float = 0.0) -> torch.Tensor:
    dice = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(N, K, generator=dice)
    scores[:, 0] += bias
    return scores.softmax(1)


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 99), share=st.floats(0.01, 1.0))
def test_every_rule_labels_just_the_asked_share(name: str, seed: int, share: float) -> None:
    found = RULES[name](probabilities(seed), SHARES)
    assert found.label.shape == found.rank.shape == (N,)
    assert 0 <= found.label.min() <= found.label.max() < K
    chosen = found.covered(share)
    assert chosen.sum() == max(1, int(share * N))
    assert found.rank[chosen].min() >= found.rank[~chosen].max() if share < 1 else chosen.all()


@pytest.mark.parametrize("name", RULES)
def test_permuted_classes_give_permuted_labels(name: str) -> None:
    p, order = probabilities(1), torch.tensor([2, 0, 3, 1])
    plain, turned = RULES[name](p, SHARES), RULES[name](p[:, order], SHARES[order])
    assert (order[turned.label] == plain.label).float().mean() > 0.999


@pytest.mark.parametrize("name", ["argmax", "threshold", "thresholds by class"])
def test_rules_without_shares_take_the_likeliest_class(name: str) -> None:
    p = probabilities(2)
    assert torch.equal(RULES[name](p, SHARES).label, p.argmax(1))


@pytest.mark.parametrize("name", ["alignment", "Sinkhorn by batch"])
def test_rules_with_shares_undo_a_bias(name: str) -> None:
    p = probabilities(3, bias=3.0)
    labels = RULES[name](p, torch.full((K,), 1 / K)).label
    biased, mended = (x.bincount(minlength=K)[0] / N for x in (p.argmax(1), labels))
    assert biased > 0.7
    assert mended < 0.5


def test_thresholds_by_class_take_more_of_what_is_rarely_sure() -> None:
    p = probabilities(4, bias=2.0)
    rare = [RULES[name](p, SHARES) for name in ("threshold", "thresholds by class")]
    shares = [(r.label[r.covered(0.3)] != 0).float().mean() for r in rare]
    assert shares[1] > shares[0] + 0.1


def test_each_batch_has_the_shares() -> None:
    p = probabilities(5, bias=2.0).repeat(2, 1)[: 2 * BATCH]
    labels = RULES["Sinkhorn by batch"](p, SHARES).label
    for part in labels.split(BATCH):
        assert (part.bincount(minlength=K) / len(part) - SHARES).abs().max() < 0.1


def test_one_pixel_at_least_is_labelled() -> None:
    found = Ranked(torch.zeros(3, dtype=torch.long), torch.tensor([0.1, 0.9, 0.5]))
    assert found.covered(0.0).tolist() == [False, True, False]
