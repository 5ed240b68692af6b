// The worklist: how many rows are ticked, all of a page at once, and how many results came since the page was made.
// Rows never move by themselves: new results are offered by a link.

import { counted } from "./counted.js";

const NEWS_EVERY_MS = 10_000;

const form = document.querySelector("#selection");
const news = document.querySelector("[data-news]");

function count(boxes) {
  const ticked = boxes.filter((box) => box.checked).length;
  form.querySelector("[data-count]").textContent = ticked ? `${counted(ticked, "image")} selected` : "Selected below";
  return ticked;
}

// A checkbox in the heading that ticks all rows of the page.
function addTickAll(boxes) {
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Select all images of this page");
  document.querySelector("th.tick").replaceChildren(all);
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count(boxes);
  });
  for (const box of boxes) {
    box.addEventListener("change", () => {
      const ticked = count(boxes);
      all.checked = ticked === boxes.length;
      all.indeterminate = ticked > 0 && !all.checked;
    });
  }
}

async function askForNews() {
  if (document.hidden) return true;
  // The server does not count such a request as use of the session.
  const response = await fetch(news.dataset.news, { headers: { "X-Unattended": "1" }, cache: "no-store" });
  if (response.redirected || response.status === 401) return false; // signed out
  if (response.ok) tell(await response.json());
  return true;
}

function tell({ count, more }) {
  const words = more ? `${count} or more new results` : counted(count, "new result");
  if (!count || news.textContent.startsWith(`${words}:`)) return;
  const show = document.createElement("a");
  show.href = location.href;
  show.textContent = "show";
  news.className = "message";
  news.replaceChildren(`${words}: `, show);
}

async function watch() {
  for (let signedIn = true; signedIn; ) {
    await new Promise((resolve) => setTimeout(resolve, NEWS_EVERY_MS));
    try {
      signedIn = await askForNews();
    } catch {
      // The server does not answer at the moment: it is asked again.
    }
  }
}

if (form) addTickAll([...document.querySelectorAll("td.tick input")]);
if (news) watch();
