// Board: controls, the bottom line, tabs of panels, what can be taken away; and the line to the kernel.

const SILENCE = 4000; // ms without an answer after which a hosted page looks for its kernel, again and again
const PATIENCE = 400; // ms before progress is shown
const PADDING = 48; // px: what the sheets leave free beside them
const PART = 1 << 20; // bytes of a log that are sent at once
const ADDRESS = 1000; // ms without a change after which the address of the page follows, which costs as much as a chart

/** Messages to the kernel: one on its way at a time, moves gathered meanwhile. */
class Line {
  constructor(model, sent) {
    this.model = model;
    this.sentOne = sent;
    this.moves = {};
    this.waiting = [];
    this.number = 0;
    this.underway = null;
  }

  move(name, value) {
    this.moves[name] = value;
    this.next();
  }

  /** Resolves when the kernel has answered. */
  say(message, buffers) {
    return new Promise((done) => {
      this.waiting.push({ message, buffers, done });
      this.next();
    });
  }

  next() {
    if (this.underway !== null) return;
    const moves = Object.keys(this.moves).length ? { type: "move", values: this.moves } : null;
    const asked = moves ? { message: moves } : this.waiting.shift();
    if (!asked) return;
    if (moves) this.moves = {};
    this.sent = moves ? Object.keys(moves.values) : [];
    this.done = asked.done;
    this.underway = ++this.number;
    this.clock = setInterval(() => window.wtr_watch?.(), SILENCE);
    this.sentOne();
    this.model.send({ ...asked.message, id: this.underway }, undefined, asked.buffers);
  }

  /** The kernel has answered a message. */
  heard(id) {
    if (id !== this.underway) return;
    clearInterval(this.clock);
    this.underway = null;
    this.done?.();
    this.next();
  }

  /** Fields whose values the kernel has not answered yet. */
  get open() {
    return new Set([...Object.keys(this.moves), ...(this.underway !== null ? this.sent : [])]);
  }
}

/** A name as part of an id, which has no blanks. */
function idOf(name) {
  return name.replace(/\s+/g, "-");
}

/** Whether this page is a hosted one, by Voila, and not JupyterLab. */
function isHosted() {
  return document.body.dataset.voila === "voila";
}

/** Whether the page around is dark: JupyterLab says so, elsewhere the reader's choice or system does. */
function isDark() {
  if (!isHosted()) return document.body.dataset.jpThemeLight === "false";
  const chosen = stored("wtr-theme") || document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function stored(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Keep keys to an element: arrows move its sliders, and not the cells of JupyterLab. */
function keepKeys(element) {
  element.dataset.lmSuppressShortcuts = "true";
  element.addEventListener("keydown", (event) => event.stopPropagation());
}

/** Keep an element in the theme of the page; calls back when that changes or when the room does. */
function follow(element, changed) {
  const dress = () => {
    const dark = isDark();
    element.dataset.theme = dark ? "dark" : "light";
    if (isHosted()) document.documentElement.dataset.wtrTheme = element.dataset.theme;
    changed(dark);
  };
  const media = matchMedia("(prefers-color-scheme: dark)");
  const watcher = new MutationObserver(dress);
  watcher.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  media.addEventListener("change", dress);
  document.addEventListener("wtr-theme", dress);
  let width = element.clientWidth;
  const sizes = new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - width) > 8) { width = element.clientWidth; dress(); }
  });
  sizes.observe(element);
  dress();
  return () => { watcher.disconnect(); sizes.disconnect(); media.removeEventListener("change", dress); document.removeEventListener("wtr-theme", dress); };
}

/** Resolves after the next frame is painted; at once on a page that nobody sees, which paints none. */
function nextFrame() {
  return new Promise((done) => (document.hidden ? done() : requestAnimationFrame(() => setTimeout(done))));
}

/** Give a reader a file. */
function hand({ name, mime }, bytes) {
  const link = make("a", { href: URL.createObjectURL(new Blob([bytes], { type: mime })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

class Board {
  constructor(model, element) {
    this.model = model;
    this.element = element;
    this.question = model.get("question");
    this.panels = {};
    this.cache = {};
    this.line = new Line(model, () => (element.dataset.settled = false));
    this.controls = new Controls(this.question.fields, (name, value) => this.line.move(name, value));
    this.tab = this.question.tabs.length ? this.question.tabs[0].name : "";
    this.build();
    this.stop = follow(element, (dark) => {
      this.setting = settingOf(this.main, dark);
      this.setting.room -= PADDING * this.setting.type;
      for (const panel of Object.values(this.panels)) panel.redress(this.setting);
    });
    model.on("change:state", () => this.update());
    model.on("msg:custom", (message, buffers) => message.type === "file" && hand(message, buffers[0]));
    this.watch();
    this.line.say(model.get("panels").complete ? { type: "ready" } : { type: "hello", tab: this.tab });
    this.update();
  }

  build() {
    const { presets, tabs, files } = this.question;
    this.preset = make("select", { id: "wtr-preset" }, ...presets.map((p) => make("option", { value: p.name }, p.title)));
    this.preset.addEventListener("change", () => this.line.say({ type: "preset", name: this.preset.value }));
    this.story = make("p", { class: "wtr-story" });
    this.changed = make("div", { id: "wtr-changed" });
    const reset = make("button", { type: "button", id: "wtr-reset", onclick: () => this.line.say({ type: "reset" }) }, "Reset");
    this.alert = make("div", { id: "wtr-alert", role: "alert" });
    this.bottom = make("div", { id: "wtr-bottom-line", role: "status" });
    this.sure = make("div", { id: "wtr-sure" });
    this.progress = make("div", { class: "wtr-progress", hidden: true }, make("progress", { "aria-label": "Working" }), make("span"));
    const story = make("div", { class: "wtr-preset" }, make("label", { for: "wtr-preset" }, "Start from"), this.preset, reset);
    const side = make("section", { class: "wtr-side", "aria-label": "The question" }, story, this.story, this.changed, ...this.controls.elements);
    const top = make("section", { class: "wtr-top", "aria-label": "The answer in short" }, this.alert, this.bottom, this.sure);
    const main = this.main = make("section", { class: "wtr-main", "aria-label": "The answer" }, this.progress);
    if (tabs.length) main.append(this.tablist(tabs), ...this.sheets(tabs));
    main.append(this.takeaway(files));
    keepKeys(this.element);
    this.element.classList.add("wtr-board", ...(tabs.length ? ["wtr-app"] : []));
    this.element.replaceChildren(top, side, main);
  }

  tablist(tabs) {
    this.tabs = tabs.map(({ name }) => make("button", { type: "button", role: "tab", id: `wtr-tab-${idOf(name)}`, "aria-controls": `wtr-sheet-${idOf(name)}`, onclick: () => this.open(name) }, name));
    const list = make("div", { role: "tablist", "aria-label": "Pages" }, ...this.tabs);
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1 : step && (tabs.findIndex((t) => t.name === this.tab) + step + tabs.length) % tabs.length;
      if (at === undefined) return;
      event.preventDefault();
      this.open(tabs[at].name);
      this.tabs[at].focus();
    });
    return list;
  }

  sheets(tabs) {
    this.pages = tabs.map(({ name, sections, upload }) => {
      const parts = sections.map(({ name: panel, title, note }) => {
        const body = make("div", { class: "wtr-panel" });
        this.panels[panel] = new LivePanel(body, (key) => this.line.say({ type: "unfold", key }));
        return make("section", { "data-panel": panel }, make("h2", {}, title), body, ...(note ? [make("p", { class: "wtr-note" }, note)] : []));
      });
      return make("div", { role: "tabpanel", id: `wtr-sheet-${idOf(name)}`, "aria-labelledby": `wtr-tab-${idOf(name)}`, tabindex: 0 }, ...(upload ? [this.uploader()] : []), ...parts);
    });
    this.mark();
    return this.pages;
  }

  mark() {
    for (const [at, { name }] of this.question.tabs.entries()) {
      this.tabs[at].setAttribute("aria-selected", name === this.tab);
      this.tabs[at].tabIndex = name === this.tab ? 0 : -1;
      this.pages[at].hidden = name !== this.tab;
    }
  }

  open(name) {
    this.tab = name;
    this.mark();
    this.line.say({ type: "tab", name });
  }

  takeaway(files) {
    const buttons = files.map(({ name, title }) => make("button", { type: "button", onclick: () => this.line.say({ type: "download", name }) }, title));
    const load = make("input", { type: "file", id: "wtr-load", accept: ".yaml,.yml" });
    load.addEventListener("change", () => this.load(load));
    const link = make("button", { type: "button", id: "wtr-copy", onclick: () => this.copy(link) }, "Copy link");
    const theme = make("button", { type: "button", id: "wtr-theme", onclick: () => { stored("wtr-theme", isDark() ? "light" : "dark"); document.dispatchEvent(new Event("wtr-theme")); } }, "Light or dark");
    const title = make("summary", {}, "Take it away");
    return make("details", { class: "wtr-files", open: this.question.tabs.length > 0 }, title, make("div", {}, ...buttons, ...(isHosted() ? [link, theme] : [])), make("label", { for: "wtr-load" }, "Load a scenario file ", load));
  }

  /** A form to give a log, in parts so that moves can go between them, and to use what was found in it. */
  uploader() {
    const line = ({ name, title }) => make("label", {}, `${title} `, make("input", { type: "text", name, maxlength: 200 }));
    const columns = make("details", {}, make("summary", {}, "Its columns have other names"), ...this.question.columns.map(line));
    const zone = line({ name: "zone", title: "Time zone of times that do not say theirs" });
    const file = make("input", { type: "file", id: "wtr-log", accept: ".csv,.json,.jsonl,.ndjson,.parquet,.gz,.txt" });
    const texts = (element) => Object.fromEntries([...element.querySelectorAll("input")].map((input) => [input.name, input.value]));
    file.addEventListener("change", () => this.upload(file, { columns: texts(columns), ...texts(zone) }));
    const use = make("button", { type: "button", id: "wtr-use", onclick: () => this.line.say({ type: "use" }) }, "Use these in the workbook");
    const kept = "Usage exports of OpenAI, Anthropic, LiteLLM, Langfuse and Helicone, OpenTelemetry spans, or any CSV, JSON lines or Parquet. It is kept in memory while it is read, on the machine that serves this page, and nowhere else.";
    return make("section", { class: "wtr-upload", "aria-label": "Your log" }, make("p", { class: "wtr-note" }, kept), zone, columns, make("label", { for: "wtr-log" }, "Read a log ", file), use);
  }

  async upload(input, asked) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    const packing = /\.(gz|parquet)$/i.test(file.name) ? null : new CompressionStream("gzip");
    this.working(`Packing ${file.name}`);
    const log = packing ? await new Response(file.stream().pipeThrough(packing)).blob() : file;
    const end = log.size > this.question.largest ? 1 : Math.max(1, log.size);
    for (let at = 0; at < end; at += PART) {
      const part = await log.slice(at, Math.min(at + PART, end)).arrayBuffer();
      await this.line.say({ type: "usage", name: file.name, size: log.size, at, ...asked }, [part]);
      if (this.model.get("state").message) return;
    }
  }

  async load(input) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    const text = file.size > this.question.longest ? null : await file.text();
    this.line.say({ type: "load", name: file.name, text });
  }

  async copy(button) {
    this.write();
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy it from the address bar";
    }
    setTimeout(() => (button.textContent = "Copy link"), 3000);
  }

  /** Show what the kernel now holds. */
  async update() {
    const state = this.model.get("state");
    this.line.heard(state.ack);
    this.controls.set(state.values, this.line.open);
    if (this.preset.value !== state.preset) this.preset.value = state.preset;
    const story = (this.question.presets.find((p) => p.name === state.preset) || {}).story || "";
    if (this.story.textContent !== story) this.story.textContent = story;
    if (this.changes !== state.changed) this.changed.innerHTML = this.changes = state.changed;
    if (this.alert.textContent !== state.message) this.alert.textContent = state.message;
    if (this.bottomLine !== state.bottom_line) rewrite(this.bottom, (this.bottomLine = state.bottom_line));
    if (this.sureness !== state.sure) this.sure.innerHTML = this.sureness = state.sure;
    this.address(state.query);
    this.working(state.busy || (state.pending.length ? "Working out this page" : ""));
    for (const [name, panel] of Object.entries(this.panels)) panel.element.classList.toggle("wtr-stale", state.pending.includes(name));
    await this.paint(state);
  }

  /** Keep the scenario in the address of a hosted page, once it rests. */
  address(query) {
    if (!isHosted() || !this.question.tabs.length || query === this.query) return;
    this.query = query;
    clearTimeout(this.writing);
    this.writing = setTimeout(() => this.write(), ADDRESS);
  }

  /** Write the address now: a step to come back from, unless it is the first or the page is left. */
  write(how = this.written ? "pushState" : "replaceState") {
    clearTimeout(this.writing);
    if (this.query === undefined) return;
    const search = this.query ? `?${this.query}` : "";
    if (search !== location.search) history[how](null, "", location.pathname + search);
    this.written = true;
  }

  /** Ask for the scenario of the address, to which the reader went back or forth. */
  went() {
    const query = location.search.slice(1);
    if (!isHosted() || this.query === undefined || query === this.query) return;
    clearTimeout(this.writing);
    this.query = query;
    this.line.say({ type: "link", query });
  }

  /** Paint the newest panels; states that come while painting are painted after. */
  async paint(state) {
    Object.assign(this.cache, this.model.get("panels").parts);
    this.latest = state;
    if (this.painting) return;
    this.painting = true;
    try {
      while (this.latest) {
        const now = this.latest;
        const fresh = this.cache;
        this.latest = null;
        this.cache = {};
        const shown = Object.entries(fresh).filter(([name]) => name in this.panels);
        await Promise.all(shown.map(([name, pieces]) => this.panels[name].draw(pieces, this.setting)));
        this.element.dataset.rev = now.rev;
        await nextFrame();
        for (const [name, pieces] of shown) this.panels[name].write(pieces);
        this.element.dataset.settled = now.pending.length === 0 && !now.more && !this.latest && this.line.underway === null;
      }
    } finally {
      this.painting = false;
    }
  }

  /** Progress for what takes longer than a moment, with the seconds since there is any. */
  working(words) {
    if (words === this.words) return;
    if (!this.words) this.since = Date.now();
    this.words = words;
    clearInterval(this.ticking);
    const tick = () => {
      const taken = Date.now() - this.since;
      this.progress.hidden = !words || taken < PATIENCE;
      this.progress.lastChild.textContent = `${words} (${Math.round(taken / 1000)} s)`;
    };
    tick();
    if (words) this.ticking = setInterval(tick, 200);
  }

  /** Hear of a kernel that dies. */
  watch() {
    document.addEventListener("wtr-ended", () => this.lost("The session behind this page has ended."));
    addEventListener("pagehide", () => this.write("replaceState"));
    addEventListener("popstate", () => this.went());
    const kernel = this.model.widget_manager && this.model.widget_manager.kernel;
    if (!kernel || !kernel.statusChanged) return;
    kernel.statusChanged.connect((_, status) => {
      if (["restarting", "autorestarting", "dead", "terminating"].includes(status)) this.lost("The session behind this page has ended.");
    });
  }

  /** Say that the kernel is gone; a hosted page opens again at the same scenario as soon as the server answers. */
  async lost(words) {
    if (this.gone) return;
    this.gone = true;
    this.write();
    this.working("");
    this.element.dataset.settled = false;
    if (!isHosted()) {
      this.alert.textContent = `${words} Run the notebook again: menu Run, Run All Cells.`;
      return;
    }
    const again = make("button", { type: "button", onclick: () => location.reload() }, "Open it again now");
    this.alert.replaceChildren(`${words} Your scenario is kept in the address of this page, which opens again by itself. `, again);
    await new Promise((done) => setTimeout(done, 3000));
    for (;;) {
      try {
        if ((await fetch(location.pathname, { method: "HEAD", cache: "no-store" })).status !== 502) return location.reload();
      } catch {
        this.alert.firstChild.textContent = "The server does not answer. Your scenario is kept in the address of this page, which opens again when the server does. ";
      }
      await new Promise((done) => setTimeout(done, 3000));
    }
  }

  end() {
    this.stop();
    clearInterval(this.ticking);
    clearInterval(this.line.clock);
    for (const panel of Object.values(this.panels)) panel.end();
  }
}

/** One panel in a cell of its own. */
function slot({ model, el }) {
  el.classList.add("wtr-board", "wtr-slot");
  keepKeys(el);
  const panel = new LivePanel(el.appendChild(make("div", { class: "wtr-panel" })), (key) => model.send({ type: "unfold", key }));
  let setting = settingOf(el, isDark());
  let painting = Promise.resolve();
  const show = () => {
    painting = painting.then(async () => {
      const content = model.get("content");
      el.classList.toggle("wtr-stale", content.pending);
      await panel.show(content.pieces, setting);
      el.dataset.panel = content.name;
      el.dataset.rev = content.rev;
      el.dataset.settled = !content.pending;
    });
  };
  const stop = follow(el, (dark) => { setting = settingOf(el, dark); panel.redress(setting); });
  model.on("change:content", show);
  show();
  return () => { model.off("change:content", show); stop(); panel.end(); };
}

globalThis.whereToRun = { slot };

export default {
  render({ model, el }) {
    const board = new Board(model, el);
    return () => board.end();
  },
};
