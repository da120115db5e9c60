// Entries of tables, read by the generated entry types and judged by their rules.
//
// In: bytes of a piece of a table. Out: what its entries locate. Refuses: nothing.
"use strict";

const { ExactStream, Qcow2, layout } = require("qcow-parsers");
const { place } = require("./source");

const { COMPRESSED, NORMAL, UNALLOCATED, ZERO_ALLOC, ZERO_PLAIN } = Qcow2.ClusterType;

/** The property of each entry type that says where what it locates starts. */
const OFFSETS = {
  "qcow1::l1_entry": "l2TableOffset",
  "qcow2::l1_entry": "l2TableOffset",
  "qcow2::refcount_table_entry": "refcountBlockOffset",
  "qcow2::bitmap_table_entry": "offset",
};

/**
 * Read all entries of a piece of a table that are not zero.
 *
 * @param path From an entry's index in the piece to its path.
 * @param visit Is given the index and the entry.
 */
function each(layoutName, size, bytes, parameters, offset, judge, path, visit) {
  const type = layout(layoutName);
  const { buffer } = bytes.slice();
  const stream = new ExactStream(buffer);
  const words = new Uint32Array(buffer, 0, Math.floor(bytes.length / 4));
  const wide = size / 4;
  for (let index = 0, end = Math.floor(bytes.length / size); index < end; index++) {
    let first = index * wide;
    const next = first + wide;
    while (first < next && words[first] === 0) first++;
    if (first === next) continue;
    stream.seek(index * size);
    const entry = new type(stream, null, null, ...parameters);
    entry._read();
    judge.entry(layoutName, entry, () => ({
      offset: offset + index * size, path: path(index), bytes: bytes.subarray(index * size, (index + 1) * size),
    }));
    visit(index, entry);
  }
}

/** The offsets that entries of a table locate, 0 where there is none; how many entries are not
 * zero; whether one is odd: its reserved bits are set. */
function offsets(layoutName, size, bytes, offset, judge, path) {
  const found = new Float64Array(Math.floor(bytes.length / size));
  const property = OFFSETS[layoutName];
  let used = 0;
  let odd = false;
  each(layoutName, size, bytes, [], offset, judge, path, (index, entry) => {
    found[index] = place(entry[property]);
    odd = odd || entry.okReserved === false;
    used++;
  });
  return { found, used, odd };
}

/**
 * A piece of an L2 table as arrays: type, host offset, bytes of a payload, subclusters.
 *
 * @param dataFile Whether guest data lie in another file: there a cluster may be at offset 0.
 */
function l2Piece(layoutName, size, bytes, parameters, offset, judge, path, dataFile) {
  const count = Math.floor(bytes.length / size);
  const extended = parameters[1] === true;
  const piece = {
    types: new Uint8Array(count), hosts: new Float64Array(count), sizes: new Float64Array(count),
    allocated: extended ? new Uint32Array(count) : null, zeros: extended ? new Uint32Array(count) : null,
  };
  each(layoutName, size, bytes, parameters, offset, judge, path, (index, entry) => {
    const type = typeOf(entry, dataFile);
    piece.types[index] = type;
    const host = place(type === COMPRESSED ? entry.coffset : entry.offset);
    piece.hosts[index] = host;
    if (type === COMPRESSED) piece.sizes[index] = place(entry.csize);
    if (extended) {
      piece.allocated[index] = entry.allocBitmap;
      piece.zeros[index] = entry.zeroBitmap;
    }
  });
  return piece;
}

/** The type of the cluster that an entry describes. */
function typeOf(entry, dataFile) {
  if (entry.clusterType === undefined) {
    // Version 1 has these three.
    return entry.isCompressed ? COMPRESSED : entry.offset != 0 ? NORMAL : UNALLOCATED;
  }
  // The entry type's own words: with a data file, copied at offset 0 is a normal cluster.
  if (dataFile && entry.copied && entry.clusterType === UNALLOCATED) return NORMAL;
  return entry.clusterType;
}

/** Which of some neighbouring reference counts are not 0. */
function counts(bytes, count, order) {
  const type = layout("qcow2::refcount_entry");
  const stream = new ExactStream(bytes.slice().buffer);
  const found = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const entry = new type(stream, null, null, index, order);
    entry._read();
    found[index] = Number(entry.refcount);
  }
  return found;
}

module.exports = { COMPRESSED, NORMAL, UNALLOCATED, ZERO_ALLOC, ZERO_PLAIN, counts, l2Piece, offsets };
