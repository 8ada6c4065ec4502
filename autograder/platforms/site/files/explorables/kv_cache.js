/* The KV cache grows with every token; how fast depends on the number of KV heads. */

import { COLORS, Panel, Plot, bytesText, html } from "./shared.js";

export const TEXTS = {
  en: {
    title: "How the KV cache grows",
    tokens: "Tokens so far",
    sequences: "Sequences",
    heads: "KV heads of GQA",
    number: "A number takes",
    bytes: (count) => `${count} byte${count > 1 ? "s" : ""}`,
    plot: "Size of the cache, GiB",
    axis: "tokens",
    weights: "- - weights of the model",
    table: ["", "KV heads", "for one more token", "now"],
    status: (tokens, sequences, size) => `Sequences: ${sequences}, tokens in each: ${tokens}. GQA keeps ${size}.`,
    hint:
      "The sizes are those of Llama 3.1 8B: 32 layers, 32 query heads of width 128. Move the tokens: each token adds the same number of " +
      "bytes, so the lines are straight. Add sequences until a line passes the weights, 15 GiB (16 sequences of 8,192 tokens do with 8 KV heads). Then " +
      "compare: MHA keeps keys and values for all 32 heads, MQA for one, GQA for a few.",
  },
  zh: {
    title: "KV 缓存怎样增长",
    tokens: "已有词元",
    sequences: "序列条数",
    heads: "GQA 的 KV 头数",
    number: "每个数占",
    bytes: (count) => `${count} 字节`,
    plot: "缓存的大小（GiB）",
    axis: "词元数",
    weights: "- - 模型权重",
    table: ["", "KV 头数", "每多一个词元", "现在"],
    status: (tokens, sequences, size) => `${sequences} 条序列，每条 ${tokens} 个词元：GQA 占 ${size}。`,
    hint:
      "尺寸取自 Llama 3.1 8B：32 层，32 个查询头，每头宽 128。移动词元数：每个词元增加的字节数相同，所以都是直线。增加序列条数，直到某条线超过模型权重的 15 GiB" +
      "（8 个 KV 头时，16 条 8192 词元的序列就会超过）。再比较三者：MHA 为全部 32 个头保存键和值，MQA 只为一个头，GQA 为少数几个头。",
  },
};

const MODEL = { layers: 32, queryHeads: 32, headDim: 128, weights: 8.03e9 * 2 };
const CAPACITY = 8192;

/** Bytes of a whole KV cache: keys and values, for every layer, KV head, token and sequence. */
export function kvCacheBytes({ layers, kvHeads, headDim, tokens, sequences = 1, bytesPerNumber = 2 }) {
  return 2 * layers * kvHeads * headDim * tokens * sequences * bytesPerNumber;
}

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const tokens = panel.slider(words.tokens, { min: 0, max: CAPACITY, step: 64, value: 2048 });
  const sequences = panel.slider(words.sequences, { min: 1, max: 32, value: 4 });
  const power = panel.slider(words.heads, { min: 1, max: 4, value: 3, format: (exponent) => 2 ** exponent });
  const number = panel.choice(words.number, [2, 4, 1].map((count) => [count, words.bytes(count)]));
  const body = html("tbody");
  const head = html("thead", {}, html("tr", {}, ...words.table.map((text) => html(text ? "th" : "td", {}, text))));
  const place = html("div");
  panel.figure.append(place, html("table", {}, head, body));
  panel.whenChanged(() => {
    const kinds = [["MHA", MODEL.queryHeads], ["GQA", 2 ** power.value], ["MQA", 1]];
    const size = (kvHeads, count, rows = sequences.value) =>
      kvCacheBytes({ ...MODEL, kvHeads, tokens: count, sequences: rows, bytesPerNumber: Number(number.value) });
    const highest = Math.max(16 * 2 ** 30, 2 ** Math.ceil(Math.log2(size(MODEL.queryHeads, CAPACITY))));
    const plot = new Plot(
      words.plot,
      { from: 0, to: CAPACITY, ticks: [0, 2048, 4096, 6144, 8192], name: words.axis },
      { from: 0, to: highest, ticks: [0, 0.25, 0.5, 0.75, 1].map((part) => part * highest), format: (bytes) => `${bytes / 2 ** 30}` },
    );
    plot.curve([[0, MODEL.weights], [CAPACITY, MODEL.weights]], "currentColor", { "stroke-width": 1.5, "stroke-dasharray": "6 4" });
    plot.text(350, 13, words.weights, { "text-anchor": "end" });
    kinds.forEach(([, heads], n) => {
      plot.curve([[0, 0], [CAPACITY, size(heads, CAPACITY)]], COLORS[n]);
      plot.point(tokens.value, size(heads, tokens.value), COLORS[n]);
    });
    place.replaceChildren(plot.svg);
    body.replaceChildren(...kinds.map(([name, heads], n) => {
      const key = html("span", { class: "ex-key", style: `background: ${COLORS[n]}` });
      const cells = [heads, bytesText(size(heads, 1, 1)), bytesText(size(heads, tokens.value))];
      return html("tr", {}, html("td", {}, key, name), ...cells.map((text) => html("td", {}, String(text))));
    }));
    return words.status(tokens.value, sequences.value, bytesText(size(kinds[1][1], tokens.value)));
  });
}
