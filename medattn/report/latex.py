r"""Tables and numbers for a manuscript: booktabs tables, and one \newcommand per number that a text would quote."""

import re
import unicodedata
from collections.abc import Mapping

from medattn.base.errors import InputError
from medattn.base.printable import printable
from medattn.disclosure.suppression import SUPPRESSED
from medattn.report.tables import LATEX, Column, Layout, Rows, caption, kept, mark, suppresses, three_digits

NEGATIVE = re.compile(r"-[\d.]+")
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
ESCAPES = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
           "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "→": r"$\to$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$",
           "÷": r"$\div$", "×": r"$\times$", "†": r"$\dagger$", "—": "---", "<": r"\textless{}", ">": r"\textgreater{}",
           "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}"}  # fmt: skip


def escaped(text: str) -> str:
    """Text as LaTeX shows it, character by character, on one line: after a row's end it would read "[" and "*"."""
    return "".join(ESCAPES.get(letter, letter) for letter in re.sub(r"\s+", " ", printable(text)))


def shown(cell: str, kind: str) -> str:
    """A cell as a manuscript writes it: shares in per cent, numbers to three digits, p-values not below 0.001; "" stays.

    count and text are left as they are.
    """
    if cell == "" or kind in ("text", "count"):
        return f"${cell}$" if NEGATIVE.fullmatch(cell) else escaped(cell.replace("_", " "))
    value = float(cell)
    if kind == "share":
        return f"{100 * value:.1f}"
    if kind == "p":
        return r"<0.001" if value < 0.001 else f"{value:.3f}"
    return _in_tex(three_digits(value))


def _in_tex(text: str) -> str:
    """1.2e-05 as TeX writes it."""
    return re.sub(r"e([+-])0*(\d+)$", lambda power: rf"\cdot10^{{{power[1].replace('+', '')}{power[2]}}}", text)


def _cell(row: Mapping[str, str], column: Column) -> str:
    text = shown(row[column.name], column.kind)
    if not text and suppresses(row) and column.kind != "text":
        return "---"
    if not text or column.kind in ("text", "count"):
        return text
    if column.low and column.high and row[column.low]:
        text += f"\\ [{shown(row[column.low], column.kind)}, {shown(row[column.high], column.kind)}]"
    return f"${text}$"


def table(rows: Rows, layout: Layout, note: str) -> str:
    """A booktabs tabular with its caption, to be \\input; needs the package booktabs. note: of the run."""
    rows, numeric = kept(rows, layout), {"count", "share", "number", "p"}
    alignment = "".join(
        "r" if column.kind in numeric else "p{5cm}" if column.name == "claim" else "l" for column in layout.columns
    )
    titles = [escaped(column.title) + (r" (\%)" if column.kind == "share" else "") for column in layout.columns]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering",
        r"\small",
        rf"\caption{{{escaped(caption(layout, rows, note))}}}",
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        " & ".join(titles) + r" \\",
        r"\midrule",
        *(
            " & ".join(_cell(row, column) + escaped(mark(row, column, layout)) for column in layout.columns) + r" \\"
            for row in rows
        ),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def macro_name(*parts: str) -> str:
    """Letters only, as TeX wants it: words capitalised, digits spelled out. "JS→0.05" -> JSToZeroPointZeroFive.

    Letters that are not A to Z are spelled out too, so that names in other scripts stay apart.
    """
    text = " ".join(parts)
    text = _in_ascii(text.replace("→", " to ").replace("-", " minus " if re.search(r"-\d", text) else " "))
    text = re.sub(r"(?<=\d)\.(?=\d)", " point ", text)
    text = re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", text)
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z]+", text))


def _in_ascii(text: str) -> str:
    return "".join(
        f" {unicodedata.name(one, hex(ord(one))).lower()} " if one.isalpha() and not one.isascii() else one for one in text
    )


def values(tables: Mapping[str, Rows], headline: Mapping[str, float | int | None], note: str) -> str:
    r"""values.tex: \newcommand for each number of the tables in LATEX (bounds included) and of metrics.json.

    Shares are in per cent without the sign. What has no value is not defined, so quoting it is an error.
    """
    lines = [r"% Numbers of the study, one command each; shares in per cent. Made with the figures, never edited."]
    if note:
        lines.append(f"% {note}")
    taken: dict[str, str] = {}

    def define(name: str, text: str) -> None:
        if name in taken:
            raise InputError(
                f"values.tex: two numbers would both be called \\{name}: {taken[name]} and {text}. Two findings, strategies or"
                " profiles have names that differ in no letter or digit: rename one of them"
            )
        taken[name] = text
        lines.append(rf"\newcommand{{\{name}}}{{\ensuremath{{{text}}}}}")

    for name, value in headline.items():
        if value is not None:
            share = not name.startswith(("n_", "js_", "region_"))
            define(
                macro_name("medattn", name.replace("_", " ")),
                shown(str(value), "count" if isinstance(value, int) else "share" if share else "number"),
            )
    for name, layout in LATEX.items():
        for row in kept(tables[name], layout):
            keys = [row[key].replace("_", " ") for key in layout.keys]
            for column in layout.columns:
                for cell in (column.name, column.low, column.high):
                    if cell and column.kind != "text" and row[cell] not in ("", SUPPRESSED):
                        define(macro_name(name.replace("_", " "), *keys, cell.replace("_", " ")), shown(row[cell], column.kind))
    return "\n".join(lines) + "\n"
