// Keeps parts of a page up to date: it fetches the page again and replaces the elements that are marked data-live.
//   data-poll="URL"        JSON with ETag and Retry-After: the page is fetched anew when it changes, until it is final
//   data-refresh-s="10"    no such URL: the page is fetched every so many seconds
// Nothing is fetched while the tab is hidden.

import { inReadersZone } from "./times.js";

const MIN_WAIT_S = 1;
const TROUBLE_WAIT_S = 5;
const ANNOUNCE_EVERY_MS = 15_000;

const trouble = document.querySelector("[data-live-trouble]");
const words = document.querySelector("[data-live-words]");
let etag = null;
let lastAnnounced = Date.now();

class SignedOut extends Error {}

function pollUrl() {
  return document.querySelector("[data-poll]")?.dataset.poll;
}

function refreshSeconds() {
  const all = [...document.querySelectorAll("[data-refresh-s]")].map((e) => Number(e.dataset.refreshS));
  return all.length ? Math.min(...all) : null;
}

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function get(url, headers) {
  // The server does not count such a request as use of the session.
  const response = await fetch(url, { headers: { ...headers, "X-Unattended": "1" }, cache: "no-store" });
  if (response.status === 401 || new URL(response.url).pathname === "/login") throw new SignedOut();
  if (!response.ok && response.status !== 304) throw new Error(`HTTP ${response.status}`);
  return response;
}

// Waits as long as the server asks; fetches the page when the JSON has another ETag than before.
async function poll(url) {
  const response = await get(url, etag ? { "If-None-Match": etag } : {});
  if (response.status !== 304) {
    etag = response.headers.get("ETag");
    await refresh();
  }
  return Math.max(MIN_WAIT_S, Number(response.headers.get("Retry-After")) || 2);
}

async function refresh() {
  const response = await get(location.href, { Accept: "text/html" });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const ended = !fresh.querySelector("[data-poll]") && pollUrl() !== undefined;
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (next) swap(old, inReadersZone(document.importNode(next, true)));
  }
  announce(fresh.querySelector("[data-live-words]")?.dataset.liveWords, ended);
}

function swap(old, next) {
  // An open question ("Cancel job?") is not replaced until it is answered.
  if (old.outerHTML === next.outerHTML || old.querySelector("details.confirm[open]")) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  if (old.querySelector("details[open]")) next.querySelector("details")?.setAttribute("open", "");
  old.replaceWith(next);
  if (focused) sameElement(next, focused)?.focus({ preventScroll: true });
}

function sameElement(root, element) {
  const href = element.getAttribute("href");
  if (element.id) return root.querySelector(`#${CSS.escape(element.id)}`);
  return href ? root.querySelector(`[href="${CSS.escape(href)}"]`) : null;
}

// Tells screen readers of the progress: every 15 seconds, and at the end.
function announce(text, ended) {
  if (!words || !text || (!ended && Date.now() - lastAnnounced < ANNOUNCE_EVERY_MS)) return;
  words.textContent = text;
  lastAnnounced = Date.now();
}

function say(text) {
  trouble.hidden = !text;
  trouble.textContent = text;
}

async function untilOnline() {
  say("You are offline. What you see may be old; the page goes on as soon as you are online again.");
  await new Promise((resolve) => window.addEventListener("online", resolve, { once: true }));
}

async function run() {
  for (let wait = MIN_WAIT_S; pollUrl() || refreshSeconds(); ) {
    await sleep(pollUrl() ? wait : refreshSeconds());
    await visible();
    try {
      if (pollUrl()) wait = await poll(pollUrl());
      else await refresh();
      say("");
    } catch (error) {
      if (error instanceof SignedOut) {
        say("You have been signed out, so this page no longer updates. Reload it to sign in again.");
        return;
      }
      wait = TROUBLE_WAIT_S;
      if (navigator.onLine) say("The server does not answer at the moment. What you see may be old; the page keeps trying.");
      else await untilOnline();
    }
  }
}

run();
