// The rows of a live talk: who says what.

import { $ } from "./elements.js";
import { show, showAsIs } from "./texts.js";

export function clearRows() {
  showAsIs($("log"), "");
}

// Returns the element of its words.
export function addRow(who) {
  const row = document.createElement("li");
  const name = document.createElement("b");
  const words = document.createElement("span");
  row.className = who;
  show(name, who === "user" ? "you" : "model");
  row.append(name, words);
  if (who === "model") row.ariaBusy = "true"; // read when it is whole
  $("log").append(row);
  showLast();
  return words;
}

export function endRow(words) {
  words.closest("li").removeAttribute("aria-busy");
}

export function showLast() {
  $("log").scrollTop = $("log").scrollHeight;
}
