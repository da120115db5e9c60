// Judges structures by the rules whose predicates the generated parsers carry.
//
// In: structures that were read. Out: findings, and which rules were applied. Refuses: nothing; a
// rule whose predicate needs other bytes is not judged, and never passes for kept.
"use strict";

const { decoded, grouped, hexadecimal, plural, printable, shortened, stripped } = require("./text");

/** Findings kept of one rule; the rest are counted. */
const KEPT_PER_RULE = 32;

/** Characters of a value that a message shows, and bytes of a name that are looked at. */
const SHOWN = 64;
const LONGEST = 1024;

class Judge {
  constructor(facts) {
    this.facts = facts;
    this.version = null;
    this.format = null;
    this.findings = [];
    this.counts = new Map();
    this.judged = new Set();
    /** The stages with a broken rule for which a reader cannot go on. */
    this.stopped = new Set();
    this._on = new Map();
  }

  /** Judge a structure; whether what depends on it can be located. */
  part(part, after = null) {
    let sound = true;
    for (const rule of this._rules(part.layout, after)) {
      this.judged.add(rule.id);
      if (part.parsed[rule.instance]) continue;
      if (rule.stops) {
        sound = false;
        this.stopped.add(rule.stage);
      }
      if (!this._counted(rule)) continue;
      const found = part.at(rule.field);
      const path = rule.field ? `${part.name}.${rule.field}` : part.name;
      this._add(rule, found.offset, path, found.held);
    }
    return sound;
  }

  /** Judge an entry of a table; `locate` gives its offset, its path and its bytes. */
  entry(layoutName, parsed, locate) {
    for (const rule of this._rules(layoutName, null)) {
      this.judged.add(rule.id);
      if (parsed[rule.instance] || !this._counted(rule)) continue;
      const { offset, path, bytes } = locate();
      const word = new DataView(bytes.buffer, bytes.byteOffset + rule.at).getBigUint64(0);
      this._add(rule, offset + rule.at, path, word);
    }
  }

  _counted(rule) {
    const count = (this.counts.get(rule.id) || 0) + 1;
    this.counts.set(rule.id, count);
    return count <= KEPT_PER_RULE;
  }

  _add(rule, offset, field, value) {
    const message = rule.fact ? rule.says : sentence(rule.message, value);
    const text = value instanceof Uint8Array ? shortened(value) : String(value === undefined ? "" : value);
    this.findings.push({
      rule: rule.id, kind: rule.kind, profiles: this._profiles(rule.id),
      offset: Number.isFinite(offset) ? offset : null, field, value: text, message,
    });
  }

  _profiles(id) {
    return this.facts.profiles.filter((one) => one.rules.includes(id)).map((one) => one.profile);
  }

  _rules(layoutName, after) {
    const key = `${layoutName} ${after} ${this.version}`;
    let found = this._on.get(key);
    if (found === undefined) {
      found = this.facts.rules.filter(
        (rule) =>
          rule.on === layoutName &&
          rule.after === after &&
          (this.format === null || rule.formats.includes(this.format)) &&
          (rule.versions.includes(this.version) || rule.stage === "probe")
      );
      this._on.set(key, found);
    }
    return found;
  }

  /**
   * What each profile is known to say: it rejects, or nothing was found so far.
   *
   * @param going Whether structures are left that were not read; rules about what an image does not
   *   have are no rules that were left out.
   */
  verdicts(going) {
    const here = new Set(this.facts.rules.map((rule) => rule.id));
    return this.facts.profiles.map(({ profile, label, rules }) => {
      const judged = rules.filter((id) => this.judged.has(id));
      const broken = judged.filter((id) => this.counts.has(id));
      const unseen = this.facts.every.filter(
        (rule) =>
          rules.includes(rule.id) && rule.versions.includes(this.version) && !this.judged.has(rule.id) &&
          (going || this.stopped.size > 0 || !here.has(rule.id))
      );
      const count = grouped(judged.length);
      const says = broken.length
        ? `${label} rejects this image: ${grouped(broken.length)} of ${count} rules broken`
        : `${label}: no rule broken among ${count} judged`;
      return {
        profile, says, verdict: broken.length ? "reject" : "undecided",
        judged: judged.length, broken: broken.length,
        not_looked_at: unseen.length ? [`${plural(unseen.length, "rule")}, named at the end`] : [],
        unseen: unseen.map((rule) => rule.id),
      };
    });
  }
}

/** A rule's message with the value at fault; the row says how a number is written. */
function sentence(message, value) {
  return message.replace(/\{value(?::(#?)(0?)(\d*)(x?))?\}/g, (_, sign, zero, width, hexa) => {
    if (value instanceof Uint8Array) return hexa ? spaced(value) : quoted(value);
    if (value === undefined) return "";
    const digits = hexa ? BigInt(value).toString(16) : String(value);
    const mark = sign ? "0x" : "";
    return mark + (zero ? digits.padStart(Number(width) - mark.length, "0") : digits);
  });
}

function spaced(bytes) {
  const pairs = hexadecimal(bytes.subarray(0, SHOWN)).replace(/..(?=.)/g, "$& ");
  return bytes.length > SHOWN ? `${pairs} …` : pairs;
}

/** A name that stands in an image. What may be a URL with a password in it is not shown. */
function quoted(bytes) {
  const text = decoded(stripped(bytes).subarray(0, LONGEST));
  return text.includes("://") ? "a URL" : `'${printable(text.slice(0, SHOWN))}'`;
}

module.exports = { Judge, KEPT_PER_RULE, sentence };
