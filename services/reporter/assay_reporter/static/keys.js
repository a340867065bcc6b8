// Keys: / search, j and k from item to item, n and p from page to page, ? what there is. Never while typing.
const steps = () => [...document.querySelectorAll("[data-step]")];
function step(by) {
  const all = steps();
  const at = all.indexOf(document.activeElement.closest?.("[data-step]"));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
}
function follow(rel) {
  const link = document.querySelector(`a[rel="${rel}"]`);
  if (link) { location.href = link.href; }
}
const actions = {
  "/": () => document.querySelector('input[type="search"]')?.focus(),
  j: () => step(1),
  k: () => step(-1),
  n: () => follow("next"),
  p: () => follow("prev"),
  "?": () => document.getElementById("keys")?.showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea");
  if (typing && event.key === "Escape") { event.target.blur(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) { return; }
  event.preventDefault();
  actions[event.key]();
});
