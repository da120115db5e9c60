// The page: a file is dropped or chosen, read, and shown; a button reads on.
//
// In: files of the user. Out: what the viewer shows. Refuses: nothing leaves this page, and no
// failure freezes it; each file that cannot be shown gets one sentence.
"use strict";

const facts = require("./facts.json");
const { Image } = require("./image");
const { hasMore, model } = require("./model");
const { plural, printable, size } = require("./text");

/** Bytes that are read of a dropped file, and by each click on the button. */
const BUDGET = 512 * 1024;
const MORE = 4 * 1024 * 1024;

/** Show pages in a document, with the viewer's function and catalogue. */
function start(document, showPage, catalogue) {
  const find = (id) => document.getElementById(id);
  const [input, zone, status, more, page] = ["file", "drop", "status", "more", "page"].map(find);
  let current = null;

  const say = (text) => {
    status.textContent = text;
  };

  async function inspect(file) {
    // A second file may be dropped while the first is read: only the last one is shown.
    const image = new Image(file, facts);
    current = image;
    more.hidden = true;
    say(`Reading ${printable(file.name)} …`);
    try {
      if (!(await image.open())) {
        if (current === image) clear(`${printable(file.name)} is no QCOW image: it does not begin as one.`);
        return;
      }
      await read(image, BUDGET);
    } catch (error) {
      if (current === image) clear(`${printable(file.name)} cannot be read: ${printable(String(error.message || error))}`);
    }
  }

  async function read(image, budget) {
    more.disabled = true;
    await image.work.until(budget);
    if (current !== image) return;
    const made = model(image);
    page.replaceChildren();
    showPage(catalogue, made, page);
    document.documentElement.dataset.shown = String(Number(document.documentElement.dataset.shown || 0) + 1);
    const all = hasMore(image);
    say(`${printable(image.source.name)}: ${size(image.source.spent)} of ${size(image.source.length)} were read. ${
      all ? "There is more to read." : "All tables were read."}`);
    more.hidden = !all;
    more.disabled = false;
  }

  function clear(text) {
    page.replaceChildren();
    more.hidden = true;
    say(text);
    document.documentElement.dataset.shown = String(Number(document.documentElement.dataset.shown || 0) + 1);
  }

  const chosen = (files) => {
    if (files && files.length > 1) say(`Only the first of ${plural(files.length, "file")} is shown.`);
    if (files && files.length) inspect(files[0]);
  };
  input.addEventListener("change", () => chosen(input.files));
  more.addEventListener("click", () => {
    const image = current;
    read(image, MORE).catch((error) => clear(`Reading on failed: ${printable(String(error.message || error))}`));
  });
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) zone.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    chosen(event.dataTransfer.files);
  });
}

module.exports = { BUDGET, MORE, start };
