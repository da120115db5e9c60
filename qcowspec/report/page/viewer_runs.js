// Runs: a stretch of bytes, cut into pieces of one kind each; and cells, which a picture is made of.
//
// In: the model's run-length lists. Out: lookups, and the kind of each cell. All loops are bounded
// by the number of runs and of cells, never by a length in bytes.

const MOST_CELLS = 65536;
const LARGE = 1 << 28; // bytes from which cells need not be as clusters are
const NOTHING = 255; // a cell past the end

class Runs {
  // kinds: of each run; lengths: in units; total: the stretch's length in bytes.
  constructor(kinds, lengths, unit, total, hosts = null) {
    const number = kinds.length;
    this.total = total;
    this.kinds = kinds;
    this.hosts = hosts;
    this.starts = new Float64Array(number + 1);
    let at = 0;
    for (let run = 0; run < number; run += 1) {
      this.starts[run] = Math.min(at, total);
      at += lengths[run] * unit;
    }
    this.starts[number] = total;
    this.number = number;
  }

  start(run) {
    return this.starts[run];
  }

  length(run) {
    return this.starts[run + 1] - this.starts[run];
  }

  // The run that has a byte, or -1.
  at(offset) {
    if (offset < 0 || offset >= this.total || this.number === 0) return -1;
    let low = 0;
    let high = this.number - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  host(run) {
    return this.hosts ? this.hosts[run] : -1;
  }
}

// How many bytes a cell has. Of small files a power of two, so that clusters and cells share their
// borders; of large ones a multiple of 256 bytes or more, so that little of a square stays empty.
function cellSize(total, most = MOST_CELLS) {
  let bytes = 1;
  while (total / bytes > most) bytes *= 2;
  if (total >= LARGE) bytes = Math.ceil(total / most / (bytes / 16)) * (bytes / 16);
  return bytes;
}

// The kind of each cell: the one that most of its bytes have. `ranks` has numbers by kind; a kind
// counts only in cells that have none of a lower rank.
function cellKinds(runs, bytes, number, ranks) {
  const cells = new Uint8Array(number).fill(NOTHING);
  let cell = -1;
  let tally = new Map();
  const settle = () => {
    if (cell < 0 || cell >= number) return;
    let best = NOTHING;
    let [least, most] = [Infinity, -1];
    for (const [kind, amount] of tally) {
      const rank = ranks[kind] ?? 0;
      if (rank < least || (rank === least && amount > most)) [best, least, most] = [kind, rank, amount];
    }
    cells[cell] = best;
  };
  for (let run = 0; run < runs.number; run += 1) {
    const start = runs.starts[run];
    const end = runs.starts[run + 1];
    if (end <= start) continue;
    const kind = runs.kinds[run];
    const first = Math.floor(start / bytes);
    const last = Math.min(Math.floor((end - 1) / bytes), number - 1);
    if (first !== cell) {
      settle();
      [cell, tally] = [first, new Map()];
    }
    const here = Math.min(end, (first + 1) * bytes) - start;
    tally.set(kind, (tally.get(kind) ?? 0) + here);
    if (last > first) {
      settle();
      cells.fill(kind, first + 1, last);
      [cell, tally] = [last, new Map([[kind, end - last * bytes]])];
    }
  }
  settle();
  return cells;
}

// Where cells stand. Row by row, or along a Hilbert curve, on which neighbours stay neighbours.
class Rows {
  constructor(number) {
    this.columns = sideOf(number);
    this.rows = Math.max(1, Math.ceil(number / this.columns));
  }

  cell(x, y) {
    return y * this.columns + x;
  }

  place(cell) {
    return [cell % this.columns, Math.floor(cell / this.columns)];
  }
}

class Hilbert {
  constructor(number) {
    this.columns = sideOf(number);
    this.rows = this.columns;
  }

  cell(x, y) {
    let cell = 0;
    for (let half = this.columns / 2; half >= 1; half /= 2) {
      const right = x & half ? 1 : 0;
      const down = y & half ? 1 : 0;
      cell += half * half * ((3 * right) ^ down);
      [x, y] = turn(this.columns, x, y, right, down);
    }
    return cell;
  }

  place(cell) {
    let [x, y] = [0, 0];
    let rest = cell;
    for (let half = 1; half < this.columns; half *= 2) {
      const right = Math.floor(rest / 2) & 1;
      const down = (rest ^ right) & 1;
      [x, y] = turn(half, x, y, right, down);
      x += half * right;
      y += half * down;
      rest = Math.floor(rest / 4);
    }
    return [x, y];
  }
}

// The side of the least square that has so many cells: a power of two.
function sideOf(number) {
  let side = 1;
  while (side * side < number) side *= 2;
  return side;
}

function turn(side, x, y, right, down) {
  if (down) return [x, y];
  return right ? [side - 1 - y, side - 1 - x] : [y, x];
}
