// Pieces: what a panel shows, as a list of HTML and charts; what a reader opened or sorted stays so.

/** What a piece is. */
function kindOf(piece) {
  return "spec" in piece ? "figure" : "fold" in piece ? "fold" : "html";
}

/** Write HTML into an element; what a reader opened there stays open, and where the keys are they stay. */
function rewrite(host, html, then) {
  const keyed = (key) => host.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const open = [...host.querySelectorAll("details[data-key][open]")].map((details) => details.dataset.key);
  const focused = host.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : undefined;
  host.innerHTML = html;
  then?.();
  for (const key of open) keyed(key)?.setAttribute("open", "");
  const now = focused && keyed(focused);
  if (now) (now.querySelector(":scope > summary") || now).focus();
}

/** A panel on the page; `unfold` asks for what a line opens to. */
class LivePanel {
  constructor(element, unfold) {
    this.element = element;
    this.open = new Set();
    this.toggled = ({ open, dataset: { key } }) => {
      if (open && !this.open.has(key)) unfold(key);
      this.open[open ? "add" : "delete"](key);
    };
    this.shown = [];
    this.element.addEventListener("click", (event) => {
      const button = event.target.closest("th button.wtr-sort");
      if (button) this.sort(button.closest("th"));
    });
    this.order = {};
  }

  /** Show pieces in place of those shown; resolves when all charts are painted. */
  async show(pieces, setting) {
    await this.draw(pieces, setting);
    this.write(pieces);
  }

  /** Draw the charts among pieces; the words come after those of all panels, for each chart would have a page that has changed laid out anew. */
  async draw(pieces, setting) {
    const same = pieces.length === this.shown.length && pieces.every((piece, at) => kindOf(piece) === this.shown[at].kind);
    if (!same) {
      this.end();
      this.shown = pieces.map((piece) => this.place(kindOf(piece)));
      this.element.replaceChildren(...this.shown.map((slot) => slot.host));
    }
    await Promise.all(pieces.map((piece, at) => {
      const slot = this.shown[at];
      if (!slot.figure) return null;
      slot.piece = piece;
      return slot.figure.show(piece, setting);
    }));
  }

  /** Write the words among pieces whose charts are drawn. */
  write(pieces) {
    pieces.forEach((piece, at) => this.shown[at].figure || this.fill(this.shown[at], piece));
  }

  /** An empty place for a piece of a kind. */
  place(kind) {
    if (kind === "figure") {
      const figure = new LiveFigure();
      return { kind, figure, host: figure.host, piece: {} };
    }
    if (kind !== "fold") return { kind, host: document.createElement("div"), piece: {} };
    const host = make("details", {}, make("summary"), make("div"));
    host.addEventListener("toggle", () => this.toggled(host));
    return { kind, host, piece: {} };
  }

  fill(slot, piece) {
    const before = slot.piece;
    slot.piece = piece;
    if (slot.kind === "fold") return this.fold(slot, piece, before);
    if (piece.html === before.html) return;
    rewrite(slot.host, piece.html, () => slot.host.querySelectorAll("table.wtr").forEach((table) => this.sortable(table)));
  }

  /** A line that opens; what it opens to comes when it is first opened. Another line here has been closed. */
  fold(slot, piece, before) {
    const [summary, body] = slot.host.children;
    if (piece.fold !== before.fold) slot.host.open = this.open.has(piece.fold);
    slot.host.dataset.key = piece.fold;
    if (piece.summary !== before.summary) summary.innerHTML = piece.summary;
    if (piece.html !== before.html) body.innerHTML = piece.html;
  }

  /** Buttons into the head of a table, and the order its reader last chose. */
  sortable(table) {
    table.tabIndex = 0;
    for (const [at, head] of [...table.querySelectorAll("thead th")].entries()) {
      const button = document.createElement("button");
      button.className = "wtr-sort";
      button.dataset.key = `${this.named(table)}/${at}`;
      button.append(...head.childNodes);
      head.append(button);
      const asked = this.order[this.named(table)];
      if (asked && asked.column === at) this.arrange(table, head, asked);
    }
  }

  named(table) {
    return table.caption ? table.caption.textContent : "";
  }

  sort(head) {
    const table = head.closest("table");
    const down = head.getAttribute("aria-sort") === "ascending";
    const asked = { column: [...head.parentElement.children].indexOf(head), down };
    this.order[this.named(table)] = asked;
    this.arrange(table, head, asked);
  }

  arrange(table, head, { column, down }) {
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, text: value(row), number: toNumber(value(row)) }));
    rows.sort((a, b) => (isNaN(a.number) || isNaN(b.number) ? isNaN(a.number) - isNaN(b.number) || a.text.localeCompare(b.text) : a.number - b.number) * (down ? -1 : 1));
    table.tBodies[0].append(...rows.map(({ row }) => row));
  }

  /** Dress the charts anew, for another theme or another width. */
  async redress(setting) {
    await Promise.all(this.shown.filter((slot) => slot.figure && slot.piece.spec).map((slot) => slot.figure.show(slot.piece, setting)));
  }

  end() {
    for (const slot of this.shown) if (slot.figure) slot.figure.end();
    this.shown = [];
  }
}

/** The number a cell shows, or NaN. */
function toNumber(text) {
  const plain = text.replace(/[$,%\s]|FTE$/g, "").replace("–", "");
  return plain === "" ? NaN : Number(plain);
}
