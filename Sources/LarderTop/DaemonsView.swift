// The first view: a row for each daemon, their total, then graphs and details of the chosen one.

enum DaemonsView {
    struct Row {
        let name: String
        let number: Int?
        let rates: Rates
        /// Said instead of figures.
        let remark: String?
    }

    static var table: Table<Row> { Table(columns: columns) }

    private static var columns: [Column<Row>] {
        [
            Column("DAEMON", 15, rank: 0, isLeft: true, order: .text(\.name)) { $0.name },
            Column("GET/s", 6, rank: 1, order: .number(\.rates.gets)) { Figures.rate($0.rates.gets) },
            Column("SET/s", 6, rank: 3, order: .number(\.rates.sets)) { Figures.rate($0.rates.sets) },
            Column("HIT%", 5, rank: 2, order: .number(\.rates.hitRatio)) {
                Figures.percent($0.rates.hitRatio)
            },
            Column("EVICT/s", 7, rank: 4, order: .number(\.rates.evictions)) {
                Figures.rate($0.rates.evictions)
            },
            Column("ITEMS", 6, rank: 6, order: .number(\.rates.items)) { Figures.count($0.rates.items) },
            Column("LIMIT", 6, rank: 10, order: .number(\.rates.limit)) { Figures.bytes($0.rates.limit) },
            Column("FULL%", 5, rank: 5, order: .number(\.rates.filled)) {
                Figures.percent($0.rates.filled)
            },
            Column("CONNS", 5, rank: 7, order: .number(\.rates.connections)) {
                Figures.count($0.rates.connections)
            },
            Column("IN/s", 6, rank: 9, order: .number(\.rates.bytesIn)) { Figures.bytes($0.rates.bytesIn) },
            Column("OUT/s", 6, rank: 8, order: .number(\.rates.bytesOut)) {
                Figures.bytes($0.rates.bytesOut)
            },
        ]
    }

    static func lines(_ model: TopModel, _ width: Int, _ height: Int?) -> [Line] {
        let rows = model.readings.enumerated().map { row($1, $0) }
        let longest = rows.map(\.name.count).max() ?? 0
        let kept = table.fitting(width, longest: min(longest, 40))
        var drawn = table.sorted(rows, model.sorting).map { row in
            line(row, kept, isSelected: row.number == model.selected && rows.count > 1 && height != nil)
        }
        var lines = [table.head(kept, model.sorting)]
        if rows.count > 1 {
            let total = Row(
                name: "all together", number: nil,
                rates: .total(model.readings.filter(\.isUp).map(\.rates)), remark: nil)
            // Many daemons leave half of the screen to the details; the chosen one stays in sight.
            if let height, drawn.count > max(3, height / 2) {
                drawn = Screen.window(drawn, model.selected - 1, max(3, height / 2))
            }
            lines += drawn + [table.line(total, kept, .bold)]
        } else {
            lines += drawn
        }
        lines.append(Line())
        let details = self.details(model, width)
        let room = height.map { $0 - lines.count } ?? .max
        if model.reading.isUp {
            lines.append(details[0])
            // In a batch the past is in the frames above.
            if height != nil { lines += graphs(model, width, room: room - 1, details: details.count) }
        }
        lines += model.reading.isUp ? details.dropFirst() : details[...]
        return lines
    }

    private static func row(_ reading: Reading, _ number: Int) -> Row {
        var remark: String?
        if case .down(let reason) = reading.condition { remark = "down: " + reason }
        if case .waiting = reading.condition { remark = "waiting for an answer" }
        return Row(name: reading.name, number: number, rates: reading.rates, remark: remark)
    }

    private static func line(_ row: Row, _ kept: [Column<Row>], isSelected: Bool) -> Line {
        let style: Style = isSelected ? .reverse : []
        guard let remark = row.remark else { return table.line(row, kept, style) }
        let name = kept.first.map { row.name.fitted($0.width).left($0.width) } ?? ""
        var line = Line(name, style)
        line.append(" " + remark, style.union(.alarm))
        return line
    }

    // MARK: Graphs

    private struct Series {
        let name: String
        let now: String
        let values: [Double?]
        let top: Double?
    }

    private static func graphs(_ model: TopModel, _ width: Int, room: Int, details: Int) -> [Line] {
        guard width >= 40 else { return [] }
        let past = model.reading.history.all
        let rates = model.reading.rates
        let all = [
            Series(name: "gets", now: Figures.rate(rates.gets) + "/s", values: past.map(\.gets), top: nil),
            Series(
                name: "hits", now: Figures.percent(rates.hitRatio) + "%", values: past.map(\.hitRatio),
                top: 1),
            Series(name: "sets", now: Figures.rate(rates.sets) + "/s", values: past.map(\.sets), top: nil),
            Series(
                name: "evictions", now: Figures.rate(rates.evictions) + "/s", values: past.map(\.evictions),
                top: nil),
        ]
        let spare = room - details
        let height = min(max(1, spare / all.count), 6)
        var lines: [Line] = []
        for series in all {
            let bars = Graph.bars(
                series.values, width: width - 19, height: height, top: series.top,
                isUnicode: model.isUnicode)
            for (place, bar) in bars.enumerated() {
                let isLast = place == bars.count - 1
                var line = Line(
                    isLast ? " " + series.name.left(9) + " " : String(repeating: " ", count: 11))
                line.append(isLast ? series.now.right(7) : String(repeating: " ", count: 7), .bold)
                line.append(" ")
                line.append(bar, .accent)
                lines.append(line)
            }
        }
        return lines
    }

    // MARK: Details

    /// The first line is the heading.
    private static func details(_ model: TopModel, _ width: Int) -> [Line] {
        let reading = model.reading
        if let absence = Screen.absence(reading) { return [absence] }
        let sample = reading.latest
        func text(_ name: String) -> String { sample?.general[name] ?? Figures.none }
        var heading = Line(reading.name, .bold)
        let kind = reading.larderVersion.map { "Larder \($0)" } ?? "memcached \(text("version"))"
        heading.append(
            "  \(kind), up \(Figures.duration(sample?.number("uptime"))), pid \(text("pid")), "
                + "\(text("threads")) threads, CPU \(cpu(reading))")
        let cells = self.cells(reading)
        let columns = min(max(1, width / 38), 3)
        let columnWidth = width / columns
        let height = (cells.count + columns - 1) / columns
        var lines = [heading]
        for place in 0..<height {
            var line = Line()
            for column in 0..<columns where column * height + place < cells.count {
                let (label, value) = cells[column * height + place]
                line.append(" " + label.left(11), .dim)
                line.append(value.fitted(max(0, columnWidth - 13)).left(max(0, columnWidth - 12)))
            }
            lines.append(line)
        }
        return lines
    }

    private static func cpu(_ reading: Reading) -> String {
        guard let load = reading.rate("rusage_user", "rusage_system") else { return Figures.none }
        return Figures.percent(load) + "%"
    }

    private static func cells(_ reading: Reading) -> [(String, String)] {
        let sample = reading.latest
        func number(_ name: String) -> Double? { sample?.number(name) }
        func count(_ name: String) -> String { Figures.count(number(name)) }
        func rate(_ names: String...) -> String {
            // Only those the daemon has.
            let rates = names.compactMap { reading.rate($0) }
            return rates.isEmpty ? Figures.none : Figures.rate(rates.reduce(0, +)) + "/s"
        }
        let rates = reading.rates
        return [
            (
                "hits",
                "\(Figures.percent(rates.hitRatio))% now, \(Figures.percent(reading.hitRatioEver))% ever"
            ),
            ("misses", rate("get_misses") + ", expired \(rate("get_expired"))"),
            ("deletes", rate("delete_hits", "delete_misses")),
            ("incr, decr", rate("incr_hits", "incr_misses", "decr_hits", "decr_misses")),
            ("cas", rate("cas_hits", "cas_misses", "cas_badval") + ", lost \(rate("cas_badval"))"),
            ("touches", rate("cmd_touch")),
            ("meta", rate("cmd_meta")),
            ("memory", "\(Figures.bytes(rates.bytes)) of \(Figures.bytes(rates.limit)) in items"),
            ("items", "\(Figures.count(rates.items)), stored ever \(count("total_items"))"),
            ("evicted", "\(count("evictions")), \(count("evicted_unfetched")) never read"),
            ("expired", "\(count("reclaimed")), \(count("expired_unfetched")) never read"),
            ("no room", "\(count("store_no_memory")), too large \(count("store_too_large"))"),
            (
                "clients",
                "\(count("curr_connections")) of \(count("max_connections")), "
                    + "new \(rate("total_connections"))"
            ),
            ("refused", "\(count("rejected_connections")) clients, \(count("auth_errors")) passwords"),
            ("network", "in \(Figures.bytes(rates.bytesIn))/s, out \(Figures.bytes(rates.bytesOut))/s"),
        ]
    }
}
