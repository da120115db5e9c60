// An image as far as it was read: the header and what it locates, stage by stage.
//
// In: a source. Out: structures, tables, and what was found on the way. Refuses: a file that no QCOW
// driver claims; to read a table whose bounds break a rule.
//
// The stages are those of qcowspec/reader; the rules alone say whether one can go on.
"use strict";

const { Qcow, Qcow1, Qcow2 } = require("qcow-parsers");
const { Judge } = require("./judge");
const { Part, layoutOf } = require("./nodes");
const { PIECE, Source, place } = require("./source");
const { Tables } = require("./tables");
const { upToZero } = require("./text");
const { Work } = require("./work");

class Image {
  constructor(file, facts) {
    this.facts = facts;
    this.source = new Source(file);
    this.judge = new Judge(facts);
    this.work = new Work(this.source);
    this.constants = facts.constants;
    this.kind = Object.fromEntries(facts.kinds.map(({ name }, index) => [name, index]));
    this.header = null;
    /** The sizes that follow from the header; null where what follows cannot be located. */
    this.geometry = null;
    this.parts = [];
    this.extensions = [];
    this.backing = null;
    this.backingFormat = null;
    this.dataFile = null;
    this.bitmapsExtension = null;
    this.crypto = null;
    this.luks = new Map();
    this.leftOut = [];
    /** Whether header extensions are left that were not read. */
    this.cut = false;
  }

  /** Read what the header tells by itself; false if this is no QCOW image. */
  async open() {
    const probe = new Part("header", "qcow::probe", 0, await this.source.readFilled(0, 8));
    if (this.source.length === 0 || probe.parsed.format === Qcow.Format.UNKNOWN) return false;
    this.isFirst = probe.parsed.format === Qcow.Format.QCOW;
    this.judge.format = this.isFirst ? "qcow" : "qcow2";
    this.judge.part(probe);
    await (this.isFirst ? this._firstVersion() : this._laterVersions());
    this.tables = new Tables(this);
    if (this.geometry !== null) {
      if (!this.isFirst) await this._extensions();
      await this._backingFile();
      this.tables.begin();
    }
    return true;
  }

  async _firstVersion() {
    const size = this.constants.QCOW1_HEADER_SIZE;
    const part = new Part("header", "qcow1::header", 0, await this.source.readFilled(0, size));
    const header = this._isHeader(part);
    if (!(header.okMagic && header.okVersion && header.okClusterBits && header.okL2Bits)) return;
    const entry = this.constants.QCOW1_TABLE_ENTRY_SIZE;
    this.geometry = {
      clusterBits: header.clusterBits, clusterSize: header.clusterSize, entrySize: entry,
      l2Entries: header.l2Size, l2Bytes: header.l2Size * entry, span: header.l1EntrySpan,
      l1Entry: "qcow1::l1_entry", l2Entry: "qcow1::l2_entry", parameters: [header.clusterBits],
      extended: false, dataFile: false,
    };
  }

  async _laterVersions() {
    const { QCOW2_HEADER_SIZE, QCOW2_V2_HEADER_LENGTH, QCOW2_V3_MIN_HEADER_LENGTH } = this.constants;
    let bytes = await this.source.readFilled(0, QCOW2_HEADER_SIZE);
    const first = new Part("header", "qcow2::header", 0, bytes).parsed;
    let length = Math.min(first.effectiveHeaderLength, first.clusterSize || bytes.length, PIECE);
    if (length > bytes.length) bytes = await this.source.readFilled(0, length);
    length = Math.max(length, first.version < 3 ? QCOW2_V2_HEADER_LENGTH : QCOW2_V3_MIN_HEADER_LENGTH);
    const part = new Part("header", "qcow2::header", 0, bytes.subarray(0, length));
    const header = this._isHeader(part);
    if (header.additionalFields !== undefined) {
      const start = QCOW2_V3_MIN_HEADER_LENGTH;
      const rest = part.bytes.subarray(start);
      this.judge.part(new Part("header.additional_fields", "qcow2::additional_fields", start, rest));
    }
    const known = header.okMagic && header.okUnknownIncompatible && header.okVersion;
    if (!(known && header.okClusterBits && header.okSubclusterSize)) return;
    this.geometry = {
      clusterBits: header.clusterBits, clusterSize: header.clusterSize, entrySize: header.l2EntrySize,
      l2Entries: header.l2Entries, l2Bytes: header.clusterSize, span: header.l1EntrySpan,
      l1Entry: "qcow2::l1_entry", l2Entry: "qcow2::l2_entry",
      parameters: [header.clusterBits, header.hasExtendedL2],
      extended: header.hasExtendedL2, dataFile: header.hasDataFile,
    };
  }

  _isHeader(part) {
    this.headerPart = part;
    this.header = part.parsed;
    this.judge.version = this.header.version;
    this.judge.part(part);
    this.parts.push(this.present(part));
    return this.header;
  }

  /** A part as far as the file holds it. */
  present(part) {
    const held = Math.max(0, Math.min(part.bytes.length, this.source.length - part.offset));
    if (held === part.bytes.length) return part;
    return new Part(part.name, part.layout, part.offset, part.bytes.subarray(0, held), part.parameters);
  }

  /** Bytes of the disk; an incomplete last sector is left out. */
  wholeSectors(size) {
    const bytes = Number(size);
    return bytes - (bytes % this.constants.BDRV_SECTOR_SIZE);
  }

  async _extensions() {
    const { header } = this;
    const start = header.effectiveHeaderLength;
    const room = header.extensionsEnd - start;
    if (!(header.okHeaderLengthMinimum && header.okHeaderLengthMaximum && header.okBackingFileOffset)) return;
    if (room <= 0) return;
    const bytes = await this.source.readFilled(start, Math.min(room, PIECE));
    const area = new Part("header_extensions", "qcow2::header_extensions", start, bytes);
    const { hasEnd, unparsed } = area.parsed;
    const head = this.constants.QCOW2_EXT_HEADER_SIZE;
    if (!hasEnd && (bytes.length < room || (unparsed !== undefined && unparsed.length >= head))) {
      this.cut = true;
      this.leftOut.push("Some of the header extensions were not looked at: there are too many.");
    }
    const spans = (area.parsed._debug.entries || { arr: [] }).arr;
    for (const [index, span] of spans.entries()) {
      const end = span.end === undefined ? bytes.length : span.end;
      const name = `header_extensions[${index}]`;
      await this._extension(name, start + span.start, bytes.subarray(span.start, end));
      await this.work.pause();
    }
  }

  async _extension(name, offset, bytes) {
    const record = new Part(name, "qcow2::header_extension", offset, bytes);
    const { parsed } = record;
    this.judge.part(record);
    this.extensions.push(record);
    this.parts.push(this.present(record));
    const layout = layoutOf(parsed.data);
    if (layout === undefined) return;
    const head = this.constants.QCOW2_EXT_HEADER_SIZE;
    const data = bytes.subarray(head, head + parsed.lenData);
    const inner = new Part(`${name}.data`, layout, offset + head, data);
    if (layout === "qcow2::feature_name_table") {
      const size = this.constants.QCOW2_FEATURE_ENTRY_SIZE;
      for (let at = 0; at + size <= data.length; at += size) {
        const path = `${inner.name}.entries[${at / size}]`;
        const piece = data.subarray(at, at + size);
        this.judge.part(new Part(path, "qcow2::feature_name_entry", inner.offset + at, piece));
      }
    } else if (layout === "qcow2::data_file") {
      this.judge.part(inner);
      this.dataFile = upToZero(inner.parsed.dataFile);
    } else if (layout === "qcow2::backing_format") {
      this.backingFormat = upToZero(inner.parsed.format);
    } else if (layout === "qcow2::bitmaps_extension" && parsed.okBitmapsLen) {
      this.bitmapsExtension = inner;
      if (this.header.hasBitmaps) this.judge.part(inner);
    } else if (layout === "qcow2::crypto_extension" && parsed.okCryptoLen) {
      await this._luks(inner);
    }
  }

  async _luks(pointer) {
    this.crypto = pointer.parsed;
    if (this.header.cryptMethod !== Qcow2.CryptMethod.LUKS || !this.judge.part(pointer)) return;
    const offset = place(pointer.parsed.offset);
    if (this.luks.has(offset)) return;
    const { QCRYPTO_BLOCK_LUKS_HEADER_SIZE, QCRYPTO_BLOCK_LUKS_KEY_SLOT_SIZE: step } = this.constants;
    const bytes = await this.source.readFilled(offset, QCRYPTO_BLOCK_LUKS_HEADER_SIZE);
    const name = this.luks.size ? `luks_header[${this.luks.size}]` : "luks_header";
    const part = new Part(name, "luks1::header", offset, bytes);
    this.luks.set(offset, part);
    if (!this.judge.part(part)) return;
    const slots = part.parsed.keySlots;
    const first = bytes.length - slots.length * step;
    for (const index of slots.keys()) {
      const at = first + index * step;
      const slot = bytes.subarray(at, at + step);
      this.judge.part(new Part(`${name}.key_slots[${index}]`, "luks1::key_slot", offset + at, slot));
    }
  }

  async _backingFile() {
    const { header } = this;
    if (this.judge.stopped.has("backing") || header.backingFileOffset == 0) return;
    const offset = place(header.backingFileOffset);
    const bytes = await this.source.read(offset, Math.min(header.backingFileSize, PIECE));
    const layout = `${this.isFirst ? "qcow1" : "qcow2"}::backing_file_name`;
    this.judge.part(new Part("backing_file_name", layout, offset, bytes));
    const name = upToZero(bytes);
    if (name.length) this.backing = { name, offset, bytes, length: header.backingFileSize };
  }
}

/** The enumeration of how the data of an image's version are encrypted. */
function cryptMethods(image) {
  return (image.isFirst ? Qcow1 : Qcow2).CryptMethod;
}

module.exports = { Image, cryptMethods };
