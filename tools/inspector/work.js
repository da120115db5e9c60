// What is still to be read of an image, piece by piece, the most telling first.
//
// In: pieces to read, as they are found. Out: the same, one after the other, until a budget of bytes
// is spent. Refuses: nothing; what is over the budget waits for the next.
"use strict";

/** Tables that locate others; L2 tables; tables of bitmaps; reference counts. */
const FIRST = 0;
const L2 = 1;
const BITMAPS = 2;
const COUNTS = 3;

/** Milliseconds of work between two moments in which the page may answer. */
const AT_ONCE = 15;

class Work {
  constructor(source) {
    this.source = source;
    this.waiting = [[], [], [], []];
    this._last = Date.now();
  }

  add(order, item) {
    this.waiting[order].push(item);
  }

  /** How many pieces wait. */
  left(order) {
    return this.waiting[order].length;
  }

  /** Do what a number of bytes suffices for. */
  async until(budget) {
    const start = this.source.spent;
    this._spread(budget);
    for (;;) {
      const spent = this.source.spent - start;
      const order = spent < budget ? this._order(spent, budget) : -1;
      if (order < 0) return;
      const waiting = this.waiting[order];
      await (order === FIRST ? waiting.shift() : waiting.pop())();
      await this.pause();
    }
  }

  /** Let the page answer, if it has waited. */
  async pause() {
    if (Date.now() - this._last < AT_ONCE) return;
    await new Promise((resolve) => setTimeout(resolve));
    this._last = Date.now();
  }

  _order(spent, budget) {
    const others = [L2, BITMAPS, COUNTS].find((order) => this.waiting[order].length);
    // Huge tables of tables leave half of the bytes to what they locate.
    if (this.waiting[FIRST].length && (others === undefined || spent < budget / 2)) return FIRST;
    if (others === L2 && !this._sorted) this._spread(budget - spent);
    return others === undefined ? -1 : others;
  }

  /** Of more L2 tables than can be read, take some from all over the disk. */
  _spread(room) {
    const tables = this.waiting[L2];
    this._sorted = tables.length > 0;
    const bits = 32 - Math.clz32(tables.length);
    const turned = tables.map((item, index) => [tables.length * 65536 > room ? reversed(index, bits) : index, item]);
    turned.sort((a, b) => b[0] - a[0]);
    this.waiting[L2] = turned.map(([, item]) => item);
  }
}

/** The bits of a number in the opposite order. */
function reversed(number, bits) {
  let turned = 0;
  for (let bit = 0; bit < bits; bit++) turned = turned * 2 + ((number >> bit) & 1);
  return turned;
}

module.exports = { BITMAPS, COUNTS, FIRST, L2, Work };
