"use strict";
// The page works without this script. With it, filters apply while the user types, and the page refreshes itself.
(() => {
  const form = document.getElementById("filter");
  const notice = document.getElementById("notice");
  const refreshLabel = document.getElementById("refreshing");
  const refresh = document.getElementById("refresh");
  const REFRESH_MS = 15000, TIMEOUT_MS = 10000, TYPING_PAUSE_MS = 150;
  const asOf = () => document.querySelector(".headline time").textContent;
  let latestRequest = 0, typingTimer = 0, shownSearch = location.search;

  // Replaces the live parts of the page by those of a new page. Keeps the focus, and which details are open.
  const update = (next) => {
    const isSameSearch = shownSearch === location.search;
    const open = new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    const focused = document.activeElement && document.activeElement.closest("[data-live]") ? document.activeElement.id : "";
    for (const part of next.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      for (const details of part.querySelectorAll("details[id]"))
        if (open.has(details.id)) details.open = open.get(details.id) || (details.open && !isSameSearch);
      if (old && old.innerHTML !== part.innerHTML) old.replaceChildren(...part.childNodes);
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    shownSearch = location.search;
    document.title = next.title;
    document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").getAttribute("href");
  };

  const showNotice = (text) => {
    notice.hidden = !text;
    notice.textContent = text;
  };

  // Throws if the exporter does not respond, or responds with an error. Nothing else is an outage.
  const fetchText = async (address) => {
    let response, text;
    try {
      response = await fetch(address, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
      text = await response.text();
    } catch {
      throw new Error("The exporter does not respond.");
    }
    if (!response.ok) throw new Error(`The exporter responds with HTTP status ${response.status}.`);
    return text;
  };

  // Shows a new page. An error in here is one of this script, and not of the exporter.
  const render = (text) => {
    try {
      const next = new DOMParser().parseFromString(text, "text/html");
      if (!form !== !next.getElementById("filter")) return location.reload();
      update(next);
      showNotice("");
    } catch (error) {
      console.error(error);
      showNotice("This page could not be updated. Reload it to see the current data.");
    }
  };

  const load = async (address) => {
    const request = ++latestRequest;
    let text, outage;
    try {
      text = await fetchText(address);
    } catch (error) {
      outage = error;
    }
    if (request !== latestRequest) return;
    if (outage) showNotice(`${outage.message} This page is as of ${asOf()}.`);
    else render(text);
  };

  const navigate = (address, push) => {
    history[push ? "pushState" : "replaceState"](null, "", address);
    load(address);
  };

  const fillForm = () => {
    const parameters = new URLSearchParams(location.search);
    for (const field of form ? form.elements : []) if (field.name) field.value = parameters.get(field.name) ?? "";
  };

  const filterAddress = () => {
    const parameters = [...new FormData(form)].filter(([, value]) => value);
    return parameters.length ? `?${new URLSearchParams(parameters)}` : location.pathname;
  };

  form?.addEventListener("input", (event) => {
    if (!event.target.name) return;
    clearTimeout(typingTimer);
    typingTimer = setTimeout(() => navigate(filterAddress(), false), TYPING_PAUSE_MS);
  });
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typingTimer);
    navigate(filterAddress(), true);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-live] a:is([href^='?'], #clear)");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    navigate(link.href, true);
    fillForm();
    if (link.closest("#sources")) document.getElementById("sources").scrollIntoView();
  });
  addEventListener("popstate", () => {
    fillForm();
    load(location.href);
  });

  // A refresh would clear a text selection, and is useless in a hidden tab.
  setInterval(() => {
    const isPaused = document.hidden || !getSelection().isCollapsed || (refresh && !refresh.checked);
    if (!isPaused) load(location.href);
  }, REFRESH_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (!refresh || refresh.checked)) load(location.href);
  });
  if (refreshLabel) refreshLabel.hidden = false;
  form?.classList.add("instant");
})();
