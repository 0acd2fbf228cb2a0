"use strict";
// The page works without this. With it, filters act as one types, and the page stays up to date by itself.
(() => {
  const form = document.getElementById("filter");
  const offline = document.getElementById("offline");
  const refreshing = document.getElementById("refreshing");
  const refresh = document.getElementById("refresh");
  const EVERY = 15000, AFTER_TYPING = 150;
  let asked = 0, timer = 0, shown = location.search, asOf = document.querySelector(".verdict time").textContent;

  const put = (next) => {
    const isSame = shown === location.search;
    const open = new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    const focused = document.activeElement && document.activeElement.closest("[data-live]") ? document.activeElement.id : "";
    for (const fresh of next.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      for (const details of fresh.querySelectorAll("details[id]"))
        if (open.has(details.id)) details.open = open.get(details.id) || (details.open && !isSame);
      if (old && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    shown = location.search;
    document.title = next.title;
    document.querySelector("link[rel=icon]").href = next.querySelector("link[rel=icon]").getAttribute("href");
    asOf = next.querySelector(".verdict time").textContent;
  };

  const say = (trouble) => {
    offline.hidden = !trouble;
    if (trouble) offline.textContent = `${trouble} What is shown is as of ${asOf}.`;
  };

  const load = async (address) => {
    const mine = ++asked;
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(`The exporter answers ${answer.status}.`);
      const text = await answer.text();
      if (mine !== asked) return;
      const next = new DOMParser().parseFromString(text, "text/html");
      if (!form !== !next.getElementById("filter")) return location.reload();
      put(next);
      say("");
    } catch (error) {
      if (mine === asked) say(error instanceof TypeError ? "The exporter does not answer." : error.message);
    }
  };

  const go = (address, push) => {
    history[push ? "pushState" : "replaceState"](null, "", address);
    load(address);
  };

  const fill = () => {
    const given = new URLSearchParams(location.search);
    for (const field of form ? form.elements : []) if (field.name) field.value = given.get(field.name) ?? "";
  };

  const filtered = () => {
    const given = [...new FormData(form)].filter(([, value]) => value);
    return given.length ? `?${new URLSearchParams(given)}` : location.pathname;
  };

  form?.addEventListener("input", (event) => {
    if (!event.target.name) return;
    clearTimeout(timer);
    timer = setTimeout(() => go(filtered(), false), AFTER_TYPING);
  });
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    go(filtered(), true);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-live] a:is([href^='?'], [href='./'])");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
    event.preventDefault();
    go(link.href, true);
    fill();
    if (link.closest("#sources")) document.getElementById("sources").scrollIntoView();
  });
  addEventListener("popstate", () => {
    fill();
    load(location.href);
  });

  // Not under the eyes of somebody who is marking a text, nor in a tab that nobody looks at.
  setInterval(() => {
    const isBusy = document.hidden || !getSelection().isCollapsed || (refresh && !refresh.checked);
    if (!isBusy) load(location.href);
  }, EVERY);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && (!refresh || refresh.checked)) load(location.href);
  });
  if (refreshing) refreshing.hidden = false;
  form?.classList.add("instant");
})();
