// Filters, list and link. The form is the state: the link is what the form says, and the question.

const index = JSON.parse(document.getElementById("index").textContent);
const [bar, form, list, cards, link] = ["bar", "filters", "list", "cards", "link"].map((id) => document.getElementById(id));
const designs = index.designs.map((samples) => samples.map(([condition, strength, strategy, variant], number) =>
  ({ number, setting: `${condition} ${strength}`.trim(), strategy, variant })));
const questions = index.questions.map(indexed);
let matching = [];
let current = null;
let drawn = null; // the samples that cards are drawn of, or will be once they have come

// What the index knows of a question, with its samples by setting (condition and strength), both in order of appearance.
function indexed([id, finding, truth, design, letters, shard, place], at) {
  const settings = new Map();
  for (const sample of designs[design]) {
    const [parsed, correct, flip] = index.outcomes[index.letters.indexOf(letters[sample.number])];
    if (!settings.has(sample.setting)) settings.set(sample.setting, []);
    settings.get(sample.setting).push({ ...sample, parsed, correct, flip });
  }
  return { id, finding: index.findings[finding], truth, shard: index.shards[shard], place, at, settings };
}

function fill(name, values) {
  for (const value of new Set(values)) form.elements[name].add(new Option(words(value), value));
}

function admits(sample) {
  const { strategy, parsed, flipped, correct } = form.elements;
  const agrees = (control, value) => !control.value || value === (control.value === "yes");
  return (!strategy.value || sample.strategy === strategy.value) && (!parsed.value || sample.parsed === parsed.value) &&
    agrees(flipped, sample.flip) && agrees(correct, sample.correct);
}

function asked(question) {
  return question.settings.get(form.elements.condition.value) ?? [];
}

function matches(question) {
  const { finding } = form.elements;
  return (!finding.value || question.finding === finding.value) && asked(question).some(admits);
}

// A question's button in the list, which says what was answered under the chosen condition.
function entry(question) {
  const samples = asked(question);
  if (question.says === samples) return question.button;
  question.says = samples;
  const flips = samples.filter((sample) => sample.flip).length;
  const marks = samples.map((sample) => MARKS.get(sample.correct)[0]).join("");
  const right = samples.filter((sample) => sample.correct).length;
  question.button ??= make("button", { type: "button", tabIndex: -1, onclick: () => show(question) });
  question.button.replaceChildren(
    make("span", { className: "id" }, question.id),
    make("span", { className: "about" }, question.finding),
    make("span", { className: "marks" }, marks, make("span", { className: "flips" }, flips ? ` ⇄${flips}` : "")));
  question.button.title = `${question.id}, ${question.finding}: ${right} of ${samples.length} right, ${flips} flipped`;
  question.button.ariaLabel = question.button.title;
  return question.button;
}

// After a change of the filters: the matching questions, and of these `wanted` or the next one after it.
function filter(wanted) {
  matching = questions.filter(matches);
  list.replaceChildren(...matching.map(entry));
  document.getElementById("counter").textContent = `${matching.length} of ${questions.length} questions`;
  document.getElementById("nothing").hidden = matching.length > 0;
  document.getElementById("question").hidden = matching.length === 0;
  show(matching.find((question) => question.at >= (wanted?.at ?? 0)) ?? matching.at(-1) ?? null);
}

function show(question) {
  current?.button?.removeAttribute("aria-current");
  if (current?.button) current.button.tabIndex = -1;
  current = question ?? current;
  const at = matching.indexOf(question);
  document.getElementById("previous").disabled = at <= 0;
  document.getElementById("next").disabled = at < 0 || at === matching.length - 1;
  if (question) {
    draw(question, at);
    const focused = list.contains(document.activeElement);
    question.button.tabIndex = 0;
    question.button.setAttribute("aria-current", "true");
    if (focused) question.button.focus({ preventScroll: true });
    reveal(question.button);
  }
  adjust();
  save();
}

async function draw(question, at) {
  document.getElementById("finding").textContent = question.finding;
  document.getElementById("truth").textContent = `truth: ${question.truth || "unknown"}`;
  document.getElementById("place").textContent = `${question.id} · ${at + 1} of ${matching.length}`;
  const samples = asked(question);
  const reference = question.settings.get(CLEAN)?.find((sample) => sample.variant === 0);
  const wanted = reference && !samples.includes(reference) ? [{ ...reference, reference: true }, ...samples] : samples;
  const unread = document.getElementById("unread");
  drawn = wanted;
  cards.ariaBusy = "true";
  const shown = await complete(question, wanted).catch(({ message }) => message);
  if (drawn !== wanted) return; // something else has been chosen meanwhile
  unread.hidden = Array.isArray(shown);
  unread.textContent = unread.hidden ? "" : shown;
  arrange(unread.hidden ? shown : []);
  cards.ariaBusy = "false";
}

function arrange(shown) {
  const top = Math.max(LEAST_TOP, ...shown.map((sample) => sample.top ?? 0));
  const widest = Math.max(...shown.map((sample) => Math.abs(sample.margin ?? 0)));
  cards.replaceChildren(...shown.map((sample) => card(sample, top, widest, sample.reference || admits(sample))));
  cards.style.setProperty("--count", shown.length);
  document.getElementById("scale").hidden = shown.every((sample) => !sample.grid);
  document.getElementById("top").textContent = top.toFixed(1);
}

// Scrolls the list alone; scrollIntoView would also move the page.
function reveal(button) {
  const above = button.offsetTop < list.scrollTop;
  const below = button.offsetTop + button.offsetHeight > list.scrollTop + list.clientHeight;
  if (above || below) list.scrollTop = button.offsetTop - list.clientHeight / 2;
  const before = button.offsetLeft < list.scrollLeft;
  const after = button.offsetLeft + button.offsetWidth > list.scrollLeft + list.clientWidth;
  if (before || after) list.scrollLeft = button.offsetLeft - list.clientWidth / 2;
}

// What needs no drawing: opacity of the overlay, and whether regions are outlined.
function adjust() {
  const { opacity, region } = form.elements;
  document.body.style.setProperty("--overlay", opacity.value / 100);
  document.body.classList.toggle("without-region", !region.checked);
  document.getElementById("percent").textContent = `${opacity.value} %`;
}

function state() {
  const { region } = form.elements;
  const parts = new URLSearchParams({ question: current?.id ?? "" });
  for (const [name, value] of new FormData(form)) if (value) parts.set(name, value);
  parts.set("region", region.checked ? "yes" : "no");
  return `#${parts}`;
}

let saving = 0;
function save() {
  link.href = state();
  clearTimeout(saving); // browsers refuse a flood of replaceState, as from a key held down
  saving = setTimeout(() => history.replaceState(null, "", state()), 100);
}

function restore() {
  clearTimeout(saving);
  const parts = new URLSearchParams(location.hash.slice(1));
  for (const control of form.elements) {
    const value = parts.get(control.name);
    if (control.type === "checkbox") control.checked = value !== "no";
    else if (control.tagName === "SELECT") {
      control.value = value ?? "";
      if (control.selectedIndex < 0) control.selectedIndex = 0; // a value that this gallery does not have
    } else if (control.type === "range") control.value = value ?? control.defaultValue;
  }
  filter(questions.find((question) => question.id === parts.get("question")));
}

function step(key) {
  const at = matching.indexOf(current);
  const goal = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: matching.length - 1 }[key];
  if (goal !== at && matching[goal]) show(matching[goal]);
}

fill("finding", questions.map((question) => question.finding).sort());
const settings = new Set(questions.flatMap((question) => [...question.settings.keys()]));
fill("condition", settings.has(CLEAN) ? [CLEAN, ...settings] : settings); // a set keeps the first of two
fill("strategy", questions.flatMap((question) => [...question.settings.values()].flat().map((sample) => sample.strategy)));
fill("parsed", index.outcomes.map(([parsed]) => parsed).sort());
paint(document.querySelector("#scale canvas"), Array.from({ length: 64 }, (_, pixel) => pixel / 63));

form.addEventListener("change", (event) => event.target.tagName === "SELECT" && filter(current));
form.addEventListener("input", () => { adjust(); save(); });
form.addEventListener("reset", () => setTimeout(() => filter(current)));
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("reset").onclick = () => form.reset();
document.getElementById("previous").onclick = () => step("ArrowLeft");
document.getElementById("next").onclick = () => step("ArrowRight");
document.getElementById("unfold").onclick = ({ currentTarget }) =>
  currentTarget.setAttribute("aria-expanded", form.classList.toggle("unfolded"));
addEventListener("hashchange", restore);
addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("select, textarea, input:not([type=checkbox])"); // there, arrows have a meaning
  const moves = ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key);
  if (!moves || typing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  step(event.key);
});
new ResizeObserver(() => document.body.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
restore();
