/* What the explorables share: a panel with controls, and SVG. Each explorable is one module that exports `TEXTS` (both
   languages), the functions that compute its numbers, and `mount(element, { lang })`. */

/* Each colour has a contrast of 3 to 1 or more with white and with black, so that one palette serves both themes. */
export const COLORS = ["#2f7fd1", "#d1600f", "#2b9348", "#a35bd6"];

const STYLE = `
.explorable { max-width: 30rem; margin: 1.5rem auto; padding: 0.75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 6px; }
.explorable .ex-title { margin: 0 0 0.5rem; font-weight: 600; }
.explorable .ex-control { display: grid; grid-template-columns: minmax(6rem, 10rem) 1fr 5.5rem; gap: 0.5rem; align-items: center; margin: 0.25rem 0; font-size: 0.9rem; }
.explorable .ex-control .ex-value { text-align: right; font-variant-numeric: tabular-nums; }
.explorable .ex-control input[type="range"] { width: 100%; min-width: 0; margin: 0; accent-color: ${COLORS[0]}; }
.explorable .ex-control select { grid-column: 2 / 4; min-width: 0; padding: 0.2rem; font: inherit; color: inherit; background: var(--color-background-primary, Canvas); border: 1px solid currentColor; border-radius: 4px; }
@media (max-width: 30rem) {
  .explorable .ex-control { grid-template-columns: 1fr auto; }
  .explorable .ex-control :is(input[type="range"], select) { grid-column: 1 / 3; grid-row: 2; }
}
.explorable button { padding: 0.25rem 0.8rem; margin: 0.25rem 0.5rem 0.25rem 0; font: inherit; color: inherit; cursor: pointer; background: none; border: 1px solid currentColor; border-radius: 4px; }
.explorable button:disabled { opacity: 0.5; cursor: default; }
.explorable :is(button, select, input):focus-visible { outline: 3px solid ${COLORS[0]}; outline-offset: 2px; }
.explorable svg { display: block; width: 100%; height: auto; margin: 0.5rem 0; overflow: visible; }
.explorable svg text { fill: currentColor; font-size: 12px; }
.explorable .ex-status { margin: 0.5rem 0; font-variant-numeric: tabular-nums; min-height: 1.5em; }
.explorable .ex-try { margin: 0.5rem 0 0; padding-top: 0.5rem; border-top: 1px solid color-mix(in srgb, currentColor 30%, transparent); font-size: 0.9rem; }
.explorable table { width: 100%; border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.explorable :is(td, th) { padding: 0.15rem 0.3rem; text-align: right; border: 0; }
.explorable :is(td, th):first-child { text-align: left; }
.explorable .ex-key { display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.4em; border-radius: 2px; }
`;

/** An element of HTML: its tag, attributes and properties, and children. */
export function html(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Several numbers from first to last, both included. */
export function range(first, last, count) {
  return Array.from({ length: count }, (_, i) => first + ((last - first) * i) / (count - 1));
}

/** The points of a curve, as the attribute `d` of a path. */
export function path(points) {
  return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** A number of bytes in words: powers of 1024 (KiB, MiB, ...), or of 1000 (kB, MB, ...) as papers count. */
export function bytesText(bytes, base = 1024) {
  const units = base === 1024 ? ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] : ["B", "kB", "MB", "GB", "TB", "PB"];
  let power = 0;
  while (bytes >= base && power < units.length - 1) {
    bytes /= base;
    power += 1;
  }
  return `${Number.isInteger(bytes) || bytes >= 100 ? Math.round(bytes) : bytes.toPrecision(3)} ${units[power]}`;
}

/** The frame of an explorable: title, controls, a figure, a line that says its numbers, and what to try. */
export class Panel {
  /** `words` has `title` and `hint`. What the element held, its fallback text, gives way. */
  constructor(element, words) {
    if (!document.getElementById("explorable-style")) {
      document.head.append(html("style", { id: "explorable-style" }, STYLE));
    }
    element.classList.add("explorable");
    this.controls = html("div");
    this.figure = html("div", { class: "ex-figure" });
    this.status = html("p", { class: "ex-status", role: "status" });
    const title = html("p", { class: "ex-title" }, words.title);
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", words.title);
    element.replaceChildren(title, this.controls, this.figure, this.status, html("p", { class: "ex-try" }, words.hint));
    this.sliders = [];
  }

  /** A slider over numbers. `format` says its value in words. Read `.value` of what is returned. */
  slider(label, { min, max, step = 1, value, format = String }) {
    const input = html("input", { type: "range", min, max, step, "aria-label": label });
    const output = html("span", { class: "ex-value" });
    const show = () => {
      output.textContent = format(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => this.redraw());
    this.controls.append(html("label", { class: "ex-control" }, html("span", {}, label), input, output));
    const slider = {
      input,
      get value() { return Number(input.value); },
      set value(number) { input.value = number; show(); },
      show,
    };
    slider.value = value;
    this.sliders.push(slider);
    return slider;
  }

  /** A list to choose from: [[value, text], ...]. `act` comes before drawing. Read `.value` of what is returned. */
  choice(label, options, act = () => {}) {
    const select = html("select", { "aria-label": label });
    for (const [value, text] of options) select.append(html("option", { value }, text));
    select.addEventListener("change", () => {
      act();
      this.redraw();
    });
    this.controls.append(html("label", { class: "ex-control" }, html("span", {}, label), select));
    return select;
  }

  /** A button that does something, then draws. */
  button(label, act) {
    const button = html("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      act();
      this.redraw();
    });
    this.controls.append(button);
    return button;
  }

  /** Call `draw` now and whenever a control changes. It returns what the status line says. */
  whenChanged(draw) {
    this.draw = draw;
    this.redraw();
  }

  redraw() {
    for (const slider of this.sliders) slider.show();
    this.status.textContent = this.draw();
  }
}

/** Where a curve is drawn: 360 wide, with axes, their names and ticks. `x` and `y` map numbers to places. */
export class Plot {
  /** `xs` and `ys` are { from, to, ticks, name, format }. */
  constructor(title, xs, ys, height = 190) {
    const [left, right, top, bottom] = [44, 350, 26, height - 36];
    this.x = (value) => left + ((value - xs.from) / (xs.to - xs.from)) * (right - left);
    this.y = (value) => bottom - ((value - ys.from) / (ys.to - ys.from)) * (bottom - top);
    this.bounds = { left, right, top, bottom };
    this.svg = svg("svg", { viewBox: `0 0 360 ${height}`, role: "img", "aria-label": title });
    this.text(left, 13, title, { "font-weight": 600 });
    const line = { stroke: "currentColor", "stroke-opacity": 0.35 };
    for (const tick of xs.ticks) {
      this.svg.append(svg("line", { x1: this.x(tick), x2: this.x(tick), y1: bottom, y2: bottom + 4, ...line }));
      this.text(this.x(tick), bottom + 17, (xs.format ?? String)(tick), { "text-anchor": "middle" });
    }
    for (const tick of ys.ticks) {
      this.svg.append(svg("line", { x1: left, x2: right, y1: this.y(tick), y2: this.y(tick), ...line }));
      this.text(left - 5, this.y(tick) + 4, (ys.format ?? String)(tick), { "text-anchor": "end" });
    }
    this.text((left + right) / 2, height - 5, xs.name, { "text-anchor": "middle" });
  }

  text(x, y, text, attributes = {}) {
    this.svg.append(svg("text", { x, y, ...attributes }, text));
  }

  /** A curve through [x, y] in the plot's numbers; what lies above or below is left out. */
  curve(points, color, attributes = {}) {
    const places = points.map(([x, y]) => [this.x(x), this.y(y)]).filter(([, y]) => this.holds(y));
    this.svg.append(svg("path", { d: path(places), fill: "none", stroke: color, "stroke-width": 2.5, ...attributes }));
  }

  /** A point on a curve, and the line through it. */
  point(x, y, color) {
    const { top, bottom } = this.bounds;
    const [cx, cy] = [this.x(x), this.y(y)];
    this.svg.append(svg("line", { x1: cx, x2: cx, y1: bottom, y2: top, stroke: "currentColor", "stroke-dasharray": "3 3" }));
    if (this.holds(cy)) this.svg.append(svg("circle", { cx, cy, r: 5, fill: color, stroke: "currentColor" }));
  }

  holds(y) {
    return y >= this.bounds.top - 0.1 && y <= this.bounds.bottom + 0.1; // rounding
  }
}
