// Checks a session's record in this browser: the chain over its frames, its entry in the log, the log's root and signature. Nothing that
// the server says of the outcome is taken; docs/record-format.md and docs/audit-format.md are the rules.
"use strict";
{
const utf8 = new TextEncoder();
const hex = (b) => Array.from(b, (c) => c.toString(16).padStart(2, "0")).join("");
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const same = (a, b) => a.length === b.length && a.every((c, i) => c === b[i]);

async function sha256(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) { all.set(p, at); at += p.length; }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

// rootOf follows an audit path (RFC 6962, section 2.1.1) from an entry to the root; null when it does not end there.
async function rootOf(p, size) {
  let hash = await sha256([0], fromBase64(p.entry)), at = BigInt(p.index), last = BigInt(size) - 1n;
  if (at > last) return null;
  for (const h of p.hashes || []) {
    if (last === 0n) return null;
    if (at % 2n === 1n || at === last) {
      hash = await sha256([1], fromBase64(h), hash);
      while (at % 2n === 0n && at !== 0n) { at /= 2n; last /= 2n; }
    } else {
      hash = await sha256([1], hash, fromBase64(h));
    }
    at /= 2n; last /= 2n;
  }
  return last === 0n ? hash : null;
}

// entryOf reads an entry about a record.
function entryOf(p) {
  const l = new TextDecoder().decode(fromBase64(p.entry)).split("\n");
  if (l[0] !== "dragoman record leaf v1" || l.length !== 9 || l[8] !== "") return null;
  return {state: l[1], session: l[2], frames: Number(l[3]), bytes: Number(l[4]), hash: l[5]};
}

// chain computes the hash after as many frames as the entry speaks of, and how many there are in all.
async function chain(url, entry, tell) {
  const id = utf8.encode(entry.session), head = new Uint8Array(12), tag = utf8.encode("drgfrm1\0");
  head.set(utf8.encode("drgses1\0"));
  new DataView(head.buffer).setUint16(8, 1);
  new DataView(head.buffer).setUint16(10, id.length);
  let hash = await sha256(head, id), frames = 0, bytes = 0, at = null, left = new Uint8Array(0);
  const answer = await fetch(url, {credentials: "same-origin"});
  if (!answer.ok) throw new Error("not loaded: " + answer.status);
  const reader = answer.body.getReader();
  for (;;) {
    let piece;
    try { piece = await reader.read(); } catch (err) { return {broken: true, frames, bytes, at}; }
    if (piece.done) break;
    const b = new Uint8Array(left.length + piece.value.length);
    b.set(left); b.set(piece.value, left.length);
    let from = 0;
    while (b.length - from >= 32) {
      const view = new DataView(b.buffer, from, 32), n = 32 + view.getUint32(0);
      if (b.length - from < n) break;
      if (view.getBigUint64(8) !== BigInt(frames)) return {broken: true, frames, bytes, at};
      hash = await sha256(tag, hash, b.subarray(from, from + n));
      from += n; frames++; bytes += n + 32;
      if (frames === entry.frames) at = {hash: hex(hash), bytes};
      if (frames % 5000 === 0) tell(frames + " frames hashed");
    }
    left = b.slice(from);
  }
  return {broken: left.length > 0, frames, bytes, at};
}

// signed checks the log's own signature of a checkpoint with a key that its person has given (PEM).
async function signed(checkpoint, pem) {
  const der = fromBase64(pem.replace(/-----[^-]*-----/g, "").replace(/\s/g, ""));
  const raw = der.slice(-32), [text, notes] = [checkpoint.slice(0, checkpoint.indexOf("\n\n") + 1), checkpoint.slice(checkpoint.indexOf("\n\n") + 2)];
  const origin = text.split("\n")[0], id = (await sha256(utf8.encode(origin + "\n"), [1], raw)).slice(0, 4);
  const key = await crypto.subtle.importKey("raw", raw, {name: "Ed25519"}, false, ["verify"]);
  for (const line of notes.split("\n")) {
    const m = /^— (\S+) (\S+)$/.exec(line);
    if (!m || m[1] !== origin) continue;
    const s = fromBase64(m[2]);
    if (same(s.slice(0, 4), id)) return crypto.subtle.verify({name: "Ed25519"}, key, s.slice(4), utf8.encode(text));
  }
  return false;
}

// seen compares a checkpoint with the one that this browser saw last.
function seen(origin, size, root) {
  const name = "checkpoint " + origin, last = JSON.parse(localStorage.getItem(name) || "null");
  if (last && (BigInt(last.size) > BigInt(size) || last.size === size && last.root !== root)) return false;
  localStorage.setItem(name, JSON.stringify({size, root}));
  return true;
}

async function check(box) {
  const out = box.querySelector("output"), list = document.createElement("ul");
  const tell = (text) => { out.querySelector(".now").textContent = text; };
  const say = (good, text) => {
    const li = document.createElement("li"), tag = document.createElement("span");
    tag.className = "tag " + (good === null ? "hold" : good ? "allow" : "block");
    tag.textContent = good === null ? "not checked" : good ? "good" : "WRONG";
    li.append(tag, " " + text);
    list.append(li);
    if (good === false) box.dataset.state = "wrong";
    return good;
  };
  list.className = "checks";
  const now = document.createElement("span");
  now.className = "now";
  out.replaceChildren(list, now);
  box.dataset.state = "checking";
  try {
    if (!window.crypto || !crypto.subtle) { say(null, "This browser hashes on pages with TLS, or of this machine, only."); return; }
    const r = await fetch(box.dataset.proof, {credentials: "same-origin"});
    if (!r.ok) { say(r.status === 404 ? null : false, r.status === 404 ? "The log has no entry of it yet." : "The proof is not loaded: " + r.status); return; }
    const p = await r.json(), [origin, size, root] = p.checkpoint.split("\n"), entry = entryOf(p);
    if (!entry) { say(false, "The log's entry is not about a record."); return; }
    say(entry.session === box.dataset.session, "Entry " + p.index + " of " + size + " in " + origin + " is about this session (" + entry.state + ").");
    const found = await rootOf(p, size);
    if (found && same(found, fromBase64(root))) say(true, "From the entry the path leads to the checkpoint's root.");
    else say(false, "From the entry the path does not lead to the checkpoint's root!");
    say(seen(origin, size, root), "The checkpoint goes on from the one that this browser saw last.");
    const c = await chain(box.dataset.stream, entry, tell);
    if (c.broken) say(false, "The record cannot be read on after " + c.frames + " frames.");
    else if (!c.at) say(false, "The record has " + c.frames + " frames, the entry speaks of " + entry.frames + ".");
    else if (c.at.hash !== entry.hash || c.at.bytes !== entry.bytes) say(false, "The chain over " + entry.frames + " frames does not end in the entry's hash: the record was changed!");
    else if (entry.state !== "running" && c.frames !== entry.frames) say(false, "The record has frames behind its end.");
    else say(true, entry.frames + " frames hashed here: their chain ends in the entry's hash " + entry.hash.slice(0, 12) + "….");
    const pem = box.querySelector("textarea").value.trim();
    if (!pem) say(null, "The log's signature: give its public key (keys/record.pub) below.");
    else {
      let good = false;
      try { good = await signed(p.checkpoint, pem); } catch (err) { /* no key, or one of another kind */ }
      if (say(good, good ? "The checkpoint is signed by the key that you gave." : "The checkpoint is not signed by the key that you gave!")) localStorage.setItem("record key", pem);
    }
    if (box.dataset.state === "checking") box.dataset.state = "good";
  } catch (err) {
    say(false, "It could not be checked: " + err.message);
  } finally {
    tell("");
    if (box.dataset.state === "checking") box.dataset.state = "unchecked";
  }
}

for (const box of document.querySelectorAll("[data-proof]")) {
  box.querySelector("textarea").value = localStorage.getItem("record key") || "";
  box.querySelector("button").addEventListener("click", () => check(box));
}
}
