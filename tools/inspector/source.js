// The dropped file, of which only the pieces that are asked for are read.
//
// In: a File or a Blob. Out: bytes. Refuses: to read more at once than PIECE.
"use strict";

/** Bytes that are read at once, at most. */
const PIECE = 65536;

class Source {
  constructor(file) {
    this.file = file;
    this.length = file.size;
    this.name = file.name || "image";
    /** Bytes that were read so far. */
    this.spent = 0;
  }

  /** Bytes of the file; fewer where it ends, none where the offset lies past its end. */
  async read(offset, length) {
    if (length > PIECE) throw new RangeError("more than one piece");
    const start = Math.min(offset, this.length);
    const end = Math.min(start + length, this.length);
    if (!(start < end)) return new Uint8Array(0);
    const bytes = new Uint8Array(await this.file.slice(start, end).arrayBuffer());
    this.spent += bytes.length;
    return bytes;
  }

  /** The same, with zeros past the end of the file. */
  async readFilled(offset, length) {
    const filled = new Uint8Array(length);
    filled.set(await this.read(offset, length));
    return filled;
  }
}

/** A position in a file as an ordinary number; what no file has is infinitely far away. */
function place(value) {
  return typeof value === "bigint" ? Infinity : value;
}

module.exports = { PIECE, Source, place };
