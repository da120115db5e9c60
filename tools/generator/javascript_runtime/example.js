// node example.js IMAGE: what the image is, and which rules its header breaks
const fs = require("fs");
const { Qcow2, broken, parse } = require("qcow-parsers");

const image = parse(Qcow2, fs.readFileSync(process.argv[2]));
const { version, size, clusterBits, nbSnapshots } = image.header;
console.log(`version ${version}, ${size} bytes, clusters of ${2 ** clusterBits}, ${nbSnapshots} snapshots`);
for (const rule of broken(image.header)) console.log(`${rule.id}: ${rule.says}`);
