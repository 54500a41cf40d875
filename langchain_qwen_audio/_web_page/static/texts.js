// The texts of the page, in two languages, and where they are shown.

import { $ } from "./elements.js";
import { keep, recall } from "./storage.js";

let texts; // by language, by name
let language;
const shown = new Map(); // element → the name of its text and what is filled in, to translate it again

// An error that the page has a text for. Those of the server are in English, and shown as they are.
export class NamedError extends Error {
  constructor(name, ...values) {
    super(name);
    this.text = [name, ...values];
  }
}

export async function loadTexts() {
  texts = await (await fetch("/page/texts.json")).json();
  const wanted = recall("localStorage", "language") ?? navigator.language.slice(0, 2);
  language = Object.hasOwn(texts, wanted) ? wanted : "en";
  for (const it of document.querySelectorAll("[data-text]")) shown.set(it, [it.dataset.text]);
}

export function text(name, ...values) {
  return texts[language][name].replace(/\{(\d)\}/g, (_, number) => values[number]);
}

export function show(element, name, ...values) {
  shown.set(element, [name, ...values]);
  element.textContent = text(name, ...values);
}

// For what comes in one language only: answers, names of files, the server's errors.
export function showAsIs(element, words) {
  shown.delete(element);
  element.textContent = words;
}

export function showError(element, error) {
  if (error instanceof NamedError) show(element, ...error.text);
  else showAsIs(element, error.message);
}

export function isShown(element, name) {
  return shown.get(element)?.[0] === name;
}

export function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const it of document.querySelectorAll("[data-label]")) {
    const label = text(it.dataset.label);
    if (it.tagName === "OPTGROUP") it.label = label;
    else it.setAttribute("aria-label", label);
  }
  for (const it of document.querySelectorAll("[data-placeholder]")) {
    it.placeholder = text(it.dataset.placeholder);
  }
  for (const [element, values] of shown) {
    if (element.isConnected) show(element, ...values);
    else shown.delete(element); // a row of an earlier conversation
  }
  $("language").lang = language === "zh" ? "en" : "zh-CN";
}

export function changeLanguage() {
  language = language === "zh" ? "en" : "zh";
  keep("localStorage", "language", language);
  translate();
}
