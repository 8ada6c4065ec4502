/* The DPO loss, and the weight of its gradient, as functions of the margin and of beta. */

import { COLORS, Panel, Plot, range } from "./shared.js";

export const TEXTS = {
  en: {
    title: "DPO: loss and weight of the gradient",
    gap: "Log-ratio gap h",
    beta: "beta",
    loss: "Loss of the pair",
    weight: "Weight of the gradient, σ(−m)",
    axis: "log-ratio gap h = m / β",
    status: (margin, loss, weight, slope) =>
      `Margin m = βh = ${margin}, loss ${loss}, weight ${weight}; slope in the chosen response’s log-probability ${slope}.`,
    hint:
      "The gap h says how many nats the policy has moved towards the chosen response, compared with the rejected one. Move it from left " +
      "to right: where the pair is ranked wrongly the weight is near 1, at 0 it is one half, and it fades without ever turning " +
      "negative. Then raise beta: the same gap is a larger margin, so the weight fades sooner. The first values are those of the worked example.",
  },
  zh: {
    title: "DPO：损失与梯度的权重",
    gap: "对数比之差 h",
    beta: "beta",
    loss: "这一对的损失",
    weight: "梯度的权重 σ(−m)",
    axis: "对数比之差 h = m / β",
    status: (margin, loss, weight, slope) =>
      `间隔 m = βh = ${margin}，损失 ${loss}，权重 ${weight}；损失对被选中回答的对数概率的斜率 ${slope}。`,
    hint:
      "h 表示：与被拒绝的回答相比，策略向被选中的回答移动了多少 nat。从左往右移动：排错顺序时权重接近 1，h = 0 时是一半，之后越来越小，但不会变成负数。" +
      "再把 beta 调大：同样的 h 对应更大的间隔，权重更早变小。初始值就是讲义里的例子。",
  },
};

/** The logistic function, for arguments of any size. */
export function sigmoid(x) {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** One pair: its margin, its loss -log sigma(m), the weight sigma(-m), and the slope of the loss in the chosen response's log-probability. */
export function dpo(gap, beta) {
  const margin = beta * gap;
  const loss = Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
  const weight = sigmoid(-margin);
  return { margin, loss, weight, slope: -beta * weight };
}

const WIDEST = 30;

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const gap = panel.slider(words.gap, { min: -WIDEST, max: WIDEST, step: 0.5, value: 4, format: (h) => h.toFixed(1) });
  const beta = panel.slider(words.beta, { min: 0.02, max: 1, step: 0.02, value: 0.1, format: (b) => b.toFixed(2) });
  panel.whenChanged(() => {
    const now = dpo(gap.value, beta.value);
    const curves = [["loss", { from: 0, to: 6, ticks: [0, 2, 4, 6] }], ["weight", { from: 0, to: 1, ticks: [0, 0.5, 1] }]];
    const plots = curves.map(([quantity, ys], n) => {
      const title = n ? words.weight : words.loss;
      const plot = new Plot(title, { from: -WIDEST, to: WIDEST, ticks: [-30, -15, 0, 15, 30], name: words.axis }, ys, 170);
      plot.curve(range(-WIDEST, WIDEST, 241).map((h) => [h, dpo(h, beta.value)[quantity]]), COLORS[n]);
      plot.point(gap.value, now[quantity], COLORS[n]);
      return plot.svg;
    });
    panel.figure.replaceChildren(...plots);
    return words.status(now.margin.toFixed(2), now.loss.toFixed(3), now.weight.toFixed(3), now.slope.toFixed(4));
  });
}
