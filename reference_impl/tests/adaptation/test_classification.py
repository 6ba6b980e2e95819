"""A head on the last real token: padding is ignored, a frozen body stays, metrics follow their definitions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reference_impl.adaptation.classification import Classifier, classification_loss, confusion_matrix, metrics


class Body(nn.Module):
    """Sums of embeddings up to each token: a causal model that trains in milliseconds."""

    def __init__(self, vocab: int = 6, d_model: int = 5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        self.dropout = nn.Dropout(0.5)

    def hidden(self, ids: Tensor) -> Tensor:
        return self.dropout(self.embedding(ids)).cumsum(dim=1).tanh()


def batch() -> dict[str, Tensor]:
    """Sequences padded on the right; the class is 1 where token 5 occurs."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 8, (64, 1), generator=generator)
    mask = torch.arange(7) < lengths
    ids = torch.randint(0, 6, (64, 7), generator=generator)
    return {"input_ids": ids, "attention_mask": mask.long(), "classes": ((ids == 5) & mask).any(dim=1).long()}


def train_classifier(frozen: bool, steps: int = 150) -> tuple[Classifier, float]:
    torch.manual_seed(0)
    classifier, data = Classifier(Body(), 5, 2, frozen), batch()
    optimizer = torch.optim.Adam([p for p in classifier.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        classification_loss(classifier, data).backward()
        optimizer.step()
    classifier.eval()
    predicted = classifier(data["input_ids"], data["attention_mask"]).argmax(dim=-1)
    return classifier, metrics(predicted, data["classes"], 2)["accuracy"]


def test_classifier_ignores_padding() -> None:
    torch.manual_seed(0)
    classifier = Classifier(Body(), 5, 3).double().eval()
    ids, mask = torch.tensor([[1, 2, 3, 0, 0]]), torch.tensor([[1, 1, 1, 0, 0]])
    short = classifier(ids[:, :3], mask[:, :3])
    torch.testing.assert_close(classifier(ids, mask), short)
    assert not torch.allclose(classifier(ids, torch.ones_like(mask)), short)


def test_classification_loss_of_uniform_prediction_is_log_n_classes() -> None:
    classifier, data = Classifier(Body(), 5, 7), batch()
    nn.init.zeros_(classifier.head.weight)
    nn.init.zeros_(classifier.head.bias)
    assert math.isclose(classification_loss(classifier, data).item(), math.log(7), rel_tol=1e-6)


def test_classifier_frozen_trains_the_head_only() -> None:
    """The frozen body keeps its weights and stays in evaluation mode; training it as well gives a higher accuracy."""
    torch.manual_seed(0)
    before = Body().embedding.weight
    frozen, accuracy = train_classifier(frozen=True)
    assert torch.equal(frozen.body.embedding.weight, before)
    assert not frozen.train().body.dropout.training
    whole, better = train_classifier(frozen=False)
    assert whole.train().body.dropout.training
    assert better > accuracy
    assert better > 0.95


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_classification_metrics_follow_their_definitions(pairs: list[tuple[int, int]]) -> None:
    predicted, actual = (torch.tensor(column) for column in zip(*pairs, strict=True))
    got = metrics(predicted, actual, 4)
    assert all(type(value) is float for value in got.values())
    f1 = []
    for label in range(4):
        hits = sum(p == a == label for p, a in pairs)
        precision = hits / max(1, sum(p == label for p, _ in pairs))
        recall = hits / max(1, sum(a == label for _, a in pairs))
        f1.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    assert got["f1"] == pytest.approx(sum(f1) / 4)
    assert got["accuracy"] == pytest.approx(sum(p == a for p, a in pairs) / len(pairs))


@pytest.mark.needs("sklearn")
def test_classification_metrics_match_scikit_learn() -> None:
    from sklearn import metrics as sklearn

    generator = torch.Generator().manual_seed(0)
    predicted, actual = torch.randint(0, 4, (2, 50), generator=generator)
    got = metrics(predicted, actual, 5)
    theirs = sklearn.precision_recall_fscore_support(
        actual, predicted, labels=range(5), average="macro", zero_division=0
    )
    assert (got["precision"], got["recall"], got["f1"]) == pytest.approx(theirs[:3])
    assert (
        confusion_matrix(predicted, actual, 5).tolist()
        == sklearn.confusion_matrix(actual, predicted, labels=range(5)).tolist()
    )
