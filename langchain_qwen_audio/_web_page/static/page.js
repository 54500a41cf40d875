// The page of `qwen-audio serve`: questions about recordings, and live talks. It begins here.
//
// Answers and transcripts come from models and strangers: in all of these files they are only ever set
// as text, never as HTML.

import { followToken } from "./access.js";
import { takeQuestions } from "./asking.js";
import { choices, loadChoices, offerModels } from "./choices.js";
import { $ } from "./elements.js";
import { takeFiles } from "./files.js";
import { toggleRecording } from "./recorder.js";
import { labelWaveform, megabytes } from "./recording.js";
import { takeTalks } from "./talk_controls.js";
import { changeLanguage, loadTexts, show, showError, text, translate } from "./texts.js";

async function start() {
  followToken();
  await loadTexts();
  translate();
  $("language").onclick = translateAll;
  try {
    await loadChoices();
  } catch (error) {
    return showError($("failure"), error);
  }
  fill();
  takeFiles();
  takeQuestions();
  takeTalks();
  $("record").onclick = toggleRecording;
  $("main").hidden = false;
}

function fill() {
  show($("drop-hint"), "drop", megabytes(choices.max_bytes));
  offerModels();
  $("question").value = text("first_question");
  $("notice").hidden = !choices.is_local;
}

function translateAll() {
  const isUntouched = $("question").value === text("first_question");
  changeLanguage();
  if (isUntouched) $("question").value = text("first_question");
  labelWaveform();
}

start();
