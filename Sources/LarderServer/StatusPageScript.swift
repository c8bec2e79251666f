// What the status page does: asks for the feed once a second, keeps what it got for an hour, and shows the
// numbers, the graphs and the classes.

extension StatusPage {
    static let script = plan + tiles + classes + asking

    /// Every graph and every number on top stands here once.
    private static let plan = #"""
        let columns = {}, seconds = [], feed = null, evictedBefore = new Map(), range = 600;
        let paused = false, all = false, failedSince = null;
        const ratio = (v) => v("hits") + v("misses") ? v("hits") / (v("hits") + v("misses")) : null;
        const PLANS = [
          { id: "requests", name: "Requests per second", kind: "count", stacked: true, least: 4, series: [
            { name: "hits", of: (v) => v("hits") }, { name: "misses", of: (v) => v("misses") },
            { name: "sets", of: (v) => v("sets") }, { name: "deletes", of: (v) => v("deletes") },
            { name: "counts", of: (v) => v("counts") }, { name: "touches", of: (v) => v("touches") }] },
          { id: "ratio", name: "Hit ratio", kind: "percent", most: 1, series: [
            { name: "of all reads", of: ratio }] },
          { id: "latency", name: "Time to answer", kind: "time", log: true, least: 1000, series: [
            { name: "half below", of: (v) => v("p50"), colour: 4 },
            { name: "99 % below", of: (v) => v("p99"), colour: 2 },
            { name: "99.9 % below", of: (v) => v("p999"), colour: 1 }] },
          { id: "evictions", name: "Items leaving per second", kind: "count", least: 4, series: [
            { name: "evicted", of: (v) => v("evictions"), colour: 1 },
            { name: "expired", of: (v) => v("expired"), colour: 3 }] },
          { id: "connections", name: "Connections", kind: "count", least: 4, series: [
            { name: "open", of: (v) => v("connections"), colour: 4 },
            { name: "refused per second", of: (v) => v("refused"), colour: 1 }] },
          { id: "traffic", name: "Traffic per second", kind: "bytes", least: 1024, series: [
            { name: "to clients", of: (v) => v("written") },
            { name: "from clients", of: (v) => v("read"), colour: 2 }] },
        ];

        """#

    private static let tiles = #"""
        // Rates on top are the mean of three seconds: steady enough to read.
        const lately = (name) => {
          const list = seconds.slice(-3).map((s) => s.values[columns[name]]).filter((v) => v !== null);
          return list.length ? list.reduce((a, b) => a + b) / list.length : null;
        };
        const requests = () => ["hits", "misses", "sets", "deletes", "counts", "touches"]
          .reduce((sum, name) => sum + (lately(name) ?? 0), 0);
        const memory = () => {
          const t = feed.totals, page = t.pageSize;
          const owned = feed.classes.reduce((sum, c) => sum + c.pages * page, 0);
          const used = feed.classes.reduce((sum, c) => sum + c.used * c.chunk, 0);
          const index = t.pagesIndex * page, none = t.pagesFree * page;
          return { used, free: owned - used, index, none, limit: t.limit };
        };
        const TILES = [
          ["Requests", () => [say.count(requests()), "per second"]],
          ["Hit ratio", () => {
            const r = ratio((name) => lately(name) ?? 0), t = feed.totals;
            const ever = t.hits + t.misses ? words("percent", t.hits / (t.hits + t.misses)) : "–";
            return [r === null ? ["–", ""] : say.percent(r), ever + " since the start", r];
          }],
          ["Memory", () => {
            const m = memory(), share = 1 - m.none / m.limit;
            const note = words("percent", share) + " of " + words("bytes", m.limit);
            return [say.bytes(m.limit - m.none), note, share];
          }],
          ["Items", () => {
            const { items, bytes } = feed.totals;
            const note = items ? words("bytes", bytes / items) + " each, on average" : "nothing stored";
            return [say.count(items), note];
          }],
          ["Evictions", () => [say.count(lately("evictions") ?? 0),
            "per second; " + words("count", feed.totals.evictions) + " so far"]],
          ["Connections", () => {
            const { connections, refused } = feed.totals, most = feed.server.maxConnections;
            const note = refused ? `; ${words("count", refused)} refused` : "";
            return [say.count(connections), "of " + words("count", most) + note, connections / most];
          }],
          ["Time to answer", () => {
            const worst = lately("p99"), half = lately("p50");
            return [worst === null ? ["–", ""] : say.time(worst),
              half === null ? "no requests now" : "99 % below; half below " + words("time", half)];
          }],
        ];
        const tileNodes = TILES.map(([name], i) => {
          const tile = make("div", $("tiles"));
          make("dt", tile, {}, name);
          const big = make("dd", tile, { class: "big" }), number = make("span", big, {}, "–");
          const unit = make("small", big), note = make("dd", tile, { class: "note" });
          const colour = { 1: "c0", 2: "c2", 5: "c4" }[i];
          const gauge = colour && make("dd", tile, { class: "gauge " + colour, "aria-hidden": "true" });
          return { number, unit, note, bar: gauge && make("i", gauge) };
        });
        const showTiles = () => TILES.forEach(([, value], i) => {
          const [[number, unit], note, share] = value(), node = tileNodes[i];
          node.number.textContent = number;
          node.unit.textContent = unit ? "\u202f" + unit : "";
          node.note.textContent = note;
          if (node.bar) node.bar.style.width = Math.min(1, share ?? 0) * 100 + "%";
        });

        """#

    private static let classes = #"""
        const SHOWN = 12;
        const wholeBar = make("div", $("whole"), { class: "share", "aria-hidden": "true" });
        const wholeKey = make("ul", $("whole"), { class: "key" });
        const WHOLE = [["items", "used", "c0"], ["free in classes", "free", "free"], ["index", "index", "c3"],
          ["not given out yet", "none", "none"]].map(([name, field, colour]) => {
          const part = make("i", wholeBar, { class: colour }), item = make("li", wholeKey, { class: colour });
          make("span", item, { class: "swatch" });
          item.append(name + " ");
          return { field, part, value: make("b", item) };
        });
        const rows = new Map();
        const rowOf = (id) => {
          if (rows.has(id)) return rows.get(id);
          const row = make("tr");
          make("th", row, { scope: "row" }, id);
          const cells = [0, 1, 2, 3, 4, 5].map((i) => make("td", row, i === 1 ? { class: "wide" } : {}));
          const bar = make("div", cells[1], { class: "share" });
          const node = { row, cells, bar, used: make("i", bar), free: make("i", bar),
            text: make("span", cells[1], { class: "aside" }) };
          rows.set(id, node);
          return node;
        };
        const showClasses = (rate) => {
          const m = memory(), page = feed.totals.pageSize, list = feed.classes.slice();
          for (const { field, part, value } of WHOLE) {
            part.style.width = Math.max(0, m[field]) / m.limit * 100 + "%";
            value.textContent = words("bytes", Math.max(0, m[field]));
          }
          const most = Math.max(1, ...list.map((c) => c.pages));
          const kept = list.slice().sort((a, b) => b.pages - a.pages).slice(0, all ? list.length : SHOWN);
          const shown = list.filter((c) => kept.includes(c));
          for (const c of shown) {
            const node = rowOf(c.id), chunks = c.used + c.free || 1;
            node.bar.style.width = c.pages / most * 100 + "%";
            node.used.style.width = c.used / chunks * 100 + "%";
            node.free.style.width = c.free / chunks * 100 + "%";
            node.text.textContent = words("bytes", c.pages * page);
            node.bar.title = c.pages + " pages, " + words("bytes", c.pages * page);
            const said = [words("bytes", c.chunk), null, words("percent", c.used / chunks),
              words("count", c.used), c.evicted ? span(c.age) : "–", words("count", rate(c))];
            said.forEach((text, i) => { if (text !== null) node.cells[i].textContent = text; });
          }
          const body = $("classes").tBodies[0], nodes = shown.map((c) => rows.get(c.id).row);
          if (nodes.length !== body.children.length || nodes.some((n, i) => body.children[i] !== n)) {
            body.replaceChildren(...nodes);
          }
          $("classes").hidden = !list.length;
          $("noclasses").hidden = list.length > 0;
          $("all").hidden = list.length <= SHOWN;
          $("all").textContent = all ? "The " + SHOWN + " largest only" : "All " + list.length + " classes";
          $("all").setAttribute("aria-expanded", all);
        };

        """#

    private static let asking = #"""
        const nodes = PLANS.map((one) => new Graph($("graphs"), one));
        const notice = (text, calm) => {
          $("notice").hidden = !text;
          $("notice").className = "notice" + (calm ? " calm" : "");
          $("notice").replaceChildren(text ?? "");
        };
        const pill = (text, kind) => {
          if ($("health").textContent !== text) $("health").textContent = text;
          $("health").className = "pill " + kind;
        };
        const show = () => {
          if (!feed) return;
          showTiles();
          for (const node of nodes) node.draw(seconds, feed.time, range);
        };
        const take = (news) => {
          const restarted = feed && (news.server.start !== feed.server.start || news.newest < feed.newest);
          if (restarted) { seconds = []; evictedBefore.clear(); }
          const passed = feed && !restarted ? (news.time - feed.time) / 1000 : null;
          columns = Object.fromEntries(news.columns.map((name, i) => [name, i]));
          // After a restart the daemon counts from 1 again: the next question asks for all it has.
          if (!restarted) for (const [, time, ...values] of news.seconds) seconds.push({ time, values });
          if (seconds.length > 3600) seconds.splice(0, seconds.length - 3600);
          feed = news;
          if (restarted) feed.newest = 0;
          const s = news.server;
          $("place").textContent = location.host;
          $("about").textContent = "version " + s.larder + " · process " + s.pid + " · " + s.threads
            + " threads · up " + span(s.uptime);
          const isWell = !news.health.length;
          pill(isWell ? "All is well" : news.health.join(", "), isWell ? "good" : "bad");
          document.title = words("count", requests()) + "/s · Larder";
          const idle = !news.totals.accepted && !news.totals.items;
          notice(idle ? "No client has come yet. Graphs begin with the first request." : null, true);
          const before = (c) => evictedBefore.get(c.id) ?? c.evicted;
          showClasses((c) => passed ? Math.max(0, c.evicted - before(c)) / passed : 0);
          for (const c of news.classes) evictedBefore.set(c.id, c.evicted);
          show();
        };
        const ask = async () => {
          let again = 1000;
          if (!paused && !document.hidden) {
            try {
              const answer = await fetch("/status.json?after=" + (feed ? feed.newest : 0),
                { signal: AbortSignal.timeout(5000), cache: "no-store" });
              if (!answer.ok) throw new Error(answer.status);
              take(await answer.json());
              failedSince = null;
            } catch {
              failedSince ??= Date.now();
              pill("No answer", "bad");
              notice("The daemon has not answered since " + clock(failedSince, true) + ". Asking again …");
              again = 2000;
            }
          }
          setTimeout(ask, again);
        };
        for (const radio of document.getElementsByName("range")) {
          radio.addEventListener("change", () => { range = Number(radio.value); show(); });
          if (radio.checked) range = Number(radio.value);
        }
        $("pause").addEventListener("click", () => {
          paused = !paused;
          $("pause").setAttribute("aria-pressed", paused);
        });
        $("all").addEventListener("click", () => {
          all = !all;
          if (feed) showClasses(() => 0);
        });
        new ResizeObserver(show).observe($("graphs"));
        ask();

        """#
}
