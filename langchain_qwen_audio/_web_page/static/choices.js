// What the server offers: the models, and the form that goes with each.

import { request } from "./access.js";
import { $ } from "./elements.js";
import { show } from "./texts.js";

export let choices;

export async function loadChoices() {
  choices = await (await request("/page/choices")).json();
}

export function chosenModel() {
  return choices.ask.find(it => it.name === $("ask-model").value);
}

export function offerModels() {
  for (const it of choices.ask) $(groupOf(it)).append(new Option(it.name, it.name));
  for (const group of [...$("ask-model").children]) group.children.length || group.remove();
  for (const name of choices.talk) $("talk-model").append(new Option(name, name));
  $("ask-model").value = choices.ask_model;
  $("talk-model").value = choices.talk_model;
  $("ask-model").onchange = showModel;
  showModel();
}

function groupOf(model) {
  if (model.takes_text) return "answering";
  return model.transcribes ? "transcribing" : "describing";
}

const HINTS = {
  answering: "question_empty",
  transcribing: "no_question_transcribes",
  describing: "no_question_describes",
};

function showModel() {
  const model = chosenModel();
  $("question").disabled = !model.takes_text;
  show($("question-hint"), HINTS[groupOf(model)]);
  $("speak").disabled = !model.speaks;
}
