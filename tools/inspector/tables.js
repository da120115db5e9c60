// The tables of an image, read piece by piece: L1 and L2, reference counts, snapshots, bitmaps.
//
// In: an image whose header was read. Out: what the tables locate, as far as they were read.
// Refuses: to follow an offset that is not aligned, which QEMU does not follow either, and more
// pieces than there is work for; what is left is counted.
"use strict";

const { counts, l2Piece, offsets } = require("./entries");
const { Part } = require("./nodes");
const { PIECE, place } = require("./source");
const { BITMAPS, COUNTS, FIRST, L2 } = require("./work");

/** Pieces: above any entry of a directory that QEMU accepts. */
const LONGEST_ENTRY = 4;

/** Bytes: more than most entries of a directory have. */
const ORDINARY_ENTRY = 256;

class Tables {
  constructor(image) {
    Object.assign(this, { image, judge: image.judge, work: image.work, source: image.source });
    this.c = image.constants;
    this.l1 = [];
    /** L2 tables by their offset. */
    this.l2 = new Map();
    this.refcounts = null;
    this.blocks = [];
    this.snapshots = [];
    this.bitmaps = [];
    /** Bytes of structures that were begun and not read to their end, by what they are. */
    this.pending = { l1: 0, l2: 0, refcounts: 0, blocks: 0, snapshots: 0, bitmaps: 0, "bitmap-tables": 0 };
  }

  /** Whether all is read that locates something in the file. */
  get complete() {
    const { l1, l2, snapshots, bitmaps } = this.pending;
    return this.image.geometry !== null &&
      l1 + l2 + snapshots + bitmaps + this.pending["bitmap-tables"] === 0;
  }

  /** Find the first pieces. */
  begin() {
    const { header, isFirst } = this.image;
    const { stopped } = this.judge;
    if (stopped.has("l1") || (isFirst && stopped.has("header"))) this.broken = true;
    else this._addL1("", place(header.l1TableOffset), Number(header.l1Size), true, Number(header.size));
    if (isFirst) return;
    if (!stopped.has("refcounts")) {
      const length = header.refcountTableBytes;
      this.refcounts = { offset: place(header.refcountTableOffset), count: length / this.c.REFTABLE_ENTRY_SIZE, known: 0, used: 0 };
      this._piecewise(FIRST, "refcounts", this.refcounts.offset, length, (at, bytes) => this._refcounts(at, bytes));
    }
    if (header.nbSnapshots > 0) {
      if (stopped.has("snapshots")) this.broken = true;
      else this._snapshots(place(header.snapshotsOffset));
    }
    this._bitmaps();
  }

  /** Read the bytes of a table piece by piece; those past the end of the file are zeros. */
  _piecewise(order, pending, offset, length, visit, at = 0) {
    const present = Math.min(length, Math.max(0, this.source.length - offset));
    if (at >= present) return;
    this.pending[pending] += at === 0 ? present : 0;
    this.work.add(order, async () => {
      const wanted = Math.min(PIECE, present - at);
      // The last entry of a file that ends within it is filled up with zeros.
      const bytes = await this.source.readFilled(offset + at, Math.min(PIECE, wanted + (-wanted & 15)));
      this.pending[pending] -= wanted;
      const going = visit(at, bytes.subarray(0, Math.min(bytes.length, length - at)));
      if (going === false) this.pending[pending] -= present - at - wanted;
      else this._piecewise(order, pending, offset, length, visit, at + wanted);
    });
  }

  // --- L1 and L2 ----------------------------------------------------------------------------------

  _addL1(prefix, offset, claimed, active, disk, state = 0) {
    const count = Math.min(claimed, this.c.QCOW_MAX_L1_SIZE / this.c.L1E_SIZE);
    const table = { prefix, offset, claimed, count, active, disk: this.image.wholeSectors(disk), state, known: 0, used: 0, pieces: [] };
    table.entries = (index) => {
      const piece = table.pieces[Math.floor((index * this.c.L1E_SIZE) / PIECE)];
      return piece === undefined ? 0 : piece[index % (PIECE / this.c.L1E_SIZE)] || 0;
    };
    const present = Math.min(count * this.c.L1E_SIZE, Math.max(0, this.source.length - offset));
    table.present = Math.ceil(present / this.c.L1E_SIZE);
    this.l1.push(table);
    this._piecewise(FIRST, "l1", offset, count * this.c.L1E_SIZE, (at, bytes) => this._l1(table, at, bytes));
    return table;
  }

  _l1(table, at, bytes) {
    const { geometry } = this.image;
    const first = at / this.c.L1E_SIZE;
    const path = (index) => `${table.prefix}l1_table[${first + index}]`;
    const { found, used } = offsets(
      geometry.l1Entry, this.c.L1E_SIZE, bytes, table.offset + at, this.judge, path
    );
    table.used += used;
    table.pieces.push(found);
    table.known = first + found.length;
    for (let index = 0; index < found.length; index++) {
      if (found[index] !== 0) this._locate(table, first + index, found[index]);
    }
  }

  _locate(l1, index, offset) {
    let table = this.l2.get(offset);
    const place = l1.offset + index * this.c.L1E_SIZE;
    const isNew = table === undefined;
    if (isNew) {
      table = { offset, active: 0, inactive: 0, l1, index, place, pieces: [], known: 0, judged: `${l1.prefix}l2_tables[${index}]` };
      this.l2.set(offset, table);
    } else if ((l1.active && !table.active) || (l1.active === table.l1.active && place < table.place)) {
      Object.assign(table, { l1, index, place });
    }
    if (l1.active) table.active++;
    else table.inactive++;
    if (!isNew || !this._follows(offset)) return;
    const { geometry } = this.image;
    this._piecewise(L2, "l2", offset, geometry.l2Bytes, (at, bytes) => this._l2(table, at, bytes));
  }

  /** Whether a table at an offset is read. */
  _follows(offset) {
    const { geometry, isFirst } = this.image;
    return offset < this.source.length && (isFirst || offset % geometry.clusterSize === 0);
  }

  _l2(table, at, bytes) {
    const { geometry } = this.image;
    const first = at / geometry.entrySize;
    const path = (index) => `${table.judged}[${first + index}]`;
    const piece = l2Piece(
      geometry.l2Entry, geometry.entrySize, bytes, geometry.parameters, table.offset + at, this.judge, path, geometry.dataFile
    );
    table.pieces.push({ first, ...piece });
    table.known = first + piece.types.length;
  }

  /** Whether all entries of an L2 table are known; those past the end of the file are zeros. */
  isKnown(table) {
    const { geometry } = this.image;
    if (table.offset >= this.source.length) return true;
    const present = Math.min(geometry.l2Bytes, this.source.length - table.offset);
    return this._follows(table.offset) && table.known * geometry.entrySize >= present;
  }

  // --- reference counts ---------------------------------------------------------------------------

  _refcounts(at, bytes) {
    const { geometry, header } = this.image;
    const first = at / this.c.REFTABLE_ENTRY_SIZE;
    const path = (index) => `refcount_table[${first + index}]`;
    const { found, used, odd } = offsets(
      "qcow2::refcount_table_entry", this.c.REFTABLE_ENTRY_SIZE, bytes, this.refcounts.offset + at, this.judge, path
    );
    this.refcounts.known = first + found.length;
    this.refcounts.used += used;
    if (odd) this.odd = true;
    const per = header.refcountBlockEntries;
    found.forEach((offset, index) => {
      if (offset === 0) return;
      const block = { index: first + index, offset, counts: null, used: 0 };
      this.blocks.push(block);
      if (!this._follows(offset)) return;
      const clusters = Math.ceil(this.source.length / geometry.clusterSize) - block.index * per;
      // Large blocks are read as far as the file has clusters; no more is asked of them.
      const count = geometry.clusterSize <= PIECE ? per : Math.min(per, Math.max(0, clusters));
      const length = Math.ceil((count * header.refcountBits) / 8);
      block.wanted = count;
      block.pieces = [];
      block.known = 0;
      this._piecewise(COUNTS, "blocks", offset, length, (start, piece) => this._block(block, start, piece));
    });
  }

  _block(block, at, bytes) {
    const { refcountBits, effectiveRefcountOrder } = this.image.header;
    const count = Math.min(block.wanted - block.known, Math.floor((bytes.length * 8) / refcountBits));
    const found = counts(bytes, count, effectiveRefcountOrder);
    block.pieces.push({ first: block.known, counts: found });
    block.known += count;
    block.used += found.reduce((sum, each) => sum + (each !== 0), 0);
  }

  /** Whether all counts of a block were read that the file holds. */
  isCounted(block) {
    if (block.known === undefined) return false;
    const present = this.source.length - block.offset;
    return block.known === this.image.header.refcountBlockEntries ||
      block.known * this.image.header.refcountBits >= present * 8;
  }

  // --- snapshots and bitmaps ----------------------------------------------------------------------

  /**
   * Read a directory, entry by entry.
   *
   * @param step Is given an offset, the bytes there, and whether there will be no more of them. It
   *   answers with the bytes that its entry takes: 0 where the directory ends or cannot be read
   *   further, null where there are too few.
   */
  _directory(pending, offset, end, step) {
    const total = Math.max(0, Math.min(end, this.source.length) - offset);
    this.pending[pending] += Math.max(1, total);
    let left = Math.max(1, total);
    let pieces = 1;
    const piece = async () => {
      const bytes = new Uint8Array(Math.max(0, Math.min(pieces * PIECE, end - offset)));
      for (let start = 0; start < bytes.length; start += PIECE) {
        bytes.set(await this.source.read(offset + start, Math.min(PIECE, bytes.length - start)), start);
      }
      let at = 0;
      for (;;) {
        const rest = bytes.subarray(at);
        const whole = offset + at + rest.length >= end || (at === 0 && pieces === LONGEST_ENTRY);
        const taken = step(offset + at, rest, whole);
        if (taken === null) break;
        at += taken;
        if (taken === 0 || at > bytes.length) {
          this.pending[pending] -= left;
          return;
        }
        await this.work.pause();
      }
      pieces = at === 0 ? LONGEST_ENTRY : 1;
      offset += at;
      const done = Math.min(left - 1, at);
      left -= done;
      this.pending[pending] -= done;
      this.work.add(FIRST, piece);
    };
    this.work.add(FIRST, piece);
  }

  _snapshots(offset) {
    const { header } = this.image;
    // Past the end of the file there are zeros, of which as many entries could be read as wanted.
    const end = this.source.length + LONGEST_ENTRY * PIECE;
    this._directory("snapshots", offset, end, (at, bytes, whole) => {
      const index = this.snapshots.length;
      if (index >= header.nbSnapshots) return 0;
      if (at >= this.source.length) {
        this.cut = true;
        return 0;
      }
      const part = this._entry(`snapshots[${index}]`, "qcow2::snapshot", at, bytes, [], whole);
      if (part === null) return null;
      const sound = this.judge.part(part);
      const snapshot = { part, sound, l1: null };
      this.snapshots.push(snapshot);
      if (!sound) {
        this.broken = true;
        return 0;
      }
      this._snapshotTable(snapshot, index);
      return part.parsed.entrySize;
    });
  }

  _snapshotTable(snapshot, index) {
    const entry = snapshot.part.parsed;
    const { geometry, header } = this.image;
    const offset = place(entry.l1TableOffset);
    snapshot.disk = Number(entry.diskSize === undefined ? header.size : entry.diskSize);
    const state = Number(entry.effectiveVmStateSize);
    if (!entry.okL1Size || !(offset % geometry.clusterSize === 0)) return;
    snapshot.l1 = this._addL1(`snapshots[${index}].`, offset, entry.l1Size, false, snapshot.disk, state);
  }

  /** An entry of a directory, or null if its bytes are not all there yet. */
  _entry(name, layout, offset, bytes, parameters, whole) {
    // The fixed part tells how long the entry is.
    const head = new Part(name, layout, offset, bytes.subarray(0, ORDINARY_ENTRY), parameters);
    const length = head.error === null ? Number(head.parsed.entrySize) : Infinity;
    if (length > bytes.length && !whole) return null;
    return new Part(name, layout, offset, bytes.subarray(0, length), parameters);
  }

  _bitmaps() {
    const { bitmapsExtension, header } = this.image;
    if (bitmapsExtension === null || !header.hasBitmaps) return;
    this.judge.part(bitmapsExtension, "extensions");
    if (this.judge.stopped.has("bitmaps")) {
      this.broken = true;
      return;
    }
    const extension = bitmapsExtension.parsed;
    const start = place(extension.bitmapDirectoryOffset);
    const end = start + Number(extension.bitmapDirectorySize);
    this.directory = [start, end - start];
    const fixed = this.c.QCOW2_BITMAP_DIR_ENTRY_SIZE;
    const known = [header.clusterBits, header.size];
    this.soundBitmaps = true;
    this._directory("bitmaps", start, end, (at, bytes, whole) => {
      if (end - at < fixed) {
        const rest = bytes.subarray(0, Math.max(0, end - at));
        this.judge.part(new Part("bitmap_directory", "qcow2::bitmap_directory", at, rest, [extension.nbBitmaps, ...known]));
        return 0;
      }
      if (at >= this.source.length) {
        this.cut = true;
        return 0;
      }
      const name = `bitmaps[${this.bitmaps.length}]`;
      const part = this._entry(name, "qcow2::bitmap_directory_entry", at, bytes, known, whole);
      if (part === null) return null;
      const sound = this.judge.part(part);
      const bitmap = { part, sound, offsets: [], used: 0, known: 0, odd: false };
      this.bitmaps.push(bitmap);
      if (!sound) {
        this.broken = true;
        return 0;
      }
      this._bitmapTable(bitmap);
      return part.parsed.entrySize;
    });
  }

  _bitmapTable(bitmap) {
    const entry = bitmap.part.parsed;
    const size = this.c.BME_TABLE_ENTRY_SIZE;
    const offset = place(entry.bitmapTableOffset);
    const most = this.c.BME_MAX_PHYS_SIZE / this.image.geometry.clusterSize;
    bitmap.offset = offset;
    bitmap.count = Math.min(entry.bitmapTableSize, most);
    const read = !entry.inUse && entry.okBitmapSize && entry.okBitmapTableOffset &&
      entry.okBitmapTableOffsetPresent && entry.okTableRead;
    this._piecewise(BITMAPS, "bitmap-tables", offset, bitmap.count * size, (at, bytes) => {
      const first = at / size;
      const path = (index) => `${bitmap.part.name}.bitmap_table[${first + index}]`;
      // QEMU reads no table of a bitmap that is in use, and none after a broken one.
      const judge = read && this.soundBitmaps ? this.judge : UNASKED;
      const before = this.judge.counts.get("bitmaps/reserved") || 0;
      const { found, used, odd } = offsets("qcow2::bitmap_table_entry", size, bytes, offset + at, judge, path);
      if ((this.judge.counts.get("bitmaps/reserved") || 0) > before) this.soundBitmaps = false;
      bitmap.known = first + found.length;
      bitmap.used += used;
      if (odd) this.odd = bitmap.odd = true;
      for (const each of found) if (each !== 0) bitmap.offsets.push(each);
    });
  }
}

const UNASKED = { entry: () => undefined };

module.exports = { Tables };
