"""A model built by hand so that attention follows brightness: a bright place must light the grid cell of that place."""

import numpy as np
import pytest
import torch
from PIL import Image

from medattn.attention.grids import combine, to_grid
from medattn.base.params.aggregate import Profile
from medattn.extract.extractor import capture_of
from medattn.model.decode import decode
from medattn.model.load import LoadedModel, prepare_model
from medattn.model.prompt import PromptSettings
from medattn.model.vision import image_features
from medattn.phantom import shape

HEIGHT, WIDTH = 400, 320  # not square: the processor stretches it
PROFILE = Profile(rows=[0], gating=False, layers=[0, 2, 5], layer_weights=None, gqa="mean", sinks="keep")


@pytest.fixture(scope="module")
def brightness(tokenizer) -> LoadedModel:
    """Vision: a patch's mean brightness, as is. Language: the key of a token is that brightness, every query asks for it."""
    model = shape.make_model(tokenizer, seed=1).double()
    with torch.no_grad():
        vision = model.model.vision_tower
        for name, parameter in vision.named_parameters():
            if "out_proj" in name or "fc2" in name or "position_embedding" in name or "patch_embedding" in name:
                parameter.zero_()  # what is left of the tower passes its patches through
        patches = dict(vision.named_parameters())
        (weight,) = (value for name, value in patches.items() if name.endswith("patch_embedding.weight"))
        weight[0] = 1 / weight[0].numel()
        projector = model.model.multi_modal_projector.mm_input_projection_weight
        projector.zero_()
        projector[0, 0] = 10.0
        text = model.model.language_model
        newline = text.embed_tokens.weight[tokenizer.convert_tokens_to_ids("\n")]
        for layer in text.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
            keys, queries = layer.self_attn.k_proj.weight, layer.self_attn.q_proj.weight
            keys.zero_(), queries.zero_()
            slow = keys.shape[0] // 4 // 2 - 1  # the pair of dimensions that rotary positions turn least
            for head in range(4):
                keys[16 * head + slow, 0] = 1.0
            for head in range(8):
                queries[16 * head + slow] = newline
    return LoadedModel(prepare_model(model, torch.device("cpu")), shape.make_processor(tokenizer), torch.device("cpu"))


def grid_of(loaded: LoadedModel, order: str, pixels: np.ndarray) -> np.ndarray:
    settings = PromptSettings("", "{question}", order)
    prompter = loaded.prompter(settings)
    prompt = prompter("Is there a nodule?")
    features = image_features(loaded, [Image.fromarray(pixels).convert("RGB")])
    (decoded,) = decode(loaded, [prompt], features, 3, 2)
    return to_grid(combine(capture_of("s", prompt, decoded), PROFILE, PROFILE.layers, 4, []).layers, PROFILE)


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("bottom", [False, True])
@pytest.mark.parametrize("right", [False, True])
def test_a_bright_quadrant_lights_that_quadrant(brightness, order, bottom, right):
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    rows, columns = slice(200, 400) if bottom else slice(0, 200), slice(160, 320) if right else slice(0, 160)
    pixels[rows, columns] = 255
    grid = grid_of(brightness, order, pixels)
    lit = grid[8:] if bottom else grid[:8]
    assert (lit[:, 8:] if right else lit[:, :8]).sum() > 0.99


@pytest.mark.parametrize("cell", [(2, 13), (0, 0), (0, 15), (15, 0), (9, 4)])
def test_a_bright_cell_lights_that_cell(brightness, cell):
    row, column = cell
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[25 * row : 25 * (row + 1), 20 * column : 20 * (column + 1)] = 255
    grid = grid_of(brightness, "question_first", pixels)
    assert np.unravel_index(grid.argmax(), grid.shape) == cell
    assert grid[cell] > 0.8
