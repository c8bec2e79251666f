// The classes on the status page: where all of the memory is, and a bar for each class, its memory upwards
// and the age of what it evicts downwards.

extension StatusPage {
    static let classes = keeping + bars + choosing

    private static let keeping = #"""
        const WHOLE = [["items", "used", "used"], ["free in classes", "free", "free"],
          ["index", "index", "c3"], ["not given out yet", "none", "none"]];
        const CELLS = [["in use", "used"], ["free", "free"], ["age at eviction", "c2"], ["items"],
          ["evicted per second"]];
        const sum = (list, value) => list.reduce((all, one) => all + value(one), 0);
        class Bars {
          constructor(card) {
            this.card = card;
            this.when = card.querySelector(".when");
            this.details = card.querySelector("details");
            this.details.addEventListener("toggle", () => this.tell());
            const whole = make("div", $("whole"), { class: "share", "aria-hidden": "true" });
            const key = make("ul", $("whole"), { class: "key" });
            this.whole = WHOLE.map(([name, field, colour]) => {
              const part = make("i", whole, { class: colour }), item = make("li", key, { class: colour });
              make("span", item, { class: "swatch" });
              item.append(name + " ");
              return { field, part, value: make("b", item) };
            });
            this.key = make("ul", null, { class: "key" });
            this.cells = CELLS.map(([name, colour]) => {
              const item = make("li", this.key, colour ? { class: colour } : {});
              if (colour) make("span", item, { class: "swatch" });
              item.append(name + " ");
              return make("b", item, {}, "–");
            });
            this.svg = make("svg", null, { role: "img", tabindex: 0, "aria-describedby": "hint" });
            this.details.before(this.key, this.svg);
            this.back = make("g", this.svg);
            this.front = make("g", this.svg);
            this.chosen = null;
            this.past = [];
            this.listen();
          }
          // Evictions are few in one second: the rate is that of the last ten.
          take(news, restarted) {
            if (restarted) this.past = [];
            this.list = news.classes;
            this.totals = news.totals;
            this.past.push({ time: news.time, evicted: new Map(news.classes.map((c) => [c.id, c.evicted])) });
            if (this.past.length > 10) this.past.shift();
          }
          rate(c) {
            const [first] = this.past, passed = this.past[this.past.length - 1].time - first.time;
            const before = first.evicted.get(c.id) ?? 0;
            return passed ? Math.max(0, c.evicted - before) / passed * 1000 : 0;
          }
        }

        """#

    private static let bars = #"""
        Object.assign(Bars.prototype, {
          draw() {
            if (!this.list) return;
            const { limit, pageSize, pagesIndex, pagesFree } = this.totals, list = this.list;
            const used = sum(list, (c) => c.used * c.chunk), owned = sum(list, (c) => c.pages) * pageSize;
            const index = pagesIndex * pageSize, none = pagesFree * pageSize;
            const parts = { used, free: owned - used, index, none };
            for (const { field, part, value } of this.whole) {
              part.style.width = Math.max(0, parts[field]) / limit * 100 + "%";
              value.textContent = words("bytes", Math.max(0, parts[field]));
            }
            const isEmpty = !list.length;
            $("noclasses").hidden = !isEmpty;
            this.key.hidden = this.details.hidden = isEmpty;
            this.svg.toggleAttribute("hidden", isEmpty);
            const box = this.svg.getBoundingClientRect();
            if (isEmpty || !box.width) return;
            this.axes(box);
            this.front.replaceChildren();
            list.forEach((c, i) => this.bar(c, i));
            this.svg.setAttribute("aria-label", "Memory by class: " + list.length + " classes, "
              + words("bytes", used) + " in use, " + words("bytes", parts.free) + " free");
            this.point();
            this.tell();
          },
          axes(box) {
            const em = parseFloat(getComputedStyle(document.documentElement).fontSize), list = this.list;
            this.left = em * 3.3;
            this.wide = (box.width - 6 - this.left) / list.length;
            this.foot = box.height - em * 1.5;
            this.zero = Math.round(10 + (this.foot - 10) * .66) + .5;
            const page = this.totals.pageSize, top = Math.max(...list.map((c) => c.pages)) * page;
            const scale = marks(top, 1024);
            this.top = scale[scale.length - 1];
            this.oldest = Math.max(1, ...list.map((c) => c.age));
            this.back.replaceChildren();
            const line = (y, text) => {
              make("line", this.back, { class: "grid", x1: this.left, x2: box.width - 6, y1: y, y2: y });
              make("text", this.back, { x: this.left - 6, y: y + 4, "text-anchor": "end" }, text);
            };
            for (const mark of scale.length > 4 ? scale.filter((_, i) => i % 2 === 0) : scale) {
              line(Math.round(this.zero - mark / this.top * (this.zero - 10)) + .5, words("bytes", mark));
            }
            line(Math.round(this.foot) + .5, span(this.oldest).split(" ", 2).join(" "));
            const every = Math.ceil(74 / this.wide);
            for (let i = Math.floor(every / 2); i < list.length; i += every) {
              const x = this.left + (i + .5) * this.wide;
              if (x > box.width - 34) continue;
              make("line", this.back, { class: "grid", x1: x, x2: x, y1: this.foot, y2: this.foot + 5 });
              make("text", this.back, { x, y: box.height - 4, "text-anchor": "middle" },
                words("bytes", list[i].chunk));
            }
          },
          bar(c, i) {
            const gap = this.wide > 4 ? 1 : 0, x = this.left + i * this.wide + gap / 2;
            const chunks = c.used + c.free || 1;
            const high = c.pages * this.totals.pageSize / this.top * (this.zero - 10);
            const full = high * c.used / chunks, width = Math.max(1, this.wide - gap);
            const part = (colour, y, height) => height > 0 && make("path", this.front, {
              class: "bar " + colour, d: `M${x} ${y}h${width}v${height}h${-width}z` });
            part("free", this.zero - high, high - full);
            part("used", this.zero - full, full);
            part("c2", this.zero + 2, c.age / this.oldest * (this.foot - this.zero - 2));
          },
        });

        """#

    private static let choosing = #"""
        Object.assign(Bars.prototype, {
          listen() {
            const at = (event) => {
              const x = event.clientX - this.svg.getBoundingClientRect().left - this.left;
              this.choose(x < 0 ? null : Math.floor(x / this.wide));
            };
            this.svg.addEventListener("pointermove", at);
            this.svg.addEventListener("pointerdown", at);
            this.svg.addEventListener("pointerleave", () => this.choose(null));
            this.svg.addEventListener("blur", () => this.choose(null));
            this.svg.addEventListener("keydown", (event) => {
              const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
              if (event.key === "Escape") this.choose(null);
              if (!by || !this.list?.length) return;
              event.preventDefault();
              const at = this.list.findIndex((c) => c.id === this.chosen);
              this.choose(at < 0 ? 0 : Math.max(0, Math.min(this.list.length - 1, at + by)));
              const said = this.key.innerText.replaceAll("\n", ", ");
              $("spoken").textContent = this.when.textContent + ": " + said;
            });
          },
          choose(index) {
            this.chosen = this.list?.[index]?.id ?? null;
            this.point();
          },
          // The key tells of the class under the pointer, or of all of them.
          point() {
            this.mark?.remove();
            if (!this.list?.length || !this.wide) return;
            const at = this.list.findIndex((c) => c.id === this.chosen), c = this.list[at];
            const some = c ? [c] : this.list, page = this.totals.pageSize;
            const used = sum(some, (c) => c.used * c.chunk), evicting = some.filter((c) => c.evicted);
            const ages = evicting.map((c) => c.age).sort((a, b) => a - b);
            const texts = [words("bytes", used), words("bytes", sum(some, (c) => c.pages) * page - used),
              ages.length ? span(ages[Math.floor(ages.length / 2)]) : "–",
              words("count", sum(some, (c) => c.used)), words("count", sum(some, (c) => this.rate(c)))];
            texts.forEach((text, i) => {
              this.cells[i].textContent = text;
              // The key of the whole says the same of all classes.
              this.cells[i].parentNode.hidden = !c && i < 2;
            });
            this.when.textContent = c ? "class " + c.id + ", chunks of " + words("bytes", c.chunk)
              : this.list.length + " classes, by size of chunk";
            if (!c) return;
            const x = this.left + at * this.wide;
            this.mark = make("path", this.svg, { class: "chosen",
              d: `M${x} 6h${this.wide}V${this.foot}h${-this.wide}z` });
          },
          tell() {
            if (!this.details.open || !this.list) return;
            const body = this.details.querySelector("tbody"), page = this.totals.pageSize;
            body.replaceChildren();
            for (const c of this.list) {
              const row = make("tr", body);
              make("th", row, { scope: "row" }, c.id);
              for (const text of [words("bytes", c.chunk), words("bytes", c.pages * page),
                words("percent", c.used / (c.used + c.free || 1)), words("count", c.used),
                c.evicted ? span(c.age) : "–", words("count", this.rate(c))]) make("td", row, {}, text);
            }
          },
        });

        """#
}
