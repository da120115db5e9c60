// A picture of a stretch of bytes: a canvas of cells with a cursor, marks and pins.
//
// In: runs, and how their kinds look. Out: the picture, and calls of `onmove` as the cursor moves.
// The cursor follows the pointer. A click or a key keeps it: it comes back when the pointer leaves.

const MOST_PIXELS = 2048; // along a side
const MANY_PINS = 24; // more are drawn as dots

class Picture {
  constructor({ id, label, hint, kinds, ranks, isDark, onmove, onleave, onenter }) {
    Object.assign(this, { kinds, ranks, isDark, onmove, onleave, onenter });
    this.runs = new Runs([], [], 1, 0);
    this.total = 0;
    this.layoutOf = Rows;
    this.only = null;
    this.cursor = -1;
    this.kept = null;
    this.marks = [];
    this.canvas = make("canvas", {
      id,
      tabindex: 0,
      role: "application",
      "aria-roledescription": "picture",
      "aria-label": label,
      "aria-describedby": hint,
      onpointerdown: (event) => this.press(event),
      onkeydown: (event) => this.key(event),
    });
    this.pins = make("div", { class: "pins", "aria-hidden": "true" });
    const pointer = { onpointermove: (event) => this.point(event), onpointerleave: () => this.leave() };
    this.element = make("div", { class: "picture", ...pointer }, this.canvas, this.pins);
  }

  // Shows other runs. `total` may be larger than theirs, so that pictures have one scale.
  show(runs, total, most = MOST_CELLS) {
    this.runs = runs;
    this.total = total;
    this.bytes = cellSize(total, most);
    this.number = Math.ceil(total / this.bytes);
    this.cells = cellKinds(runs, this.bytes, this.number, this.ranks);
    this.arrange(this.layoutOf);
  }

  arrange(layoutOf) {
    this.layoutOf = layoutOf;
    this.layout = new layoutOf(this.number);
    const { columns, rows } = this.layout;
    Object.assign(this.element.dataset, { bytes: this.bytes, columns, rows });
    this.element.style.aspectRatio = `${columns} / ${rows}`;
    this.fit();
    this.placePins();
  }

  // Takes as many pixels as the screen has for the element.
  fit() {
    const width = this.element.clientWidth;
    if (!width || !this.layout) return;
    const ratio = Math.min(window.devicePixelRatio || 1, MOST_PIXELS / width);
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.max(
      1,
      Math.min(2 * MOST_PIXELS, Math.round((width * ratio * this.layout.rows) / this.layout.columns)),
    );
    this.repaint();
  }

  highlight(kind) {
    this.only = kind;
    this.repaint();
  }

  repaint() {
    this.paintCells();
    this.draw();
  }

  paintCells() {
    const { width, height } = this.canvas;
    const { columns, rows } = this.layout;
    this.base = document.createElement("canvas");
    Object.assign(this.base, { width, height });
    const context = this.base.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const [plain, stripe] = this.colours();
    const column = Uint32Array.from({ length: width }, (_, x) => Math.floor((x * columns) / width));
    const line = new Uint8Array(columns);
    const step = Math.max(1, Math.round(this.ratio));
    let row = -1;
    for (let y = 0; y < height; y += 1) {
      const here = Math.floor((y * rows) / height);
      if (here !== row) {
        row = here;
        for (let x = 0; x < columns; x += 1) line[x] = this.kindAt(this.layout.cell(x, row));
      }
      for (let x = 0; x < width; x += 1) {
        const striped = Math.floor((x + y) / step) % 5 === 0;
        pixels[y * width + x] = (striped ? stripe : plain)[line[column[x]]];
      }
    }
    context.putImageData(image, 0, 0);
  }

  kindAt(cell) {
    return cell < this.number ? this.cells[cell] : NOTHING;
  }

  // Two tables of 256 pixels, by kind: plain, and the stripes of what is hatched.
  colours() {
    const [plain, stripe] = [new Uint32Array(256), new Uint32Array(256)];
    const dark = this.isDark();
    const paper = dark ? [27, 30, 35] : [255, 255, 255];
    const ink = dark ? [255, 255, 255] : [0, 0, 0];
    this.kinds.forEach((kind, index) => {
      let colour = parts(dark ? kind.dark : kind.light);
      if (this.only !== null && this.only !== index) colour = mixed(colour, paper, 0.86);
      plain[index] = pixel(colour);
      stripe[index] = kind.cavity ? pixel(mixed(colour, ink, dark ? 0.16 : 0.14)) : plain[index];
    });
    return [plain, stripe];
  }

  // Marks are ranges of bytes, drawn around their cells.
  mark(ranges) {
    this.marks = ranges;
    this.draw();
  }

  draw() {
    if (!this.base) return;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.base, 0, 0);
    for (const [start, length] of this.marks) this.outline(context, start, length);
    if (this.cursor < 0) return;
    const [left, top, right, bottom] = this.box(this.cursor);
    const thick = Math.max(2, Math.round(2 * this.ratio));
    for (const [colour, far] of [["#000", thick * 1.5], ["#fff", thick * 0.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.strokeRect(left - far, top - far, right - left + 2 * far, bottom - top + 2 * far);
    }
  }

  outline(context, start, length) {
    const first = Math.floor(start / this.bytes);
    const last = Math.min(Math.floor((start + length - 1) / this.bytes), this.number - 1);
    const inside = (x, y) => {
      if (x < 0 || y < 0 || x >= this.layout.columns || y >= this.layout.rows) return false;
      const cell = this.layout.cell(x, y);
      return cell >= first && cell <= last;
    };
    const path = new Path2D();
    for (let cell = first; cell <= last; cell += 1) {
      const [x, y] = this.layout.place(cell);
      const [left, top, right, bottom] = this.box(cell);
      const side = (open, ...line) => {
        if (open) return;
        path.moveTo(line[0], line[1]);
        path.lineTo(line[2], line[3]);
      };
      side(inside(x - 1, y), left, top, left, bottom);
      side(inside(x + 1, y), right, top, right, bottom);
      side(inside(x, y - 1), left, top, right, top);
      side(inside(x, y + 1), left, bottom, right, bottom);
    }
    for (const [colour, wide] of [["#fff", 4], ["#000", 1.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide * this.ratio;
      context.lineCap = "square";
      context.stroke(path);
    }
  }

  // A cell's box in the canvas's own pixels.
  box(cell) {
    const [x, y] = this.layout.place(cell);
    const { width, height } = this.canvas;
    const { columns, rows } = this.layout;
    const across = (place) => Math.ceil((place * width) / columns);
    const along = (place) => Math.ceil((place * height) / rows);
    return [across(x), along(y), across(x + 1), along(y + 1)];
  }

  // Where a byte is, in the page's pixels from the picture's corner.
  spot(offset) {
    const [left, top, right, bottom] = this.box(this.cellOf(offset));
    return [(left + right) / 2 / this.ratio, (top + bottom) / 2 / this.ratio];
  }

  cellOf(offset) {
    return Math.max(0, Math.min(Math.floor(offset / this.bytes), this.number - 1));
  }

  // The byte that stands for a cell: the first one of the cell's kind.
  offsetOf(cell) {
    const end = Math.min((cell + 1) * this.bytes, this.runs.total);
    let offset = cell * this.bytes;
    for (let run = this.runs.at(offset); run >= 0 && offset < end; run += 1) {
      if (run >= this.runs.number || this.runs.kinds[run] === this.cells[cell]) break;
      offset = this.runs.start(run + 1);
    }
    return offset < end ? offset : cell * this.bytes;
  }

  // How many runs have bytes in the cursor's cell.
  runsHere() {
    const start = this.cellOf(this.offset) * this.bytes;
    const last = Math.min(start + this.bytes, this.runs.total) - 1;
    return this.runs.at(last) - this.runs.at(start) + 1;
  }

  pin(pins) {
    this.wanted = pins;
    this.placePins();
  }

  // The pin of the finding that was chosen stands out.
  choosePin(offset) {
    this.current = offset;
    this.placePins();
  }

  placePins() {
    this.pins.replaceChildren();
    this.pins.classList.toggle("many", (this.wanted?.length ?? 0) > MANY_PINS);
    if (!this.wanted || !this.number) return;
    const { columns, rows } = this.layout;
    for (const [offset, text, says, onclick] of this.wanted) {
      const [x, y] = this.layout.place(this.cellOf(offset));
      const style = { left: `${(100 * (x + 0.5)) / columns}%`, top: `${(100 * (y + 0.5)) / rows}%` };
      const pin = make("button", { type: "button", class: "pin", tabindex: -1, title: flat(says), style, onclick });
      pin.append(text);
      if (offset === this.current) pin.classList.add("current");
      this.pins.append(pin);
    }
  }

  goto(offset) {
    this.move(this.cellOf(offset), true, offset);
  }

  move(cell, keep = false, offset = null) {
    if (!this.number) return;
    this.cursor = Math.max(0, Math.min(cell, this.number - 1));
    this.offset = offset ?? this.offsetOf(this.cursor);
    if (keep) this.kept = this.offset;
    this.onmove(this.offset, keep);
    this.draw();
  }

  leave() {
    this.clear();
    this.onleave();
  }

  release() {
    this.kept = null;
    this.leave();
  }

  clear() {
    this.cursor = -1;
    this.marks = [];
    this.draw();
  }

  pointed(event) {
    const frame = this.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - frame.left) * this.layout.columns) / frame.width);
    const y = Math.floor(((event.clientY - frame.top) * this.layout.rows) / frame.height);
    const inside = x >= 0 && y >= 0 && x < this.layout.columns && y < this.layout.rows;
    const cell = inside ? this.layout.cell(x, y) : -1;
    return cell < this.number ? cell : -1;
  }

  point(event) {
    const cell = this.pointed(event);
    if (cell === this.cursor) return;
    if (cell < 0) this.leave();
    else this.move(cell);
  }

  press(event) {
    const cell = this.pointed(event);
    const again = this.kept !== null && cell === this.cellOf(this.kept);
    if (cell < 0 || again) this.release();
    else this.move(cell, true);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.number) return;
    const last = this.number - 1;
    const now = Math.max(this.cursor, 0);
    const moves = {
      ArrowLeft: () => this.step(-1, 0),
      ArrowRight: () => this.step(1, 0),
      ArrowUp: () => this.step(0, -1),
      ArrowDown: () => this.step(0, 1),
      PageUp: () => this.step(0, -16),
      PageDown: () => this.step(0, 16),
      Home: () => this.move(0, true),
      End: () => this.move(last, true),
      n: () => this.run(now, 1),
      p: () => this.run(now, -1),
      Enter: () => this.cursor >= 0 && this.onenter(this.offset),
      Escape: () => this.release(),
    };
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    moves[event.key]();
  }

  step(right, down) {
    if (this.cursor < 0) return this.move(0, true);
    const [x, y] = this.layout.place(this.cursor);
    const { columns, rows } = this.layout;
    if (this.layout instanceof Rows) return this.move(this.cursor + right + down * columns, true);
    const clamp = (value, most) => Math.max(0, Math.min(value, most - 1));
    const cell = this.layout.cell(clamp(x + right, columns), clamp(y + down, rows));
    return cell < this.number ? this.move(cell, true) : undefined;
  }

  // To the first cell of the next run that has one of its own, or of the one before.
  run(cell, way) {
    let run = this.runs.at(this.offset ?? 0);
    do run += way;
    while (run > 0 && run < this.runs.number && this.cellOf(this.runs.start(run)) === cell);
    if (run >= 0 && run < this.runs.number) this.goto(this.runs.start(run));
  }
}

function parts(colour) {
  const number = /^#[0-9a-f]{6}$/i.test(colour) ? parseInt(colour.slice(1), 16) : 0x808080;
  return [number >> 16, (number >> 8) & 255, number & 255];
}

function mixed(one, other, much) {
  return one.map((part, place) => Math.round(part + (other[place] - part) * much));
}

function pixel([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
