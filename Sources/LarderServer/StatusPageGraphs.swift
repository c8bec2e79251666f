// How the status page draws: figures as text, and graphs over time as SVG, each with a key that shows the
// values under the pointer and a table that says the same in words.

extension StatusPage {
    static let graphs = figures + scales + graph + drawing + pointing

    private static let figures = #"""
        const $ = (id) => document.getElementById(id);
        const make = (tag, parent, attributes = {}, text) => {
          const svg = ["svg", "path", "line", "text", "circle", "g"].includes(tag);
          const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag)
            : document.createElement(tag);
          for (const name in attributes) node.setAttribute(name, attributes[name]);
          if (text !== undefined) node.textContent = text;
          if (parent) parent.append(node);
          return node;
        };
        const digits = (n) => n < 10 && n % 1 ? n.toFixed(2) : n < 100 && n % 1 ? n.toFixed(1) : n.toFixed(0);
        const scaled = (n, units, step) => {
          let i = 0;
          while (Math.abs(n) >= step * .9995 && i < units.length - 1) { n /= step; i++; }
          return [i === 0 && n >= 10 ? n.toFixed(0) : digits(n), units[i]];
        };
        const say = {
          count: (n) => scaled(n, ["", "k", "M", "G", "T"], 1000),
          bytes: (n) => scaled(n, ["B", "KiB", "MiB", "GiB", "TiB"], 1024),
          time: (n) => scaled(n, ["ns", "µs", "ms", "s"], 1000),
          percent: (n) => [(n === 1 ? 100 : Math.min(99.9, n * 100)).toFixed(1).replace(/\.0$/, ""), "%"],
        };
        const words = (kind, n) => n === null || n === undefined ? "–"
          : say[kind](n).join("\u202f").trim();
        const span = (s) => s < 60 ? Math.floor(s) + " s" : s < 3600 ? Math.floor(s / 60) + " min"
          : s < 86400 ? Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min"
          : Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
        const clock = (ms, seconds) => new Date(ms).toLocaleTimeString([], {
          hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" });

        """#

    private static let scales = #"""
        // Marks of the vertical axis: two to five round numbers, the greatest not below `top`.
        const marks = (top, step) => {
          const rough = top / 4, power = step ** Math.floor(Math.log(rough) / Math.log(step));
          const choices = step === 1024 ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] : [1, 2, 5, 10];
          const by = power * choices.find((c) => c * power >= rough * .9999);
          const list = [];
          for (let n = 0; n < top + by * .999; n += by) list.push(n);
          return list;
        };
        // Seconds put together until there is room to show each: means, and for durations the worst.
        const thinned = (seconds, by, worst) => {
          if (by <= 1) return seconds;
          const list = [];
          let group = [], place = null;
          const close = () => {
            if (!group.length) return;
            const values = group[0].values.map((_, i) => {
              const known = group.map((s) => s.values[i]).filter((v) => v !== null);
              if (!known.length) return null;
              return worst.has(i) ? Math.max(...known) : known.reduce((a, b) => a + b) / known.length;
            });
            list.push({ time: group[group.length - 1].time, values });
          };
          for (const second of seconds) {
            const at = Math.floor(second.time / 1000 / by);
            if (at !== place) { close(); group = []; place = at; }
            group.push(second);
          }
          close();
          return list;
        };

        """#

    private static let graph = #"""
        // One graph. `series`: name and value of a second; `kind`: how values are said; `stacked`, `log`.
        class Graph {
          constructor(parent, plan) {
            Object.assign(this, plan);
            const card = make("section", parent, { class: "card" });
            const head = make("div", card, { class: "cardhead" });
            this.title = make("h2", head, { id: "g-" + this.id }, this.name);
            this.when = make("span", head, { class: "when" });
            this.key = make("ul", card, { class: "key" });
            this.cells = this.series.map((one, i) => {
              const item = make("li", this.key, { class: "c" + (one.colour ?? i) });
              make("span", item, { class: "swatch" });
              item.append(one.name + " ");
              return make("b", item, {}, "–");
            });
            this.svg = make("svg", card, {
              role: "img", tabindex: 0, "aria-label": this.name, "aria-describedby": "hint" });
            this.back = make("g", this.svg);
            this.front = make("g", this.svg);
            this.over = make("g", this.svg);
            this.details = make("details", card);
            make("summary", this.details, {}, "As a table");
            this.table = make("table", make("div", this.details, { class: "scroll" }));
            this.details.addEventListener("toggle", () => this.tell());
            this.cursor = null;
            this.listen();
          }
          value(second, one) { return one.of((name) => second.values[columns[name]]); }
          draw(seconds, end, range) {
            const box = this.svg.getBoundingClientRect();
            if (!box.width) return;
            this.width = box.width;
            this.height = box.height;
            const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
            this.left = em * 3.3;
            this.right = this.width - 6;
            this.bottom = this.height - em * 1.5;
            this.end = end;
            // A young daemon's graphs are as long as it has been watched.
            const oldest = seconds.length ? (end - seconds[0].time) / 1000 + 1 : 0;
            range = this.range = Math.min(range, Math.max(60, oldest));
            const by = Math.ceil(range / ((this.right - this.left) / 2));
            const worst = new Set(["p50", "p99", "p999"].map((name) => columns[name]));
            this.seconds = thinned(seconds.filter((s) => s.time > end - range * 1000), by, worst);
            this.step = by;
            this.rows = this.seconds.map((s) => this.series.map((one) => this.value(s, one)));
            this.scale();
            this.axes();
            this.curves();
            this.point();
            this.tell();
            const last = this.rows[this.rows.length - 1];
            this.svg.setAttribute("aria-label", this.name + ". " + (last ? "Now: " + this.said(last) : ""));
          }
          said(row) {
            return this.series.map((one, i) => one.name + " " + words(this.kind, row[i])).join(", ");
          }
          x(time) { return this.right - (this.end - time) / 1000 / this.range * (this.right - this.left); }
          y(value) {
            const high = this.log
              ? Math.log(Math.max(value, this.low) / this.low) / Math.log(this.top / this.low)
              : value / this.top;
            return this.bottom - Math.min(1, high) * (this.bottom - 10);
          }
        }

        """#

    private static let drawing = #"""
        Object.assign(Graph.prototype, {
          scale() {
            const known = this.rows.map((row) => this.stacked ? [row.reduce((a, b) => a + (b ?? 0), 0)] : row)
              .flat().filter((v) => v !== null);
            let top = Math.max(this.least ?? 1, ...known);
            if (this.log) {
              const bottom = Math.min(...known.filter((v) => v > 0), this.least);
              this.low = 10 ** Math.floor(Math.log10(bottom));
              this.top = 10 ** Math.ceil(Math.log10(Math.max(top, this.low * 100)));
              this.marks = [];
              for (let n = this.low; n <= this.top * 1.01; n *= 10) this.marks.push(n);
            } else {
              if (this.most) top = this.most;
              this.marks = this.most ? [0, .25, .5, .75, 1].map((n) => n * this.most)
                : marks(top, this.kind === "bytes" ? 1024 : 10);
              this.top = this.marks[this.marks.length - 1];
            }
          },
          axes() {
            this.back.replaceChildren();
            for (const mark of this.marks) {
              const y = Math.round(this.y(mark)) + .5;
              make("line", this.back, { class: "grid", x1: this.left, x2: this.right, y1: y, y2: y });
              make("text", this.back, { x: this.left - 6, y: y + 4, "text-anchor": "end" },
                words(this.kind, mark));
            }
            const steps = [10, 30, 60, 120, 300, 600, 900];
            const room = (this.right - this.left) / (this.bottom < 160 ? 62 : 72);
            const by = (steps.find((s) => this.range / s <= room) ?? 1800) * 1000;
            const shift = new Date(this.end).getTimezoneOffset() * 60000;
            let t = Math.ceil((this.end - this.range * 1000 - shift) / by) * by + shift;
            for (; t <= this.end; t += by) {
              const x = this.x(t), at = { x, y: this.height - 4, "text-anchor": "middle" };
              if (x < this.left + 12 || x > this.right - 12) continue;
              make("line", this.back, { class: "grid", x1: x, x2: x, y1: this.bottom, y2: this.bottom + 5 });
              make("text", this.back, at, clock(t, by < 60000));
            }
          },
          // Runs of seconds without a gap.
          runs(height) {
            const runs = [];
            let before = -Infinity;
            this.seconds.forEach((second, i) => {
              const v = height(i);
              if (v === null) { before = -Infinity; return; }
              if (second.time - before > this.step * 3000 + 500) runs.push([]);
              runs[runs.length - 1].push([this.x(second.time).toFixed(1), v]);
              before = second.time;
            });
            return runs;
          },
          curves() {
            this.front.replaceChildren();
            const floors = this.rows.map(() => 0);
            this.series.forEach((one, i) => {
              const group = { class: "c" + (one.colour ?? i) };
              const low = floors.slice();
              const runs = this.runs((at) => {
                const v = this.rows[at][i];
                if (!this.stacked) return v === null ? null : [this.y(v), this.bottom];
                floors[at] += v ?? 0;
                return [this.y(floors[at]), this.y(low[at])];
              });
              const g = make("g", this.front, group);
              for (const run of runs) {
                const up = run.map(([x, [y]]) => x + " " + y.toFixed(1)).join("L");
                const down = run.slice().reverse().map(([x, [, y]]) => x + " " + y.toFixed(1)).join("L");
                if (this.stacked || i === 0 && !this.log) {
                  make("path", g, { class: this.stacked ? "area" : "under", d: "M" + up + "L" + down + "Z" });
                }
                if (!this.stacked) make("path", g, { class: "curve", d: "M" + up });
              }
            });
          },
        });

        """#

    private static let pointing = #"""
        Object.assign(Graph.prototype, {
          listen() {
            const at = (event) => {
              const x = event.clientX - this.svg.getBoundingClientRect().left;
              this.aim(this.end - (this.right - x) / (this.right - this.left) * this.range * 1000);
            };
            this.svg.addEventListener("pointermove", at);
            this.svg.addEventListener("pointerdown", at);
            this.svg.addEventListener("pointerleave", () => this.aim(null));
            this.svg.addEventListener("blur", () => this.aim(null));
            this.svg.addEventListener("keydown", (event) => {
              const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
              if (event.key === "Escape") this.aim(null);
              if (!by || !this.seconds?.length) return;
              event.preventDefault();
              const from = this.place ?? this.seconds.length - 1;
              const place = Math.max(0, Math.min(this.seconds.length - 1, from + by));
              this.aim(this.seconds[place].time);
              $("spoken").textContent = clock(this.seconds[place].time, true) + ": "
                + this.said(this.rows[place]);
            });
          },
          aim(time) {
            this.cursor = time;
            this.point();
          },
          // The hair line and the values of the key: of the second aimed at, or of the newest.
          point() {
            if (!this.seconds) return;
            this.over.replaceChildren();
            this.place = null;
            if (this.cursor !== null) {
              let best = Infinity;
              this.seconds.forEach((second, i) => {
                const far = Math.abs(second.time - this.cursor);
                if (far < best) { best = far; this.place = i; }
              });
            }
            const place = this.place ?? this.seconds.length - 1;
            const row = this.rows[place];
            this.cells.forEach((cell, i) => { cell.textContent = words(this.kind, row ? row[i] : null); });
            this.when.textContent = this.place === null ? "" : clock(this.seconds[place].time, true);
            if (this.place === null) return;
            const x = this.x(this.seconds[place].time);
            make("line", this.over, { class: "hair", x1: x, x2: x, y1: 6, y2: this.bottom });
            if (this.stacked) return;
            row.forEach((v, i) => {
              if (v === null) return;
              const g = make("g", this.over, { class: "c" + (this.series[i].colour ?? i) });
              make("circle", g, { class: "dot", r: 5, cx: x, cy: this.y(v) });
            });
          },
          tell() {
            if (!this.details.open || !this.seconds) return;
            this.table.replaceChildren();
            const head = make("tr", make("thead", this.table));
            make("th", head, { scope: "col" }, "Time");
            for (const one of this.series) make("th", head, { scope: "col" }, one.name);
            const body = make("tbody", this.table);
            const every = Math.max(1, Math.ceil(this.seconds.length / 12));
            for (let i = this.seconds.length - 1; i >= 0; i -= every) {
              const row = make("tr", body);
              make("th", row, { scope: "row" }, clock(this.seconds[i].time, true));
              for (const v of this.rows[i]) make("td", row, {}, words(this.kind, v));
            }
          },
        });

        """#
}
