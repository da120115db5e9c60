meta:
  id: qcow
  title: QEMU Copy-On-Write disk image, any version
  application: QEMU
  file-extension:
    - qcow2
    - qcow
    - img
  xref:
    forensicswiki: qcow_image_format
    justsolve: Qcow
    wikidata: Q1052000
  tags:
    - filesystem
  license: CC0-1.0
  ks-version: 0.9
  imports:
    - qcow1
    - qcow2
  endian: be
doc: |
  The front door of the QCOW family: the eight bytes that all versions share,
  and the layout that they select.

  Version 1 ("qcow") and versions 2 and 3 ("qcow2") have the same magic number
  and differ from the ninth byte on. QEMU gives version 1 to one driver and
  every version from 2 up to the other, which then refuses those above 3. A
  version of 0 belongs to neither, and QEMU takes such a file for a raw disk.

  Nothing here refuses a file: whatever the numbers are, they are kept, and
  `format` says what they select.
doc-ref:
  - https://www.qemu.org/docs/master/interop/qcow2.html
  - 'block/qcow.c: qcow_probe'
  - 'block/qcow2.c: qcow2_probe'
seq:
  - id: probe
    type: probe
    doc: The eight bytes that tell the versions apart.
instances:
  format:
    value: probe.format
    doc: The layout that the probe selects.
  qcow1:
    pos: 0
    type: qcow1
    if: probe.format == format::qcow
    doc: The whole file read as version 1.
  qcow2:
    pos: 0
    type: qcow2
    if: probe.format == format::qcow2
    doc: The whole file read as version 2 or later.
types:
  probe:
    doc: The first eight bytes of every QCOW image.
    doc-ref:
      - 'docs/interop/qcow2: Header'
      - 'block/qcow.c: qcow_probe'
      - 'block/qcow2.c: qcow2_probe'
    seq:
      - id: magic
        type: u4
        doc: '"QFI" and the byte 0xfb, as one number (QCOW_MAGIC).'
      - id: version
        type: u4
        doc: Version of the format. 1, 2 and 3 exist.
    instances:
      is_qcow:
        value: magic == QCOW_MAGIC
        doc: The magic number is QCOW_MAGIC.
      format:
        value: >-
          not is_qcow or version == 0 ? format::unknown
          : version == 1 ? format::qcow
          : format::qcow2
        doc: |
          The driver that QEMU would choose. Versions above 3 are probed as
          qcow2 and refused by its open function.
      ok_claimed:
        value: is_qcow and version >= QCOW_VERSION
        doc: |
          One of QEMU's two QCOW drivers takes the file (from QCOW_VERSION on).
enums:
  format:
    0:
      id: unknown
      doc: Not a QCOW image; QEMU takes the file for a raw disk.
    1:
      id: qcow
      doc: Version 1.
    2:
      id: qcow2
      doc: Version 2 and everything later.
