// Figures: a Vega view for each chart, kept alive; where only the data changed, only the data is swapped.

const DARK = {
  "#444444": "#b0b0b0", black: "#e8e8e8", "#222222": "#dddddd", "#555555": "#b8b8b8", white: "#16191d", "#dddddd": "#4a4f55", "#DDDDDD": "#4a4f55",
};
const INK = { light: "#1a1a1a", dark: "#e8e8e8" };
const NARROW = 560;
const WIDEST = 780;
const TYPE = 15; // px: size of type at which a chart is drawn as it was designed

/** Rows of a dataset that came as columns. */
function rowsOf(columns, dark) {
  const names = Object.keys(columns);
  const number = names.length ? columns[names[0]].length : 0;
  const rows = new Array(number);
  for (let at = 0; at < number; at++) {
    const row = {};
    for (const name of names) row[name] = columns[name][at];
    if (dark && row.colour in DARK) row.colour = DARK[row.colour];
    rows[at] = row;
  }
  return rows;
}

/** A specification as wide as there is room, with the colours of the theme and type that grows with the page's. */
function dressed(spec, room, dark, type) {
  const written = JSON.stringify(spec);
  const text = room < NARROW ? written.replaceAll("{1,60}", "{1,24}") : written; // letters in a line of a title
  const full = JSON.parse(dark ? text.replace(/"(black|white|#222222|#444444|#555555|#dddddd|#DDDDDD)"/g, (_, c) => `"${DARK[c]}"`) : text);
  const ink = dark ? INK.dark : INK.light;
  const line = dark ? "#3a3f45" : "#dddddd";
  const given = full.config || {};
  full.background = null;
  full.config = {
    ...given,
    font: "system-ui, sans-serif",
    view: { stroke: line, ...given.view },
    axis: { labelFontSize: 10 * type, titleFontSize: 11 * type, labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line, ...given.axis },
    legend: { labelFontSize: 10 * type, labelColor: ink, titleColor: ink, labelLimit: 260, ...(room < NARROW ? { orient: "bottom", columns: 2, layout: { bottom: { direction: "vertical", anchor: "start" } } } : {}), ...given.legend },
    text: { color: ink, ...given.text },
  };
  full.width = Math.max(full.usermeta?.narrowest ?? 260, Math.min(room, WIDEST * type));
  full.autosize = { type: "fit-x", contains: "padding" };
  return full;
}

/** The theme, the room and the size of type in an element. */
function settingOf(element, dark) {
  return { dark, room: element.clientWidth, type: (parseFloat(getComputedStyle(element).fontSize) || TYPE) / TYPE };
}

/** One chart on the page. */
class LiveFigure {
  constructor() {
    this.host = document.createElement("figure");
    this.host.setAttribute("role", "img");
    this.view = null;
    this.spec = "";
    this.work = Promise.resolve();
    new ResizeObserver(() => this.reach()).observe(this.host);
  }

  /** Let keys reach a chart that has to be scrolled, one that was drawn unseen or wider than the page is by now too. */
  reach() {
    if (this.host.scrollWidth > this.host.clientWidth) this.host.tabIndex = 0;
    else this.host.removeAttribute("tabindex");
  }

  /** Show a piece; resolves when it is painted. */
  show(piece, setting) {
    this.asked = [piece, setting];
    // one at a time, and always the newest: a resize must not bring back what a slider has replaced
    this.work = this.work.catch(() => {}).then(() => this.draw(...this.asked));
    return this.work;
  }

  async draw(piece, setting) {
    if (await this.paint(piece, setting)) this.reach();
  }

  /** Whether the chart had to be drawn anew; `setting` has the theme, the room and the size of type. */
  async paint(piece, { dark, room, type }) {
    const spec = JSON.stringify(piece.spec) + dark + Math.min(room, WIDEST * type);
    this.host.setAttribute("aria-label", piece.spec.description || "Chart");
    if (this.view && spec === this.spec) {
      for (const [name, columns] of Object.entries(piece.data)) this.view.data(name, rowsOf(columns, dark));
      await this.view.runAsync();
      return false;
    }
    const full = dressed(piece.spec, room, dark, type);
    full.datasets = Object.fromEntries(Object.entries(piece.data).map(([name, columns]) => [name, rowsOf(columns, dark)]));
    const place = document.createElement("div");
    const { view } = await vegaEmbed(place, full, { actions: false, renderer: "canvas", tooltip: { theme: dark ? "dark" : "light" } });
    if (this.view) this.view.finalize();
    this.host.replaceChildren(place);
    this.host.wtrView = this.view = view;
    this.spec = spec;
    return true;
  }

  /** Let go of the view. */
  end() {
    if (this.view) this.view.finalize();
    this.view = null;
  }
}
