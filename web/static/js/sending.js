// Sends files to the API in batches, and tries again where that can help. A file is given as { file, path }.

import { duration } from "./counted.js";

export const MAX_FILES = 20;
export const MAX_BYTES = 50_000_000;
const TRIES = 12;
const LONGEST_WAIT_S = 30;
const PASSING = new Set([429, 502, 503, 504, 507]);
const SIGNED_OUT = "You are not signed in. What arrived is kept: press “Screen” to sign in and send the rest.";
const REASONS = { 429: "The queue is full.", 507: "The image storage is full." };
const FULL = new Set(["queue_full", "storage_full"]); // also errors of a single file: it can be sent again later

// An answer that trying again won't change; the message is for the user.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// At most MAX_FILES files and MAX_BYTES bytes each; a larger file goes alone.
export function batches(files, maxFiles = MAX_FILES, maxBytes = MAX_BYTES) {
  const all = [];
  let batch = [];
  let bytes = 0;
  for (const item of files) {
    const { size } = item.file;
    if (batch.length && (batch.length === maxFiles || bytes + size > maxBytes)) {
      all.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length) all.push(batch);
  return all;
}

// POSTs until it is answered. `waiting(seconds, reason)` is called before each further try. A full queue is waited for
// however long it takes. `session` has the CSRF token, and `renew()` gets a new one when the session has ended.
export async function post(url, body, session, waiting) {
  for (let tries = 1; ; tries += 1) {
    const [response, retryAfter] = await attempt(url, body, session.csrfToken);
    if (response?.ok) return response.status === 204 ? null : response.json();
    if (response && tries < TRIES && (await ended(response))) {
      if (!(await session.renew())) throw new Refused(401, SIGNED_OUT);
      continue;
    }
    if (response && !PASSING.has(response.status)) throw new Refused(response.status, await explain(response));
    if (!response && !navigator.onLine) {
      waiting("You are offline. Sending goes on by itself as soon as you are online again.");
      await online();
      tries = 0;
      continue;
    }
    const reason = REASONS[response?.status] ?? "The server does not answer.";
    if (response?.status === 429) tries -= 1;
    if (tries === TRIES) throw new Refused(response?.status ?? 0, `${reason} Press “Screen” to go on where this stopped.`);
    const seconds = retryAfter ?? Math.min(LONGEST_WAIT_S, 2 ** tries);
    waiting(`${reason} This page tries again in ${duration(seconds)}.`);
    await Promise.race([sleep(seconds), connected()]);
  }
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

// Resolves when the browser is online again.
const connected = () => new Promise((resolve) => window.addEventListener("online", resolve, { once: true }));

// The browser may be online again since the request failed.
const online = () => (navigator.onLine ? Promise.resolve() : connected());

async function attempt(url, body, csrfToken) {
  const json = !(body instanceof FormData);
  const headers = { "X-CSRFToken": csrfToken, Accept: "application/json" };
  if (json) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(url, { method: "POST", headers, body: json ? JSON.stringify(body) : body });
    const retryAfter = Number.parseFloat(response.headers.get("Retry-After"));
    return [response, Number.isFinite(retryAfter) ? retryAfter : undefined];
  } catch {
    return [undefined, undefined]; // the network: no answer at all
  }
}

// Whether the session has ended, or another one has begun since the page was loaded.
async function ended(response) {
  if (response.status === 401) return true;
  if (response.status !== 400) return false;
  const problem = await response.clone().json().catch(() => null);
  return problem?.code === "stale_form";
}

async function explain(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}

// Sends one batch; resolves to what the server says of each file, in order.
export async function sendBatch(url, batch, session, waiting) {
  const form = new FormData();
  for (const { file, path } of batch) form.append("files", file, path);
  try {
    const answers = (await post(url, form, session, waiting)).images;
    const again = batch.filter((_, index) => FULL.has(answers[index].error?.code));
    if (!again.length) return answers;
    const later = await sendBatch(url, again, session, waiting); // fewer files each time: had there been room for none, the answer had been a 507
    return answers.map((answer) => (FULL.has(answer.error?.code) ? later.shift() : answer));
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 413) throw error;
    if (batch.length === 1) return [{ filename: batch[0].path, error: { code: "too_large", message: error.message } }];
    const answers = [];
    for (const item of batch) answers.push(...(await sendBatch(url, [item], session, waiting)));
    return answers;
  }
}
