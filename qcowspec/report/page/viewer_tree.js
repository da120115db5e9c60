// The structures as a tree, and the bytes of the one that is selected.
//
// In: the model's nodes and its stretches of bytes. Out: a tree by the rules of ARIA: one stop of the
// Tab key, arrow keys inside. Children are made when their parent is opened.

const MOST_HITS = 200;
const MOST_HEX = 512; // bytes shown at once
const HEX_ROW = 16;

class Tree {
  constructor(model, page) {
    this.page = page;
    this.items = new Map(); // node -> its element, once made
    this.parents = new Map();
    this.all = [];
    this.bytes = new Bytes(model.bytes ?? []);
    const roots = model.structures ?? [];
    this.index(roots, null);
    this.root = make("ul", {
      role: "tree",
      class: "tree",
      id: "tree",
      "aria-label": "Structures",
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
    });
    this.root.append(...roots.map((node) => this.item(node, 1)));
    this.root.firstElementChild?.setAttribute("tabindex", "0");
    this.hits = make("ul", { class: "hits", id: "hits" });
    this.hits.hidden = true;
    this.search = make("input", {
      type: "search",
      id: "search",
      placeholder: "Name, value, meaning, 0x offset",
      "aria-label": "Search the structures",
      oninput: () => this.find(this.search.value),
      onkeydown: (event) => {
        if (event.key === "Enter") this.hits.querySelector("button")?.click();
      },
    });
    this.found = make("p", { class: "note", role: "status" });
    this.detail = make("div", { class: "detail", id: "detail" });
    const left = model.structures_left
      ? make("p", { class: "note" }, `${plural(model.structures_left, "more structure")} not in this page; qcowspec dump lists all.`)
      : null;
    const list = make("div", { class: "list" }, this.search, this.found, this.hits, this.root, left);
    this.element = section("structures", "Structures", make("div", { class: "inspect" }, list, this.detail));
    if (roots.length) this.show(roots[0]);
    else this.detail.append(missing("No structure was read."));
  }

  index(nodes, parent) {
    for (const node of nodes) {
      this.parents.set(node, parent);
      this.all.push(node);
      this.index(node.fields ?? [], node);
    }
  }

  item(node, level) {
    const inside = node.fields?.length > 0;
    const text = make("span", { class: "row" }, make("span", { class: "name" }, foreign(node.name)), " ");
    const says = node.meaning ?? summed(node.summary) ?? node.value;
    if (says !== undefined && says !== null && says !== "") text.append(make("span", { class: "says" }, foreign(says)), " ");
    text.append(make("span", { class: "at" }, hex(node.offset)));
    const item = make("li", {
      role: "treeitem",
      tabindex: -1,
      "aria-level": level,
      "aria-selected": "false",
      "aria-expanded": inside ? "false" : null,
      "aria-label": flat(text.textContent),
    }, text);
    item.node = node;
    this.items.set(node, item);
    return item;
  }

  open(item, wanted) {
    if (!item.hasAttribute("aria-expanded")) return;
    item.setAttribute("aria-expanded", String(wanted));
    if (!wanted || item.querySelector(":scope > ul")) return;
    const level = Number(item.getAttribute("aria-level")) + 1;
    item.append(make("ul", { role: "group" }, item.node.fields.map((node) => this.item(node, level))));
  }

  isOpen(item) {
    return item.getAttribute("aria-expanded") === "true";
  }

  // Selects a node; its parents are opened. `focus` also moves the keyboard and the page there.
  show(node, focus = false) {
    const path = [];
    for (let at = node; at; at = this.parents.get(at)) path.unshift(at);
    for (const parent of path.slice(0, -1)) this.open(this.items.get(parent), true);
    const item = this.items.get(node);
    for (const old of this.root.querySelectorAll('[aria-selected="true"], [tabindex="0"]')) {
      old.setAttribute("aria-selected", "false");
      old.setAttribute("tabindex", "-1");
    }
    item.setAttribute("aria-selected", "true");
    item.setAttribute("tabindex", "0");
    this.describe(node, path);
    if (!focus) return;
    item.focus({ preventScroll: true });
    this.into(item);
  }

  // Scrolls the list alone, so that the page stays where it is.
  into(item) {
    const row = item.firstElementChild.getBoundingClientRect();
    const box = this.root.getBoundingClientRect();
    if (row.top < box.top || row.bottom > box.bottom) this.root.scrollTop += row.top - box.top - box.height / 3;
  }

  // The innermost node that has a byte; of several, the first.
  at(offset) {
    const has = (node) => offset >= node.offset && offset < node.offset + node.length;
    let node = null;
    let nodes = this.all.filter((one) => this.parents.get(one) === null);
    while (nodes.length) {
      const inner = nodes.find(has);
      if (!inner) break;
      node = inner;
      nodes = inner.fields ?? [];
    }
    return node;
  }

  // By a field's name among the nodes that have an offset, as a finding gives both.
  named(offset, field) {
    const inner = offset === null || offset === undefined ? null : this.at(offset);
    if (inner || !field) return inner;
    const last = field.split(".").pop();
    return this.all.find((node) => node.name === field) ?? this.all.find((node) => node.name === last) ?? null;
  }

  click(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const item = row.parentElement;
    this.open(item, !this.isOpen(item));
    this.show(item.node, true);
  }

  visible() {
    return [...this.root.querySelectorAll('[role="treeitem"]')].filter((item) => {
      const closed = item.parentElement.closest('[aria-expanded="false"]');
      return !closed;
    });
  }

  key(event) {
    const item = event.target.closest('[role="treeitem"]');
    if (!item || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = (far) => {
      const items = this.visible();
      return items[Math.max(0, Math.min(items.indexOf(item) + far, items.length - 1))];
    };
    const moves = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      Home: () => this.visible()[0],
      End: () => this.visible().at(-1),
      ArrowRight: () => {
        if (item.hasAttribute("aria-expanded") && this.isOpen(item)) return step(1);
        this.open(item, true);
        return item;
      },
      ArrowLeft: () => {
        if (!this.isOpen(item)) return item.parentElement.closest('[role="treeitem"]') ?? item;
        this.open(item, false);
        return item;
      },
      Enter: () => this.toggled(item),
      " ": () => this.toggled(item),
    };
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    this.show(moves[event.key]().node, true);
  }

  toggled(item) {
    this.open(item, !this.isOpen(item));
    return item;
  }

  find(text) {
    const wanted = text.trim().toLowerCase();
    this.hits.hidden = !wanted;
    this.root.hidden = Boolean(wanted);
    this.hits.replaceChildren();
    this.found.textContent = "";
    if (!wanted) return;
    const number = /^(0x[0-9a-f]+|\d+)$/.test(wanted) ? Number(wanted) : null;
    const here = number === null ? null : this.at(number);
    const has = (node) => [node.name, node.value, node.meaning, summed(node.summary), node.layout].some(
      (said) => said !== undefined && said !== null && String(said).toLowerCase().includes(wanted));
    const hits = [...new Set([...(here ? [here] : []), ...this.all.filter(has)])];
    const more = hits.length > MOST_HITS ? `, the first ${MOST_HITS} are listed` : "";
    this.found.textContent = `${plural(hits.length, "match").replace("matchs", "matches")}${more}`;
    this.hits.append(...hits.slice(0, MOST_HITS).map((node) => make("li", {}, make("button", {
      type: "button",
      onclick: () => {
        this.search.value = "";
        this.find("");
        this.show(node, true);
      },
    }, foreign(this.path(node)), make("span", { class: "at" }, hex(node.offset))))));
  }

  path(node) {
    const names = [];
    for (let at = node; at; at = this.parents.get(at)) names.unshift(at.name);
    return names.join(" › ");
  }

  describe(node, path) {
    const facts = [["Offset", `${hex(node.offset)} (${count(node.offset)})`], ["Length", exactSize(node.length)]];
    for (const [label, name] of [["Raw", "raw"], ["Value", "value"], ["Meaning", "meaning"], ["Summary", "summary"], ["Layout", "layout"]]) {
      const said = name === "summary" ? summed(node.summary) : node[name];
      if (said !== undefined && said !== null && said !== "") facts.push([label, String(said).length > 600 ? `${String(said).slice(0, 600)} …` : said]);
    }
    const rows = facts.flatMap(([label, said]) => [make("dt", {}, label), make("dd", {}, foreign(said))]);
    const trail = path.slice(0, -1).map((one) => one.name).join(" › ");
    const show = make("button", { type: "button", class: "quiet", onclick: () => this.page.showInPicture(node.offset) }, "Show in the picture");
    this.detail.replaceChildren(
      trail ? make("p", { class: "note trail" }, foreign(trail)) : "",
      make("h3", { class: "mono" }, foreign(node.name)),
      make("dl", { class: "facts" }, rows),
      this.hexOf(node),
      show,
    );
  }

  // Bytes around the node, its own marked. A byte is a button for the field that has it.
  hexOf(node) {
    const start = Math.floor(node.offset / HEX_ROW) * HEX_ROW;
    const wide = Math.min(Math.ceil((node.offset + node.length - start) / HEX_ROW) * HEX_ROW, MOST_HEX) || HEX_ROW;
    const from = Math.max(0, start - (wide < MOST_HEX ? HEX_ROW : 0));
    const end = start + wide + (wide < MOST_HEX ? HEX_ROW : 0);
    const lines = [];
    for (let at = from; at < end; at += HEX_ROW) {
      const bytes = Array.from({ length: HEX_ROW }, (_, place) => this.bytes.at(at + place));
      if (bytes.every((byte) => byte < 0)) continue;
      const cells = (show) => bytes.map((byte, place) => {
        const own = at + place >= node.offset && at + place < node.offset + node.length;
        const cell = make(own && byte >= 0 ? "mark" : "span", { data: { offset: at + place } });
        cell.textContent = show(byte);
        return cell;
      });
      const pair = (byte) => (byte < 0 ? "  " : byte.toString(16).padStart(2, "0"));
      const letter = (byte) => (byte < 0 ? " " : byte > 32 && byte < 127 ? String.fromCharCode(byte) : "·");
      lines.push(make("div", { class: "line" }, make("span", { class: "at" }, at.toString(16).padStart(8, "0")),
        make("span", { class: "pairs" }, cells(pair)), make("span", { class: "letters" }, cells(letter))));
    }
    if (!lines.length) return make("p", { class: "note" }, "These bytes are not in this page; qcowspec dump --hex prints them.");
    const cut = node.offset + node.length > end ? [make("p", { class: "note" }, `${size(node.offset + node.length - end)} more not shown here.`)] : [];
    const box = make("div", {
      class: "hex",
      tabindex: 0,
      role: "group",
      "aria-label": "Bytes",
      onclick: (event) => {
        const offset = event.target.dataset?.offset;
        const field = offset === undefined ? null : this.at(Number(offset));
        if (field) this.show(field);
      },
    }, lines);
    return make("div", {}, box, cut);
  }
}

// The stretches of the file that the page has.
class Bytes {
  constructor(stretches) {
    this.stretches = stretches.map(([offset, text]) => [offset, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]);
  }

  at(offset) {
    for (const [start, bytes] of this.stretches) {
      if (offset >= start && offset < start + bytes.length) return bytes[offset - start];
    }
    return -1;
  }
}

// A summary's counts as text: "entries 8,192, used 1".
function summed(summary) {
  if (summary === null || typeof summary !== "object") return summary;
  return Object.entries(summary)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? count(value) : value}`)
    .join(", ");
}
