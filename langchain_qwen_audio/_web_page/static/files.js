// A file that is chosen, or dropped anywhere on the page.

import { $ } from "./elements.js";
import { finishRecording } from "./recorder.js";
import { useRecording } from "./recording.js";

export function takeFiles() {
  $("file").onchange = () => takeFile($("file").files[0]);
  $("file").onclick = () => ($("file").value = ""); // so that the same file can be chosen again
  // A browser opens a file that nothing takes, and the page with the conversation is gone.
  document.ondragover = event => holdsFiles(event) && (event.preventDefault(), showTarget(true));
  document.ondragleave = event => event.relatedTarget || showTarget(false);
  document.ondrop = takeDropped;
}

function holdsFiles(event) {
  return event.dataTransfer.types.includes("Files"); // and no text, which belongs into a field
}

function takeDropped(event) {
  showTarget(false);
  if (!holdsFiles(event)) return;
  event.preventDefault();
  takeFile(event.dataTransfer.files[0]);
}

function showTarget(isOver) {
  $("drop").classList.toggle("over", isOver);
}

function takeFile(file) {
  if (!file) return;
  finishRecording();
  useRecording(file, file.name);
}
