// Tables sort by the column whose header is pressed: once up, twice down.

const collator = new Intl.Collator("en", { numeric: true });
const VOID = new Set(["", "–", "—"]); // cells that hold nothing stay last, whichever way is sorted

// The number a cell begins with ("−0.12 [−0.2, 0.1]", "1,234", "5 %"), or NaN.
function leading(text) {
  return parseFloat(text.replaceAll("−", "-").replace(/^<\s*/, "").replace(/(?<=^[+-]?[\d,]*),(?=\d{3})/g, ""));
}

function compare(one, other, numeric) {
  return numeric ? leading(one) - leading(other) : collator.compare(one, other);
}

function sort(header) {
  const body = header.closest("table").tBodies[0];
  const direction = header.ariaSort === "ascending" ? "descending" : "ascending";
  const numeric = header.classList.contains("number");
  const rows = [...body.rows].map((row) => ({ row, text: row.cells[header.cellIndex].textContent.trim() }));
  rows.sort((one, other) =>
    VOID.has(one.text) - VOID.has(other.text) ||
    (VOID.has(one.text) ? 0 : (direction === "ascending" ? 1 : -1) * compare(one.text, other.text, numeric)));
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
  body.replaceChildren(...rows.map(({ row }) => row));
}

for (const button of document.querySelectorAll("th button")) button.onclick = () => sort(button.parentElement);

// A link to something folded away opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  target?.querySelector(":scope > details")?.setAttribute("open", "");
}
addEventListener("hashchange", unfold);
unfold();
