// Claims what structures and table entries locate of the file; see qcowspec/check/claims.py.
//
// In: an image, as far as it was read. Out: its tiles. Refuses: to call anything free or leaked
// that was not looked at.
"use strict";

const { Claims } = require("./claims");
const { COMPRESSED, NORMAL, ZERO_ALLOC } = require("./entries");

/** The tiles of an image's file, and their sums. */
function tiles(image) {
  const claims = new Claims(image.source.length, image.facts);
  claims.add(image.kind["not-looked-at"], 0, claims.length);
  if (image.geometry === null) {
    claims.add(image.kind.header, 0, image.headerPart.bytes.length);
    return claims.tiles();
  }
  new Claimant(image, claims).fill();
  return claims.tiles();
}

class Claimant {
  constructor(image, claims) {
    Object.assign(this, { image, claims, kind: image.kind, geometry: image.geometry });
    this.tables = image.tables;
    this.size = image.geometry.clusterSize;
  }

  fill() {
    const { image, kind } = this;
    const { complete } = this.tables;
    this.sure = complete && !isLost(image);
    if (complete && !this.sure) this.claims.add(kind["not-followed"], 0, this.claims.length);
    if (image.isFirst) {
      if (this.sure) this.claims.add(kind.free, 0, this.claims.length);
      this.claims.add(kind.header, 0, image.headerPart.bytes.length);
      this._name();
      for (const table of this.tables.l1) {
        this.claims.add(kind["l1-table"], table.offset, table.offset + table.claimed * image.constants.L1E_SIZE);
      }
    } else {
      this._free();
      this._header();
      this._regions();
    }
    for (const table of this.tables.l2.values()) this._l2(table);
  }

  /** Claim a range for a kind that others may use: known only where all was followed. */
  _unless(name, start, end) {
    if (this.sure) this.claims.add(this.kind[name], start, end);
  }

  _down(offset) {
    return offset - (offset % this.size);
  }

  _up(offset) {
    return this._down(offset + this.size - 1);
  }

  _name() {
    const { backing } = this.image;
    if (backing !== null) {
      this.claims.add(this.kind["backing-file-name"], backing.offset, backing.offset + backing.length);
    }
  }

  /** What nothing may reference: known only where all tables and the counts were read. */
  _free() {
    const { claims, kind, tables, image } = this;
    if (!this.sure || tables.refcounts === null) return;
    const per = image.header.refcountBlockEntries;
    const span = per * this.size;
    const { known, count } = tables.refcounts;
    claims.add(kind.tail, this._down(claims.length), claims.length);
    const blocks = new Map(tables.blocks.map((block) => [block.index, block]));
    let from = 0;
    for (const [index, block] of [...blocks].sort((a, b) => a[0] - b[0])) {
      claims.add(kind.free, from, index * span);
      from = (index + 1) * span;
      this._counted(block, index * span, Math.min(from, this._up(claims.length)));
    }
    const past = image.source.length - tables.refcounts.offset;
    const all = known >= count || known * image.constants.REFTABLE_ENTRY_SIZE >= past;
    claims.add(kind.free, from, all ? claims.length : known * span);
  }

  /** The clusters whose counts are in one block. */
  _counted(block, start, end) {
    const { claims, kind } = this;
    if (block.offset >= this.image.source.length) claims.add(kind.free, start, end);
    for (const { first, counts } of block.pieces || []) {
      for (let index = 0; index < counts.length; ) {
        const at = start + (first + index) * this.size;
        if (at >= end) return;
        const held = counts[index] !== 0;
        let next = index + 1;
        while (next < counts.length && (counts[next] !== 0) === held) next++;
        const to = start + (first + next) * this.size;
        claims.add(kind.free, at, to);
        if (held) claims.add(kind.leaked, at, to);
        index = next;
      }
    }
    // Counts past the end of a block that the file ends in are zeros.
    if (this.image.source.length - block.offset < this.size && block.known !== undefined) {
      claims.add(kind.free, start + block.known * this.size, end);
    }
  }

  /** Whether all that stands in the header's cluster was read. */
  get _isHeaderWhole() {
    const { stopped } = this.image.judge;
    return !this.image.cut && !["header", "extensions", "backing"].some((stage) => stopped.has(stage));
  }

  /** The header's cluster. */
  _header() {
    const { claims, kind, image } = this;
    const taken = [[0, image.headerPart.bytes.length]];
    claims.add(kind.header, ...taken[0]);
    for (const { offset, bytes, parsed } of image.extensions) {
      const padding = parsed.padding === undefined ? 0 : parsed.padding.length;
      taken.push([offset, offset + bytes.length - padding]);
      claims.add(kind["header-extensions"], ...taken[taken.length - 1]);
    }
    this._name();
    const { backing } = image;
    if (backing !== null) taken.push([backing.offset, backing.offset + backing.length]);
    taken.sort((a, b) => a[0] - b[0]);
    let end = 0;
    for (const [start, stop] of [...taken, [this.size, this.size]]) {
      if (this._isHeaderWhole) claims.add(kind["header-padding"], end, start);
      end = Math.max(end, stop);
    }
  }

  /** The other structures that no table entry locates. */
  _regions() {
    const { claims, kind, image, tables } = this;
    const { L1E_SIZE, BME_TABLE_ENTRY_SIZE } = image.constants;
    for (const table of tables.l1) {
      this._region(table.active ? kind["l1-table"] : kind["snapshot-l1-table"], table.offset, table.claimed * L1E_SIZE);
    }
    if (tables.refcounts !== null) {
      this._region(kind["refcount-table"], tables.refcounts.offset, image.header.refcountTableBytes);
    }
    for (const block of tables.blocks) {
      if (block.offset % this.size === 0) claims.add(kind["refcount-block"], block.offset, block.offset + this.size);
    }
    if (image.crypto !== null) {
      this._region(kind["luks-header"], Number(image.crypto.offset), Number(image.crypto.length));
    }
    this._directory(kind["snapshot-table"], tables.snapshots.filter(({ sound }) => sound));
    this._directory(kind["bitmap-directory"], tables.bitmaps.filter(({ sound }) => sound));
    for (const bitmap of tables.bitmaps) {
      if (!bitmap.sound) continue;
      this._region(kind["bitmap-table"], bitmap.offset, bitmap.part.parsed.bitmapTableSize * BME_TABLE_ENTRY_SIZE);
      for (const offset of bitmap.odd ? [] : bitmap.offsets) {
        if (offset % this.size === 0) claims.add(kind["bitmap-data"], offset, offset + this.size);
      }
    }
  }

  /** A structure, and what is left of its clusters. */
  _region(kind, offset, length) {
    const end = Math.min(offset + length, this.image.source.length);
    if (!(offset < end)) return;
    this.claims.add(kind, offset, end);
    this._rest(offset, end);
  }

  _rest(start, end) {
    this.claims.add(this.kind["table-padding"], this._down(start), start);
    this.claims.add(this.kind["table-padding"], end, this._up(end));
  }

  /** The entries of a directory, and the padding between them and after the last. */
  _directory(kind, entries) {
    let before = null;
    let first = null;
    for (const { part } of entries) {
      const end = Math.min(part.offset + Number(part.parsed.unpaddedSize), this.image.source.length);
      if (!(part.offset < end)) continue;
      this.claims.add(kind, part.offset, end);
      if (before !== null) this.claims.add(this.kind["table-padding"], before, part.offset);
      if (first === null) first = part.offset;
      before = end;
    }
    if (first !== null && (this.sure || !this.tables.complete)) this._rest(first, before);
  }

  // --- what L2 entries locate ---------------------------------------------------------------------

  _l2(table) {
    const { claims, kind, geometry } = this;
    const end = table.offset + geometry.l2Bytes;
    if (table.active) claims.add(kind["l2-table"], table.offset, end);
    if (table.inactive) claims.add(kind["snapshot-l2-table"], table.offset, end);
    if (geometry.dataFile) return;
    const disk = this._reach(table);
    for (const piece of table.pieces) {
      const { types } = piece;
      for (let index = 0; index < types.length; index++) {
        const type = types[index];
        const guest = table.index * geometry.span + (piece.first + index) * this.size;
        if (type === COMPRESSED) this._payload(table, piece, index, disk.size - guest);
        else if (type === NORMAL || type === ZERO_ALLOC) this._cluster(table, piece, index, guest, disk);
      }
    }
  }

  /** How far a table is of use: one that several states have, as far as any of them reaches. */
  _reach(table) {
    const { span } = this.geometry;
    const shared = table.active + table.inactive > 1;
    if (shared && this._largest === undefined) {
      this._largest = { size: 0, state: 0 };
      const states = [{ disk: this.image.wholeSectors(this.image.header.size), state: 0 }];
      for (const { disk, part } of this.tables.snapshots) {
        if (disk === undefined) continue;
        states.push({ disk: this.image.wholeSectors(disk), state: Number(part.parsed.effectiveVmStateSize) });
      }
      for (const { disk, state } of states) {
        this._largest.size = Math.max(this._largest.size, disk);
        this._largest.state = Math.max(this._largest.state, state);
      }
    }
    const start = Math.ceil(table.l1.disk / span) * span;
    return {
      size: shared ? this._largest.size : table.l1.disk, start,
      end: start + (shared ? this._largest.state : table.l1.state),
    };
  }

  _cluster(table, piece, index, guest, disk) {
    const { claims, kind, geometry, size } = this;
    const host = piece.hosts[index];
    const left = Math.max(disk.size - guest, 0);
    const stored = geometry.extended ? piece.allocated[index] !== 0 : piece.types[index] === NORMAL;
    const whole = geometry.extended && piece.allocated[index] === this.image.constants.QCOW_L2_BITMAP_ALL_ALLOC;
    if (geometry.extended ? !whole : !stored) this._unless("preallocated", host, host + size);
    if (!stored) return;
    const state = guest >= disk.start ? disk.end - guest : 0;
    if (state > 0 && left === 0) {
      claims.add(kind["vm-state"], host, host + Math.min(state, size));
      if (state < size) this._unless("beyond-disk", host + state, host + size);
      return;
    }
    const used = Math.min(left, size);
    for (const [name, chosen] of [["data", table.active], ["snapshot-data", table.inactive]]) {
      if (!chosen || left === 0) continue;
      if (geometry.extended) this._subclusters(kind[name], host, used, piece.allocated[index]);
      else claims.add(kind[name], host, host + used);
    }
    if (left < size) this._unless("beyond-disk", host + used, host + size);
  }

  _subclusters(kind, host, used, allocated) {
    const parts = this.image.constants.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER;
    const step = this.size / parts;
    for (let part = 0; part < parts; part++) {
      if ((allocated >>> part) & 1) this.claims.add(kind, host + part * step, host + Math.min((part + 1) * step, used));
    }
  }

  _payload(table, piece, index, left) {
    const { claims, kind } = this;
    const start = piece.hosts[index];
    const end = start + piece.sizes[index];
    if (left > 0) {
      if (table.active) claims.add(kind.compressed, start, end);
      if (table.inactive) claims.add(kind["snapshot-compressed"], start, end);
    } else {
      this._unless("beyond-disk", start, end);
    }
    if (this.image.isFirst) this._unless("compressed-padding", start, end);
    else this._unless("compressed-padding", this._down(start), this._up(end));
  }
}

/** Whether structures are broken so that what they locate is not known; see check/followed.py. */
function isLost(image) {
  const { tables, geometry, source, constants, judge, crypto, header } = image;
  if (judge.stopped.size > 0 || tables.cut || image.cut) return true;
  const regions = tables.l1.map(({ offset, claimed }) => [offset, claimed * constants.L1E_SIZE]);
  if (tables.refcounts !== null) regions.push([tables.refcounts.offset, header.refcountTableBytes]);
  if (crypto !== null) regions.push([Number(crypto.offset), Number(crypto.length)]);
  for (const { part } of [...tables.snapshots, ...tables.bitmaps]) {
    regions.push([part.offset, Number(part.parsed.unpaddedSize)]);
  }
  if (tables.directory !== undefined) regions.push(tables.directory);
  for (const { part, offset } of tables.bitmaps) {
    if (offset !== undefined) regions.push([offset, part.parsed.bitmapTableSize * constants.BME_TABLE_ENTRY_SIZE]);
  }
  for (const { offset } of tables.l2.values()) regions.push([offset, geometry.l2Bytes]);
  for (const { offset } of tables.blocks) regions.push([offset, geometry.clusterSize]);
  if (regions.some(([offset, length]) => length > 0 && offset + length > source.length)) return true;
  if (image.isFirst) return false;
  const located = [...tables.l2.values(), ...tables.blocks, ...tables.bitmaps.flatMap(({ offsets }) => offsets.map((offset) => ({ offset })))];
  return tables.odd || located.some(({ offset }) => offset % geometry.clusterSize !== 0) ||
    tables.snapshots.some(({ l1, part }) => l1 === null && part.parsed.l1Size > 0);
}

module.exports = { isLost, tiles };
