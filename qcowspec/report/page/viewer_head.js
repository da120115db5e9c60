// What is wrong, at a glance: the title, the verdicts, the findings, the facts.
//
// In: the model, and the catalogue's words on rules. Out: sections of the page.

const FIRST_FINDINGS = 10; // listed at first
const MORE_FINDINGS = 50; // listed when more are asked for

const VERDICTS = {
  accept: { mark: "✓", word: "accepted" },
  reject: { mark: "✗", word: "rejected" },
  undecided: { mark: "?", word: "undecided" },
};

function title(model, page) {
  const { file } = model;
  const version = file.version ? ` version ${file.version}` : "";
  const about = make("p", { class: "about" }, foreign(file.format ?? "no QCOW image"), version, make("span", { class: "dot" }, " · "), exactSize(file.length));
  const toggle = make("button", { type: "button", class: "quiet theme", id: "theme", onclick: page.toggleTheme });
  page.nameTheme(toggle);
  return make("header", {}, make("div", {}, make("h1", {}, foreign(file.name)), about), toggle);
}

// One sentence for the colleague, then a card for each judge.
function verdicts(model) {
  const judged = model.verdicts ?? [];
  const cards = judged.map((one) => card(one.verdict, one.profile, one.says, [
    `${plural(one.judged ?? 0, "rule")} judged, ${count(one.broken ?? 0)} broken`,
    ...(one.not_looked_at?.length ? [`not looked at: ${one.not_looked_at.join(", ")}`] : []),
  ]));
  cards.push(checked(model));
  return make("section", { id: "verdicts", "aria-label": "Verdicts" },
    make("p", { class: "sentence" }, sentence(judged, model.check)),
    make("ul", { class: "cards" }, cards));
}

// "Rejected by untrusted, accepted by qemu and spec."
function verdictWords(judged) {
  if (!judged.length) return "Not judged";
  const parts = ["reject", "undecided", "accept"].flatMap((verdict) => {
    const names = judged.filter((one) => one.verdict === verdict).map((one) => one.profile.split("@")[0]);
    const whom = names.length === judged.length && names.length > 1 ? "every profile" : names.join(" and ");
    return names.length ? [`${VERDICTS[verdict].word} by ${whom}`] : [];
  });
  const text = parts.join(", ");
  return text[0].toUpperCase() + text.slice(1);
}

function sentence(judged, check) {
  const said = verdictWords(judged);
  if (!check) return `${said}; references were not checked.`;
  const { corruptions = 0, leaks = 0, check_errors: failed = 0 } = check;
  if (corruptions) return `${said}; the check finds ${plural(corruptions, "corruption")}.`;
  if (failed) return `${said}; the check could not look at all.`;
  return leaks ? `${said}; the check finds ${plural(leaks, "leaked cluster")}.` : `${said}; the check finds nothing wrong.`;
}

function checked(model) {
  const { check } = model;
  if (!check) return card("undecided", "check", model.check_says ?? "References were not checked.", [], "not looked at");
  const { corruptions = 0, leaks = 0, leaked_bytes: bytes = 0, check_errors: failed = 0, beyond = 0 } = check;
  const verdict = corruptions ? "reject" : leaks || failed ? "undecided" : "accept";
  const worst = [[corruptions, "corruption"], [failed, "check error"], [leaks, "leak"]].find(([number]) => number);
  const word = worst ? plural(...worst) : "consistent";
  const says = model.check_says ?? "References compared with refcounts.";
  const more = [`${plural(corruptions, "corruption")}, ${plural(leaks, "leak")}${bytes ? `, ${exactSize(bytes)}` : ""}`];
  if (beyond) more.push(`${plural(beyond, "more finding")} that QEMU's check does not have`);
  return card(verdict, "check", says, more, word, verdict === "undecided" ? "!" : null);
}

function card(verdict, name, says, notes, word = null, mark = null) {
  const look = VERDICTS[verdict] ?? VERDICTS.undecided;
  return make("li", { class: "card", data: { verdict, profile: name.split("@")[0] } },
    make("p", { class: "badge" }, make("span", { class: "mark", "aria-hidden": "true" }, mark ?? look.mark), make("strong", {}, word ?? look.word)),
    make("h3", {}, foreign(name)), make("p", {}, foreign(says)), notes.map((note) => make("p", { class: "note" }, foreign(note))));
}

function findings(model, catalogue, page) {
  const all = model.findings ?? [];
  const list = make("ol", { class: "findings" });
  const more = make("button", { type: "button", class: "quiet", onclick: () => add(MORE_FINDINGS) });
  const add = (many) => {
    const from = list.childElementCount;
    list.append(...all.slice(from, from + many).map((found, place) => finding(found, from + place, catalogue, page)));
    const left = all.length - list.childElementCount;
    more.textContent = `Show ${Math.min(left, MORE_FINDINGS)} more of ${count(left)}`;
    more.hidden = left <= 0;
  };
  add(FIRST_FINDINGS);
  page.showFinding = (index) => {
    while (list.childElementCount <= index) add(MORE_FINDINGS);
    const item = list.children[index];
    item.scrollIntoView({ block: "center" });
    item.querySelector(".jump").focus({ preventScroll: true });
  };
  const left = model.findings_left ? make("p", { class: "note" }, `${plural(model.findings_left, "more finding")} not in this page; qcowspec validate and check list all.`) : null;
  const none = all.length ? null : make("p", { class: "missing good" }, "No rule is broken among those that were judged.");
  return section("findings", all.length ? `Findings (${count(all.length + (model.findings_left ?? 0))})` : "Findings", none, list, more, left);
}

function finding(found, index, catalogue, page) {
  const rule = catalogue.rules?.[found.rule];
  const place = found.offset === null || found.offset === undefined ? null : hex(found.offset);
  const about = make("p", { class: "note" }, found.kind ? [make("span", { class: "tag" }, found.kind), " "] : null, code(found.rule),
    place ? [" at ", code(place)] : null, found.field ? [", field ", foreign(found.field, "code")] : null,
    found.profiles?.length ? [", by ", foreign(found.profiles.map((name) => name.split("@")[0]).join(", "))] : null);
  const jump = make("button", { type: "button", class: "jump", onclick: () => page.showPlace(found.offset, found.field) },
    foreign(found.message ?? found.rule));
  const says = rule ? make("details", { class: "folded" }, make("summary", {}, "What the rule says, and why"), make("dl", { class: "rule" },
    [["Says", rule.says], ["Why", rule.why], ["Source", [].concat(rule.source ?? []).join("; ")]].flatMap(([name, text]) =>
      text ? [make("dt", {}, name), make("dd", {}, foreign(text))] : []))) : null;
  return make("li", { id: `finding-${index + 1}` }, make("span", { class: "pin still", "aria-hidden": "true" }, String(index + 1)),
    make("div", {}, jump, about, says));
}

// Pins for the picture: one a place, with the number of the first finding there.
function pinsOf(model, page) {
  const places = new Map();
  (model.findings ?? []).forEach((found, index) => {
    if (found.offset === null || found.offset === undefined || found.offset >= model.file.length) return;
    if (!places.has(found.offset) && places.size < 100) {
      places.set(found.offset, [found.offset, String(index + 1), found.message ?? found.rule, () => page.showFinding(index)]);
    }
  });
  return [...places.values()];
}

function facts(model) {
  const rows = (model.facts ?? []).flatMap(([label, text]) => [make("dt", {}, foreign(label)), make("dd", {}, foreign(text))]);
  return section("facts", "Facts", make("dl", { class: "facts wide" }, rows));
}

function leftOut(model) {
  const list = model.left_out ?? [];
  const none = make("p", { class: "note" }, "Nothing: all that the page is about was looked at, and is in it.");
  return section("left-out", "What is not in this page", list.length ? make("ul", {}, list.map((text) => make("li", {}, foreign(text)))) : none);
}

// What the file is made of, as one bar above all else.
function ribbon(model, catalogue) {
  const sums = model.kinds ?? {};
  const parts = catalogue.kinds.flatMap((kind) => (sums[kind.name]?.bytes ? [[kind, sums[kind.name].bytes]] : []));
  const says = parts.map(([kind, bytes]) => `${kind.label} ${share(bytes, model.file.length)}`).join(", ");
  const bar = make("div", { class: "ribbon", role: "img", "aria-label": `What the file is made of: ${says}` });
  for (const [kind, bytes] of parts) {
    const part = make("span", { class: kind.cavity ? "hatched" : "", title: `${kind.label}: ${exactSize(bytes)}, ${share(bytes, model.file.length)}` });
    setStyles(part, { ...tint(kind), "flex-grow": bytes });
    bar.append(part);
  }
  return bar;
}
