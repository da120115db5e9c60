// Numbers as people read them, and elements that are made without any markup.
//
// In: plain values. Out: text, and nodes of the document. Text from an image is only ever set as
// the text of a node, never as markup.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

function count(number) {
  return Math.round(number).toLocaleString("en-US");
}

function plural(number, noun) {
  const many = noun.endsWith("y") ? noun.slice(0, -1) + "ies" : noun + "s";
  return `${count(number)} ${number === 1 ? noun : many}`;
}

// "64 KiB", "1.5 MiB": the largest unit that keeps it short, as qcowspec.report.words writes it.
function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return plural(bytes, "byte");
  return `${Number.isInteger(value) ? value : Number(value.toPrecision(4))} ${UNITS[unit]}`;
}

// Both: "64 KiB (65,536 bytes)".
function exactSize(bytes) {
  return bytes < 1024 ? size(bytes) : `${size(bytes)} (${plural(bytes, "byte")})`;
}

function hex(number, digits = 0) {
  return "0x" + number.toString(16).padStart(digits, "0");
}

function range(start, length) {
  return length <= 1 ? hex(start) : `${hex(start)}–${hex(start + length - 1)}`;
}

// A share of a whole, never rounded to a lie: what is there is never "0 %", nor all "100 %".
function share(part, whole) {
  if (!whole || !part) return "0 %";
  const percent = (100 * part) / whole;
  if (percent < 0.05) return "< 0.1 %";
  if (part < whole && percent > 99.9) return "> 99.9 %";
  return `${percent.toFixed(1)} %`;
}

// An element: its properties, and its children (nodes or text). Properties that begin with "on"
// are listeners, "data" and "style" are tables, others are attributes; false and null are left out.
function make(name, properties = {}, ...children) {
  const element = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") setStyles(element, value);
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function setStyles(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, String(value));
}

// Text that comes from an image: marks of direction in it reach no further than the element.
function foreign(text, name = "bdi") {
  const element = make(name);
  element.textContent = String(text);
  return element;
}

// Text for attributes and the live region, where no <bdi> can stand: marks of direction are
// shown as what they are.
const DIRECTIONS = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;

function flat(text) {
  return String(text).replace(DIRECTIONS, (mark) => "\\u" + mark.charCodeAt(0).toString(16));
}

// The two colours of a kind; the style sheet takes one by the page's scheme.
function tint(kind) {
  return { "--light": kind.light, "--dark": kind.dark };
}

function swatch(kind) {
  const mark = kind.cavity ? "swatch hatched" : "swatch";
  return make("span", { class: mark, style: tint(kind), "aria-hidden": "true" });
}

// A table of numbers: what a picture shows, for those who cannot see it.
function table(caption, heads, rows) {
  const cells = (row) =>
    row.map((cell, place) =>
      place === 0
        ? make("th", { scope: "row" }, typeof cell === "string" ? foreign(cell) : cell)
        : make("td", {}, String(cell)),
    );
  return make(
    "table",
    { class: "numbers" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, cells(row)))),
  );
}

function folded(summary, ...inside) {
  return make("details", { class: "folded" }, make("summary", {}, summary), ...inside);
}

function section(id, title, ...inside) {
  const heading = make("h2", { id: `${id}-title` }, title);
  return make("section", { id, "aria-labelledby": `${id}-title` }, heading, ...inside);
}
