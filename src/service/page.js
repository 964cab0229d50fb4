"use strict";
(() => {
const live = document.getElementById("live"), pause = document.getElementById("pause");
const version = document.documentElement.dataset.version, step = 2000;
let timer = 0, asking = null, paused = false;

// Said once per change: a screen reader reads it out.
const say = (text) => { if (live.textContent !== text) live.textContent = text; };

// Only what differs is touched, so that focus, selection and scrolling stay where they are.
function morph(to, from) {
  if (to.nodeType !== from.nodeType || to.nodeName !== from.nodeName) {
    to.replaceWith(document.importNode(from, true));
    return;
  }
  if (to.nodeType !== 1) {
    if (to.data !== from.data) to.data = from.data;
    return;
  }
  for (const { name, value } of from.attributes)
    if (to.getAttribute(name) !== value) to.setAttribute(name, value);
  for (const { name } of [...to.attributes])
    if (!from.hasAttribute(name) && name !== "open") to.removeAttribute(name);
  const have = [...to.childNodes], want = [...from.childNodes];
  want.forEach((node, i) => i < have.length ? morph(have[i], node) : to.append(document.importNode(node, true)));
  have.slice(want.length).forEach((node) => node.remove());
}

async function look() {
  clearTimeout(timer);
  if (asking || paused || document.hidden) return;
  asking = new AbortController();
  const late = setTimeout(() => asking.abort(), 5000);
  try {
    const answer = await fetch("/", { signal: asking.signal, cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (page.documentElement.dataset.version !== version) location.reload();
    morph(document.querySelector("main"), page.querySelector("main"));
    morph(document.querySelector("header time"), page.querySelector("header time"));
    document.title = page.title;
    if (!paused) say("Live.");
  } catch {
    if (!paused) say("podgres does not answer: what stands here is old.");
  }
  clearTimeout(late);
  asking = null;
  timer = setTimeout(look, step);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  say(paused ? "Paused." : "Live.");
  look();
});
document.addEventListener("visibilitychange", look);
look();
})();
