// How many tokens an answer took, and what it cost.

import { choices } from "./choices.js";
import { show, showAsIs } from "./texts.js";

export function showFacts(element, facts) {
  const counts = document.createElement("span");
  const cost = document.createElement("span");
  showAsIs(element, "");
  element.append(counts, " ", cost);
  if (facts.input_tokens !== undefined) {
    show(counts, "facts", facts.input_tokens, facts.audio_tokens, facts.output_tokens);
  }
  show(cost, choices.is_local ? "cost_elsewhere" : "cost", facts.cost);
}
