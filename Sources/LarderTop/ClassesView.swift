// The slab classes of one daemon: what chunks of each size hold, how they are read, and what had to go.

enum ClassesView {
    struct Row {
        let sample: ClassSample
        let hits: Double?
        let sets: Double?
        let evictions: Double?
        /// Its pages beside those of the class that has most.
        let share: Double?
    }

    static var table: Table<Row> { Table(columns: columns) }

    private static var columns: [Column<Row>] {
        [
            Column("CLASS", 5, rank: 0, order: .number { -Double($0.sample.number) + 1024 }) {
                "\($0.sample.number)"
            },
            Column("CHUNK", 6, rank: 1, order: .none) { Figures.bytes($0.sample["chunk_size"]) },
            Column("ITEMS", 6, rank: 3, order: .number { $0.sample["number"] ?? $0.sample["used_chunks"] })
            {
                Figures.count($0.sample["number"] ?? $0.sample["used_chunks"])
            },
            Column("PAGES", 5, rank: 8, order: .number { $0.sample["total_pages"] }) {
                Figures.count($0.sample["total_pages"])
            },
            Column("MEMORY", 6, rank: 2, order: .number(\.sample.memory)) {
                Figures.bytes($0.sample.memory)
            },
            Column("FULL%", 5, rank: 6, order: .number(\.sample.filled)) {
                Figures.percent($0.sample.filled)
            },
            Column("SLACK%", 6, rank: 9, order: .number(\.sample.slack)) {
                Figures.percent($0.sample.slack)
            },
            Column("HIT/s", 6, rank: 4, order: .number(\.hits)) { Figures.rate($0.hits) },
            Column("SET/s", 6, rank: 5, order: .number(\.sets)) { Figures.rate($0.sets) },
            Column("EVICT/s", 7, rank: 5, order: .number(\.evictions)) { Figures.rate($0.evictions) },
            Column("EVICTED", 7, rank: 10, order: .number { $0.sample["evicted"] }) {
                Figures.count($0.sample["evicted"])
            },
            Column("AGE", 6, rank: 7, order: .number { $0.sample["age"] }) {
                Figures.duration($0.sample["age"])
            },
            Column("NOROOM", 6, rank: 11, order: .number { $0.sample["outofmemory"] }) {
                Figures.count($0.sample["outofmemory"])
            },
        ]
    }

    static func lines(_ model: TopModel, _ width: Int, _ height: Int?) -> [Line] {
        let reading = model.reading
        if let absence = Screen.absence(reading) { return [Line(), absence] }
        let classes = reading.latest?.classes ?? []
        let total = classes.reduce(0) { $0 + $1.memory }
        let most = classes.map(\.memory).max() ?? 0
        guard total > 0 else { return [Line(), Line("\(reading.name): no class has a page yet", .dim)] }
        let rows = classes.map { sample in
            Row(
                sample: sample, hits: reading.rate("get_hits", of: sample.number),
                sets: reading.rate("cmd_set", of: sample.number),
                evictions: reading.rate("evicted", of: sample.number), share: sample.memory / most)
        }
        let kept = table.fitting(width, longest: 5)
        // What the columns leave free shows where the memory is.
        let used = kept.reduce(-1) { $0 + 1 + $1.width }
        let gauge = min(width - used - 2, 32)
        var head = table.head(kept, model.sorting)
        if gauge >= 8 { head.append("  " + "MEMORY".fitted(gauge), .bold) }
        let drawn = table.sorted(rows, model.sorting).map { row in
            var line = table.line(row, kept, (row.evictions ?? 0) > 0 ? .alarm : [])
            if gauge >= 8 {
                line.append("  ")
                line.append(
                    Graph.gauge(row.share, width: gauge, isUnicode: model.isUnicode), .accent)
            }
            return line
        }
        var summary = Line()
        summary.append(
            " \(classes.count) classes, \(Figures.bytes(total)) in pages, "
                + "\(Figures.bytes(reading.rates.bytes)) of \(Figures.bytes(reading.rates.limit)) in items",
            .dim)
        return [head] + Screen.window(drawn, model.scroll, height.map { $0 - 2 }) + [summary]
    }
}
