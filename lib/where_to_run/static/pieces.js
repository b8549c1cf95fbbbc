// Pieces: what a panel shows, as a list of HTML and charts; what a reader opened or sorted stays so.

/** A panel on the page. */
class LivePanel {
  constructor(element) {
    this.element = element;
    this.shown = [];
    this.element.addEventListener("click", (event) => {
      const button = event.target.closest("th button.wtr-sort");
      if (button) this.sort(button.closest("th"));
    });
    this.order = {};
  }

  /** Show pieces in place of those shown; resolves when all charts are painted. */
  async show(pieces, dark) {
    const same = pieces.length === this.shown.length && pieces.every((piece, at) => "html" in piece === "html" in this.shown[at].piece);
    if (!same) {
      this.end();
      this.shown = pieces.map((piece) => ({ piece: {}, figure: "html" in piece ? null : new LiveFigure() }));
      for (const slot of this.shown) slot.host = slot.figure ? slot.figure.host : document.createElement("div");
      this.element.replaceChildren(...this.shown.map((slot) => slot.host));
    }
    await Promise.all(pieces.map((piece, at) => this.fill(this.shown[at], piece, dark)));
  }

  async fill(slot, piece, dark) {
    const before = slot.piece;
    slot.piece = piece;
    if (slot.figure) return slot.figure.show(piece, dark);
    if (piece.html === before.html) return;
    const open = new Set([...slot.host.querySelectorAll("details[open]")].map((d) => d.dataset.key));
    const focused = slot.host.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : undefined;
    slot.host.innerHTML = piece.html;
    for (const details of slot.host.querySelectorAll("details")) if (details.dataset.key && open.has(details.dataset.key)) details.open = true;
    for (const table of slot.host.querySelectorAll("table.wtr")) this.sortable(table);
    const again = focused && slot.host.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again) (again.querySelector("summary") || again).focus();
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
  async redress(dark) {
    await Promise.all(this.shown.filter((slot) => slot.figure && slot.piece.spec).map((slot) => slot.figure.show(slot.piece, dark)));
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
