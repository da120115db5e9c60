// The formats of QEMU's QCOW images, versions 1 to 3, and the rules that each structure carries.
"use strict";

const ExactStream = require("./exact");
const RULES = require("./rules.json");

const LAYOUTS = {
  Luks1: require("./Luks1").Luks1,
  Qcow: require("./Qcow").Qcow,
  Qcow1: require("./Qcow1").Qcow1,
  Qcow2: require("./Qcow2").Qcow2,
};

/** The class of a layout by the name that the specification gives it, such as "qcow2::header". */
function layout(name) {
  const steps = name.split("::").map((step) =>
    step.split("_").map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("")
  );
  return steps.reduce((found, step) => found && found[step], LAYOUTS);
}

/**
 * Read a structure from its bytes (a Uint8Array, a Buffer or an ArrayBuffer).
 *
 * Throws KaitaiStream.EOFError where the bytes end before the structure does.
 *
 * @param which The class, or its name: Qcow2, "qcow2::header".
 * @param bytes Where it starts with the first byte.
 * @param parameters The layout's own, such as cluster_bits.
 */
function parse(which, bytes, ...parameters) {
  const chosen = typeof which === "string" ? layout(which) : which;
  // A view of a larger buffer is copied: Kaitai's stream heeds neither its start nor its end.
  const buffer = bytes instanceof ArrayBuffer ? bytes : Uint8Array.from(bytes).buffer;
  return new chosen(new ExactStream(buffer), null, null, ...parameters);
}

let byClass = null;

/** The rules that stand about a structure, by what it is an object of. */
function rulesOn(structure) {
  if (byClass === null) {
    byClass = new Map();
    for (const rule of RULES) {
      const on = layout(rule.on);
      byClass.set(on, [...(byClass.get(on) || []), rule]);
    }
  }
  return byClass.get(structure.constructor) || [];
}

/**
 * The rules that a structure breaks, as far as its own bytes tell.
 *
 * @param version Of the image, 1 to 3; rules of other versions are left out. A header knows its own.
 * @param profiles Whose rules: "qemu", "spec", "librbd", "untrusted".
 */
function broken(structure, version = structure.version, profiles = ["qemu", "spec"]) {
  return rulesOn(structure).filter(
    (rule) =>
      profiles.some((profile) => rule.profiles.includes(profile)) &&
      (version === undefined || rule.versions.includes(version)) &&
      !structure[rule.instance]
  );
}

module.exports = { ...LAYOUTS, ExactStream, RULES, broken, layout, parse };
