// The page of `qwen-audio serve`: questions about recordings, and live talks.
//
// It talks to the server that it came from, and to nobody else. Answers and transcripts come from
// models and strangers: they are only ever set as text, never as HTML.

const SPEECH_RATE = 24_000; // of speech in live talks, as the service sends it
const MAX_POINTS = 600; // of a waveform, as wide as its picture
const POINTS_A_PIECE = 5; // each 20 ms, while it is recorded
const WAV_HEADER_BYTES = 44;

const $ = id => document.getElementById(id);

// --- access -----------------------------------------------------------------------------------

// The address has the token behind "#", which browsers send to no server. It is kept for this tab
// alone, and taken out of the address, so that it is in no bookmark and on no screenshot.
function takeToken() {
  const given = location.hash.slice(1);
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") ?? "";
}

const token = takeToken();

async function request(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, { ...options, headers: { "X-Page-Token": token } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(text("no_server"));
  }
  if (reply.ok) return reply;
  if (reply.status === 403) throw new Error(text("no_token"));
  const body = await reply.json().catch(() => ({}));
  throw new Error(body.error ?? reply.statusText);
}

async function* jsonLines(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    yield* lines.map(line => JSON.parse(line));
  }
}

// --- texts ------------------------------------------------------------------------------------

let texts; // by language, by name
let language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
const shown = new Map(); // element → the name of its text and what is filled in, to translate it again

function text(name, ...values) {
  const pattern = texts[language][name];
  return pattern.replace(/\{(\d)\}/g, (_, number) => values[number]);
}

function show(element, name, ...values) {
  shown.set(element, [name, ...values]);
  element.textContent = name && text(name, ...values);
}

// For what comes in one language only: errors, answers, names of files.
function showAsIs(element, words) {
  shown.delete(element);
  element.textContent = words;
}

function translate() {
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

function changeLanguage() {
  const untouched = $("question").value === text("first_question");
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  if (untouched) $("question").value = text("first_question");
  translate();
  labelWaveform();
}

// --- the microphone ---------------------------------------------------------------------------

async function openMicrophone(onPiece) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(text("no_microphone", error.message));
  }
  const context = new AudioContext();
  await context.audioWorklet.addModule("/page/microphone.js");
  const pieces = new AudioWorkletNode(context, "pieces", { channelCount: 1, channelCountMode: "explicit" });
  pieces.port.onmessage = ({ data }) => onPiece(data);
  // It writes no sound, but a node that leads nowhere would not run in every browser.
  context.createMediaStreamSource(stream).connect(pieces).connect(context.destination);
  return {
    rate: context.sampleRate,
    close() {
      pieces.port.onmessage = null; // what is under way comes too late
      stream.getTracks().forEach(track => track.stop());
      context.close();
    },
  };
}

function encodeWav(pieces, rate) {
  const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const header = new DataView(new ArrayBuffer(WAV_HEADER_BYTES));
  const write = (at, letters) => [...letters].forEach((it, i) => header.setUint8(at + i, it.charCodeAt(0)));
  write(0, "RIFF");
  header.setUint32(4, WAV_HEADER_BYTES - 8 + size, true);
  write(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // bytes of the format
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true); // bytes a second
  header.setUint16(32, 2, true); // bytes of a sample
  header.setUint16(34, 16, true); // bits of it
  write(36, "data");
  header.setUint32(40, size, true);
  return new Blob([header, ...pieces], { type: "audio/wav" });
}

// --- a recording, and its waveform ------------------------------------------------------------

let choices; // what the server offers
let recording = null; // what the question is about: its bytes, its name, its length
let recorder = null; // while the microphone records
let isOpening = false; // while the browser asks whether the page may use it

function drawWaveform(points) {
  const peak = points.reduce((max, [low, high]) => Math.max(max, -low, high), 0.01);
  const step = MAX_POINTS / Math.max(points.length - 1, 1);
  const at = (value, i) => `${(i * step).toFixed(1)} ${(-value / peak).toFixed(3)}`;
  const there = points.map(([, high], i) => at(high, i));
  const back = points.map(([low], i) => at(low, i)).reverse();
  $("shape").setAttribute("d", points.length ? `M${[...there, ...back].join("L")}Z` : "");
}

function pointsOf(piece) {
  const size = Math.ceil(piece.length / POINTS_A_PIECE);
  const stretches = Array.from({ length: POINTS_A_PIECE }, (_, i) => piece.subarray(i * size, (i + 1) * size));
  return stretches.map(it => [Math.min(...it) / 32768, Math.max(...it) / 32768]);
}

// Of a long recording each point stands for more of it, so that all of it is in the picture.
function halved(points) {
  const pairs = Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
  return pairs.map(([a, b]) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])]);
}

async function startRecording() {
  showAsIs($("ask-error"), "");
  showRecording();
  const pieces = [];
  let points = [];
  let bytes = WAV_HEADER_BYTES;
  const microphone = await openMicrophone(piece => {
    pieces.push(piece);
    bytes += piece.byteLength;
    points.push(...pointsOf(piece));
    if (points.length > MAX_POINTS) points = halved(points.slice(0, points.length & ~1));
    drawWaveform(points);
    show($("caption"), "recording", Math.floor(pieces.length / 10));
    if (recorder && bytes + piece.byteLength > choices.max_bytes) finishRecording();
  });
  recorder = { microphone, pieces };
  showRecorder(true);
}

function finishRecording() {
  const { microphone, pieces } = recorder;
  recorder = null;
  microphone.close();
  showRecorder(false);
  $("recording").hidden = !pieces.length;
  if (pieces.length) useRecording(encodeWav(pieces, microphone.rate), text("own_recording"));
}

async function toggleRecording() {
  if (recorder) return finishRecording();
  if (isOpening) return; // a disabled button would lose the focus
  isOpening = true;
  try {
    await startRecording();
  } catch (error) {
    refuseRecording(error);
  }
  isOpening = false;
}

function showRecorder(isRecording) {
  $("record").setAttribute("aria-pressed", isRecording);
  show($("record").querySelector("[data-text]"), isRecording ? "stop_recording" : "record");
}

function showRecording() {
  recording = null;
  $("recording").hidden = false;
  $("player").hidden = true;
  $("player").pause();
  drawWaveform([]);
  labelWaveform();
}

function labelWaveform() {
  const label = recording?.length ? text("waveform", recording.name, recording.length) : "";
  $("waveform").setAttribute("aria-label", label);
}

function megabytes(bytes) {
  return Math.ceil(bytes / 2 ** 20);
}

async function useRecording(blob, name) {
  showAsIs($("ask-error"), "");
  showRecording();
  const mine = { blob, name };
  if (blob.size > choices.max_bytes) {
    $("recording").hidden = true;
    show($("ask-error"), "too_large", name, megabytes(blob.size), megabytes(choices.max_bytes));
    return;
  }
  recording = mine;
  show($("caption"), "measuring", name);
  playFrom($("player"), blob);
  try {
    const form = new FormData();
    form.set("recording", blob, name);
    const measured = await (await request("/page/waveform", { method: "POST", body: form })).json();
    if (recording !== mine) return; // another one was chosen meanwhile
    recording.length = measured.length;
    showAsIs($("caption"), `${name} · ${measured.length}`);
    drawWaveform(measured.points);
    labelWaveform();
  } catch (error) {
    if (recording === mine) refuseRecording(error);
  }
}

function refuseRecording(error) {
  recording = null;
  $("recording").hidden = true;
  showAsIs($("ask-error"), error.message);
}

// A browser does not play every format that the models take: then there is no player.
function playFrom(player, blob) {
  URL.revokeObjectURL(player.src);
  player.hidden = true;
  player.onloadedmetadata = () => (player.hidden = false);
  player.src = URL.createObjectURL(blob);
}

function takeDropped(event) {
  event.preventDefault();
  $("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) takeFile(file);
}

function takeFile(file) {
  if (recorder) finishRecording();
  useRecording(file, file.name);
}

// --- a question -------------------------------------------------------------------------------

let asking = null; // stops the answer that is coming

function chosenModel() {
  return choices.ask.find(it => it.name === $("ask-model").value);
}

function showModel() {
  const model = chosenModel();
  $("question").disabled = !model.takes_text;
  show($("question-hint"), model.takes_text ? "question_empty" : "question_unused");
  $("speak").disabled = !model.speaks;
}

async function ask(event) {
  event.preventDefault();
  if (recorder) finishRecording();
  if (!recording) return show($("ask-error"), "no_recording");
  const form = new FormData($("ask")); // without what is disabled
  form.set("recording", recording.blob, recording.name);
  asking?.abort();
  const mine = (asking = new AbortController());
  beginAnswer();
  try {
    const reply = await request("/page/ask", { method: "POST", body: form, signal: mine.signal });
    for await (const line of jsonLines(reply)) showLine(line);
  } catch (error) {
    if (error.name !== "AbortError") showAsIs($("ask-error"), error.message || text("no_server"));
  }
  if (asking === mine) endAnswer();
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
  asking = null;
  $("answer").ariaBusy = "false";
  if ($("stop") === document.activeElement) $("send").focus();
  $("stop").hidden = true;
  if (shown.get($("ask-facts"))?.[0] === "asking") showAsIs($("ask-facts"), "");
}

function showLine(line) {
  if (line.error) return showAsIs($("ask-error"), line.error);
  if (line.text) return $("answer").append(line.text);
  showFacts($("ask-facts"), line);
  if (line.speech) {
    const bytes = Uint8Array.from(atob(line.speech), letter => letter.charCodeAt(0));
    playFrom($("speech"), new Blob([bytes]));
    $("speech").play().catch(() => {}); // where the browser does not let it, there is the button
  }
}

function showFacts(element, facts) {
  const counts = facts.input_tokens === undefined
    ? ""
    : text("facts", facts.input_tokens, facts.audio_tokens, facts.output_tokens);
  const cost = text(choices.is_local ? "cost_elsewhere" : "cost", facts.cost);
  showAsIs(element, `${counts} ${cost}`.trim());
}

// --- a live talk ------------------------------------------------------------------------------

// Plays pieces of speech one after the other, and can stop at once.
class SpeechPlayer {
  constructor(onChange) {
    this.context = new AudioContext({ sampleRate: SPEECH_RATE });
    this.playing = new Set();
    this.onChange = onChange;
    this.end = 0; // when the last piece ends
  }

  play(samples) {
    const sound = this.context.createBuffer(1, samples.length, SPEECH_RATE);
    sound.copyToChannel(Float32Array.from(samples, it => it / 32768), 0);
    const source = new AudioBufferSourceNode(this.context, { buffer: sound });
    source.connect(this.context.destination);
    source.onended = () => this.playing.delete(source) && this.onChange();
    this.end = Math.max(this.end, this.context.currentTime);
    source.start(this.end);
    this.end += sound.duration;
    this.playing.add(source);
    this.onChange();
  }

  silence() {
    for (const source of this.playing) source.stop();
    this.playing.clear();
    this.end = 0;
    this.onChange();
  }
}

class Talk {
  constructor() {
    this.player = new SpeechPlayer(() => this.showState());
    this.turns = new Map(); // of the user, by the service's id
    this.untitled = []; // turns that have no id yet
    this.answer = null; // the row of the answer that is coming
    this.early = []; // what the microphone recorded before the session was there
    this.isMuted = false; // speech that is still on its way after an interruption is not played
    this.failed = false;
    this.setState("connecting");
  }

  async start() {
    this.microphone = await openMicrophone(piece => this.take(piece));
    if (this.state === "over") return this.microphone.close(); // hung up while the browser asked
    const query = new URLSearchParams({ model: $("talk-model").value, rate: this.microphone.rate });
    // A browser cannot add a header to a WebSocket; the second subprotocol is the token.
    this.socket = new WebSocket(`ws://${location.host}/page/talk?${query}`, ["qwen-audio-page", token]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = () => this.close();
  }

  take(piece) {
    if (this.isReady) this.socket.send(piece);
    else if (this.state === "connecting") this.early.push(piece);
  }

  get isReady() {
    return this.state !== "connecting" && this.socket?.readyState === WebSocket.OPEN;
  }

  receive(data) {
    if (typeof data !== "string") {
      if (!this.isMuted) this.player.play(new Int16Array(data));
      return;
    }
    const event = JSON.parse(data);
    this[event.type](event);
  }

  // --- the server's events, by their names ---

  ready() {
    this.setState("listening");
    this.early.forEach(piece => this.socket.send(piece));
    $("write").hidden = $("interrupt").hidden = false;
  }

  speech_started() {
    this.player.silence();
    this.setState("hearing");
  }

  speech_stopped() {
    // Its words come later, maybe after the answer has begun, and belong above it.
    this.untitled.push(addRow("user"));
    this.setState("thinking");
  }

  input_delta({ turn, text: words }) {
    this.turn(turn).append(words);
  }

  input({ turn, text: words }) {
    if (words) showAsIs(this.turn(turn), words);
    else show(this.turn(turn), "not_transcribed");
  }

  answer_started() {
    this.answer = null;
    this.isMuted = false;
    this.setState("thinking");
  }

  answer_delta({ text: words }) {
    this.answer ??= addRow("model");
    this.answer.append(words);
    scrollLog();
  }

  answer_finished(event) {
    if (this.answer && event.status === "cancelled") this.answer.append(` ${text("interrupted")}`);
    this.answer?.closest("li").removeAttribute("aria-busy");
    showFacts($("talk-facts"), event);
    if (this.state === "thinking") this.setState("listening");
  }

  error({ text: words }) {
    this.failed = true;
    showAsIs($("talk-error"), words);
  }

  // --- what the user does ---

  write(words) {
    if (!this.isReady) return;
    this.hush();
    showAsIs(addRow("user"), words);
    this.socket.send(JSON.stringify({ text: words }));
    this.setState("thinking");
  }

  interrupt() {
    this.hush();
    this.socket.send(JSON.stringify({ interrupt: true }));
  }

  hush() {
    this.isMuted = true;
    this.player.silence();
  }

  hangUp() {
    if (this.socket) this.socket.close();
    else this.close();
  }

  close() {
    if (this.state === "connecting" && !this.failed) show($("talk-error"), "no_server");
    this.setState("over");
    this.player.silence();
    this.player.context.close();
    this.microphone?.close();
    endTalk();
  }

  // --- what is shown ---

  turn(id) {
    if (!this.turns.has(id)) this.turns.set(id, this.untitled.shift() ?? addRow("user"));
    return this.turns.get(id);
  }

  setState(state) {
    this.state = state;
    this.showState();
  }

  showState() {
    show($("talk-state"), this.player.playing.size ? "speaking" : this.state);
  }
}

let current = null; // the talk that is going on

async function toggleTalk() {
  if (current) return current.hangUp();
  for (const id of ["talk-error", "log", "talk-facts"]) showAsIs($(id), "");
  current = new Talk();
  showAsIs($("talk-error"), "");
  show($("talk"), "hang_up");
  $("talk-model").disabled = true;
  try {
    await current.start();
  } catch (error) {
    current.error({ text: error.message });
    current.close();
  }
}

function endTalk() {
  current = null;
  const focused = document.activeElement;
  if ($("write").contains(focused) || focused === $("interrupt")) $("talk").focus();
  $("write").hidden = $("interrupt").hidden = true;
  $("talk-model").disabled = false;
  show($("talk"), "talk");
}

function sendWords(event) {
  event.preventDefault();
  const words = $("words").value.trim();
  if (words) current?.write(words);
  $("words").value = "";
}

// A row of the conversation; returns the element of its words.
function addRow(who) {
  const row = document.createElement("li");
  const name = document.createElement("b");
  const words = document.createElement("span");
  row.className = who;
  show(name, who === "user" ? "you" : "model");
  row.append(name, words);
  if (who === "model") row.ariaBusy = "true"; // read when it is whole
  $("log").append(row);
  scrollLog();
  return words;
}

function scrollLog() {
  $("log").scrollTop = $("log").scrollHeight;
}

// --- the start --------------------------------------------------------------------------------

function offerModels() {
  for (const it of choices.ask) {
    const group = it.takes_text ? "answering" : "transcribing";
    $(group).append(new Option(it.name, it.name));
  }
  for (const name of choices.talk) $("talk-model").append(new Option(name, name));
  $("ask-model").value = choices.ask_model;
  $("talk-model").value = choices.talk_model;
  showModel();
}

function listen() {
  $("language").onclick = changeLanguage;
  $("record").onclick = toggleRecording;
  $("file").onchange = () => $("file").files[0] && takeFile($("file").files[0]);
  $("file").onclick = () => ($("file").value = ""); // so that the same file can be chosen again
  $("drop").ondrop = takeDropped;
  $("drop").ondragover = event => (event.preventDefault(), $("drop").classList.add("over"));
  $("drop").ondragleave = () => $("drop").classList.remove("over");
  $("ask-model").onchange = showModel;
  $("ask").onsubmit = ask;
  $("stop").onclick = () => asking?.abort();
  $("talk").onclick = toggleTalk;
  $("interrupt").onclick = () => current?.interrupt();
  $("write").onsubmit = sendWords;
}

async function start() {
  texts = await (await fetch("/page/texts.json")).json();
  for (const it of document.querySelectorAll("[data-text]")) shown.set(it, [it.dataset.text]);
  shown.set($("language"), ["language"]);
  try {
    choices = await (await request("/page/choices")).json();
  } catch (error) {
    translate();
    return showAsIs($("failure"), error.message);
  }
  shown.set(document.querySelector("[data-text=drop]"), ["drop", megabytes(choices.max_bytes)]);
  offerModels();
  translate();
  $("question").value = text("first_question");
  listen();
  $("notice").hidden = !choices.is_local;
  $("main").hidden = false;
}

start();
