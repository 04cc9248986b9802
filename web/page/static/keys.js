// Keys for those who have no hand free: docs/web.md lists them, and "?" shows them. None acts while something is typed, and none decides or ends
// anything.
"use strict";
{
const pages = {s: "/sessions", a: "/approvals", g: "/status", p: "/policy", i: "/identities", t: "/tokens", r: "/reads"};
const help = [["/", "search"], ["j, k", "next, previous line"], ["o", "open it"], ["m", "more of the list"], ["g s", "sessions"], ["g a", "approvals"], ["g g", "gateway"],
  ["g p", "policy"], ["g i", "identities"], ["g t", "tokens"], ["g r", "who read what"], ["Esc", "close, or leave a field"]];
let go = 0;

// lines are what j and k go through: the links of a list, or the actions of a session.
const lines = () => [...document.querySelectorAll("main table.list tbody tr a:first-of-type, main ol.actions summary, main .cards h2 a")];

function step(by) {
  const all = lines();
  if (!all.length) return;
  const at = all.findIndex((e) => e === document.activeElement);
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
  next.focus();
  next.scrollIntoView({block: "nearest"});
}

function show() {
  let box = document.getElementById("keys");
  if (!box) {
    box = document.createElement("dialog");
    box.id = "keys";
    box.setAttribute("aria-label", "Keys");
    const list = document.createElement("dl");
    list.className = "facts";
    for (const [key, what] of help) {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = key; dd.textContent = what;
      list.append(dt, dd);
    }
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => box.close());
    box.append(list, close);
    document.body.append(box);
  }
  box.showModal();
}

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && !/^(button|checkbox|range)$/.test(e.target.type);
  if (typing) {
    if (e.key === "Escape") e.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]") || e.target.closest && e.target.closest("#terminal")) return; // the player has keys of its own
  if (Date.now() - go < 1500) {
    go = 0;
    const link = pages[e.key] && document.querySelector('nav a[href="' + pages[e.key] + '"]');
    if (link) { e.preventDefault(); link.click(); }
    return;
  }
  const act = {
    "/": () => {
      const f = document.querySelector('main [type="search"]') || document.querySelector('main input:not([type="hidden"])');
      if (f) addEventListener("keyup", () => f.focus(), {once: true}); // once the key itself is done with
    },
    "?": show, j: () => step(1), k: () => step(-1),
    o: () => { if (lines().includes(document.activeElement)) document.activeElement.click(); },
    m: () => { const more = document.querySelector("main [data-more] button, main a.more"); if (more) more.click(); },
    g: () => { go = Date.now(); },
  }[e.key];
  if (act) { e.preventDefault(); act(); }
});
}
