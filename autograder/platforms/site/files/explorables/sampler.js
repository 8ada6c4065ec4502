/* Temperature, top-k, top-p and min-p over the next token of a real model. */

import { NEXT_TOKEN } from "./next_token.js";
import { COLORS, Panel, svg } from "./shared.js";

export const TEXTS = {
  en: {
    title: "The cat sat on the …",
    temperature: "Temperature",
    all: "off",
    top: (tokens) => `the ${tokens} most probable tokens before the filters`,
    rest: (tokens) => `${tokens} others`,
    draw: "Draw a token",
    drawn: (token) => `Drawn: “${token}”. `,
    status: (kept, tokens, share) => `${kept} of ${tokens} tokens are left; before the filters they held ${share} %.`,
    hint:
      "These are the probabilities of a small GPT, trained for a short while on the twenty documents of this course. Filled bars are what is drawn from, " +
      "outlines what the temperature alone gives. Lower top-p: the tail goes, the ratios of the rest stay. Then raise the temperature: top-p " +
      "lets more tokens in, top-k always the same number. At temperature 0 one token is left. Draw a few times.",
  },
  zh: {
    title: "猫坐在……",
    temperature: "温度",
    all: "不用",
    top: (tokens) => `过滤之前概率最大的 ${tokens} 个词元`,
    rest: (tokens) => `其余 ${tokens} 个`,
    draw: "抽一个词元",
    drawn: (token) => `抽到“${token}”。`,
    status: (kept, tokens, share) => `${tokens} 个词元里留下 ${kept} 个；过滤之前它们占 ${share} %。`,
    hint:
      "这是一个小 GPT 的真实概率，它在本课程的二十篇短文上训练了一小会儿，每个字是一个词元。实心条是抽样用的概率，空心框是只加温度、不过滤时的概率。" +
      "调低 top-p：尾巴被去掉，其余各词元之间的比例不变。再调高温度：top-p 放进来的词元变多，top-k 总是一样多。温度为 0 时只剩一个。多抽几次看看。",
  },
};

/** Probabilities of logits; an entry of -Infinity has none. */
export function softmax(logits) {
  const maximum = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - maximum));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Logits after top-k, top-p and min-p, in this order; null turns one off. What is dropped is -Infinity. */
export function filterLogits(logits, { topK = null, topP = null, minP = null } = {}) {
  const keep = (holds) => logits.map((logit, i) => (holds(i) ? logit : -Infinity));
  if (topK !== null) {
    const smallest = [...logits].sort((a, b) => b - a)[Math.min(topK, logits.length) - 1];
    logits = keep((i) => logits[i] >= smallest);
  }
  if (topP !== null) {
    const probabilities = softmax(logits);
    const kept = new Set();
    let mass = 0;
    for (const i of logits.map((_, i) => i).sort((a, b) => logits[b] - logits[a])) {
      if (mass >= topP) break;
      kept.add(i);
      mass += probabilities[i];
    }
    logits = keep((i) => kept.has(i));
  }
  if (minP !== null) {
    const probabilities = softmax(logits);
    const threshold = minP * Math.max(...probabilities);
    logits = keep((i) => probabilities[i] >= threshold);
  }
  return logits;
}

/** What the next token is drawn from: temperature, then the filters. Temperature 0 takes the first of the largest logits. */
export function nextTokenProbabilities(logits, { temperature = 1, ...filters } = {}) {
  if (temperature === 0) {
    const largest = logits.indexOf(Math.max(...logits));
    return logits.map((_, i) => (i === largest ? 1 : 0));
  }
  return softmax(filterLogits(logits.map((logit) => logit / temperature), filters));
}

/** The token whose piece of the line holds the draw, a number in [0, 1). */
export function sample(probabilities, draw) {
  const total = probabilities.reduce((sum, probability) => sum + probability, 0);
  let sum = 0;
  return probabilities.findIndex((probability) => (sum += probability) / total > draw);
}

const SHOWN = 14;

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const { tokens, logits } = NEXT_TOKEN[lang];
  const name = (i) => (tokens[i] === "\n\n" || tokens[i] === "\n" ? "↵" : tokens[i].trim());
  const order = logits.map((_, i) => i).sort((a, b) => logits[b] - logits[a]);
  const off = (value) => (number) => (number === value ? words.all : String(number));
  const temperature = panel.slider(words.temperature, { min: 0, max: 2, step: 0.1, value: 1, format: (t) => t.toFixed(1) });
  const topK = panel.slider("top-k", { min: 1, max: 51, value: 51, format: off(51) });
  const topP = panel.slider("top-p", { min: 0.05, max: 1, step: 0.05, value: 1, format: off(1) });
  const minP = panel.slider("min-p", { min: 0, max: 0.5, step: 0.02, value: 0, format: off(0) });
  let drawn = null;
  panel.controls.addEventListener("input", () => { drawn = null; }, { capture: true });
  const probabilities = (filters) => nextTokenProbabilities(logits, { temperature: temperature.value, ...filters });
  const filtered = () => probabilities({
    topK: topK.value === 51 ? null : topK.value,
    topP: topP.value === 1 ? null : topP.value,
    minP: minP.value === 0 ? null : minP.value,
  });
  panel.button(words.draw, () => { drawn = sample(filtered(), Math.random()); });
  panel.whenChanged(() => {
    const [before, after] = [probabilities({}), filtered()];
    const shown = order.slice(0, SHOWN).map((i) => ({ label: name(i), before: before[i], after: after[i], marked: i === drawn }));
    const rest = order.slice(SHOWN);
    const sum = (values) => rest.reduce((total, i) => total + values[i], 0);
    const marked = rest.includes(drawn);
    shown.push({ label: words.rest(rest.length), before: sum(before), after: sum(after), marked });
    panel.figure.replaceChildren(bars(shown, words.top(SHOWN)));
    const kept = after.flatMap((probability, i) => (probability > 0 ? [i] : []));
    const share = 100 * kept.reduce((total, i) => total + before[i], 0);
    return (drawn === null ? "" : words.drawn(name(drawn))) + words.status(kept.length, tokens.length, share.toFixed(0));
  });
}

function bars(rows, title) {
  const widest = Math.max(...rows.map(({ before, after }) => Math.max(before, after)));
  const width = (probability) => (probability / widest) * 190;
  const picture = svg("svg", { viewBox: `0 0 360 ${18 * rows.length + 4}`, role: "img", "aria-label": title });
  rows.forEach(({ label, before, after, marked }, row) => {
    const y = 2 + 18 * row;
    const weight = marked ? { "font-weight": 700 } : {};
    picture.append(
      svg("text", { x: 98, y: y + 12, "text-anchor": "end", ...weight }, marked ? `▸ ${label}` : label),
      svg("rect", { x: 106, y: y + 2, width: width(after), height: 12, fill: COLORS[marked ? 1 : 0] }),
      svg("rect", { x: 106, y: y + 2, width: width(before), height: 12, fill: "none", stroke: "currentColor" }),
      svg("text", { x: 356, y: y + 12, "text-anchor": "end", ...weight }, `${(100 * after).toFixed(1)} %`),
    );
  });
  return picture;
}
