// One live talk: the microphone and a WebSocket of the server → words and speech.

import { explainLoss, token } from "./access.js";
import { addRow, endRow, showLast } from "./conversation.js";
import { $ } from "./elements.js";
import { showFacts } from "./facts.js";
import { openMicrophone } from "./microphone.js";
import { SpeechPlayer } from "./speech_player.js";
import { show, showAsIs, showError, text } from "./texts.js";

const SUBPROTOCOL = "qwen-audio-page";
const ENDED_AS_IT_SHOULD = 1000; // the code of a WebSocket

export class Talk {
  constructor(onReady, onEnd) {
    this.onReady = onReady;
    this.onEnd = onEnd;
    this.player = new SpeechPlayer(() => this.showState());
    this.turns = new Map(); // of the user, by the service's id
    this.untitled = []; // turns that have no id yet
    this.answer = null; // the row of the answer that is coming
    this.early = []; // what the microphone recorded before the session was there
    this.isMuted = false; // speech that is still on its way after an interruption is not played
    this.setState("connecting");
  }

  async start(model) {
    try {
      const microphone = await openMicrophone(piece => this.take(piece));
      if (this.isOver) return microphone.close(); // hung up while the browser asked
      this.microphone = microphone;
      this.connect(new URLSearchParams({ model, rate: microphone.rate }));
    } catch (error) {
      this.fail(error);
    }
  }

  connect(query) {
    // A browser cannot add a header to a WebSocket; the second subprotocol is the token.
    this.socket = new WebSocket(`ws://${location.host}/page/talk?${query}`, [SUBPROTOCOL, token]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = ({ code }) => this.lose(code);
  }

  async lose(code) {
    if (this.isOver) return;
    if (code === ENDED_AS_IT_SHOULD) this.end();
    else this.fail(await explainLoss());
  }

  fail(error) {
    if (this.isOver) return;
    showError($("talk-error"), error);
    this.end();
  }

  end() {
    this.setState("over");
    this.socket?.close();
    this.microphone?.close();
    this.player.close();
    this.onEnd();
  }

  take(piece) {
    if (this.isReady) this.socket.send(piece);
    else if (this.state === "connecting") this.early.push(piece);
  }

  get isReady() {
    return this.state !== "connecting" && this.socket?.readyState === WebSocket.OPEN;
  }

  get isOver() {
    return this.state === "over";
  }

  receive(data) {
    if (this.isOver) return;
    if (typeof data === "string") {
      const event = JSON.parse(data);
      this[event.type](event);
    } else if (!this.isMuted) {
      this.player.play(new Int16Array(data));
    }
  }

  // --- the server's events, by their names ---

  ready() {
    this.setState("listening");
    this.early.forEach(piece => this.socket.send(piece));
    this.onReady();
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
    showLast();
  }

  answer_finished(event) {
    if (this.answer && event.status === "cancelled") this.answer.append(` ${text("interrupted")}`);
    if (this.answer) endRow(this.answer);
    showFacts($("talk-facts"), event);
    if (this.state === "thinking") this.setState("listening");
  }

  error({ text: words }) {
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
