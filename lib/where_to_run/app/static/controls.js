// Controls: an input for every field of the question, as the kernel describes it.

/** An element with attributes and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const SCALE = { "%": 0.01, k: 1e3, m: 1e6, g: 1e9 };

/** The number that was typed, as 3e6, 3 M, 30 % or 3,000,000; what is none is left for the kernel to refuse in words. */
function typedNumber(text, percent) {
  const short = text.replace(/\(.*$/, "").trim();
  const [, digits, unit] = short.match(/^(.*?)\s*([%kmg]?)$/i);
  const number = Number(/^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(digits) ? digits.replaceAll(",", "") : digits || NaN);
  const scale = SCALE[unit.toLowerCase() || (percent ? "%" : "")] ?? 1;
  return isNaN(number) ? short : Number((number * scale).toPrecision(12));
}

/** A slider over stops, and a box to type in; a value between two stops becomes a stop. */
class Slider {
  constructor(field, send) {
    this.field = field;
    this.stops = field.stops;
    const id = `wtr-${field.name}`;
    this.percent = field.stops[0].text.includes("%");
    this.output = make("output", { for: id, "aria-hidden": "true" });
    this.typed = make("input", { type: "text", id: `${id}-typed`, inputmode: "decimal", autocomplete: "off", maxlength: 30, "aria-label": `${field.label}, to type`, title: field.meaning });
    this.typed.addEventListener("change", () => send(field.name, typedNumber(this.typed.value, this.percent)));
    this.input = make("input", { type: "range", id, min: 0, max: this.stops.length - 1, step: 1, title: field.meaning, "aria-describedby": `${id}-help` });
    this.input.addEventListener("input", () => {
      this.tell(this.stops[+this.input.value]);
      send(field.name, this.stops[+this.input.value].value);
    });
    this.element = make("div", { class: field.small ? "wtr-slider wtr-small" : "wtr-slider" }, make("label", { for: id }, field.label), this.output, this.typed, this.input, help(field));
  }

  tell(stop) {
    const [, number, word] = stop.text.match(/^([^(]*?)\s*(?:\((.*)\))?$/);
    this.typed.value = number;
    this.output.textContent = word || "";
    this.input.setAttribute("aria-valuetext", `${stop.text} ${this.field.unit}`.trim());
  }

  set(shown) {
    const known = (stop) => Math.abs(stop.value - shown.value) <= 1e-9 * Math.max(1, Math.abs(shown.value));
    this.stops = this.field.stops.some(known) ? this.field.stops : [...this.field.stops, shown].sort((a, b) => a.value - b.value);
    this.input.max = this.stops.length - 1;
    this.input.value = this.stops.findIndex(known);
    this.tell(shown);
  }
}

/** One of several names. */
class Choice {
  constructor(field, send) {
    const id = `wtr-${field.name}`;
    this.input = make("select", { id, title: field.meaning, "aria-describedby": `${id}-help` }, ...field.choices.map((c) => make("option", { value: c.value }, c.text)));
    this.input.addEventListener("change", () => send(field.name, this.input.value));
    this.element = make("div", { class: "wtr-choice" }, make("label", { for: id }, field.label), this.input, help(field));
  }

  set(shown) {
    this.input.value = shown.value;
  }
}

/** Any number of names. */
class Names {
  constructor(field, send) {
    this.boxes = field.choices.map((choice) => make("input", { type: "checkbox", value: choice.value }));
    const lines = field.choices.map((choice, at) => make("label", { title: choice.meaning }, this.boxes[at], choice.text));
    this.element = make("fieldset", { id: `wtr-${field.name}`, class: "wtr-names" }, make("legend", { title: field.meaning }, field.label), ...lines);
    this.element.addEventListener("change", () => send(field.name, this.boxes.filter((box) => box.checked).map((box) => box.value)));
  }

  set(shown) {
    for (const box of this.boxes) box.checked = shown.value.includes(box.value);
  }
}

/** Names in an order. */
class Order {
  constructor(field, send) {
    this.field = field;
    this.send = send;
    this.list = make("ol");
    this.element = make("fieldset", { id: `wtr-${field.name}` }, make("legend", { title: field.meaning }, field.label), this.list);
  }

  set(shown) {
    const names = this.field.choices.map((choice) => choice.value);
    const order = [...shown.value, ...names.filter((name) => !shown.value.includes(name))];
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.list.replaceChildren(
      ...order.map((name, at) =>
        make("li", {}, make("span", {}, name), make("button", { type: "button", "data-name": name, "aria-label": `Move ${name} up`, disabled: at === 0, onclick: () => this.up(order, at) }, "↑"))
      )
    );
    if (focused) (this.list.querySelector(`[data-name="${focused}"]:not(:disabled)`) || this.list.querySelector("button:not(:disabled)")).focus();
  }

  up(order, at) {
    const moved = [...order];
    [moved[at - 1], moved[at]] = [moved[at], moved[at - 1]];
    this.set({ value: moved });
    this.send(this.field.name, moved);
  }
}

function help(field) {
  return make("span", { id: `wtr-${field.name}-help`, class: "wtr-unseen" }, field.meaning);
}

/** Fields by what they say under a name, in order of appearance. */
function by(fields, name) {
  const found = new Map();
  for (const field of fields) found.set(field[name], [...(found.get(field[name]) || []), field]);
  return [...found];
}

const SMALL = 760; // px: below it all groups are closed at first, so that the answer is in sight

const KINDS = { number: Slider, whole: Slider, choice: Choice, names: Names, order: Order };

/** All controls: the questions that come first, open where there is room, and the others by group under more. */
class Controls {
  constructor(fields, send) {
    this.inputs = {};
    this.texts = {};
    // a value that is refused comes back as it was before
    const sends = (name, value) => { this.texts[name] = null; send(name, value); };
    for (const field of fields) this.inputs[field.name] = new KINDS[field.kind](field, sends);
    this.rest = fields.filter((field) => !field.ask);
    this.summary = make("summary");
    const asked = by(fields.filter((field) => field.ask), "ask").sort(([a], [b]) => (a < b ? -1 : 1));
    const groups = by(this.rest, "group").map(([name, some]) => this.group(make("summary", {}, name), false, some));
    this.elements = [
      ...asked.map(([sentence, some]) => this.group(make("summary", {}, sentence), innerWidth > SMALL, some)),
      make("details", { class: "wtr-group wtr-more" }, this.summary, ...groups),
    ];
  }

  group(summary, open, fields) {
    return make("details", { class: "wtr-group", open }, summary, ...fields.map(({ name }) => this.inputs[name].element));
  }

  /** Say how many of those under more stand as they come. */
  count(values) {
    const same = this.rest.filter((field) => JSON.stringify(values[field.name].value) === JSON.stringify(field.default)).length;
    const words = `More: ${same === this.rest.length ? "all" : `${same} of`} ${this.rest.length} at their default`;
    if (this.summary.textContent !== words) this.summary.textContent = words;
  }

  /** Show what the kernel holds, but for fields that are on their way to it. */
  set(values, underway) {
    this.count(values);
    for (const [name, shown] of Object.entries(values)) {
      const text = JSON.stringify(shown.value);
      if (underway.has(name)) this.texts[name] = null;
      else if (this.texts[name] !== text) {
        this.texts[name] = text;
        this.inputs[name].set(shown);
      }
    }
  }
}
