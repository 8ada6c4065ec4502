/* RoPE: the hands of query and key turn with their positions; the score knows only how far apart they stand. */

import { COLORS, Panel, Plot, range, svg } from "./shared.js";

export const TEXTS = {
  en: {
    title: "The clock of RoPE",
    key: "Key position j",
    distance: "Distance i − j",
    dial: (pair, speed) => `Pair ${pair}: ${speed} radian a step`,
    names: ["query", "key"],
    plot: "Score by distance",
    axis: "distance i − j",
    status: (i, j, distance, score) => `Query at ${i}, key at ${j}, distance ${distance}: score ${score}.`,
    hint:
      "Query and key are (1, 0) in both pairs, as in the worked example. Move the key position alone: all hands turn, query " +
      "and key by the same angle, and the score stays. Then move the distance: the score changes along the curve. The fast pair tells " +
      "neighbours apart but comes round again after 6.3 steps; the slow pair still knows which round it is.",
  },
  zh: {
    title: "RoPE 的时钟",
    key: "键的位置 j",
    distance: "距离 i − j",
    dial: (pair, speed) => `第 ${pair} 对：每步 ${speed} 弧度`,
    names: ["查询", "键"],
    plot: "分数随距离的变化",
    axis: "距离 i − j",
    status: (i, j, distance, score) => `查询在 ${i}，键在 ${j}，距离 ${distance}：分数 ${score}。`,
    hint:
      "查询和键在两对里都是 (1, 0)，与讲义的手算例子相同。只移动键的位置：所有指针都在转，查询和键转过同样的角度，分数不变。再改变距离：分数沿曲线变化。" +
      "快的一对能分清相邻的位置，但每 6.3 步就转回原处；慢的一对还记得这是第几圈。",
  },
};

/** The angle by which each pair of `rotaryDim` columns turns at one step, in radians. */
export function frequencies(rotaryDim, theta = 10000) {
  return Array.from({ length: rotaryDim / 2 }, (_, pair) => theta ** ((-2 * pair) / rotaryDim));
}

/** A vector, as a list of pairs, turned to a position. */
export function turn(pairs, position, speeds) {
  return pairs.map(([a, b], p) => {
    const [cos, sin] = [Math.cos(position * speeds[p]), Math.sin(position * speeds[p])];
    return [a * cos - b * sin, a * sin + b * cos];
  });
}

/** The dot product of the query turned to position i and the key turned to position j. */
export function score(query, key, i, j, speeds) {
  const [q, k] = [turn(query, i, speeds), turn(key, j, speeds)];
  return q.reduce((sum, [a, b], p) => sum + a * k[p][0] + b * k[p][1], 0);
}

const [FARTHEST, RADIUS] = [60, 52];

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const speeds = frequencies(4);
  const vector = [[1, 0], [1, 0]];
  const key = panel.slider(words.key, { min: 0, max: 100, value: 1 });
  const distance = panel.slider(words.distance, { min: 0, max: FARTHEST, value: 6 });
  panel.whenChanged(() => {
    const [i, j] = [key.value + distance.value, key.value];
    const [query, turned] = [turn(vector, i, speeds), turn(vector, j, speeds)];
    const dials = svg("svg", { viewBox: "0 0 360 156", "aria-hidden": "true" });
    speeds.forEach((speed, p) => {
      const [x, y] = [90 + 180 * p, 90];
      dials.append(
        svg("text", { x, y: 13, "text-anchor": "middle" }, words.dial(p, speed)),
        svg("circle", { cx: x, cy: y, r: RADIUS, fill: "none", stroke: "currentColor", "stroke-opacity": 0.5 }),
        ...range(0, 11, 12).map((hour) => tick(x, y, (hour * Math.PI) / 6)),
        hand(x, y, turned[p], COLORS[0], RADIUS, 6),
        hand(x, y, query[p], COLORS[1], RADIUS - 6, 3),
      );
    });
    words.names.forEach((name, n) => {
      dials.append(
        svg("rect", { x: 152, y: 30 + 18 * n, width: 10, height: 10, rx: 2, fill: COLORS[1 - n] }),
        svg("text", { x: 166, y: 39 + 18 * n }, name),
      );
    });
    const plot = new Plot(
      words.plot,
      { from: 0, to: FARTHEST, ticks: [0, 10, 20, 30, 40, 50, 60], name: words.axis },
      { from: -1, to: 2, ticks: [-1, 0, 1, 2] },
      170,
    );
    const at = (d) => score(vector, vector, d, 0, speeds);
    plot.curve(range(0, FARTHEST, 241).map((d) => [d, at(d)]), COLORS[2]);
    const now = score(vector, vector, i, j, speeds);
    plot.point(distance.value, now, COLORS[2]);
    panel.figure.replaceChildren(dials, plot.svg);
    return words.status(i, j, distance.value, now.toFixed(3));
  });
}

/* Positive angles turn against the clock, as in the lesson's figure; SVG's y points down. */
function hand(x, y, [a, b], color, length, width) {
  const end = { x2: x + length * a, y2: y - length * b };
  return svg("line", { x1: x, y1: y, ...end, stroke: color, "stroke-width": width, "stroke-linecap": "round" });
}

function tick(x, y, angle) {
  const [a, b] = [Math.cos(angle), Math.sin(angle)];
  const place = { x1: x + RADIUS * a, y1: y + RADIUS * b, x2: x + (RADIUS - 5) * a, y2: y + (RADIUS - 5) * b };
  return svg("line", { ...place, stroke: "currentColor" });
}
