// What stands around the pictures: legends, tables of runs, a switch, small marks in the text.
//
// In: the catalogue's kinds, and sums. Out: elements. An entry of a legend that is pressed shows
// only the cells of its kind.

const UNKNOWN = ["not-followed", "not-looked-at"]; // neither in use nor known to be cavities
const MOST_ROWS = 500; // in the tables that stand for pictures

function fileLegend(catalogue, model, picture) {
  const entries = catalogue.kinds.flatMap((kind, index) => {
    const sum = model.kinds?.[kind.name];
    if (!sum?.bytes) return [];
    return [{ kind, index, bytes: sum.bytes, extra: sum.nonzero ? `${count(sum.nonzero)} not zero` : null }];
  });
  const { length } = model.file;
  const groupOf = ({ name, cavity }) => (UNKNOWN.includes(name) ? "unknown" : cavity ? "cavity" : "used");
  const group = (words, which) => {
    const some = entries.filter((entry) => groupOf(entry.kind) === which);
    const bytes = some.reduce((sum, entry) => sum + entry.bytes, 0);
    return some.length ? legend(`${words}: ${size(bytes)}, ${share(bytes, length)}`, some, length, picture) : null;
  };
  const groups = [
    group("In use", "used"),
    group("Cavities, which no reader looks at", "cavity"),
    group("Not known", "unknown"),
  ];
  return make("div", { class: "legends", id: "file-legend" }, groups);
}

function diskLegend(catalogue, state, picture) {
  const entries = catalogue.states.flatMap((kind, index) => {
    const bytes = state.sums?.[kind.name] ?? 0;
    return bytes ? [{ kind, index, bytes, extra: null }] : [];
  });
  const heading = `Virtual size: ${exactSize(state.size)}`;
  return make("div", { class: "legends", id: "disk-legend" }, legend(heading, entries, state.size, picture));
}

function legend(heading, entries, whole, picture) {
  const sorted = [...entries].sort((one, other) => other.bytes - one.bytes);
  const rows = sorted.map((entry) => make("li", {}, legendEntry(entry, whole, picture)));
  return make("div", { class: "legend" }, make("h4", {}, heading), make("ul", {}, rows));
}

function legendEntry({ kind, index, bytes, extra }, whole, picture) {
  const press = ({ currentTarget: button }) => {
    const on = button.getAttribute("aria-pressed") !== "true";
    for (const other of button.closest(".legends").querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(on && other === button));
    }
    picture.highlight(on ? index : null);
  };
  const bar = { ...tint(kind), "--part": `${Math.max(0.4, (100 * bytes) / whole)}%` };
  return make(
    "button",
    {
      type: "button",
      class: "entry",
      "aria-pressed": "false",
      title: `${kind.says} ${plural(bytes, "byte")}.`,
      data: { kind: kind.name, bytes },
      onclick: press,
    },
    swatch(kind),
    make("span", { class: "label" }, kind.label, extra ? make("em", { class: "warn" }, ` ${extra}`) : null),
    make("span", { class: "number" }, size(bytes)),
    make("span", { class: "number share" }, share(bytes, whole)),
    make("span", { class: "bar", "aria-hidden": "true", style: bar }),
  );
}

// A picture as a table, made when it is opened.
function runsTable(heading, runsOf, kinds) {
  const box = folded(heading);
  box.addEventListener("toggle", () => {
    box.querySelector("div")?.remove();
    if (!box.open) return;
    const runs = runsOf();
    const rows = Array.from({ length: Math.min(runs.number, MOST_ROWS) }, (_, run) => {
      const row = [hex(runs.start(run)), count(runs.length(run)), kinds[runs.kinds[run]].label];
      return runs.hosts ? [...row, runs.host(run) < 0 ? "" : hex(runs.host(run))] : row;
    });
    const heads = ["Offset", "Bytes", "What", ...(runs.hosts ? ["In the file at"] : [])];
    const left = runs.number - rows.length;
    const more = left > 0 ? make("p", { class: "note" }, `${plural(left, "more run")} not listed here.`) : null;
    box.append(make("div", { class: "scroll", tabindex: 0 }, table(heading, heads, rows), more ?? ""));
  });
  return box;
}

// A choice of a few, as radio buttons that look like one switch.
function segments(name, label, choices, chosen) {
  const choice = ([value, text], place) =>
    make(
      "label",
      {},
      make("input", { type: "radio", name, value, checked: place === 0, onchange: () => chosen(value) }),
      make("span", {}, text),
    );
  return make("fieldset", { class: "segments" }, make("legend", { class: "hidden" }, label), choices.map(choice));
}

function code(text) {
  return make("code", {}, text);
}

function key(text) {
  return make("kbd", {}, text);
}

function missing(text) {
  return make("p", { class: "missing" }, text);
}
