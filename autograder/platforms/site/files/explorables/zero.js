/* What one rank holds in ZeRO's stages. */

import { COLORS, Panel, bytesText, html, svg } from "./shared.js";

export const TEXTS = {
  en: {
    title: "ZeRO: what one rank holds",
    size: "Model size",
    parameters: (billions) => `${billions} B`,
    ranks: "Ranks N",
    rows: ["data parallel", "stage 1", "stage 2", "stage 3"],
    parts: ["parameters", "gradients", "optimiser state"],
    gpu: "| one GPU: 80 GB",
    sent: (text) => `sends ${text}`,
    status: (stage) => `The lowest stage that fits into 80 GB: ${stage}.`,
    none: "No stage fits into 80 GB.",
    hint:
      "Add ranks: data parallelism stays at 16 bytes a parameter, stage 1 comes down towards 4, stage 2 towards 2, and stage 3 to " +
      "one N-th of all. Then make the model larger until only stage 3 fits; it pays by sending half as much again. " +
      "Activations are not counted.",
  },
  zh: {
    title: "ZeRO：一个 rank 放多少",
    size: "模型大小",
    parameters: (billions) => `${billions * 10} 亿`,
    ranks: "rank 数 N",
    rows: ["数据并行", "阶段 1", "阶段 2", "阶段 3"],
    parts: ["参数", "梯度", "优化器状态"],
    gpu: "| 一张卡：80 GB",
    sent: (text) => `发送 ${text}`,
    status: (stage) => `80 GB 放得下的最低一级：${stage}。`,
    none: "哪一级都放不进 80 GB。",
    hint:
      "增加 rank：数据并行一直是每个参数 16 字节，阶段 1 降到接近 4 字节，阶段 2 接近 2 字节，阶段 3 降到总量的 N 分之一。" +
      "再把模型调大，直到只有阶段 3 放得下；它的代价是多发送一半的数据。激活值不计在内。",
  },
};

/** Bytes that one rank holds, and sends in one step: float16 parameters and gradients, Adam's three float32 numbers. */
export function costs(parameters, ranks, stage, optimizerBytes = 12) {
  return {
    parameters: (2 * parameters) / (stage >= 3 ? ranks : 1),
    gradients: (2 * parameters) / (stage >= 2 ? ranks : 1),
    optimizer: (optimizerBytes * parameters) / (stage >= 1 ? ranks : 1),
    sent: ((stage === 3 ? 3 : 2) * 2 * parameters * (ranks - 1)) / ranks,
  };
}

const BILLIONS = [0.1, 0.4, 1.5, 3, 7.5, 13, 30, 70, 175, 400, 1000];
const GPU = 80e9;

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const size = panel.slider(words.size, { min: 0, max: BILLIONS.length - 1, value: 4, format: (i) => words.parameters(BILLIONS[i]) });
  const ranks = panel.slider(words.ranks, { min: 0, max: 10, value: 6, format: (power) => 2 ** power });
  const legend = html("div", { style: "font-size: 0.85rem" });
  words.parts.forEach((part, n) => {
    legend.append(html("span", { style: "margin-right: 1rem" }, html("span", { class: "ex-key", style: `background: ${COLORS[n]}` }), part));
  });
  const place = html("div");
  panel.figure.append(place, legend);
  panel.whenChanged(() => {
    const stages = [0, 1, 2, 3].map((stage) => costs(BILLIONS[size.value] * 1e9, 2 ** ranks.value, stage));
    const held = stages.map(({ parameters, gradients, optimizer }) => parameters + gradients + optimizer);
    const widest = Math.max(GPU, held[0]) * 1.02;
    const x = (bytes) => (bytes / widest) * 356;
    const picture = svg("svg", { viewBox: "0 0 360 212", role: "img", "aria-label": words.title });
    stages.forEach(({ parameters, gradients, optimizer, sent }, stage) => {
      const y = 30 + 46 * stage;
      const label = `${words.rows[stage]}: ${bytesText(held[stage], 1000)}`;
      picture.append(svg("text", { x: 0, y, "font-weight": 600 }, label));
      picture.append(svg("text", { x: 356, y, "text-anchor": "end" }, words.sent(bytesText(sent, 1000))));
      let left = 0;
      [parameters, gradients, optimizer].forEach((bytes, n) => {
        picture.append(svg("rect", { x: x(left), y: y + 6, width: x(bytes), height: 16, fill: COLORS[n] }));
        left += bytes;
      });
      picture.append(svg("line", { x1: x(GPU), x2: x(GPU), y1: y + 4, y2: y + 26, stroke: "currentColor", "stroke-width": 2 }));
    });
    const anchor = x(GPU) > 180 ? "end" : "start";
    picture.append(svg("text", { x: x(GPU), y: 210, "text-anchor": anchor }, words.gpu));
    place.replaceChildren(picture);
    const fitting = held.findIndex((bytes) => bytes <= GPU);
    return fitting < 0 ? words.none : words.status(words.rows[fitting]);
  });
}
