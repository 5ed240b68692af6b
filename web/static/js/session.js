// The session of this page. If it ends while files are being sent, the sign-in form is shown in a dialog, so that the
// page keeps the files that were chosen on it.

const HOME = "/";

export const session = {
  csrfToken: document.querySelector("meta[name=csrf-token]").content,

  // Resolves to whether there is a session again. Somebody may have signed in anew in another tab.
  async renew() {
    const page = await load(HOME);
    if (page && !signInForm(page)) return take(page);
    return page !== null && ask(page);
  },
};

function take(page) {
  session.csrfToken = page.querySelector("meta[name=csrf-token]").content;
  return true;
}

// Our page at an address, or the page to which it redirects; null if the server does not answer.
async function load(url, options = {}) {
  try {
    const response = await fetch(url, { ...options, headers: { Accept: "text/html" }, cache: "no-store" });
    if (response.status >= 500) return null;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return page.querySelector("meta[name=csrf-token]") ? page : null;
  } catch {
    return null;
  }
}

const signInForm = (page) => page.querySelector("form[data-sign-in]");

// Shows the server's own form, with its message after a failed try, until the user has signed in or closed it.
function ask(page) {
  const dialog = document.createElement("dialog");
  dialog.className = "sign-in stack";
  dialog.setAttribute("aria-label", "Sign in again");
  document.body.append(dialog);
  return new Promise((resolve) => {
    const finish = (answer) => {
      dialog.remove();
      resolve(answer);
    };
    const fill = (from) => {
      const close = document.createElement("button");
      close.type = "button";
      close.textContent = "Not now";
      close.addEventListener("click", () => dialog.close());
      const words = document.createElement("p");
      words.setAttribute("role", "status");
      words.textContent = "Your session has ended. Sign in to go on sending; the files you chose stay here.";
      const form = document.importNode(signInForm(from), true);
      const trouble = from.querySelector("#login-error");
      dialog.replaceChildren(words, ...(trouble ? [document.importNode(trouble, true)] : []), form, close);
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const next = await load(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
        if (next && !signInForm(next)) finish(take(next));
        else if (next) fill(next);
        else words.textContent = "The server does not answer. Wait a little and sign in again.";
      });
      form.elements.name.focus();
    };
    dialog.addEventListener("close", () => finish(false));
    fill(page);
    dialog.showModal();
  });
}
