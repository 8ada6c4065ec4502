/* Softmax: what a temperature and a mask do to the weights with which "it" reads the sentence. */

import { COLORS, Panel, html, svg } from "./shared.js";

export const TEXTS = {
  en: {
    title: "Softmax: temperature and masking",
    temperature: "Temperature",
    words: "The cat sat on the mat because it was warm.",
    head: ["read", "score", "weight"],
    status: (kept, top, weight) => `${kept} words share a weight of 1; “${top}” has ${weight}.`,
    nothing: "Nothing may be read: all weights are 0, not NaN.",
    hint:
      "Each row is a word that “it” may read; the scores are made up. Lower the temperature, and the highest score takes " +
      "all; raise it, and the weights become equal. Then clear the boxes of “was” and “warm.”, which lie in the future of " +
      "“it”: their weight goes to the other words, whose ratios stay. Clear all boxes: zeros.",
  },
  zh: {
    title: "softmax：温度与掩码",
    temperature: "温度",
    words: "猫 坐 在 垫子 上， 因为 它 很 暖和。",
    head: ["可以看", "分数", "权重"],
    status: (kept, top, weight) => `${kept} 个词分享总和为 1 的权重；“${top}”得到 ${weight}。`,
    nothing: "什么都不能看：权重全是 0，而不是 NaN。",
    hint:
      "每一行是“它”可以读的一个词，分数是随手给的。把温度调低，分数最高的词几乎拿走全部权重；调高，权重趋于相等。再去掉“很”和“暖和。”的勾，它们在“它”的后面：" +
      "它们的权重分给了其余的词，而其余各词之间的比例不变。把勾全部去掉：权重都是 0。",
  },
};

/** What "it" thinks of each word, made up: the mat is warm, and the cat might be. */
export const SCORES = {
  en: [0.2, 2.0, 0.6, -0.4, 0.2, 2.6, 0.5, 1.0, 0.8, 1.8],
  zh: [2.0, 0.6, -0.4, 2.6, 0.1, 0.5, 1.0, 0.4, 1.8],
};

/** Weights that sum to one over the logits whose `mask` is true; zeros where the mask is false, and if it is false throughout. */
export function softmax(logits, temperature = 1, mask = logits.map(() => true)) {
  const visible = logits.filter((_, i) => mask[i]);
  const maximum = Math.max(...visible);
  const powers = logits.map((logit, i) => (mask[i] ? Math.exp((logit - maximum) / temperature) : 0));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => (total ? power / total : 0));
}

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const names = words.words.split(" ");
  const temperature = panel.slider(words.temperature, { min: 0.1, max: 5, step: 0.1, value: 1, format: (t) => t.toFixed(1) });
  const body = html("tbody");
  const heads = words.head.map((text) => html("th", { scope: "col" }, text));
  panel.figure.append(html("table", {}, html("thead", {}, html("tr", {}, ...heads, html("td"))), body));
  const rows = names.map((name, i) => {
    const box = html("input", { type: "checkbox" });
    box.checked = true;
    box.addEventListener("input", () => panel.redraw());
    const number = html("td");
    const bar = svg("rect", { x: 0, y: 2, height: 10, fill: COLORS[0], rx: 2 });
    const picture = svg("svg", { viewBox: "0 0 160 14", "aria-hidden": "true" }, bar);
    const cells = [html("td", {}, html("label", { style: "white-space: nowrap" }, box, ` ${name}`)), html("td", {}, SCORES[lang][i].toFixed(1)), number];
    body.append(html("tr", {}, ...cells, html("td", { style: "width: 42%" }, picture)));
    return { box, number, bar };
  });
  panel.whenChanged(() => {
    const mask = rows.map((row) => row.box.checked);
    const weights = softmax(SCORES[lang], temperature.value, mask);
    rows.forEach((row, i) => {
      row.number.textContent = weights[i].toFixed(3);
      row.bar.setAttribute("width", 160 * weights[i]);
    });
    const kept = mask.filter(Boolean).length;
    const top = weights.indexOf(Math.max(...weights));
    return kept ? words.status(kept, names[top], weights[top].toFixed(3)) : words.nothing;
  });
}
