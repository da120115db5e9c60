// Compiles .ksy files, which it reads as one JSON object, {file name: text}, and prints another,
// {target: {file name: text}}.
//
//   node compile.js TARGET... < FILES
//
// A target is a language of the Kaitai Struct compiler; `javascript:exact` asks for parsers that do
// not round numbers of 64 bits, `javascript:positions` for the same that also note where each field
// starts and ends. `--all` asks for every language, and answers {language: {file name:
// text} or what the compiler said}. The npm package has no command line.
"use strict";

const fs = require("fs");
const path = require("path");
const yaml = require("js-yaml");
const compiler = require("kaitai-struct-compiler");
const { exactly } = require("./exact");

// Standard output is the answer; whatever the compiler wants to say goes beside it.
console.log = console.error;

// A number that JavaScript rounds would be compiled into a wrong constant without a word.
function refuseRounded(node, where) {
  if (typeof node === "number" && Number.isInteger(node) && !Number.isSafeInteger(node)) {
    throw new Error(`${where}: JavaScript rounds this number; write it as a quoted expression`);
  }
  if (node !== null && typeof node === "object") {
    for (const key of Object.keys(node)) refuseRounded(node[key], `${where}/${key}`);
  }
}

// The Python target copies `doc` into a docstring as it stands.
function escapeDocs(node) {
  for (const key of Object.keys(node)) {
    const value = node[key];
    if (key === "doc" && typeof value === "string") {
      node[key] = value.replace(/\\/g, "\\\\").replace(/"""/g, '\\"\\"\\"');
    } else if (value !== null && typeof value === "object") {
      escapeDocs(value);
    }
  }
}

function load(texts, name, language) {
  const ksy = yaml.load(texts[`${name}.ksy`]);
  refuseRounded(ksy, `${name}.ksy`);
  if (language === "python") escapeDocs(ksy);
  return ksy;
}

const MODES = {
  undefined: () => true,
  exact: (language) => language === "javascript",
  positions: (language) => language === "javascript",
};

async function compile(texts, names, target) {
  const [language, mode] = target.split(":");
  if (!compiler.languages.includes(language) || !(MODES[mode] || (() => false))(language)) {
    throw new Error(`no target ${target}; there are: ${compiler.languages.join(", ")}`);
  }
  const importer = { importYaml: async (name) => load(texts, path.basename(name), language) };
  // An imported file is compiled along with the one that imports it.
  const imported = new Set();
  for (const name of names) {
    const meta = load(texts, name, language).meta || {};
    for (const other of meta.imports || []) imported.add(path.basename(other));
  }
  const files = {};
  for (const name of names.filter((each) => !imported.has(each))) {
    const spec = load(texts, name, language);
    Object.assign(files, await compiler.compile(language, spec, importer, mode === "positions"));
  }
  if (mode !== undefined) for (const name of Object.keys(files)) files[name] = exactly(files[name]);
  return files;
}

async function compileAll(texts, names) {
  const answer = {};
  for (const language of compiler.languages) {
    try {
      answer[language] = await compile(texts, names, language);
    } catch (error) {
      answer[language] = sentence(error);
    }
  }
  return answer;
}

function sentence(error) {
  return String(error.message || error).trim();
}

async function main(targets) {
  const texts = JSON.parse(fs.readFileSync(0, "utf8"));
  const names = Object.keys(texts).map((file) => path.basename(file, ".ksy"));
  const all = targets.includes("--all");
  const answer = all ? await compileAll(texts, names) : {};
  for (const target of all ? [] : targets) answer[target] = await compile(texts, names, target);
  process.stdout.write(JSON.stringify(answer));
}

main(process.argv.slice(2)).catch((error) => {
  // Only the sentence: the stack is the compiler's own, compiled from Scala.
  process.stderr.write(`${sentence(error)}\n`);
  process.exitCode = 1;
});
