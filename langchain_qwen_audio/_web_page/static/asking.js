// A question about the recording → its answer, which is shown while it comes.

import { explainLoss, jsonLines } from "./access.js";
import { $ } from "./elements.js";
import { showFacts } from "./facts.js";
import { playFrom } from "./player.js";
import { finishRecording } from "./recorder.js";
import { recording, sendRecording } from "./recording.js";
import { isShown, show, showAsIs, showError } from "./texts.js";

let current = null; // stops the answer that is coming

export function takeQuestions() {
  $("ask").onsubmit = event => (event.preventDefault(), ask());
  $("stop").onclick = () => current?.abort();
}

async function ask() {
  finishRecording();
  if (!recording) return show($("ask-error"), "no_recording");
  const form = new FormData($("ask")); // without what is disabled
  current?.abort();
  const mine = (current = new AbortController());
  beginAnswer();
  try {
    await readAnswer(await sendRecording("/page/ask", form, { signal: mine.signal }));
  } catch (error) {
    if (current === mine && error.name !== "AbortError") showError($("ask-error"), error);
  }
  if (current === mine) endAnswer();
}

async function readAnswer(reply) {
  try {
    for await (const line of jsonLines(reply)) showLine(line);
  } catch (error) {
    throw error.name === "AbortError" ? error : await explainLoss();
  }
}

function beginAnswer() {
  for (const id of ["answer", "ask-error"]) showAsIs($(id), "");
  show($("ask-facts"), "asking");
  $("speech").hidden = true;
  $("speech").pause();
  $("answer").ariaBusy = "true"; // a screen reader reads the answer when it is whole
  $("stop").hidden = false;
}

function endAnswer() {
  current = null;
  $("answer").ariaBusy = "false";
  if ($("stop") === document.activeElement) $("send").focus();
  $("stop").hidden = true;
  if (isShown($("ask-facts"), "asking")) showAsIs($("ask-facts"), "");
}

function showLine(line) {
  if (line.error) showAsIs($("ask-error"), line.error);
  else if (line.text) $("answer").append(line.text);
  else if (line.speech) speak(line.speech);
  else showFacts($("ask-facts"), line);
}

function speak(base64) {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  playFrom($("speech"), new Blob([bytes]));
  $("speech").play().catch(() => {}); // where the browser does not let it, there is the button
}
