// The two pictures side by side: the image file and the guest's disk, and what joins them.
//
// In: the catalogue and the model. Out: the section "Where everything is". What the cursor shows
// is written once, as text under the pictures, which is also what a screen reader reads.

const MOST_LINES = 24;
const FEW_CELLS = 400; // a picture with fewer is hard to see

class Maps {
  constructor(catalogue, model, page) {
    Object.assign(this, { catalogue, model, page });
    this.length = model.file.length;
    this.states = model.disk?.states ?? [];
    this.state = 0;
    this.lines = make("svg:svg", { class: "lines", "aria-hidden": "true" });
    this.readout = make("div", { class: "readout" });
    this.live = make("p", { class: "hidden", "aria-live": "polite", id: "live" });
    const hint = make(
      "p",
      { id: "hint", class: "note keys" },
      "Point at a cell, or use the arrow keys in a picture. A click keeps the cursor there; ",
      key("Enter"),
      " shows the structure; ",
      key("n"),
      " and ",
      key("p"),
      " go to the next and the previous run; ",
      key("Esc"),
      " lets go.",
    );
    const looks = this.states.length > 1 ? "pair snapshots" : "pair";
    this.pair = make("div", { class: looks }, this.fileSide(), this.diskSide(), this.lines);
    this.element = section("where", "Where everything is", this.pair, this.readout, hint, this.live);
    this.say(null);
  }

  picture(id, label, kinds, ranks, moved) {
    return new Picture({
      id,
      label,
      hint: "hint",
      kinds,
      ranks,
      isDark: this.page.isDark,
      onmove: moved,
      onleave: () => this.rest(),
      onenter: (offset) => this.page.showOffset(id === "file-picture" ? offset : this.hostAt(offset)),
    });
  }

  fileSide() {
    const { tiles } = this.model;
    const side = make("div", { class: "side", id: "file-side" }, make("h3", {}, "The image file"));
    this.layouts = segments("layout", "Layout of the pictures", [
      ["rows", "Row by row"],
      ["hilbert", "Hilbert curve"],
    ], (value) => this.arrange(value === "hilbert" ? Hilbert : Rows));
    side.append(make("div", { class: "controls" }, this.layouts));
    if (!tiles || !this.length) {
      side.append(missing("The file's bytes were not looked at."));
      return side;
    }
    this.tiles = new Runs(tiles.kinds, tiles.lengths, tiles.unit, this.length);
    this.file = this.picture("file-picture", "Picture of the image file", this.catalogue.kinds, [],
      (offset, keep) => this.fileMoved(offset, keep));
    this.fileScale = make("p", { class: "note scale" });
    side.append(this.file.element, this.fileScale, fileLegend(this.catalogue, this.model, this.file));
    side.append(runsTable("The file, run by run", () => this.tiles, this.catalogue.kinds));
    return side;
  }

  diskSide() {
    const side = make("div", { class: "side", id: "disk-side" }, make("h3", {}, "The guest’s disk"));
    this.controls = make("div", { class: "controls" }, this.slider());
    side.append(this.controls);
    if (!this.states.length) {
      side.append(missing("The guest’s disk was not looked at."));
      return side;
    }
    this.runsOf = this.states.map((state) =>
      new Runs(state.runs.states, state.runs.lengths, state.runs.unit ?? 1, state.size, state.runs.hosts));
    this.disk = this.picture("disk-picture", "Picture of the guest’s disk", this.catalogue.states, ranksOf(this.catalogue),
      (offset, keep) => this.diskMoved(offset, keep));
    this.diskScale = make("p", { class: "note scale" });
    this.diskKey = make("div");
    side.append(this.disk.element, this.diskScale, this.diskKey);
    side.append(runsTable("The disk, run by run", () => this.runsOf[this.state], this.catalogue.states));
    return side;
  }

  slider() {
    const text = make("output", { id: "state-name", class: "state-name", for: "state" });
    this.stateText = text;
    if (this.states.length < 2) return [text];
    this.range = make("input", {
      type: "range", id: "state", min: 0, max: this.states.length - 1, step: 1, value: 0,
      "aria-label": "State of the disk: active, or a snapshot",
      oninput: () => this.choose(Number(this.range.value)),
    });
    return [this.range, text];
  }

  // Called once the element is in the page, when it has a width.
  start() {
    if (this.file) this.file.show(this.tiles, this.length);
    if (this.disk) this.choose(0);
    this.scales();
  }

  arrange(layout) {
    for (const picture of [this.file, this.disk]) if (picture) picture.arrange(layout);
    this.scales();
    this.rest();
  }

  scales() {
    const scale = (picture, exact, rest) => {
      const row = picture.layoutOf === Rows ? `, a row is ${size(picture.bytes * picture.layout.columns)}` : "";
      const cut = exact ? "" : " The picture is cut into cells; the sums are exact.";
      return `A cell is ${size(picture.bytes)}${row}; it has the colour of ${rest}.${cut}`;
    };
    if (this.file) this.fileScale.textContent = scale(this.file, this.model.tiles.exact, "what most of its bytes are");
    if (!this.disk) return;
    const exact = this.states[this.state].runs.exact;
    this.diskScale.textContent = scale(this.disk, exact, "what most of its bytes are; stored bytes go first, then zeros");
  }

  choose(index) {
    const state = this.states[index];
    this.state = index;
    const most = this.states.reduce((sum, one) => Math.max(sum, one.size), 0);
    this.disk.only = null;
    this.most ??= this.fineness(most, ranksOf(this.catalogue));
    this.disk.show(this.runsOf[index], most, this.most);
    this.stateText.replaceChildren(...this.stateName(index), make("span", { class: "note" }, this.stateNote(index)));
    this.stateText.title = flat(this.stateWords(index));
    if (this.range) this.range.setAttribute("aria-valuetext", flat(this.stateWords(index)));
    this.diskKey.replaceChildren(diskLegend(this.catalogue, state, this.disk));
    this.scales();
    this.rest();
  }

  // A disk of which next to nothing is allocated gets fewer and larger cells, so that it is seen.
  fineness(most, ranks) {
    const bytes = cellSize(most);
    const number = Math.ceil(most / bytes);
    const seen = this.runsOf.some((runs) => {
      const cells = cellKinds(runs, bytes, number, ranks);
      return cells.reduce((sum, kind) => sum + (kind !== NOTHING && ranks[kind] === 0), 0) >= FEW_CELLS;
    });
    return seen ? MOST_CELLS : MOST_CELLS / 16;
  }

  // Back to what was kept, if anything; also after another state or layout was chosen.
  rest() {
    const kept = [this.file, this.disk].find((picture) => picture && picture.kept !== null);
    if (kept) kept.goto(Math.min(kept.kept, kept.total - 1));
    else this.say(null);
  }

  stateName(index) {
    const state = this.states[index];
    if (state.id === null && state.name === null) return [make("strong", {}, "Active state")];
    const id = make("span", {}, "Snapshot ", foreign(state.id ?? index));
    return [make("strong", {}, id, " ", foreign(state.name ?? ""))];
  }

  stateNote(index) {
    const many = this.states.length > 1 ? `${index + 1} of ${this.states.length}` : null;
    const left = this.model.disk.states_left ? `${plural(this.model.disk.states_left, "more state")} not in this page` : null;
    return [this.states[index].date, many, left].filter(Boolean).join(" · ");
  }

  stateWords(index) {
    const state = this.states[index];
    if (state.id === null && state.name === null) return "Active state";
    return `Snapshot ${state.id ?? index} ${state.name ?? ""} ${state.date ?? ""}`.trim();
  }

  fileMoved(offset, keep) {
    const run = this.tiles.at(offset);
    const kind = this.catalogue.kinds[this.tiles.kinds[run]];
    const start = Math.max(this.tiles.start(run), this.file.cellOf(offset) * this.file.bytes);
    const end = Math.min(this.tiles.start(run + 1), (this.file.cellOf(offset) + 1) * this.file.bytes);
    const found = this.disk ? this.guestRanges(start, end) : [];
    const here = found.filter(([state]) => state === this.state);
    this.file.mark([[this.tiles.start(run), this.tiles.length(run)]]);
    if (this.disk) {
      this.disk.cursor = -1;
      if (keep) this.disk.kept = null;
      this.disk.mark(here.slice(0, MOST_LINES).map(([, from, length]) => [from, length]));
      this.join(this.file, offset, this.disk, here.map(([, from]) => from));
    }
    this.say({ place: "File", offset, kind, run: [this.tiles.start(run), this.tiles.length(run)], picture: this.file }, this.guestWords(found));
  }

  diskMoved(offset, keep) {
    if (keep && this.file) this.file.kept = null;
    const runs = this.runsOf[this.state];
    const run = runs.at(offset);
    if (run < 0) {
      this.file?.clear();
      this.lines.replaceChildren();
      return this.say({ place: "Guest", offset, kind: null }, [["This state’s disk ends before here."]]);
    }
    const kind = this.catalogue.states[runs.kinds[run]];
    const host = this.hostAt(offset);
    const there = host !== null && this.file && host < this.length;
    const length = this.isCompressed(runs.kinds[run]) ? 1 : Math.min(this.disk.bytes, runs.start(run + 1) - offset);
    this.disk.mark([[runs.start(run), runs.length(run)]]);
    if (this.file) {
      this.file.cursor = -1;
      this.file.mark(there ? [[host, length]] : []);
      this.join(this.disk, offset, this.file, there ? [host] : []);
    }
    this.say({ place: "Guest", offset, kind, run: [runs.start(run), runs.length(run)], picture: this.disk }, this.hostWords(kind, host, there));
  }

  isCompressed(state) {
    return this.catalogue.states[state].name === "compressed";
  }

  inThisFile(state) {
    return this.catalogue.states[state].name !== "data-file";
  }

  // The byte of the file that a guest byte is stored in; the payload's first, where compressed.
  hostAt(offset) {
    const runs = this.runsOf[this.state];
    const run = runs.at(offset);
    if (run < 0 || runs.host(run) < 0 || !this.inThisFile(runs.kinds[run])) return null;
    return runs.host(run) + (this.isCompressed(runs.kinds[run]) ? 0 : offset - runs.start(run));
  }

  // All guest ranges whose bytes are in a range of the file: state, first byte, length.
  guestRanges(start, end) {
    const found = [];
    this.runsOf.forEach((runs, state) => {
      for (let run = 0; run < runs.number; run += 1) {
        const host = runs.hosts[run];
        if (host < 0 || host >= end || !this.inThisFile(runs.kinds[run])) continue;
        if (this.isCompressed(runs.kinds[run])) {
          if (this.payloadEnd(runs, host) > start) found.push([state, runs.start(run), runs.length(run)]);
        } else if (host + runs.length(run) > start) {
          const from = Math.max(host, start);
          const length = Math.min(host + runs.length(run), end) - from;
          found.push([state, runs.start(run) + from - host, length]);
        }
      }
    });
    return found;
  }

  // A payload ends where the next one begins, or with the run of the file that has it.
  payloadEnd(runs, host) {
    if (!runs.payloads) {
      const hosts = runs.hosts.filter((at, run) => at >= 0 && this.isCompressed(runs.kinds[run]));
      runs.payloads = Float64Array.from(new Set(hosts)).sort();
    }
    let [low, high] = [0, runs.payloads.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (runs.payloads[middle] <= host) low = middle + 1;
      else high = middle;
    }
    const tile = this.tiles.at(host);
    const end = tile < 0 ? host + 1 : this.tiles.start(tile + 1);
    return low < runs.payloads.length ? Math.min(end, runs.payloads[low]) : end;
  }

  guestWords(found) {
    const states = new Map();
    for (const [state, from, length] of found) {
      if (!states.has(state)) states.set(state, []);
      states.get(state).push([from, length]);
    }
    const rows = [...states].sort(([one], [other]) => (other === this.state) - (one === this.state));
    const words = rows.slice(0, 4).map(([state, ranges]) => {
      const more = ranges.length > 1 ? ` and ${plural(ranges.length - 1, "more range")}` : "";
      return ["guest ", code(range(...ranges[0])), `${more} of `, ...this.stateName(state)];
    });
    if (rows.length > 4) words.push([`and in ${plural(rows.length - 4, "more state")}`]);
    return words;
  }

  hostWords(kind, host, there) {
    if (host === null) return [[kind.says]];
    if (!there) return [["file ", code(hex(host)), ", past the end of the file"]];
    const owner = this.catalogue.kinds[this.tiles.kinds[this.tiles.at(host)]];
    return [["file ", code(hex(host)), ", ", swatch(owner), ` ${owner.label}`]];
  }

  // The text for the cursor: where, what, how long, and where the same bytes are on the other side.
  say(what, words = []) {
    if (!what) {
      this.lines.replaceChildren();
      for (const picture of [this.file, this.disk]) picture?.clear();
      this.readout.replaceChildren(make("p", { class: "note" }, "Nothing is pointed at."));
      return;
    }
    const line = make("p", { class: "spot" }, `${what.place} `, code(hex(what.offset)));
    if (what.kind) line.append(" ", swatch(what.kind), " ", make("strong", {}, what.kind.label));
    if (what.run) line.append(make("span", { class: "note" }, ` a run of ${exactSize(what.run[1])}, ${range(...what.run)}`));
    const many = what.picture?.runsHere() ?? 1;
    if (many > 1) line.append(make("span", { class: "note" }, ` (one of ${count(many)} runs in this cell of ${size(what.picture.bytes)})`));
    const list = make("ul", {}, words.map((row) => make("li", {}, row)));
    const host = what.place === "File" ? what.offset : this.hostAt(what.offset);
    const found = host === null ? null : this.page.structureAt(host);
    const show = () => this.page.showOffset(host);
    const jump = found && make("button", { type: "button", class: "quiet", onclick: show }, "Show ", foreign(found, "code"));
    this.readout.replaceChildren(line, list, jump ?? "");
    this.live.textContent = flat([line, ...list.children].map((node) => node.textContent).join("; "));
  }

  // Lines from the cursor to where the same bytes are in the other picture.
  join(from, offset, to, targets) {
    const frame = this.pair.getBoundingClientRect();
    this.lines.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    const point = (picture, at) => {
      const corner = picture.canvas.getBoundingClientRect();
      const [x, y] = picture.spot(at);
      return [x + corner.left - frame.left, y + corner.top - frame.top];
    };
    const [x, y] = point(from, offset);
    this.lines.replaceChildren(...targets.slice(0, MOST_LINES).flatMap((target) => {
      const [right, down] = point(to, target);
      const bend = Math.abs(right - x) > 40 ? [(right - x) / 2, 0] : [0, (down - y) / 2];
      const path = `M${x} ${y}C${x + bend[0]} ${y + bend[1]} ${right - bend[0]} ${down - bend[1]} ${right} ${down}`;
      return [make("svg:path", { d: path, class: "halo" }), make("svg:path", { d: path }),
        make("svg:circle", { cx: right, cy: down, r: 4 })];
    }));
  }

  resized() {
    for (const picture of [this.file, this.disk]) if (picture) picture.fit();
    this.rest();
  }

  repaint() {
    for (const picture of [this.file, this.disk]) if (picture?.layout) picture.repaint();
  }
}

// What is stored is seen wherever there is any, then zeros: a disk is mostly not allocated.
function ranksOf(catalogue) {
  const ranks = { zero: 1, "not-looked-at": 2, unallocated: 3 };
  return catalogue.states.map(({ name }) => ranks[name] ?? 0);
}
