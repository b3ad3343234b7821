"""model/ is the only room whose code knows the model family, but for the phantom, which makes one of it."""

import ast
import io
import re
import tokenize

from tests.import_closure import ROOT

FAMILY = re.compile(r"gemma|siglip|token_type_ids|image_token|mm_tokens", re.IGNORECASE)
ALLOWED = {
    "ask.py": "what its help says of the published model's revision",
    "bench/command.py": "the choice of that shape",
    "bench/speed.py": "the published shape that can be measured, as the phantom makes it",
    "reproduce/doctor/plan.py": "whose rate is documented",
    "study/model_config.py": "what the config.json of a directory must say, before a model is loaded",
}


def code_of(text: str) -> list[tuple[int, str]]:
    """(line, text) of every token but comments and docstrings."""
    tree = ast.parse(text)
    prose = {
        node.value.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (token.start[0], token.string)
        for token in tokens
        if token.type != tokenize.COMMENT and not (token.type == tokenize.STRING and token.start[0] in prose)
    ]


def test_no_other_code_knows_the_family():
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "medattn").rglob("*.py")):
        name = path.relative_to(ROOT / "medattn").as_posix()
        if not name.startswith(("model/", "phantom/")):
            for line, text in code_of(path.read_text(encoding="utf-8")):
                if FAMILY.search(text):
                    found.setdefault(name, []).append(f"{name}:{line}: {text}")
    assert not (more := [line for name, lines in found.items() if name not in ALLOWED for line in lines]), more
    assert set(found) == set(ALLOWED), "an exception that is not needed"
