// Plays a recorded desktop: pictures of what has changed, drawn on a canvas at their time, and what was typed meanwhile.
"use strict";
{ // a scope of its own: page.js is on the page as well
const box = document.getElementById("screen"), canvas = box.querySelector("canvas"), pen = canvas.getContext("2d");
const play = document.getElementById("play"), seek = document.getElementById("seek");
const clock = document.getElementById("clock"), typed = document.getElementById("typed");
const longest = 3; // seconds that nothing happens

let scenes = [], at = 0, next = 0, playing = false, drawing = Promise.resolve();

const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function load() {
  const answer = await fetch(box.dataset.movie);
  if (!answer.ok) {
    typed.textContent = answer.status === 404 ? "This session has no desktop." : "It cannot be played (" + answer.status + ").";
    box.dataset.state = "failed";
    return;
  }
  let now = 0, before = 0;
  for (const line of (await answer.text()).split("\n")) {
    if (!line) continue;
    const s = JSON.parse(line);
    now += Math.min(s.seconds - before, longest);
    before = s.seconds;
    scenes.push({...s, time: now});
  }
  seek.max = (Math.ceil(now * 10) / 10).toFixed(1); // a step of the slider, so that it gets to the last picture
  await show(scenes.length ? scenes.find((s) => s.png).time : 0);
  box.dataset.state = "ready";
}

// show draws the desktop as it was at a time. Going back starts from the last whole picture before it.
async function show(time) {
  at = Math.max(0, Math.min(time, Number(seek.max)));
  let end = next;
  while (end > 0 && scenes[end - 1].time > at) end--;
  while (end < scenes.length && scenes[end].time <= at) end++;
  if (end !== next) {
    let from = next < end ? next : 0;
    for (let i = end - 1; i >= from; i--) if (scenes[i].whole) { from = i; break; }
    for (let i = from; i < end; i++) await draw(scenes[i]);
    next = end;
    typed.textContent = scenes.slice(0, end).map((s) => s.keys || "").join("").slice(-200);
  }
  seek.value = String(at);
  clock.textContent = at.toFixed(1) + " s";
  box.dataset.at = at.toFixed(1);
}

async function draw(s) {
  if (!s.png) return;
  const picture = await createImageBitmap(new Blob([fromBase64(s.png)], {type: "image/png"}));
  if (s.whole) [canvas.width, canvas.height] = [s.whole.X, s.whole.Y];
  pen.drawImage(picture, s.x || 0, s.y || 0);
  picture.close();
}

// One after the other: what is drawn builds on what is there.
const to = (time) => (drawing = drawing.then(() => show(time)));

function run(on) {
  playing = on;
  play.textContent = on ? "Pause" : "Play";
  if (!on) return;
  if (at >= Number(seek.max)) to(0);
  let last = performance.now();
  const step = async (now) => {
    if (!playing) return;
    await to(at + (now - last) / 1000);
    last = now;
    if (at >= Number(seek.max)) { run(false); box.dataset.state = "ended"; return; }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

play.addEventListener("click", () => run(!playing));
seek.addEventListener("input", () => to(Number(seek.value)));
load();
}
