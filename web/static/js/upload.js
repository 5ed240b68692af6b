// The upload form with batches, progress, and drag and drop. Without this script the browser sends the form itself.

import { amount, counted, megabytes, othersAreScreened } from "./counted.js";
import { droppedFiles, named } from "./dropped.js";
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

let files = []; // what is to be sent, each as { file, path }
let key = null;
let priorityTouched = false;

const bytesOf = (some) => some.reduce((sum, { file }) => sum + file.size, 0);

// Names this submission, so that pressing the button again resumes it. randomUUID would need HTTPS.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function choose(some, leftOut = 0) {
  files = some;
  key = null;
  const rest = leftOut ? `; ${counted(leftOut, "other file")} in the folder left out` : "";
  chosen.textContent = files.length ? `${counted(files.length, "file")}, ${megabytes(bytesOf(files))} MB${rest}` : "";
  if (!priorityTouched) form.elements.priority.value = files.length > MANY ? "bulk" : "interactive";
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

// File names and messages are put in as text: they are the user's and may hold anything.
function showReport(title, rejected, jobUrl) {
  const list = element("ul", "", { class: "refused-list" });
  for (const item of rejected) {
    const line = element("li", "");
    line.append(element("strong", item.filename, { dir: "auto" }), element("span", ` ${item.message}`));
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

// Why a file cannot be sent; null if it can. A file that was deleted since it was chosen would look like a network error.
async function unreadable(file) {
  if (file.size > maxFileBytes) return `The file has ${megabytes(file.size)} MB; the limit is ${megabytes(maxFileBytes)} MB.`;
  try {
    await file.slice(0, 1).arrayBuffer();
    return null;
  } catch {
    return "The browser cannot read this file. Choose it again.";
  }
}

// Makes a job and sends all files to it. It reports files that cannot be sent, so that the job does not wait for them.
async function sendAll() {
  key ??= newKey();
  const waiting = (sentence) => (words.textContent = sentence);
  const name = form.elements.name.value.trim() || counted(files.length, "image");
  const priority = form.elements.priority.value;
  const population = form.elements.population.value || null; // null: it is found out for each image
  const body = { name, priority, key, expected_images: files.length, population };
  const job = await post(`${form.dataset.upload}/jobs`, body, session, waiting);
  const jobApi = `${form.dataset.upload}/jobs/${job.id}`;
  const outcome = { jobApi, jobUrl: `${form.dataset.jobsPage}/${job.id}`, rejected: [], accepted: 0 };
  let sentFiles = 0;
  let sentBytes = 0;
  for (const batch of batches(files)) {
    const { whole, unsent } = await sorted(batch);
    if (unsent.length) await post(`${jobApi}/rejected`, { files: unsent }, session, waiting);
    const answers = whole.length ? await sendBatch(`${jobApi}/images`, whole, session, waiting) : [];
    const rejected = answers.filter((answer) => answer.error);
    outcome.rejected.push(...unsent, ...rejected.map(({ filename, error }) => ({ filename, message: error.message })));
    outcome.accepted += answers.length - rejected.length;
    sentFiles += batch.length;
    sentBytes += bytesOf(batch);
    showSent(sentFiles, sentBytes);
  }
  return outcome;
}

// The files of a batch that can be sent, and the others with the reason.
async function sorted(batch) {
  const whole = [];
  const unsent = [];
  for (const item of batch) {
    const message = await unreadable(item.file);
    if (message) unsent.push({ filename: item.path, message });
    else whole.push(item);
  }
  return { whole, unsent };
}

function showSent(sentFiles, sentBytes) {
  const total = bytesOf(files);
  bar.value = total ? sentBytes / total : 1;
  const parts = [`Sent ${amount(sentFiles)} of ${counted(files.length, "file")}`];
  parts.push(`${megabytes(sentBytes)} of ${megabytes(total)} MB`);
  words.textContent = parts.join(", ");
}

// Deletes a job of which no file was accepted. If this fails, no list shows the job, and the sweeper removes it.
async function discard(jobApi) {
  await fetch(jobApi, { method: "DELETE", headers: { "X-CSRFToken": session.csrfToken } }).catch(() => null);
}

async function submit(event) {
  event.preventDefault();
  busy(true);
  bar.value = 0;
  words.textContent = `Sending ${counted(files.length, "file")}…`;
  try {
    const { jobApi, jobUrl, rejected, accepted } = await sendAll();
    if (!accepted) await discard(jobApi);
    busy(false);
    if (!rejected.length) return location.assign(jobUrl);
    const title = `${counted(rejected.length, "file")} refused. ${othersAreScreened(accepted)}`;
    showReport(title, rejected, accepted ? jobUrl : null);
    form.reset();
    choose([]);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    busy(false);
    showReport(error.message, [], null);
  }
}

form.addEventListener("submit", submit);
input.addEventListener("change", () => choose([...input.files].map(named)));
form.addEventListener("change", (event) => (priorityTouched ||= event.target.name === "priority"));

// Files may be dropped anywhere in the window: dropped beside the box, a file would otherwise replace the page.
let depth = 0;
const hover = (change) => drop.classList.toggle("drop-over", (depth = Math.max(0, depth + change)) > 0);
window.addEventListener("dragenter", () => hover(1));
window.addEventListener("dragleave", () => hover(-1));
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", async (event) => {
  event.preventDefault();
  hover(-depth);
  if (input.disabled) return;
  const dropped = await droppedFiles(event.dataTransfer);
  // The field too, which the browser requires; it knows no paths.
  const transfer = new DataTransfer();
  for (const { file } of dropped.files) transfer.items.add(file);
  input.files = transfer.files;
  choose(dropped.files, dropped.leftOut);
});

choose([...input.files].map(named)); // a browser may have kept the files over a reload
form.querySelector("[data-needs-script]").hidden = false;
