// What the status page does: asks for the feed once a second, keeps what it got for an hour, and shows the
// numbers and the graphs.

extension StatusPage {
    static let script = plan + tiles + asking

    /// Every graph and every number on top stands here once.
    private static let plan = #"""
        let columns = {}, seconds = [], feed = null, range = 600, paused = false, failedSince = null;
        const ratio = (v) => v("hits") + v("misses") ? v("hits") / (v("hits") + v("misses")) : null;
        const PLANS = [
          { id: "requests", name: "Requests per second", kind: "count", stacked: true, least: 4, series: [
            { name: "hits", of: (v) => v("hits") }, { name: "misses", of: (v) => v("misses") },
            { name: "sets", of: (v) => v("sets") }, { name: "deletes", of: (v) => v("deletes") },
            { name: "counts", of: (v) => v("counts") }, { name: "touches", of: (v) => v("touches") }] },
          { id: "ratio", name: "Hit ratio", kind: "percent", most: 1, series: [
            { name: "of all reads", of: ratio }] },
          { id: "latency", name: "Answered within", kind: "time", log: true, least: 1000, series: [
            { name: "half", of: (v) => v("p50"), colour: 4 },
            { name: "99 %", of: (v) => v("p99"), colour: 2 },
            { name: "99.9 %", of: (v) => v("p999"), colour: 1 }] },
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
        // Each: its name, and a function that gives number and unit, a note, and a share for the bar.
        const TILES = [
          ["Requests/s", () => [say.count(requests()),
            words("percent", (lately("cpu") ?? 0) / 1e6) + " of a CPU"]],
          ["Hit ratio", () => {
            const r = ratio((name) => lately(name) ?? 0), t = feed.totals;
            const ever = t.hits + t.misses ? words("percent", t.hits / (t.hits + t.misses)) : "–";
            return [r === null ? ["–", ""] : say.percent(r), ever + " so far", r];
          }],
          ["Memory", () => {
            const { limit, pagesFree, pageSize } = feed.totals, used = limit - pagesFree * pageSize;
            const note = words("percent", used / limit) + " of " + words("bytes", limit);
            return [say.bytes(used), note, used / limit];
          }],
          ["Items", () => {
            const { items, bytes } = feed.totals;
            const note = items ? words("bytes", bytes / items) + " on average" : "nothing stored";
            return [say.count(items), note];
          }],
          ["Evictions/s", () => [say.count(lately("evictions") ?? 0),
            words("count", feed.totals.evictions) + " so far"]],
          ["Connections", () => {
            const { connections, refused } = feed.totals, most = feed.server.maxConnections;
            const note = refused ? ", " + words("count", refused) + " refused" : "";
            return [say.count(connections), "of " + most.toLocaleString("en") + note, connections / most];
          }],
          ["99 % within", () => {
            const worst = lately("p99"), half = lately("p50");
            return [worst === null ? ["–", ""] : say.time(worst),
              half === null ? "no requests now" : "half within " + words("time", half)];
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

    private static let asking = #"""
        const nodes = PLANS.map((one) => new Graph($("graphs"), one)), bars = new Bars($("classes"));
        $("graphs").append($("classes"));
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
          bars.draw();
        };
        const take = (news) => {
          const restarted = feed && (news.server.start !== feed.server.start || news.newest < feed.newest);
          if (restarted) seconds = [];
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
          notice(idle ? "No client has come yet: the graphs begin with the first request." : null, true);
          bars.take(news, restarted);
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
          if (paused) pill("Paused", "");
        });
        new ResizeObserver(() => requestAnimationFrame(show)).observe($("graphs"));
        ask();

        """#
}
