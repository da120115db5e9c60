// The page: showPage(catalogue, model, into) puts it together, and takes away what it showed before.
//
// In: the two blocks of data, and an element. Out: the page in the element. No request is made, nothing
// is stored. Listeners of the window end with the next call for the same element.

const shown = new WeakMap();

function showPage(catalogue, model, into) {
  shown.get(into)?.abort();
  const stop = new AbortController();
  shown.set(into, stop);
  const { signal } = stop;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  const root = document.documentElement;
  const isDark = () => !print.matches && !page.printing && (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const page = {
    printing: false,
    isDark,
    nameTheme: (button) => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", isDark() ? "Show in light colours" : "Show in dark colours");
    },
    toggleTheme: () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      repaint();
    },
    structureAt: (offset) => tree.at(offset)?.name ?? null,
    showOffset: (offset) => {
      const node = offset === null ? null : tree.at(offset);
      if (node) reveal(tree, node);
      return node !== null;
    },
    showPlace: (offset, field) => {
      const node = tree.named(offset, field);
      maps.file?.choosePin(offset);
      if (offset !== null && offset !== undefined) maps.file?.goto(offset);
      if (node) reveal(tree, node);
      else maps.element.scrollIntoView({ block: "start" });
    },
    showInPicture: (offset) => {
      maps.file?.goto(offset);
      maps.element.scrollIntoView({ block: "start" });
    },
  };
  const tree = new Tree(model, page);
  const maps = new Maps(catalogue, model, page);
  into.replaceChildren(
    ...[
      title(model, page),
      verdicts(model),
      ribbon(model, catalogue),
      make("div", { class: "columns" }, findings(model, catalogue, page), facts(model)),
      maps.element,
      tree.element,
      plots(model, catalogue),
      leftOut(model),
      make("footer", {}, make("p", {}, `Made by ${model.made_by}. This page makes no request and works offline.`)),
    ].filter(Boolean),
  );
  const repaint = () => {
    page.nameTheme(into.querySelector("#theme"));
    maps.repaint();
  };
  const printing = (on) => () => {
    page.printing = on;
    repaint();
  };
  dark.addEventListener("change", repaint, { signal });
  print.addEventListener("change", repaint, { signal });
  window.addEventListener("beforeprint", printing(true), { signal });
  window.addEventListener("afterprint", printing(false), { signal });
  maps.start();
  maps.file?.pin(pinsOf(model, page));
  const sizes = new ResizeObserver(() => maps.resized());
  for (const picture of [maps.file, maps.disk]) if (picture) sizes.observe(picture.element);
  signal.addEventListener("abort", () => sizes.disconnect());
}

function reveal(tree, node) {
  tree.element.scrollIntoView({ block: "start" });
  tree.show(node, true);
}

globalThis.showPage = showPage;

{
  const block = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
  const [catalogue, model] = [block("catalogue"), block("model")];
  if (catalogue && model) showPage(catalogue, model, document.getElementById("page"));
}
