// Loads parts of pages when they are wanted, and follows what is live. Every page works without it.
"use strict";

async function part(url) {
  const r = await fetch(url, {credentials: "same-origin"});
  if (r.redirected) location.reload(); // signed out
  if (!r.ok) throw new Error("not loaded: " + r.status);
  return r.text();
}

document.addEventListener("toggle", async (e) => {
  const d = e.target;
  if (!d.open || !d.dataset || !d.dataset.part) return;
  const url = d.dataset.part;
  delete d.dataset.part;
  try {
    d.querySelector("p").outerHTML = await part(url);
  } catch (err) {
    d.dataset.part = url;
  }
}, true);

document.addEventListener("click", async (e) => {
  const more = e.target.closest("[data-more]");
  if (more && e.target.tagName === "BUTTON") {
    e.target.disabled = true;
    try {
      more.outerHTML = await part(more.dataset.more);
    } catch (err) {
      e.target.disabled = false;
    }
    return;
  }
  if (e.target.dataset.live) follow(e.target);
});

// follow adds what a live session does, as it does it.
function follow(button) {
  button.disabled = true;
  const list = document.getElementById("live");
  const events = new EventSource(button.dataset.live);
  events.onopen = () => { button.textContent = "Following"; };
  events.addEventListener("line", (e) => {
    list.insertAdjacentHTML("beforeend", JSON.parse(e.data)); // made by the server's own template
    while (list.children.length > 500) list.firstElementChild.remove();
  });
  events.addEventListener("end", () => { events.close(); button.textContent = "It has ended"; });
  addEventListener("pagehide", () => events.close());
}

// ids are the holds that wait.
function ids(box) { return new Set([...box.querySelectorAll("[data-hold]")].map((c) => c.dataset.hold)); }

// The desktop is told of holds while this page is open, if its person wants that. It is told no statement.
function askDesktop() {
  for (const ask of document.querySelectorAll("[data-desktop]")) {
    if (!("Notification" in window) || Notification.permission !== "default") continue;
    ask.hidden = false;
    ask.addEventListener("click", async () => { ask.hidden = (await Notification.requestPermission()) !== "default"; });
  }
}
askDesktop();

for (const box of document.querySelectorAll("[data-watch]")) {
  const events = new EventSource(box.dataset.watch);
  let busy = false, more = false;
  const load = async () => {
    if (busy) { more = true; return; } // what changes meanwhile may not be in what comes
    busy = true;
    const before = ids(box);
    try { box.innerHTML = await part(box.dataset.reload); } catch (err) { /* the next event tries again */ }
    busy = false;
    const now = [...ids(box)].filter((id) => !before.has(id));
    if (now.length && "Notification" in window && Notification.permission === "granted") {
      new Notification("An action waits for a decision", {tag: now[0]}).onclick = () => { focus(); location.href = "/approvals/" + now[0]; };
    }
    left();
    if (more) { more = false; load(); }
  };
  events.addEventListener("hold", load);
  events.addEventListener("open", load); // and what changed before, or while there was no connection
  addEventListener("pagehide", () => events.close());
}

for (const box of document.querySelectorAll("[data-poll]")) {
  const again = async () => {
    try { box.innerHTML = await part(box.dataset.poll); } catch (err) { /* tried again */ }
    if (box.querySelector(".running")) setTimeout(again, 1000);
  };
  setTimeout(again, 500);
}

// left counts down.
function left() {
  for (const t of document.querySelectorAll("[data-left]")) {
    const s = Math.round((new Date(t.dateTime) - Date.now()) / 1000);
    t.textContent = s > 0 ? Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0") + " left" : "over";
  }
}
left();
setInterval(left, 1000);
