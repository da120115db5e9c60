// A structure laid open: its fields, where each of them stands, and what it holds.
//
// In: bytes, and the name of their layout. Out: what the generated parser read, and nodes as those
// of `qcowspec dump --json`. Refuses: nothing; a structure whose bytes end early is read so far.
"use strict";

const { ExactStream, Luks1, Qcow, Qcow1, Qcow2, layout } = require("qcow-parsers");
const { hexadecimal, shortened } = require("./text");

/** Bytes of a field that stand in its node, at most. */
const MOST_RAW = 32;

const NAMES = new Map();
for (const [first, types] of Object.entries({ Luks1, Qcow, Qcow1, Qcow2 })) {
  for (const [name, type] of Object.entries(types)) {
    if (typeof type === "function") NAMES.set(type, `${spelt(first)}::${spelt(name)}`);
  }
}

/** A name as the specification writes it: "L2Entry" is "l2_entry". */
function spelt(name) {
  return name.replace(/\B[A-Z]/g, "_$&").toLowerCase();
}

const isStructure = (value) => value !== null && typeof value === "object" && "_io" in value;

/**
 * Bytes of one structure, and what the generated parser reads of them.
 *
 * `name` is its path in the image, `offset` where it starts in the file, `error` what ended it.
 */
class Part {
  constructor(name, layoutName, offset, bytes, parameters = []) {
    Object.assign(this, { name, layout: layoutName, offset, bytes, parameters, error: null });
    // Kaitai's stream heeds neither the start nor the end of a view.
    const stream = new ExactStream(bytes.slice().buffer);
    this.parsed = new (layout(layoutName))(stream, null, null, ...parameters);
    try {
      this.parsed._read();
    } catch (error) {
      this.error = error;
    }
  }

  /** All of it as a node. */
  get node() {
    if (this._node === undefined) {
      this._node = composite(this, this.parsed, this.name, this.offset, 0);
      this._node.length = this.bytes.length;
    }
    return this._node;
  }

  /** The node of a field, by its path; of the whole where there is no such field. */
  at(path) {
    let found = this.node;
    for (const name of (path || "").split(".").filter(Boolean)) {
      const next = (found.fields || []).find((field) => field.name === name);
      if (next === undefined) return this.node;
      found = next;
    }
    return found;
  }
}

function composite(part, parsed, name, base, start) {
  const node = { name, offset: base + start, length: 0, layout: NAMES.get(parsed.constructor) };
  node.fields = [];
  for (const [field, span] of Object.entries(parsed._debug)) {
    if (field.startsWith("_")) continue;
    const value = parsed[field];
    if (Array.isArray(value)) {
      value.forEach((item, index) => {
        add(part, node, parsed, `${spelt(field)}[${index}]`, base, span.arr[index], item);
      });
    } else {
      add(part, node, parsed, spelt(field), base, span, value);
    }
  }
  const last = node.fields[node.fields.length - 1];
  if (last !== undefined) node.length = last.offset + last.length - node.offset;
  return node;
}

function add(part, node, parent, name, base, span, value) {
  if (span.start === undefined || value === undefined) return;
  if (isStructure(value)) {
    // A stream of its own counts from its own start.
    const shared = value._io === parent._io;
    const inner = composite(part, value, name, shared ? base : base + span.start, shared ? span.start : 0);
    if (span.end !== undefined) inner.length = span.end - span.start;
    node.fields.push(inner);
  } else if (span.end !== undefined) {
    const offset = base + span.start;
    const length = span.end - span.start;
    const raw = part.bytes.subarray(offset - part.offset, offset - part.offset + length);
    const shown = hexadecimal(raw.subarray(0, MOST_RAW));
    node.fields.push({ name, offset, length, raw: shown, value: plain(value), held: value });
  }
}

/** A value as the model has it: exact numbers, the beginning of a text. */
function plain(value) {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "boolean") return Number(value);
  return value instanceof Uint8Array ? shortened(value) : value;
}

/** A node without what only the rules ask for. */
function shown(node) {
  const { held, fields, ...rest } = node;
  return fields && fields.length ? { ...rest, fields: fields.map(shown) } : rest;
}

/** How many nodes one has in all. */
function count(node) {
  return (node.fields || []).reduce((sum, field) => sum + count(field), 1);
}

/** The name of the layout of what was read; undefined for plain bytes. */
function layoutOf(parsed) {
  return isStructure(parsed) ? NAMES.get(parsed.constructor) : undefined;
}

module.exports = { MOST_RAW, Part, count, layoutOf, plain, shown };
