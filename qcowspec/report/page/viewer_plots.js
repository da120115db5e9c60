// Plots: how long the runs of data are, what compression saves, what each state has allocated.
//
// In: the model's sums. Out: bars in SVG, each with the same numbers as a table.

const PLOT = { wide: 480, high: 168, left: 24, bottom: 34, top: 20 };

function plots(model, catalogue) {
  const { extents, compression, allocation } = model.plots ?? {};
  const figures = [extentsPlot(extents), compressionPlot(compression), allocationPlot(allocation, catalogue)];
  const shown = figures.filter(Boolean);
  if (!shown.length) return null;
  return section("plots", "Fragmentation, compression, allocation", make("div", { class: "plots" }, shown));
}

function figure(heading, says, drawing, rows, heads) {
  return make("figure", {}, make("figcaption", {}, make("h3", {}, heading), make("p", { class: "note" }, says)), drawing,
    folded("As a table", make("div", { class: "scroll" }, table(heading, heads, rows))));
}

function extentsPlot(extents) {
  if (!extents?.histogram?.length) return null;
  const rows = extents.histogram.map(([most, number]) => [size(most), number]);
  const says = `${plural(extents.count, "contiguous run")} of guest data in the file. The longer, the less fragmented.`;
  return figure("Runs of data, by length", says, columns(rows, "up to"), rows.map(([text, number]) => [`up to ${text}`, count(number)]), ["Length", "Runs"]);
}

function compressionPlot(compression) {
  if (!compression?.clusters) return null;
  const { clusters, payload, guest, histogram = [] } = compression;
  const rows = histogram.map(([most, number]) => [`${most} %`, number]);
  const says = `${plural(clusters, "compressed cluster")}: ${size(guest)} of the disk in ${size(payload)} of the file, ${share(payload, guest)}.`;
  const drawing = rows.length ? columns(rows, "up to") : null;
  return figure("Compressed size, of the cluster’s", says, drawing, rows.map(([text, number]) => [`up to ${text}`, count(number)]), ["Size", "Clusters"]);
}

// Columns of a histogram; the number stands above each.
function columns(rows, prefix) {
  const { wide, high, left, bottom, top } = PLOT;
  const most = rows.reduce((sum, [, number]) => Math.max(sum, number), 1);
  const step = (wide - 2 * left) / rows.length;
  const room = Math.min(step * 0.78, 56);
  const every = Math.ceil((rows.length * 56) / wide);
  const base = high - bottom;
  const drawing = make("svg:svg", { viewBox: `0 0 ${wide} ${high}`, class: "plot", role: "img",
    "aria-label": rows.map(([text, number]) => `${prefix} ${text}: ${count(number)}`).join(", ") });
  drawing.append(make("svg:line", { x1: 0, x2: wide, y1: base + 0.5, y2: base + 0.5, class: "axis" }));
  rows.forEach(([text, number], place) => {
    const middle = left + step * (place + 0.5);
    const tall = number ? Math.max(1.5, ((base - top) * number) / most) : 0;
    const bar = make("svg:rect", { x: middle - room / 2, y: base - tall, width: room, height: tall, rx: 1.5, class: "column" },
      make("svg:title", {}, `${prefix} ${text}: ${count(number)}`));
    drawing.append(bar);
    if (number && step > 22) drawing.append(words(middle, base - tall - 5, count(number), "value"));
    if (place % every === 0) drawing.append(words(middle, base + 15, text, "tick"));
  });
  drawing.append(words(wide - left, high - 3, prefix, "tick end"));
  return drawing;
}

function words(x, y, text, look) {
  return make("svg:text", { x, y, class: look }, text);
}

// A bar for each state, of its parts.
function allocationPlot(allocation, catalogue) {
  if (!allocation?.length) return null;
  const known = catalogue.states.filter((state) => allocation.some(([, sums]) => sums[state.name]));
  const drawn = known.filter(({ name }) => name !== "unallocated" && name !== "not-looked-at");
  const most = allocation.reduce((sum, [, sums]) => Math.max(sum, total(sums, drawn)), 1);
  const bars = allocation.map(([name, sums]) => {
    const bar = make("div", { class: "stack" });
    for (const state of drawn) {
      const bytes = sums[state.name] ?? 0;
      if (!bytes) continue;
      const part = make("span", { title: `${state.label}: ${exactSize(bytes)}` });
      setStyles(part, { ...tint(state), width: `${(100 * bytes) / most}%` });
      bar.append(part);
    }
    return make("div", { class: "state-bar", "aria-hidden": "true" }, foreign(name, "span"), bar,
      make("span", { class: "number" }, size(total(sums, drawn))));
  });
  const says = "What each state’s disk has allocated. States may share bytes.";
  const keys = make("p", { class: "note key-list" }, drawn.map((state) => make("span", {}, swatch(state), ` ${state.label}`)));
  const scrolls = allocation.length > 12 ? 0 : null; // so that its keys scroll it
  const list = make("div", { class: "state-bars", role: "group", "aria-label": says, tabindex: scrolls }, bars);
  const rows = allocation.map(([name, sums]) => [name, ...known.map((state) => count(sums[state.name] ?? 0))]);
  return figure("Allocation, by state", says, make("div", {}, list, keys), rows, ["State", ...known.map((state) => `${state.label}, bytes`)]);
}

function total(sums, states) {
  return states.reduce((sum, state) => sum + (sums[state.name] ?? 0), 0);
}
