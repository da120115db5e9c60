// What each byte of the file is, as runs that lie side by side; see qcowspec/check/tiles.py.
//
// In: ranges of the file, by kind; they may overlap. Out: runs without gap or overlap, and sums.
// Refuses: nothing; what lies past the end of the file claims nothing.
"use strict";

/** Positions and kinds share a number: below this, both are exact. */
const FARTHEST = 2 ** 48;
const KINDS = 32;

class Claims {
  constructor(length, facts) {
    this.length = Math.min(length, FARTHEST);
    this.facts = facts;
    this._held = new Map();
  }

  /** Claim a range for a kind. */
  add(kind, start, end) {
    start = Math.max(start, 0);
    end = Math.min(end, this.length);
    if (!(start < end)) return;
    let held = this._held.get(kind);
    if (held === undefined) this._held.set(kind, (held = { starts: [], ends: [] }));
    const last = held.ends.length - 1;
    if (last >= 0 && held.starts[last] <= start && start <= held.ends[last]) {
      if (end > held.ends[last]) held.ends[last] = end;
      return;
    }
    held.starts.push(start);
    held.ends.push(end);
  }

  /** The runs: kind by kind, with their lengths, and the sums of each kind. */
  tiles() {
    const edges = this._edges();
    const found = { kinds: [], lengths: [] };
    const sums = {};
    let mask = 0;
    let start = 0;
    let before = -1;
    for (let index = 0; index < edges.length; ) {
      const at = Math.floor(edges[index] / KINDS);
      if (at > start) {
        before = this._emit(found, sums, mask, before, at - start);
        start = at;
      }
      for (; index < edges.length && Math.floor(edges[index] / KINDS) === at; index++) {
        mask ^= 1 << edges[index] % KINDS;
      }
    }
    return { ...found, sums };
  }

  _emit(found, sums, mask, before, length) {
    if (mask === 0) throw new Error("a byte that nothing claims");
    const [kind, also] = this._meaning(mask);
    const sum = (sums[this.facts.kinds[kind].name] ??= { bytes: 0, tiles: 0 });
    sum.bytes += length;
    const key = kind + KINDS * (also >>> 0);
    // Tiles that overlap with something else are counted apart, and drawn together.
    if (key !== before) sum.tiles++;
    const last = found.kinds.length - 1;
    if (last >= 0 && found.kinds[last] === kind) {
      found.lengths[last] += length;
    } else {
      found.kinds.push(kind);
      found.lengths.push(length);
    }
    return key;
  }

  /** The kind of a tile that some kinds cover, and those of them that have no right to. */
  _meaning(mask) {
    const { families, shared, unclaimed } = this.facts.overlaps;
    const first = 31 - Math.clz32(mask & -mask);
    const claimed = mask & ~unclaimed;
    let own = families.find((family) => (claimed & ~family) === 0);
    if (own === undefined) own = families.find((family) => family & (1 << first)) ?? 1 << first;
    const both = shared.find(
      ([, active, inactive]) => (first === active || first === inactive) && mask & (1 << active) && mask & (1 << inactive)
    );
    return [both === undefined ? first : both[0], claimed & ~own];
  }

  /** Where a kind begins or ends, with its number, rising. */
  _edges() {
    const edges = [];
    for (const [kind, { starts, ends }] of this._held) {
      const order = Float64Array.from(starts.keys()).sort((a, b) => starts[a] - starts[b]);
      let from = -1;
      let to = -1;
      for (const index of order) {
        if (starts[index] > to) {
          if (to > from) edges.push(from * KINDS + kind, to * KINDS + kind);
          from = starts[index];
          to = ends[index];
        } else if (ends[index] > to) {
          to = ends[index];
        }
      }
      if (to > from) edges.push(from * KINDS + kind, to * KINDS + kind);
    }
    return Float64Array.from(edges).sort();
  }
}

module.exports = { Claims, FARTHEST };
