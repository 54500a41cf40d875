// The buttons of live talks, and what the user writes.

import { clearRows } from "./conversation.js";
import { $ } from "./elements.js";
import { Talk } from "./talk.js";
import { show, showAsIs } from "./texts.js";

let current = null; // the talk that is going on

export function takeTalks() {
  $("talk").onclick = () => (current ? current.end() : begin());
  $("interrupt").onclick = () => current?.interrupt();
  $("write").onsubmit = event => (event.preventDefault(), sendWords());
}

function begin() {
  for (const id of ["talk-error", "talk-facts"]) showAsIs($(id), "");
  clearRows();
  current = new Talk(showControls, end);
  show($("talk"), "hang_up");
  $("talk-model").disabled = true;
  current.start($("talk-model").value);
}

function showControls() {
  $("write").hidden = $("interrupt").hidden = false;
}

function end() {
  current = null;
  const focused = document.activeElement;
  if ($("write").contains(focused) || focused === $("interrupt")) $("talk").focus();
  $("write").hidden = $("interrupt").hidden = true;
  $("talk-model").disabled = false;
  show($("talk"), "talk");
}

function sendWords() {
  const words = $("words").value.trim();
  if (words) current?.write(words);
  $("words").value = "";
}
