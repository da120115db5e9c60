// The compiler's JavaScript with exact arithmetic.
//
// JavaScript rounds integers above 2^53. Every arithmetic operator of the compiled code becomes a
// call of tools/generator/javascript/exact.js, which goes over to BigInt there; literals that would
// be rounded become BigInts. Comparisons stay: JavaScript compares numbers with BigInts exactly.
"use strict";

const acorn = require("acorn");

const OPERATORS = {
  "+": "add",
  "-": "sub",
  "*": "mul",
  "%": "mod",
  "<<": "shl",
  ">>": "shr",
  "&": "and",
  "|": "or",
  "^": "xor",
};
const COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "===", "!==", "instanceof", "in"];
const RUNTIME = "kaitai-struct/KaitaiStream";

function children(node) {
  return Object.values(node)
    .flat()
    .filter((child) => child !== null && typeof child === "object" && typeof child.type === "string");
}

function isFloor(node) {
  return (
    node.type === "CallExpression" &&
    node.callee.type === "MemberExpression" &&
    node.callee.object.name === "Math" &&
    node.callee.property.name === "floor" &&
    node.arguments[0].type === "BinaryExpression" &&
    node.arguments[0].operator === "/"
  );
}

function exactly(text) {
  function call(name, left, right) {
    return `KaitaiStream.${name}(${written(left)}, ${written(right)})`;
  }

  // A node as text, with all that is in it.
  function written(node) {
    if (isFloor(node)) return call("div", node.arguments[0].left, node.arguments[0].right);
    if (node.type === "BinaryExpression" && !COMPARISONS.includes(node.operator)) {
      const name = OPERATORS[node.operator];
      if (name === undefined) throw new Error(`no exact operation for ${node.operator}`);
      return call(name, node.left, node.right);
    }
    if (node.type === "AssignmentExpression" && node.operator !== "=") {
      throw new Error(`no exact operation for ${node.operator}`);
    }
    if (node.type === "Literal" && typeof node.value === "number" && !Number.isSafeInteger(node.value)) {
      return `${node.raw}n`;
    }
    if (node.type === "Literal" && node.value === RUNTIME) return "'./exact'";
    if (node.type === "MemberExpression" && node.object.name === "root" && node.property.name === "KaitaiStream") {
      return "root.ExactStream";
    }
    let made = "";
    let at = node.start;
    for (const child of children(node).sort((a, b) => a.start - b.start)) {
      if (child.start < at) continue; // a shorthand, which stands in its parent twice
      made += text.slice(at, child.start) + written(child);
      at = child.end;
    }
    return made + text.slice(at, node.end);
  }

  const tree = acorn.parse(text, { ecmaVersion: 2020 });
  return text.slice(0, tree.start) + written(tree) + text.slice(tree.end);
}

module.exports = { exactly };
