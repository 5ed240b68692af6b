// Says that the server works on a form until its answer comes: <form data-working="Erasing 10,000 images …">

document.addEventListener("submit", ({ target: form }) => {
  if (form.dataset.working === undefined) return;
  const words = document.createElement("p");
  words.setAttribute("role", "status");
  words.className = "small";
  form.append(words);
  form.setAttribute("aria-busy", "true");
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  requestAnimationFrame(() => (words.textContent = form.dataset.working)); // a status is read out when it changes
});
