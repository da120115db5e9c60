// node inspect.js FEEDER < requests > models: the inspector's model of files, one of each a line.
//
// A request is {path, budget, rounds}: bytes that are read in a round, and rounds at most.
"use strict";

const fs = require("fs");
const path = require("path");
const { createInterface } = require("readline");

const feeder = path.resolve(process.argv[2]);
const { Image } = require(path.join(feeder, "image.js"));
const { hasMore, model } = require(path.join(feeder, "model.js"));
const facts = require(path.join(feeder, "facts.json"));

async function answer({ path: name, budget, rounds }) {
  const file = new Blob([fs.readFileSync(name)]);
  file.name = path.basename(name);
  const image = new Image(file, facts);
  if (!(await image.open())) return null;
  for (let round = 0; round < rounds && (round === 0 || hasMore(image)); round++) {
    await image.work.until(budget);
  }
  return { ...model(image), has_more: hasMore(image), spent: image.source.spent };
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    let made;
    try {
      made = await answer(JSON.parse(line));
    } catch (error) {
      made = { failed: String(error.stack || error) };
    }
    process.stdout.write(`${JSON.stringify(made)}\n`);
  }
}

main();
