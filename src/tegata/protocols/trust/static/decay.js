// A verdict ends when its evidence does, by the reader's own clock: no answer of ours is needed.
"use strict";
function decay() {
  const now = Date.now();
  for (const row of document.querySelectorAll("article[data-valid-until]")) {
    if (now < Date.parse(row.dataset.validUntil) || row.dataset.verdict === "breached") continue;
    row.dataset.verdict = "unknown";
    row.className = "promise unk";
    row.querySelector(".verdict b").textContent = document.body.dataset.unknown;
    const claim = row.querySelector(".claim");
    if (claim) claim.remove();
    const said = document.createElement("p");
    said.className = "now";
    said.textContent = document.body.dataset.decayed;
    row.querySelector(".text").append(said);
    row.removeAttribute("data-valid-until");
  }
}
decay();
setInterval(decay, 1000);
