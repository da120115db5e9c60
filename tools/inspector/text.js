// Bytes and names as text that a page may show.
//
// In: bytes of an image. Out: text in which nothing moves a cursor, turns the direction of writing,
// or is no text at all. Refuses: nothing.
"use strict";

/** Bytes of a field that are shown as text, at most. */
const LONGEST = 200;

/** The beginning of a field as printable text. */
function shortened(bytes) {
  const text = printable(decoded(bytes.subarray(0, LONGEST)));
  return bytes.length > LONGEST ? `${text}…` : text;
}

/** Bytes as UTF-8; those that are none become \xNN, as Python's "backslashreplace" has it. */
function decoded(bytes) {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return strict.decode(bytes);
  } catch (error) {
    // Some of the bytes are no UTF-8: each is looked at.
  }
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequence(bytes, at, strict);
    text += length
      ? strict.decode(bytes.subarray(at, at + length))
      : `\\x${bytes[at].toString(16).padStart(2, "0")}`;
    at += length || 1;
  }
  return text;
}

/** How many bytes from `at` on are one character; 0 if none begins there. */
function sequence(bytes, at, strict) {
  const first = bytes[at];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
  } catch (error) {
    return 0;
  }
  return length;
}

const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/gu;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text with all that cannot be printed escaped; see qcowspec.report.words.printable. */
function printable(text) {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0);
    if (SHORT[character] !== undefined) return SHORT[character];
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
    return `\\U${code.toString(16).padStart(8, "0")}`;
  });
}

/** Bytes without the zeros that fill up a field. */
function stripped(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

/** Bytes up to the first zero byte, as QEMU reads names. */
function upToZero(bytes) {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** A name from an image as text. */
function nameOf(bytes) {
  return shortened(upToZero(bytes));
}

function hexadecimal(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return btoa(text);
}

/** Seconds since 1970 as a date, in UTC. */
function moment(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A whole number with commas between thousands. */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** A number of bytes in the largest unit that keeps it short. */
function size(count) {
  let value = Number(count);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return value === 1 ? "1 byte" : `${value} bytes`;
  return `${Number(value.toPrecision(4))} ${UNITS[unit]}`;
}

function plural(count, noun) {
  return count === 1 ? `1 ${noun}` : `${grouped(count)} ${noun}s`;
}

module.exports = {
  base64, decoded, grouped, hexadecimal, moment, nameOf, plural, printable, shortened, size, stripped, upToZero,
};
