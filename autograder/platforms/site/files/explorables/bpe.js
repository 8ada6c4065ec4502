/* Byte pair encoding, one merge at a time. */

import { COLORS, Panel, html } from "./shared.js";

export const TEXTS = {
  en: {
    title: "Byte pair encoding, step by step",
    text: "Text",
    names: ["The sentence and what follows it", "The sentence alone", "The Chinese sentence"],
    longer:
      "The cat sat on the mat because it was warm. The mat lies in front of the stove, and the stove is still warm in the " +
      "morning. When the stove goes out, the cat moves to the window and waits for the sun.",
    merges: "Merges",
    next: "Merge once",
    again: "Start again",
    status: (length, pair, count) => `${length} tokens. Next: ${pair}, which occurs ${count} times.`,
    end: (length) => `${length} tokens. No pair occurs twice any more: training ends.`,
    learned: "Merges so far",
    hint:
      "Press “Merge once”: the most frequent pair of neighbours becomes one token, wherever it stands inside a word; the " +
      "new token has a thick frame. The text gets shorter, and frequent pieces grow into words; ␣ is a space. Then choose " +
      "the sentence alone, in which few pairs occur twice, or the Chinese one: a box such as E5 is a byte that is no character by itself.",
  },
  zh: {
    title: "BPE，一步一步来",
    text: "文本",
    names: ["例句和它的下文", "英文例句", "中文例句"],
    longer: "猫坐在垫子上，因为它很暖和。垫子铺在炉子前面，炉子到早上还是暖的。炉子灭了，猫就挪到窗边，等太阳出来。",
    merges: "合并次数",
    next: "合并一次",
    again: "从头开始",
    status: (length, pair, count) => `共 ${length} 个词元。下一步合并 ${pair}，它出现 ${count} 次。`,
    end: (length) => `共 ${length} 个词元。再没有出现两次的相邻对，训练结束。`,
    learned: "已学到的合并",
    hint:
      "按“合并一次”：出现最多的一对相邻词元合成一个新词元，词内各处都换，新词元有粗框。文本越来越短，字节先合成汉字，常见的汉字再合成“炉子”这样的词。" +
      "像 E5 这样的方块是一个字节，单独不成字符。再选英文例句（␣ 是空格）或中文例句：一句话里，出现两次的相邻对很少。",
  },
};

export const SENTENCES = { en: "The cat sat on the mat because it was warm.", zh: "猫坐在垫子上，因为它很暖和。" };

/* The pattern of the exercise; a letter or number here is what Python's \w holds. */
const PATTERN = /'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{Nl}\p{No}]+| ?\p{Nd}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The words of a text, each a list of byte ids, in order. */
export function splitWords(text) {
  return (text.match(PATTERN) ?? []).map((word) => [...new TextEncoder().encode(word)]);
}

/** The most frequent pair of neighbours, { pair, count }; of equals the smallest. Null if there is none. */
export function bestPair(words) {
  const counts = new Map();
  for (const word of words) {
    for (let i = 0; i + 1 < word.length; i += 1) {
      const name = `${word[i]} ${word[i + 1]}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  let best = null;
  for (const [name, count] of counts) {
    const pair = name.split(" ").map(Number);
    const [left, right] = best?.pair ?? [];
    const smaller = best && (pair[0] < left || (pair[0] === left && pair[1] < right));
    if (!best || count > best.count || (count === best.count && smaller)) best = { pair, count };
  }
  return best;
}

/** A word in which the pair is one id, from left to right. */
export function mergeWord(word, [left, right], id) {
  const merged = [];
  for (let i = 0; i < word.length; i += 1) {
    if (word[i] === left && word[i + 1] === right) {
      merged.push(id);
      i += 1;
    } else merged.push(word[i]);
  }
  return merged;
}

/** All states of a training on this text: [{ words, pair, count }], the first without a pair, until no pair occurs `minimum` times. */
export function train(text, most = Infinity, minimum = 2) {
  let words = splitWords(text);
  const states = [{ words, pair: null, count: 0 }];
  for (let next; states.length <= most && (next = bestPair(words)) && next.count >= minimum; ) {
    const id = 255 + states.length;
    words = words.map((word) => mergeWord(word, next.pair, id));
    states.push({ words, ...next });
  }
  return states;
}

/** The bytes that an id stands for; `states` are those of `train`. */
export function spelling(id, states) {
  return id < 256 ? [id] : states[id - 255].pair.flatMap((part) => spelling(part, states));
}

/** A token as it is shown: its text, or its bytes in hexadecimal where they are no text. */
export function tokenText(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes)).replaceAll(" ", "␣");
  } catch {
    return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
  }
}

export function mount(element, { lang }) {
  const words = TEXTS[lang];
  const panel = new Panel(element, words);
  const texts = [words.longer, SENTENCES.en, SENTENCES.zh];
  let states;
  const begin = () => {
    states = train(texts[text.value]);
    merges.value = 0;
  };
  const text = panel.choice(words.text, words.names.map((name, i) => [i, name]), begin);
  const merges = panel.slider(words.merges, { min: 0, max: 1, value: 0 });
  const next = panel.button(words.next, () => { merges.value += 1; });
  panel.button(words.again, () => { merges.value = 0; });
  const place = html("p", { style: "line-height: 2.1; margin: 0.5rem 0" });
  const list = html("ol", { style: "margin: 0; padding-left: 2rem; columns: 9rem; font-size: 0.85rem" });
  panel.figure.append(place, html("details", {}, html("summary", {}, words.learned), list));
  begin();
  const name = (id) => tokenText(spelling(id, states));
  panel.whenChanged(() => {
    merges.input.max = states.length - 1;
    const at = merges.value;
    place.replaceChildren(...states[at].words.flatMap((word) => [wordElement(word, at ? 255 + at : -1, name), " "]));
    list.replaceChildren(...states.slice(1, at + 1).map(({ pair, count }) => {
      return html("li", {}, `${name(pair[0])} + ${name(pair[1])} (${count})`);
    }));
    const length = states[at].words.flat().length;
    const following = states[at + 1];
    next.disabled = !following;
    if (!following) return words.end(length);
    return words.status(length, following.pair.map(name).join(" + "), following.count);
  });
}

/** One word, its tokens in boxes. */
function wordElement(word, newest, name) {
  const boxes = word.map((id) => {
    const color = id < 256 ? "currentColor" : COLORS[id % COLORS.length];
    const style =
      `padding: 0.1rem 0.25rem; margin-right: 1px; border: ${id === newest ? 2 : 1}px solid ${id === newest ? "currentColor" : color}; ` +
      `border-radius: 3px; display: inline-block; line-height: 1.5; background: color-mix(in srgb, ${color} ${id < 256 ? 0 : 30}%, transparent); font-family: monospace`;
    return html("span", { style }, name(id));
  });
  return html("span", { style: "margin-right: 0.5rem" }, ...boxes);
}
