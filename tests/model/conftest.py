"""A small, untrained phantom model per dtype, and a radiograph to ask about."""

import pytest
import torch
from PIL import Image

from medattn.model.load import LoadedModel, prepare_model
from medattn.phantom import shape
from medattn.phantom.cases import make_case
from medattn.phantom.training import learn_tokenizer


@pytest.fixture(scope="session")
def tokenizer():
    return learn_tokenizer()


def build(tokenizer, dtype, stock: bool = False) -> LoadedModel:
    """The model as we prepare it, or (stock) as the library makes it; always the same weights."""
    processor = shape.make_processor(tokenizer)
    model = shape.make_model(tokenizer, seed=5).to(dtype)
    for name, parameter in model.named_parameters():  # sharper attention than at initialisation
        if "q_proj" in name or "k_proj" in name:
            parameter.data *= 6
    cpu = torch.device("cpu")
    return LoadedModel(model if stock else prepare_model(model, cpu), processor, cpu)


@pytest.fixture(scope="session")
def double(tokenizer) -> LoadedModel:
    return build(tokenizer, torch.float64)


@pytest.fixture(scope="session")
def single(tokenizer) -> LoadedModel:
    return build(tokenizer, torch.float32)


@pytest.fixture(scope="session")
def stock_double(tokenizer) -> LoadedModel:
    return build(tokenizer, torch.float64, stock=True)


@pytest.fixture(scope="session")
def stock_single(tokenizer) -> LoadedModel:
    return build(tokenizer, torch.float32, stock=True)


@pytest.fixture(scope="session")
def radiograph():
    return Image.fromarray(make_case(11, 1, 1).radiograph.image)
