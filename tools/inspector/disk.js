// What each stretch of the guest's disk is, in each of its states: runs without gap or overlap.
//
// In: an image, as far as it was read. Out: states with their runs and sums. Refuses: to guess; a
// stretch whose table was not read, or whose entry is broken, is "not-looked-at".
"use strict";

const { COMPRESSED, NORMAL, ZERO_ALLOC, ZERO_PLAIN } = require("./entries");
const { moment, nameOf } = require("./text");

/** States of the disk that are shown, and runs of all of them together. */
const STATES = 64;
const RUNS = 16384;

const NOTHING = new Uint8Array(0);

/** Cells of a disk that has more runs than are shown. */
const CELLS = 4096;

/** Runs that grow at their end: what continues the last one becomes a part of it. */
class Runs {
  constructor(names) {
    this.names = names;
    this.states = [];
    this.lengths = [];
    this.hosts = [];
    this.sums = new Float64Array(names.length);
  }

  push(state, length, host = -1) {
    if (length <= 0) return;
    this.sums[state] += length;
    const last = this.states.length - 1;
    const follows = host < 0 ? this.hosts[last] < 0 : host === this.hosts[last] + this.lengths[last];
    if (last >= 0 && this.states[last] === state && follows && this.names[state] !== "compressed") {
      this.lengths[last] += length;
      return;
    }
    this.states.push(state);
    this.lengths.push(length);
    this.hosts.push(host);
  }

  /** As the model has them; of too many, cells with the state that most of each has. */
  shown(most) {
    if (this.states.length <= most) {
      return { states: this.states, lengths: this.lengths, hosts: this.hosts, unit: 1, exact: true };
    }
    return cells(this.states, this.lengths, Math.min(CELLS, most), ({ kinds, lengths, unit }) => ({
      states: kinds, lengths, hosts: kinds.map(() => -1), unit, exact: false,
    }));
  }
}

/** Runs cut into cells of equal length, each of the kind that most of it has. */
function cells(kinds, lengths, most, made) {
  const total = lengths.reduce((sum, each) => sum + each, 0);
  const unit = Math.ceil(total / most);
  const found = { kinds: [], lengths: [], unit };
  let amounts = new Map();
  let left = Math.min(unit, total);
  let before = 0;
  const settle = () => {
    const [kind] = [...amounts].reduce((best, each) => (each[1] > best[1] ? each : best));
    const last = found.kinds.length - 1;
    if (last >= 0 && found.kinds[last] === kind) found.lengths[last]++;
    else {
      found.kinds.push(kind);
      found.lengths.push(1);
    }
    amounts = new Map();
    before += unit;
    left = Math.min(unit, total - before);
  };
  kinds.forEach((kind, run) => {
    for (let rest = lengths[run]; rest > 0; ) {
      const part = Math.min(rest, left);
      amounts.set(kind, (amounts.get(kind) || 0) + part);
      rest -= part;
      left -= part;
      if (left === 0) settle();
    }
  });
  if (amounts.size) settle();
  return made(found);
}

class Disk {
  constructor(image) {
    this.image = image;
    this.names = image.facts.states;
    this.number = Object.fromEntries(this.names.map((name, index) => [name, index]));
  }

  /** All states, the active one first. */
  states() {
    const { image } = this;
    if (image.geometry === null) {
      const size = image.wholeSectors(image.header.size);
      const runs = this._unknown(size);
      return { size, states: [this._state(runs, RUNS, size, null)], states_left: 0 };
    }
    const snapshots = image.tables.snapshots;
    const shown = snapshots.slice(0, STATES - 1);
    const most = Math.floor(RUNS / (shown.length + 1));
    const size = image.wholeSectors(image.header.size);
    const active = image.tables.l1.find((table) => table.active);
    this.active = active === undefined ? this._unknown(size) : this._runs(active, size);
    const states = [this._state(this.active, most, size, null)];
    for (const { l1, disk, part } of shown) {
      const bytes = image.wholeSectors(disk === undefined ? 0 : disk);
      const runs = l1 === null ? this._unknown(bytes) : this._runs(l1, bytes);
      states.push(this._state(runs, most, bytes, part.parsed));
    }
    return { size, states, states_left: snapshots.length - shown.length };
  }

  _unknown(size) {
    const runs = new Runs(this.names);
    runs.push(this.number["not-looked-at"], size);
    return runs;
  }

  _state(runs, most, size, entry) {
    const sums = {};
    this.names.forEach((name, index) => {
      if (runs.sums[index]) sums[name] = runs.sums[index];
    });
    return {
      name: entry === null ? null : nameOf(entry.name || NOTHING),
      id: entry === null ? null : nameOf(entry.idStr || NOTHING),
      date: entry === null ? null : moment(entry.dateSec || 0),
      size, runs: runs.shown(most), sums,
    };
  }

  /** The runs of one state. */
  _runs(l1, size) {
    const runs = new Runs(this.names);
    const { span } = this.image.geometry;
    const { tables } = this.image;
    const needed = Math.ceil(size / span);
    let at = 0;
    for (let index = 0; index < Math.min(needed, l1.known); index++) {
      const length = Math.min(span, size - at);
      const offset = l1.entries(index);
      const table = offset === 0 ? undefined : tables.l2.get(offset);
      if (table === undefined) runs.push(this.number.unallocated, length);
      else this._table(runs, table, at, length);
      at += length;
    }
    // Entries of the table that the file does not hold are zeros.
    const present = Math.min(needed, l1.known < l1.present ? l1.known : l1.count);
    if (present > l1.known) {
      const end = Math.min(present * span, size);
      runs.push(this.number.unallocated, end - at);
      at = end;
    }
    // QEMU fills the table of a snapshot up; an active one that is too short breaks a rule.
    const filled = !l1.active && l1.known >= l1.present;
    runs.push(filled ? this.number.unallocated : this.number["not-looked-at"], size - at);
    return runs;
  }

  _table(runs, table, base, length) {
    const { clusterSize } = this.image.geometry;
    let at = 0;
    for (const piece of table.pieces) {
      for (let index = 0; index < piece.types.length && at < length; index++) {
        const part = Math.min(clusterSize, length - at);
        this._entry(runs, piece, index, base + at, part);
        at += part;
      }
    }
    const rest = this.image.tables.isKnown(table) ? "unallocated" : "not-looked-at";
    runs.push(this.number[rest], length - at);
  }

  _entry(runs, piece, index, guest, length) {
    const { geometry, header, isFirst } = this.image;
    const { number } = this;
    const type = piece.types[index];
    const host = piece.hosts[index];
    if (type === COMPRESSED) {
      if (geometry.dataFile) runs.push(number["not-looked-at"], length);
      else runs.push(number.compressed, length, known(host));
      return;
    }
    const located = type === NORMAL || type === ZERO_ALLOC;
    const aligned = isFirst || host % geometry.clusterSize === 0;
    const elsewhere = geometry.dataFile && host !== guest;
    if (located && (!aligned || elsewhere)) runs.push(number["not-looked-at"], length);
    else if (geometry.extended) this._subclusters(runs, piece, index, length, located);
    else if (type === NORMAL) this._data(runs, length, host);
    else if (type === ZERO_ALLOC || type === ZERO_PLAIN) {
      // Version 2 has no such entries.
      runs.push(header.version < 3 ? number["not-looked-at"] : number.zero, length);
    } else runs.push(number.unallocated, length);
  }

  _data(runs, length, host) {
    const state = this.image.geometry.dataFile ? "data-file" : "data";
    runs.push(this.number[state], length, known(host));
  }

  _subclusters(runs, piece, index, length, located) {
    const { number, image } = this;
    const parts = image.constants.QCOW_EXTL2_SUBCLUSTERS_PER_CLUSTER;
    const step = image.geometry.clusterSize / parts;
    const allocated = piece.allocated[index];
    const zeros = piece.zeros[index];
    if ((located && allocated & zeros) || (!located && allocated)) {
      runs.push(number["not-looked-at"], length);
      return;
    }
    for (let part = 0, at = 0; part < parts && at < length; part++, at += step) {
      const bytes = Math.min(step, length - at);
      if ((zeros >>> part) & 1) runs.push(number.zero, bytes);
      else if ((allocated >>> part) & 1) this._data(runs, bytes, piece.hosts[index] + at);
      else runs.push(number.unallocated, bytes);
    }
  }
}

/** A host offset, or -1 where no file has bytes. */
function known(host) {
  return Number.isFinite(host) ? host : -1;
}

module.exports = { Disk, RUNS, cells };
