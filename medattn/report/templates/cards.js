// One question's cards: an image under its attention, and what was asked and answered.

const CLEAN = "clean"; // the setting everything else is compared with
const LEAST_TOP = 2; // attention ÷ uniform: weaker maps are not stretched to full strength
// Colours of the figures' overlays, from "just above uniform" to "highest".
const RAMP = [[160, 42, 99], [203, 65, 73], [235, 102, 40], [251, 151, 6], [248, 207, 58], [252, 255, 164]];
const MARKS = new Map([[true, ["✓", "right"]], [false, ["✗", "wrong"]], [null, ["·", "truth unknown"]]]);

// An element with properties and children; strings become text, never markup.
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// strength: Array of 0..1, one pixel each. The stronger, the brighter and the less transparent.
function paint(canvas, strength) {
  const image = new ImageData(canvas.width, canvas.height);
  strength.forEach((value, pixel) => {
    const place = value * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    const colour = RAMP[low].map((part, channel) => part + (place - low) * (RAMP[low + 1][channel] - part));
    image.data.set([...colour, 255 * value], 4 * pixel);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// How far a sample's cells are above uniform: 0 at uniform or below, 1 at `top` (attention ÷ uniform).
function strengths(sample, top) {
  const bytes = Uint8Array.from(atob(sample.grid), (letter) => letter.charCodeAt(0));
  return Array.from(bytes, (byte) => Math.min(Math.max(((byte / 255) * sample.top - 1) / (top - 1), 0), 1));
}

function outline(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["halo", "line"]) {
    const shape = document.createElementNS(svg.namespaceURI, "path");
    shape.setAttribute("class", name);
    shape.setAttribute("d", path);
    svg.append(shape);
  }
  return svg;
}

function image(sample, top) {
  const { shown } = sample;
  if (!shown) return make("div", { className: "image none" }, make("p", {}, "no image was shown"));
  const alt = `Radiograph asked about ${sample.finding}, condition ${words(sample.setting)}; ` +
    `the model answered “${sample.answer}”`;
  const frame = make("div", { className: "image" },
    make("img", { src: `data:image/jpeg;base64,${shown.jpeg}`, alt, width: shown.width, height: shown.height }));
  if (sample.grid) {
    const canvas = make("canvas", { width: 16, height: 16, ariaHidden: "true" });
    frame.append(paint(canvas, strengths(sample, top)));
  }
  const path = shown.regions[sample.finding];
  if (path) frame.append(outline(path));
  for (const side of shown.frontal ? ["R", "L"] : []) frame.append(make("span", { className: `side ${side}`, ariaHidden: "true" }, side));
  return frame;
}

function words(name) {
  return name.replaceAll("_", " ");
}

function signed(value) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
}

// The margin as text and as a bar from the middle: right for yes, left for no; `widest` fills a half.
function margin(value, widest) {
  if (value === null) return make("p", { className: "margin" }, "margin unknown");
  const fill = make("span", { className: value < 0 ? "no" : "yes" });
  fill.style.width = `${(50 * Math.abs(value)) / (widest || 1)}%`;
  return make("p", { className: "margin" }, `margin ${signed(value)}`, make("span", { className: "bar" }, fill));
}

function card(sample, top, widest, matches) {
  const [symbol, mark] = MARKS.get(sample.correct);
  const heading = make("h3", {}, words(sample.strategy));
  if (sample.reference || sample.setting !== CLEAN) heading.append(make("span", { className: "tag" }, words(sample.setting)));
  if (sample.flip) heading.append(make("span", { className: "tag flipped" }, "⇄ flipped"));
  return make("article", { className: matches ? "card" : "card dim" },
    heading,
    image(sample, top),
    make("p", { className: "asked" }, `“${sample.asked}”`),
    make("p", { className: "answer" }, sample.answer || "(no answer)"),
    make("p", { className: "verdict" }, `read as ${sample.parsed}, truth ${sample.truth || "unknown"} `,
      make("span", { className: mark }, `${symbol} ${mark}`)),
    margin(sample.margin, widest));
}
