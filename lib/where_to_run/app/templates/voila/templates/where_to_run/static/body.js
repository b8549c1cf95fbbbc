// What Voila's page calls while it loads, the change from the example to the live page, and the end of a session.
(() => {
  const LATEST_MS = 45000, POLL_MS = 10000, TRIES = 3;
  const body = document.body, root = body.dataset.root, began = performance.now();
  const scheme = () => {
    const dark = window.wtr_scheme() === "dark";
    body.dataset.jpThemeLight = String(!dark);
    body.dataset.jpThemeName = dark ? "JupyterLab Dark" : "JupyterLab Light";
    body.classList.toggle("theme-dark", dark);
    body.classList.toggle("theme-light", !dark);
  };
  scheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", scheme);
  const get = (id) => document.getElementById(id);
  const say = (text) => { const e = get("loading_text"); if (e && e.textContent !== text) e.textContent = text; };
  const note = (id, words) => {
    let box = get(id);
    if (!words) { box?.remove(); return; }
    if (!box) {
      box = Object.assign(document.createElement("div"), { id, className: "note trouble banner" });
      box.setAttribute("role", "alert");
      body.prepend(box);
    }
    if (box.textContent !== words) box.textContent = words;
  };

  // The server calls this while others come first.
  let told = began;
  window.wtr_place = (place, full) => {
    told = performance.now();
    if (!place) say("The page is loading.");
    else say(full ? `All seats are taken. You are number ${place} in the line; the page goes on by itself when somebody leaves.`
      : `Others came just before you. You are number ${place} in the line; the page goes on by itself.`);
  };

  // Voila calls these
  window.voila_heartbeat = () => {};
  window.voila_process = window.update_loading_text = () => {};
  window.voila_finish = window.display_cells = () => { if (window.themeLoaded) get("rendered_cells").hidden = false; else window.cellLoaded = true; };

  // ms since the last byte came, of the page or of what it loads.
  const silent = () => {
    const of = (kind) => performance.getEntriesByType(kind).map((entry) => entry.responseEnd);
    return document.readyState === "loading" ? 0 : performance.now() - Math.max(told, ...of("navigation"), ...of("resource"));
  };

  // The example goes when the live page is painted, or when it is clear that it will not come.
  const over = () => {
    clearInterval(timer);
    get("loading")?.remove();
    const first = document.querySelector("main"), shell = get("main");
    if (first && shell && !first.contains(get("rendered_cells"))) {  // Voila has moved the cells into a frame of its own
      first.remove();
      shell.setAttribute("role", "main");
    }
  };
  const live = () => document.querySelector("#rendered_cells:not([hidden]) :is(.wtr-board[data-rev], .widget-inline-hbox)");
  window.wtr_trouble = over;
  // The widget manager asks for the models once and gives up after 4 s, which a busy server can take: then ask again.
  const tries = (number) => {
    try {
      if (number !== undefined) sessionStorage.setItem("wtr-tries", number);
      return +(sessionStorage.getItem("wtr-tries") || 0);
    } catch { return TRIES; }
  };
  const empty = () => (get("rendered_cells")?.textContent || "").includes("Error displaying widget");
  const look = () => {
    if (live()) { over(); tries(0); note("wtr-late", ""); }
    else if (empty() && tries() < TRIES) { clearInterval(timer); tries(tries() + 1); location.reload(); }
    else if (document.querySelector("#rendered_cells .trouble")) { get("rendered_cells").hidden = false; over(); }
    else if (silent() > LATEST_MS)
      note("wtr-late", "The live page did not load. Reload to try again; if that does not help, tell who runs this server.");
    else if (performance.now() - told > 10000) say("The page is still loading; the server has much to do.");
  };
  const timer = setInterval(look, 50);
  document.addEventListener("DOMContentLoaded", look);

  // A seat is given back when the page closes, and a page whose kernel has ended says so.
  const kernel = () => { const e = get("jupyter-config-data"); try { return e && JSON.parse(e.textContent).kernelId; } catch { return null; } };
  addEventListener("pagehide", () => {
    const id = kernel();
    if (id) navigator.sendBeacon(`${root}voila/api/shutdown/${id}`, new URLSearchParams({ _xsrf: body.dataset.xsrf }));
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  const watch = async () => {
    const id = kernel();
    if (!id || document.hidden) return;
    try {
      const answer = await fetch(`${root}api/kernels/${id}`, { cache: "no-store" });
      note("wtr-lost", "");
      if (answer.status !== 404) return;
      if (live()) document.dispatchEvent(new Event("wtr-ended")); // the board says so, and opens the page again
      else note("wtr-ended", "This session has ended. Reload the page to go on from where you were.");
    } catch { note("wtr-lost", "The server cannot be reached. The page goes on when it is back."); }
  };
  window.wtr_watch = watch;
  setInterval(watch, POLL_MS);
  document.addEventListener("visibilitychange", watch);
})();
