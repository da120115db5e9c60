// The viewer's model of an image, as far as it was read.
//
// In: an image. Out: the model that `showPage` takes. Refuses: nothing; all that was not read, or
// is cut short, has a sentence in `left_out`.
"use strict";

const { COMPRESSED } = require("./entries");
const { Disk, RUNS, cells } = require("./disk");
const { cryptMethods } = require("./image");
const { MOST_RAW, count, shown } = require("./nodes");
const { base64, grouped, hexadecimal, moment, nameOf, plural, printable, size } = require("./text");
const { tiles } = require("./usage");
const { BITMAPS, COUNTS, FIRST, L2 } = require("./work");

/** Findings, nodes of the tree, and bytes that stand beside it, at most. */
const FINDINGS = 1000;
const NODES = 2000;
const BESIDE = 96 * 1024;
const OF_ONE = 512;
const NOTHING = new Uint8Array(0);

function model(image) {
  const disk = new Disk(image);
  const states = disk.states();
  const found = tiles(image);
  const tree = structures(image);
  const findings = image.judge.findings.slice(0, FINDINGS);
  const verdicts = image.judge.verdicts(hasMore(image) || image.geometry === null);
  const total = [...image.judge.counts.values()].reduce((sum, each) => sum + each, 0);
  return {
    schema: "qcowspec.page/1",
    made_by: image.facts.made_by,
    file: {
      name: printable(image.source.name), length: image.source.length,
      format: image.judge.format, version: image.header.version,
    },
    facts: facts(image, states),
    verdicts: verdicts.map(({ unseen, ...verdict }) => verdict),
    findings,
    findings_left: total - findings.length,
    check: null,
    check_says: "References were not counted against refcounts. `qcowspec check` does.",
    tiles: drawn(found),
    kinds: found.sums,
    structures: tree.nodes,
    structures_left: tree.left,
    bytes: tree.bytes,
    disk: states,
    plots: plots(image, disk, states),
    left_out: [...leftOut(image), ...rulesLeft(verdicts)],
  };
}

/** The tiles as the picture has them. */
function drawn({ kinds, lengths }) {
  if (kinds.length <= RUNS) return { kinds, lengths, unit: 1, exact: true };
  return cells(kinds, lengths, RUNS, (made) => ({ ...made, exact: false }));
}

function bytesOf(number) {
  return `${size(number)} (${grouped(number)} bytes)`;
}

function facts(image, states) {
  const { header, source, geometry } = image;
  const method = cryptMethods(image)[header.cryptMethod];
  const found = [
    ["Virtual size", bytesOf(header.size)],
    ["File length", bytesOf(source.length)],
    ["Format", `${image.judge.format}, version ${header.version}`],
  ];
  if (geometry !== null) found.push(["Cluster size", bytesOf(geometry.clusterSize)]);
  if (image.backing !== null) found.push(["Backing file", nameOf(image.backing.name)]);
  if (image.backingFormat !== null) found.push(["Backing format", nameOf(image.backingFormat)]);
  if (image.dataFile !== null) found.push(["Data file", nameOf(image.dataFile)]);
  if (header.cryptMethod !== cryptMethods(image).NONE) {
    found.push(["Encryption", method === undefined ? String(header.cryptMethod) : method]);
  }
  if (header.nbSnapshots) found.push(["Snapshots", grouped(header.nbSnapshots)]);
  if (image.tables.bitmaps.length) found.push(["Bitmaps", grouped(image.tables.bitmaps.length)]);
  found.push(["Read", `${bytesOf(source.spent)} of the file`]);
  return found;
}

// --- the tree -------------------------------------------------------------------------------------

class Tree {
  constructor() {
    Object.assign(this, { nodes: [], left: 0, held: 0, bytes: [], spent: 0 });
  }

  /** Add a structure, with bytes that stand beside it. */
  part(part, meaning) {
    if (this.left > 0) {
      this.left++; // a hostile image has 65,536 snapshots, too many to lay open
      return;
    }
    const node = shown(part.node);
    this.add(meaning ? { ...node, meaning } : node, part.bytes);
  }

  add(node, bytes) {
    if (!Number.isFinite(node.offset)) return; // where no file has bytes
    const nodes = count(node);
    if (this.left > 0 || this.held + nodes > NODES) {
      this.left++;
      return;
    }
    this.held += nodes;
    this.nodes.push(node);
    if (bytes === undefined || !bytes.length) return;
    const kept = node.name === "header" ? bytes : bytes.subarray(0, OF_ONE);
    if (this.spent + kept.length > BESIDE) return;
    this.spent += kept.length;
    this.bytes.push([node.offset, base64(kept)]);
  }

  /** A table, of which only the sums are shown. */
  table(name, offset, length, layout, summary) {
    this.add({ name, offset, length, layout, ...(summary ? { summary } : {}) });
  }
}

function structures(image) {
  const tree = new Tree();
  image.parts.forEach((part) => tree.part(part));
  if (image.backing !== null) {
    const { offset, bytes, name } = image.backing;
    const raw = hexadecimal(bytes.subarray(0, MOST_RAW));
    tree.add({ name: "backing_file_name", offset, length: bytes.length, raw, value: nameOf(name) }, bytes);
  }
  for (const part of image.luks.values()) tree.part(image.present(part));
  if (image.geometry === null) return tree;
  const { tables } = image;
  const active = tables.l1.find((table) => table.active);
  if (active !== undefined) l1(tree, image, active);
  if (tables.refcounts !== null) refcounts(tree, image);
  tables.snapshots.forEach((snapshot) => {
    tree.part(image.present(snapshot.part), `"${nameOf(snapshot.part.parsed.name || NOTHING)}"`);
    if (snapshot.l1 !== null) l1(tree, image, snapshot.l1);
  });
  for (const bitmap of tables.bitmaps) {
    tree.part(image.present(bitmap.part), `"${nameOf(bitmap.part.parsed.name || NOTHING)}"`);
    if (bitmap.offset === undefined) continue;
    const width = image.constants.BME_TABLE_ENTRY_SIZE;
    const summary = { entries: bitmap.count, used: bitmap.used };
    const name = `${bitmap.part.name}.bitmap_table`;
    tree.table(name, bitmap.offset, bitmap.count * width, "qcow2::bitmap_table", summary);
  }
  return tree;
}

function l1(tree, image, table) {
  const { geometry, constants } = image;
  const layout = geometry.l1Entry.replace("entry", "table");
  const whole = table.known >= table.present;
  tree.table(
    `${table.prefix}l1_table`, table.offset, table.claimed * constants.L1E_SIZE, layout,
    whole ? { entries: table.claimed, used: table.used } : null
  );
  for (const each of image.tables.l2.values()) {
    if (each.judged.startsWith(`${table.prefix}l2_tables[`) && each.pieces.length) {
      tree.table(each.judged, each.offset, geometry.l2Bytes, geometry.l2Entry.replace("entry", "table"), kinds(image, each));
    }
  }
}

/** How many entries of an L2 table are of each type; null of one that was not read to its end. */
function kinds(image, table) {
  if (!image.tables.isKnown(table)) return null;
  const names = ["unallocated", "zero_plain", "zero_alloc", "normal", "compressed"];
  const summary = { entries: image.geometry.l2Entries, ...Object.fromEntries(names.map((name) => [name, 0])) };
  for (const { types } of table.pieces) for (const type of types) summary[names[type]]++;
  summary.unallocated += image.geometry.l2Entries - table.known;
  return summary;
}

function refcounts(tree, image) {
  const { refcounts: table, blocks } = image.tables;
  const width = image.constants.REFTABLE_ENTRY_SIZE;
  tree.table("refcount_table", table.offset, table.count * width, "qcow2::refcount_table", { entries: table.count, used: table.used });
  const seen = new Set();
  for (const block of blocks) {
    if (!block.known || seen.has(block.offset)) continue;
    seen.add(block.offset);
    const whole = image.tables.isCounted(block);
    tree.table(
      `refcount_blocks[${block.index}]`, block.offset, image.geometry.clusterSize, "qcow2::refcount_block",
      whole ? { entries: image.header.refcountBlockEntries, used: block.used } : null
    );
  }
}

// --- plots ----------------------------------------------------------------------------------------

function plots(image, disk, states) {
  const allocation = states.states.map(({ id, sums }, index) => [index === 0 ? "active" : `snapshot ${id}`, sums]);
  const runs = disk.active;
  const sizes = [];
  if (runs !== undefined) {
    runs.states.forEach((state, run) => {
      if (disk.names[state] === "data") sizes.push(runs.lengths[run]);
    });
  }
  const powers = sizes.map((bytes) => 2 ** Math.ceil(Math.log2(bytes)));
  return {
    extents: { count: sizes.length, histogram: histogram(powers) },
    compression: compression(image),
    allocation,
  };
}

function histogram(values) {
  const found = new Map();
  for (const value of values) found.set(value, (found.get(value) || 0) + 1);
  return [...found].sort((a, b) => a[0] - b[0]);
}

/** How much smaller compressed clusters are: by what their entries claim, in steps of 10 %. */
function compression(image) {
  if (image.geometry === null || image.geometry.dataFile) return null;
  const steps = [];
  let payload = 0;
  for (const table of image.tables.l2.values()) {
    for (const { types, sizes } of table.pieces) {
      types.forEach((type, index) => {
        if (type !== COMPRESSED) return;
        payload += sizes[index];
        steps.push(Math.min(100, Math.ceil((sizes[index] * 10) / image.geometry.clusterSize) * 10));
      });
    }
  }
  if (!steps.length) return null;
  return { clusters: steps.length, payload, guest: steps.length * image.geometry.clusterSize, histogram: histogram(steps) };
}

// --- what was not looked at -----------------------------------------------------------------------

function leftOut(image) {
  const said = [...image.leftOut];
  const { tables, geometry } = image;
  if (geometry === null) {
    said.push("Nothing after the header was looked at: a rule is broken without which it cannot be located.");
    return said;
  }
  if (tables.broken) said.push("What a broken rule makes unsure was not looked at.");
  if (tables.cut) said.push("The file ends before a directory does: its last entries were not looked at.");
  const pending = tables.pending;
  const known = [...tables.l2.values()].filter((table) => tables.isKnown(table)).length;
  if (pending.l2) said.push(`${grouped(known)} of ${plural(tables.l2.size, "L2 table")} were read.`);
  const names = { l1: "L1 tables", refcounts: "the refcount table", snapshots: "the snapshot table", bitmaps: "the bitmap directory", "bitmap-tables": "bitmap tables" };
  for (const [key, name] of Object.entries(names)) {
    if (pending[key]) said.push(`${size(pending[key])} of ${name} were not read.`);
  }
  if (pending.blocks) said.push(`${size(pending.blocks)} of refcount blocks were not read.`);
  if (!tables.complete) {
    said.push("What no table that was read locates is shown as not looked at, never as free or leaked; guest data may be shared with snapshots whose tables were not read.");
  }
  said.push("Compressed clusters were not inflated: all bytes that an entry claims count as payload.");
  said.push("Only rules about a structure's own bytes are judged. References are not counted, no other file is opened, and guest data are not looked into.");
  return said;
}

/** The rules that were not judged, by name. */
function rulesLeft(verdicts) {
  const names = [...new Set(verdicts.flatMap(({ unseen }) => unseen))];
  return names.length ? [`Rules that were not judged here: ${names.join(", ")}.`] : [];
}

/** Whether reading on would show more. */
function hasMore(image) {
  return image.geometry !== null && [FIRST, L2, BITMAPS, COUNTS].some((order) => image.work.left(order) > 0);
}

module.exports = { hasMore, model };
