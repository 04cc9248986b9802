// Plays a recorded terminal. What is in it draws on the player's own screen and nowhere else.
"use strict";
const box = document.getElementById("terminal");
const player = AsciinemaPlayer.create({url: box.dataset.cast, parser: "asciicast"}, box, {fit: "width", idleTimeLimit: 3, preload: true});
player.addEventListener("ended", () => { box.dataset.state = "ended"; });
player.addEventListener("play", () => { box.dataset.state = "playing"; });
document.getElementById("seek").addEventListener("input", async (e) => {
  const all = await player.getDuration();
  if (all) await player.seek(all * e.target.value / 100);
  box.dataset.at = String(await player.getCurrentTime());
});
