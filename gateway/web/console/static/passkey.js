/* A form with data-passkey asks the browser's authenticator and posts its answer (WebAuthn 3). */
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    const problem = form.querySelector(".problem");
    problem.hidden = true;
    try {
      const options = JSON.parse(form.dataset.options);
      const create = form.dataset.passkey === "create";
      const publicKey = create
        ? PublicKeyCredential.parseCreationOptionsFromJSON(options)
        : PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const made = create
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
      form.elements.answer.value = JSON.stringify(made);
    } catch {
      problem.hidden = false;
      return;
    }
    form.submit();
  });
}
