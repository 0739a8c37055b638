"""Keep what products are searched by up to date, and give the web process its encoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from django.conf import settings
from django.db import transaction
from torch import Tensor, nn

from cdp.artifacts import encoder_digest, encoder_folder
from cdp.draining import only_one
from cdp.models import Product, ProductText
from graph_ml.features import product_text
from graph_ml.text import encode, encoder

MOST = 2000
INDEXING_LOCK = 7_301_008
Say = Callable[[str], None]


def index_products(say: Say = lambda line: None) -> int:
    """Write the words and vectors of products that are new or say something else; how many. 0
    as well while another worker is at it.

    Raises:
        CDPError: ``encoder_missing``, ``encoder_changed``.
    """
    with only_one(INDEXING_LOCK) as alone:
        return _index(say) if alone else 0


def _index(say: Say) -> int:
    export(say)
    digest = encoder_digest(settings.TEXT_ENCODER)
    stored = {
        product: (words, encoder)
        for product, words, encoder in ProductText.objects.values_list(
            "product_id", "words", "encoder"
        )
    }
    rows = Product.objects.order_by("id").values_list(
        "id", "title", "brand", "category", "description"
    )
    due = []
    for id_, *parts in rows.iterator():
        words = product_text(*parts)
        if stored.get(id_) != (words, digest):
            due.append((id_, words))
    for first in range(0, len(due), MOST):
        part = due[first : first + MOST]
        vectors = encode([words for _, words in part])
        with transaction.atomic():
            ProductText.objects.bulk_create(
                [
                    ProductText(product_id=id_, words=words, encoder=digest, vector=vector.tolist())
                    for (id_, words), vector in zip(part, vectors, strict=True)
                ],
                update_conflicts=True, unique_fields=["product"],
                update_fields=["words", "encoder", "vector"],
            )  # fmt: skip
        say(f"{min(first + MOST, len(due))} of {len(due)} products can be searched")
    return len(due)


class _Hidden(nn.Module):
    """The encoder's last hidden states (1, t, d) of one text of t tokens."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        found: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask)[0]
        return found


def export(say: Say = lambda line: None) -> None:
    """Write the encoder as ONNX beside its tokenizer, once; the tokenizer first, the model by a
    rename, so that a reader finds both or none."""
    folder = encoder_folder(settings.TEXT_ENCODER)
    if (folder / "model.onnx").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, model = encoder(settings.TEXT_ENCODER)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    ids = torch.arange(1, 9, device=model.device)[None, :]
    partial = folder / "model.partial"
    # Two tensors: one would be taken for both inputs. eval(): the export leaves the modules in the wrapper's mode, and dropout would stay on.
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Hidden(model).eval(), (ids, torch.ones_like(ids)), str(partial), dynamo=False, opset_version=17,
            input_names=["input_ids", "attention_mask"], output_names=["hidden"],
            dynamic_axes={"input_ids": {1: "t"}, "attention_mask": {1: "t"}, "hidden": {1: "t"}},
        )  # fmt: skip
    partial.rename(folder / "model.onnx")
    say("the text encoder was exported for the web process")
