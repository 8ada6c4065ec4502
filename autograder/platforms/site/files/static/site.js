/* The language of the reader's choice, their progress, quizzes to practise with, and explorables. */
"use strict";

const lang = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const root = document.documentElement.dataset.content_root;
const pick = (en, zh) => (lang === "zh" ? zh : en);
const storage = {
  set(name, value) { try { localStorage.setItem(name, value); } catch { /* a browser that keeps nothing */ } },
};

function loadScript(source) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
}

/* ---- language */

for (const link of document.querySelectorAll("[data-language]")) {
  link.addEventListener("click", () => storage.set("language", link.dataset.language));
}
if (lang === "zh") {
  const names = {
    "Toggle Light / Dark / Auto color theme": "切换浅色、深色、自动",
    "Toggle site navigation sidebar": "打开或关闭导航",
    "Toggle table of contents sidebar": "打开或关闭本页目录",
  };
  for (const control of document.querySelectorAll("[aria-label]")) {
    const name = names[control.getAttribute("aria-label")];
    if (name) control.setAttribute("aria-label", name);
  }
}
/* A page that was opened as a file may not read others, from which the search would quote. */
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

/* ---- what scrolls sideways can be reached with the keyboard */

const scrolling = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
function watchScrolling() {
  for (const place of document.querySelectorAll("article pre, article div.math, .table-wrapper, .map, mjx-container")) {
    scrolling.observe(place);
  }
}
watchScrolling();
addEventListener("load", () => window.MathJax?.startup?.promise.then(watchScrolling));

/* ---- one's own progress: `autograder learn` and `check()` keep it in .autograder/progress.js */

function stateOf(entry) {
  if (!entry || !entry.attempt) return null;
  const hidden = entry.hidden;
  if (entry.passes && hidden && hidden.score >= hidden.max_score) return "complete";
  return entry.passes ? "public" : "begun";
}

function showProgress(progress) {
  const words = {
    complete: pick("✓ complete", "✓ 已完成"),
    public: pick("public tests pass", "公开测试通过"),
    begun: pick("begun", "已动笔"),
  };
  for (const place of document.querySelectorAll("[data-exercise]")) {
    const state = stateOf(progress.exercises[place.dataset.exercise]);
    if (!state) continue;
    place.dataset.state = state;
    if (place.matches(".progress")) place.textContent = words[state];
    else place.querySelector(".state").textContent = { complete: "✓", public: "◐", begun: "○" }[state];
  }
  for (const unit of document.querySelectorAll("[data-unit]")) {
    const names = unit.dataset.exercises.split(" ");
    const done = names.filter((name) => stateOf(progress.exercises[name]) === "complete").length;
    if (done) unit.querySelector(".state").textContent = `${done}/${names.length}`;
    if (done === names.length) unit.dataset.state = "complete";
  }
}

/* A site that is served elsewhere has no progress beside it. */
if (site.progress && location.protocol === "file:") {
  loadScript(root + site.progress).then(
    () => window.courseProgress && showProgress(window.courseProgress),
    () => {},
  );
}

/* ---- quizzes */

const letters = (text) => text.toLowerCase().replace(/[^a-z]/g, "");

function answerForm(question) {
  const { kind, keys } = question.dataset;
  const number = [...document.querySelectorAll(".quiz-question")].indexOf(question);
  if (kind === "number") {
    const label = document.createElement("label");
    label.innerHTML = `${pick("Your answer", "你的答案")} <input type="text" inputmode="decimal" autocomplete="off"> `;
    label.append(question.dataset.suffix);
    return { element: label, read: () => parseFloat(label.querySelector("input").value.replace(",", ".")) };
  }
  const list = question.querySelector("ul");
  list.className = "quiz-options";
  const items = [...list.children];
  items.forEach((item, i) => {
    item.dataset.key = keys[i];
    if (kind === "ordering") return;
    const label = document.createElement("label");
    label.append(...item.childNodes);
    const input = document.createElement("input");
    input.type = kind === "choice" ? "radio" : "checkbox";
    input.name = `question-${number}`;
    input.id = `question-${number}-${keys[i]}`;
    label.htmlFor = input.id;
    item.append(input, label);
  });
  if (kind === "ordering") {
    for (const item of items) {
      const text = document.createElement("span");
      text.append(...item.childNodes);
      const up = moveButton("↑", pick("Move up", "上移"), () => item.previousElementSibling?.before(item));
      const down = moveButton("↓", pick("Move down", "下移"), () => item.nextElementSibling?.after(item));
      item.append(up, down, text);
    }
    return { element: null, read: () => [...list.children].map((item) => item.dataset.key).join("") };
  }
  const chosen = () => items.filter((item) => item.querySelector("input").checked);
  return { element: null, read: () => chosen().map((item) => item.dataset.key).join("") };
}

function moveButton(sign, name, move) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "move";
  button.textContent = sign;
  button.setAttribute("aria-label", name);
  button.addEventListener("click", () => { move(); button.focus(); });
  return button;
}

function isEqual(given, answer, tolerance) {
  if (typeof answer === "number") return Math.abs(given - answer) <= Number(tolerance);
  return letters(String(given)) === letters(String(answer));
}

for (const question of document.querySelectorAll(".quiz-question")) {
  const form = answerForm(question);
  const hints = [...question.querySelectorAll(".quiz-hint")];
  const explanation = question.querySelector(".quiz-explanation");
  const check = document.createElement("button");
  check.type = "button";
  check.textContent = pick("Check", "检查");
  const verdict = document.createElement("span");
  verdict.className = "quiz-verdict";
  verdict.setAttribute("role", "status");
  const row = document.createElement("p");
  if (form.element) row.append(form.element, " ");
  row.append(check, verdict);
  (question.querySelector(".quiz-hint") ?? explanation).before(row);
  check.addEventListener("click", () => {
    const given = form.read();
    if (given === "" || Number.isNaN(given)) {
      verdict.textContent = pick("Give an answer first.", "请先作答。");
      return;
    }
    const right = isEqual(given, JSON.parse(question.dataset.answer), question.dataset.tolerance);
    verdict.textContent = right ? pick("✓ Right.", "✓ 正确。") : pick("✗ Not right.", "✗ 不对。");
    for (const hint of hints) {
      hint.hidden = right || !isEqual(given, JSON.parse(hint.dataset.for), hint.dataset.tolerance);
    }
    explanation.hidden = !right;
    if (!right && !row.querySelector(".show")) {
      const show = document.createElement("button");
      show.type = "button";
      show.className = "show";
      show.textContent = pick("Show the answer", "看答案");
      show.addEventListener("click", () => { explanation.hidden = false; verdict.textContent = `${pick("Answer", "答案")}: ${JSON.parse(question.dataset.answer)}`; });
      row.append(show);
    }
  });
}

/* ---- explorables: `mount(element, {lang})` of the module that a lesson names; without one nothing happens */

async function explorable(name) {
  if (location.protocol !== "file:") return import(new URL(`${root}_static/explorables/${name}.js`, location.href));
  await loadScript(`${root}_static/explorables/${name}.file.js`);
  return import(window.explorableModules[name]);
}

for (const element of document.querySelectorAll("[data-explorable]")) {
  const name = element.dataset.explorable;
  if (site.explorables.includes(name)) explorable(name).then((module) => module.mount(element, { lang }));
}
