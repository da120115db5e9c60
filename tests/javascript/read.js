// node read.js < requests > answers: reads structures, a JSON request and a JSON answer a line.
//
// A request is {layout, arguments, data: hexadecimal}, or {operation, a, b} with numbers as text.
// Numbers and truth are answered as text, bytes as hexadecimal after an x, what is absent as null.
"use strict";

const { createInterface } = require("readline");
const { ExactStream, parse } = require("qcow-parsers");

function plain(value) {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return `x${Buffer.from(value).toString("hex")}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object") return tree(value);
  if (typeof value === "number" && !Number.isSafeInteger(value)) return `rounded ${value}`;
  return String(typeof value === "boolean" ? Number(value) : value);
}

function tree(parsed) {
  const fields = {};
  for (const name of Object.keys(parsed)) {
    if (!name.startsWith("_")) fields[name] = plain(parsed[name]);
  }
  const kind = Object.getPrototypeOf(parsed);
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(kind))) {
    if (property.get === undefined) continue;
    let value;
    try {
      value = parsed[name];
    } catch (error) {
      value = error.name;
    }
    // What hangs on a whole file has no meaning on one structure of it.
    if (value === undefined || ["boolean", "number", "bigint", "string"].includes(typeof value)) {
      fields[name] = plain(value);
    }
  }
  return fields;
}

function answer(request) {
  if (request.operation !== undefined) {
    const [a, b] = [request.a, request.b].map((text) => {
      const big = BigInt(text);
      return Number.isSafeInteger(Number(big)) ? Number(big) : big;
    });
    return plain(ExactStream[request.operation](a, b));
  }
  try {
    return tree(parse(request.layout, Buffer.from(request.data, "hex"), ...request.arguments));
  } catch (error) {
    return error.name;
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`);
});
