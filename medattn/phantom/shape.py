"""The phantom model: a small, real Gemma 3 with MedGemma's layout, made from scratch.

Token layout, chat template, head counts and the 16×16 = 256 image tokens are MedGemma's; width, depth and
vocabulary are small enough to train on two cores. It is saved in the Hugging Face layout and loaded by the
same code as MedGemma.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    Gemma3TextConfig,
    GemmaTokenizer,
    GenerationConfig,
    SiglipVisionConfig,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

IMAGE_SIZE = 224
CONTROL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
TURN_TOKENS = ("<start_of_turn>", "<end_of_turn>")
IMAGE_TOKENS = ("<start_of_image>", "<end_of_image>", "<image_soft_token>")
WHITESPACE_TOKENS = ("\n", "\n\n", "\n\n\n\n")  # whole tokens in Gemma's vocabulary too

# The family's published template: a system text is prefixed to the first user turn, items keep their order.
CHAT_TEMPLATE = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = '' -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- else -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\n' }}
{%- endif -%}
"""


# No token is learned across these places, so that the names of the findings stay in pieces.
MORPHEMES = r"pneumo(?=thorax)|cardio(?=megaly)|consolid(?=ation)|eff(?=usion)|nod(?=ule)"


def train_tokenizer(corpus: Iterable[str], merges_until: int) -> GemmaTokenizer:
    """A Gemma-style BPE tokenizer (spaces as ▁, byte fallback) of about `merges_until` learned tokens.

    The control, turn and image tokens and Gemma's newline runs are whole tokens; medical terms are left in
    two or more pieces, as Gemma's own tokenizer leaves them.
    """
    special = [*CONTROL_TOKENS, *TURN_TOKENS, *IMAGE_TOKENS, *WHITESPACE_TOKENS]
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    learner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    learner.normalizer = normalizers.Replace(" ", "▁")
    pieces = rf"▁?(?i:{MORPHEMES})|▁?[A-Za-z]+?(?=(?i:{MORPHEMES}))|▁?[A-Za-z]+|▁?[^▁A-Za-z]"
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(pieces), "isolated")
    learner.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=len(special) + len(byte_tokens) + merges_until,
            special_tokens=[*special, *byte_tokens],
            show_progress=False,
        ),
    )
    trained = json.loads(learner.to_str())["model"]
    tokenizer = GemmaTokenizer(
        vocab=trained["vocab"],
        merges=[tuple(pair) for pair in trained["merges"]],  # type: ignore[misc]  # pairs, whatever the library's type says
        extra_special_tokens={
            "boi_token": IMAGE_TOKENS[0],
            "eoi_token": IMAGE_TOKENS[1],
            "image_token": IMAGE_TOKENS[2],
            "sot_token": TURN_TOKENS[0],
            "eot_token": TURN_TOKENS[1],
        },
        padding_side="left",
    )
    tokenizer.add_tokens(list(WHITESPACE_TOKENS))
    tokenizer.add_bos_token = True  # type: ignore[misc]  # has a setter that mypy does not see
    return tokenizer


def make_processor(tokenizer: GemmaTokenizer) -> Gemma3Processor:
    """Processor with MedGemma's image steps (squash, bilinear, mean = std = 0.5) at the phantom's size."""
    image_processor = Gemma3ImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        do_pan_and_scan=False,
    )
    return Gemma3Processor(image_processor, tokenizer, chat_template=CHAT_TEMPLATE, image_seq_length=256)


def make_config(tokenizer: GemmaTokenizer) -> Gemma3Config:
    """Six language layers (full attention at 2 and 5, as every third), 8 query heads on 4 key/value heads."""
    ids = {name: cast(int, tokenizer.convert_tokens_to_ids(name)) for name in (*IMAGE_TOKENS, *TURN_TOKENS)}
    text = Gemma3TextConfig(  # type: ignore[call-arg]  # its type leaves out the older arguments that it takes
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=1024,
        sliding_window_pattern=3,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=[tokenizer.eos_token_id, ids["<end_of_turn>"]],
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = SiglipVisionConfig(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=6,
        image_size=IMAGE_SIZE,
        patch_size=14,
    )
    return Gemma3Config(  # type: ignore[call-arg]  # likewise those of every configuration
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=256,
        boi_token_index=ids["<start_of_image>"],
        eoi_token_index=ids["<end_of_image>"],
        image_token_index=ids["<image_soft_token>"],
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
    )


def make_model(tokenizer: GemmaTokenizer, seed: int = 0) -> Gemma3ForConditionalGeneration:
    """The untrained model, float32. Projector weights are drawn: the library starts them at zero."""
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(make_config(tokenizer))
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)
    text = cast(Gemma3TextConfig, model.config.text_config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
    )
    return model.eval()


def save(model: Gemma3ForConditionalGeneration, processor: Gemma3Processor, out: Path) -> None:
    """Write model and processor in the Hugging Face layout (safetensors) to directory `out`."""
    model.save_pretrained(out)
    processor.save_pretrained(out)
