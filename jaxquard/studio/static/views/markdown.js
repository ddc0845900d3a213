// The Markdown of our own lesson pages, and no more: headings, paragraphs, quotations, lists, tables, code, rules;
// inside a line *emphasis*, **weight**, `code` and [links](https://…). It builds nodes; text is never parsed as HTML.

import { h, scrolling } from "../dom.js";

/** A list of elements. The page's own title is a level-1 heading, so the text's begin at level 2. */
export function rendered(markdown) {
  const lines = markdown.split("\n");
  const blocks = [];
  while (lines.length) {
    const block = BLOCKS.find(([begins]) => begins.test(lines[0]));
    if (lines[0].trim() === "") lines.shift();
    else blocks.push(block[1](lines));
  }
  return blocks;
}

const HEADING = /^(#+) +(.*)$/;
const RULE = /^---+$/;
const FENCE = /^```/;
const QUOTE = /^> ?/;
const ROW = /^\|/;
const BULLET = /^[-*] +/;
const NUMBER = /^\d+\. +/;
const BLOCKS = [
  [HEADING, heading],
  [RULE, (lines) => (lines.shift(), h("hr"))],
  [FENCE, code],
  [QUOTE, quotation],
  [ROW, table],
  [BULLET, (lines) => list("ul", lines, BULLET)],
  [NUMBER, (lines) => list("ol", lines, NUMBER)],
  [/./, (lines) => h("p", {}, inline(paragraph(lines)))],
];

/** The lines at the front that look alike, taken off. */
function taken(lines, alike) {
  const end = lines.findIndex((line) => !alike.test(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function paragraph(lines) {
  const others = [HEADING, RULE, FENCE, QUOTE, ROW];
  const first = lines.shift();
  const end = lines.findIndex((line) => line.trim() === "" || others.some((other) => other.test(line)));
  return [first, ...lines.splice(0, end < 0 ? lines.length : end)].join(" ");
}

function heading(lines) {
  const [, marks, text] = HEADING.exec(lines.shift());
  return h(`h${Math.min(6, Math.max(2, marks.length))}`, {}, inline(text));
}

function code(lines) {
  lines.shift();
  const end = lines.findIndex((line) => FENCE.test(line));
  const body = lines.splice(0, end < 0 ? lines.length : end);
  lines.shift();
  return h("pre", { class: "command", tabindex: "0" }, h("code", {}, body.join("\n")));
}

function quotation(lines) {
  const inside = taken(lines, QUOTE).map((line) => line.replace(QUOTE, ""));
  return h("blockquote", {}, rendered(inside.join("\n")));
}

function list(tag, lines, mark) {
  const items = [];
  for (const line of taken(lines, /^(\S* +)?\S/)) {
    if (mark.test(line)) items.push(line.replace(mark, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return h(tag, {}, items.map((item) => h("li", {}, inline(item))));
}

function table(lines) {
  const [head, marks, ...rows] = taken(lines, ROW).map(cells);
  const look = (i) => /^-+:$/.test(marks?.[i] ?? "") && "number";
  const cell = (tag, text, i, more) => h(tag, { ...more, class: look(i) }, inline(text));
  const row = (tag, texts, more) => h("tr", {}, texts.map((text, i) => cell(tag, text, i, more)));
  return scrolling("Table", h("table", {},
    h("thead", {}, row("th", head, { scope: "col" })), h("tbody", {}, rows.map((texts) => row("td", texts)))));
}

/** `| a | b \| c |` -> ["a", "b | c"]. */
function cells(line) {
  return line.trim().slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*|\[([^\]]*)\]\(([^)\s]*)\)/;

/** Text with its marks as elements. A link that does not lead to the web is shown as its words. */
function inline(text) {
  const match = INLINE.exec(text);
  if (!match) return [text];
  const [whole, code, strong, emphasis, words, address] = match;
  const node =
    (code && h("code", {}, code)) ||
    (strong && h("strong", {}, inline(strong))) ||
    (emphasis && h("em", {}, inline(emphasis))) ||
    link(words, address);
  return [text.slice(0, match.index), node, ...inline(text.slice(match.index + whole.length))];
}

function link(words, address) {
  return /^https?:\/\//.test(address) ? h("a", { href: address, rel: "noreferrer" }, words) : words;
}
