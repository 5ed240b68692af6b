// The upload form, bettered: batches with progress, files refused one by one, drag and drop. Without it the form posts.

import { droppedFiles } from "./dropped.js";
import { Refused, batches, post, sendBatch } from "./sending.js";
import { session } from "./session.js";

const MANY = 50;

const form = document.querySelector("[data-upload]");
const input = form.querySelector("input[type=file]");
const drop = form.querySelector("[data-drop]");
const chosen = form.querySelector("[data-chosen]");
const button = form.querySelector("[data-submit]");
const area = form.querySelector("[data-upload-progress]");
const bar = area.querySelector("progress");
const words = form.querySelector("[data-upload-words]");
const report = form.querySelector("[data-upload-report]");
const maxFileBytes = Number(form.dataset.maxFileBytes);

let key = null;
let priorityTouched = false;

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const megabytes = (bytes) => (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });

// Names this submission, so that pressing the button again resumes it. randomUUID would need HTTPS.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function showChosen(leftOut = 0) {
  key = null;
  const files = [...input.files];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const rest = leftOut ? `; ${count(leftOut, "other file")} in the folder left out` : "";
  chosen.textContent = files.length ? `${count(files.length, "file")}, ${megabytes(bytes)} MB${rest}` : "";
  if (!priorityTouched) form.elements.priority.value = files.length > MANY ? "bulk" : "interactive";
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

// File names and messages are put in as text: they are the user's and may hold anything.
function showReport(title, refused, jobUrl) {
  const list = element("ul", "", { class: "refused-list" });
  for (const item of refused) {
    const line = element("li", "");
    line.append(element("strong", item.filename, { dir: "auto" }), element("span", ` ${item.error.message}`));
    list.append(line);
  }
  const message = element("div", "", { class: "message message-warning", role: "alert" });
  message.append(element("p", title));
  report.replaceChildren(message, list);
  if (jobUrl) report.append(element("a", "See the job", { class: "button", href: jobUrl }));
  report.hidden = false;
  report.focus();
}

function busy(on) {
  button.disabled = on;
  input.disabled = on;
  area.hidden = !on;
  if (on) {
    report.hidden = true;
    area.scrollIntoView({ block: "nearest" });
  }
  window[on ? "addEventListener" : "removeEventListener"]("beforeunload", warn);
}

function warn(event) {
  event.preventDefault();
}

// A file deleted or changed since it was chosen would look like a network error: found out before it is sent.
async function unreadable(file) {
  if (file.size > maxFileBytes) return `The file has ${megabytes(file.size)} MB; the limit is ${megabytes(maxFileBytes)} MB.`;
  try {
    await file.slice(0, 1).arrayBuffer();
    return null;
  } catch {
    return "The browser cannot read this file. Choose it again.";
  }
}

async function sendAll(files) {
  key ??= newKey();
  const waiting = (s, reason) =>
    (words.textContent = `${reason ?? "The server is not ready."} Next try in ${count(Math.ceil(s), "second")}.`);
  const name = form.elements.name.value.trim() || count(files.length, "image");
  const job = await post(`${form.dataset.upload}/jobs`, { name, priority: form.elements.priority.value, key }, session, waiting);
  const outcome = { jobUrl: `${form.dataset.jobsPage}/${job.id}`, refused: [], accepted: 0 };
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let sentFiles = 0;
  let sentBytes = 0;
  for (const batch of batches(files)) {
    const whole = [];
    for (const file of batch) {
      const reason = await unreadable(file);
      if (reason) outcome.refused.push({ filename: file.name, error: { message: reason } });
      else whole.push(file);
    }
    const answers = whole.length ? await sendBatch(`${form.dataset.upload}/jobs/${job.id}/images`, whole, session, waiting) : [];
    outcome.refused.push(...answers.filter((answer) => answer.error));
    outcome.accepted += answers.filter((answer) => !answer.error).length;
    sentFiles += batch.length;
    sentBytes += batch.reduce((sum, file) => sum + file.size, 0);
    bar.value = total ? sentBytes / total : 1;
    words.textContent = `Sent ${sentFiles.toLocaleString("en")} of ${count(files.length, "file")}, ${megabytes(sentBytes)} of ${megabytes(total)} MB`;
  }
  return outcome;
}

async function submit(event) {
  event.preventDefault();
  const files = [...input.files];
  busy(true);
  bar.value = 0;
  words.textContent = `Sending ${count(files.length, "file")}…`;
  try {
    const { jobUrl, refused, accepted } = await sendAll(files);
    busy(false);
    if (!refused.length) return location.assign(jobUrl);
    const rest = accepted ? `The other ${accepted.toLocaleString("en")} are being screened.` : "Nothing is being screened.";
    showReport(`${count(refused.length, "file")} refused. ${rest}`, refused, accepted ? jobUrl : null);
    form.reset();
    showChosen();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    busy(false);
    showReport(error.message, [], null);
  }
}

form.addEventListener("submit", submit);
input.addEventListener("change", () => showChosen());
form.addEventListener("change", (event) => (priorityTouched ||= event.target.name === "priority"));

// The whole window takes a drop: a file let go beside the box would otherwise replace the page.
let depth = 0;
const hover = (change) => drop.classList.toggle("drop-over", (depth = Math.max(0, depth + change)) > 0);
window.addEventListener("dragenter", () => hover(1));
window.addEventListener("dragleave", () => hover(-1));
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", async (event) => {
  event.preventDefault();
  hover(-depth);
  if (input.disabled) return;
  const { files, leftOut } = await droppedFiles(event.dataTransfer);
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  input.files = transfer.files;
  showChosen(leftOut);
});

form.querySelector("[data-needs-script]").hidden = false;
