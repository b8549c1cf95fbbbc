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

/** A slider over stops; a value between two stops becomes a stop. */
class Slider {
  constructor(field, send) {
    this.field = field;
    this.stops = field.stops;
    const id = `wtr-${field.name}`;
    this.output = make("output", { for: id, "aria-hidden": "true" });
    this.input = make("input", { type: "range", id, min: 0, max: this.stops.length - 1, step: 1, title: field.meaning, "aria-describedby": `${id}-help` });
    this.input.addEventListener("input", () => {
      this.tell(this.stops[+this.input.value]);
      send(field.name, this.stops[+this.input.value].value);
    });
    this.element = make("div", { class: "wtr-slider" }, make("label", { for: id }, field.label), this.output, this.input, help(field));
  }

  tell(stop) {
    this.output.textContent = stop.text;
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
    this.element = make("fieldset", { id: `wtr-${field.name}` }, make("legend", { title: field.meaning }, field.label), ...lines);
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

const SMALL = 760; // px: below it all groups are closed at first, so that the answer is in sight

const KINDS = { number: Slider, whole: Slider, choice: Choice, names: Names, order: Order };

/** All controls, those of the front groups open and the others closed at first. */
class Controls {
  constructor(fields, send) {
    this.inputs = {};
    this.texts = {};
    const groups = new Map();
    for (const field of fields) {
      const input = new KINDS[field.kind](field, send);
      this.inputs[field.name] = input;
      if (!groups.has(field.group)) groups.set(field.group, []);
      groups.get(field.group).push({ field, input });
    }
    const front = (entries) => entries[0].field.front;
    this.elements = [...groups].sort(([, a], [, b]) => front(b) - front(a)).map(([name, entries]) => {
      const summary = make("summary", {}, name === "Headline" ? "Volume and budget" : name);
      return make("details", { class: "wtr-group", open: front(entries) && innerWidth > SMALL }, summary, ...entries.map(({ input }) => input.element));
    });
  }

  /** Show what the kernel holds, but for fields that are on their way to it. */
  set(values, underway) {
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
