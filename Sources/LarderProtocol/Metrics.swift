// `/metrics`: figures in Prometheus' text format 0.0.4. What there is to show stands in MetricTable.swift,
// and each figure's meaning in the tables of `stats`; this joins the two and prints them.

/// What is shown by one name.
struct MetricFamily: Sendable {
    /// Prometheus' types. A counter whose name, given by others, does not end in `_total` is untyped.
    enum Kind: String, Sendable { case counter, gauge, untyped, histogram }

    /// Where a value comes from: the row of a table of `stats`, by its name there.
    enum Source: Sendable {
        case stat(String)
        /// A row in microseconds, shown in seconds.
        case seconds(String)
        /// A row less others; never below 0.
        case difference(String, [String])
        case sum([String])
        case larder(String)
        /// A row of `stats settings`; yes and no are 1 and 0.
        case setting(String)
        case one
    }

    /// One line: its labels, as they are printed, and its value.
    struct Line: Sendable {
        let labels: String
        let source: Source
    }

    let name: String
    let kind: Kind
    let help: String
    let lines: [Line]

    init(_ name: String, _ kind: Kind, _ help: String, _ lines: [Line]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.lines = lines
    }

    init(_ name: String, _ kind: Kind, _ help: String, _ source: Source) {
        self.init(name, kind, help, [Line(labels: "", source: source)])
    }
}

/// A family with lines for every class; the label `slab` is added.
struct ClassMetricFamily: Sendable {
    enum Source: Sendable {
        case item(String)
        case slab(String)
        case slabDifference(String, [String])
    }
    let name: String
    let kind: MetricFamily.Kind
    let help: String
    /// Labels beside the class, and where the value is from.
    let lines: [(labels: String, source: Source)]
}

/// The same figures as Prometheus reads them.
public enum Metrics {
    /// The media type of the text.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Everything as text. `settings`: the rows as they were at start; `admin` knows what has changed.
    public static func render(
        _ facts: StatsFacts, settings: [(String, String)], admin: AdminState
    ) -> [UInt8] {
        var page = Page()
        page.values["settings"] = Dictionary(settings + Array(admin.rememberedSettings)) { $1 }
        page.values["stats"] = Dictionary(uniqueKeysWithValues: shown(GeneralStats.rows, facts))
        page.values["larder"] = Dictionary(uniqueKeysWithValues: shown(LarderStats.rows, facts))
        for family in MetricTable.general { page.append(family) }
        page.append(MetricTable.classes, of: facts)
        page.appendBuild(facts.server)
        page.append(states: facts.server.connectionStates)
        page.append(silence: facts.server.threadSilence)
        page.append(facts.server.latency)
        return page.text
    }

    private static func shown<Source>(
        _ rows: [StatRow<Source>], _ source: Source
    ) -> [(String, String)] {
        rows.filter { $0.isShown(source) }.map { ($0.name, $0.value(source).text) }
    }

    /// A label's value with what would end it escaped.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    // MARK: Printing

    private struct Page {
        var text: [UInt8] = []
        /// Tables of `stats`, by name, as they are now.
        var values: [String: [String: String]] = [:]

        mutating func append(_ line: String) {
            text.append(contentsOf: line.utf8)
            text.append(0x0A)
        }

        mutating func head(_ name: String, _ kind: MetricFamily.Kind, _ help: String) {
            append("# HELP \(name) \(help)")
            append("# TYPE \(name) \(kind.rawValue)")
        }

        /// What a server does not count, because an option is off, is left out with its head.
        mutating func append(_ family: MetricFamily) {
            let lines = family.lines.compactMap { line in value(line.source).map { (line.labels, $0) } }
            guard !lines.isEmpty else { return }
            head(family.name, family.kind, family.help)
            for (labels, value) in lines {
                append(labels.isEmpty ? "\(family.name) \(value)" : "\(family.name){\(labels)} \(value)")
            }
        }

        private func number(_ table: String, _ name: String) -> UInt64? {
            values[table]?[name].flatMap { UInt64($0) }
        }

        private func value(_ source: MetricFamily.Source) -> String? {
            switch source {
            case .stat(let name): return values["stats"]?[name]
            case .larder(let name): return values["larder"]?[name]
            case .seconds(let name): return number("stats", name).map { StatValue.microseconds($0).text }
            case .difference(let name, let others):
                return number("stats", name)
                    .map { String(Self.difference($0, others) { number("stats", $0) }) }
            case .sum(let names):
                // Of figures in seconds with a point as well.
                let parts = names.compactMap { values["stats"]?[$0].flatMap { Double($0) } }
                return parts.count == names.count ? "\(parts.reduce(0, +))" : nil
            case .setting(let name):
                guard values["settings"]?["lru_crawler"] == "yes" || !name.hasPrefix("lru_crawler") else {
                    return nil
                }
                switch values["settings"]?[name] {
                case "yes"?: return "1"
                case "no"?: return "0"
                case let text?: return Double(text) == nil ? nil : text
                case nil: return nil
                }
            case .one: return "1"
            }
        }

        static func difference(_ first: UInt64, _ others: [String], _ number: (String) -> UInt64?) -> UInt64 {
            var rest = first
            for other in others {
                let less = number(other) ?? 0
                rest = rest > less ? rest - less : 0
            }
            return rest
        }

        mutating func append(_ families: [ClassMetricFamily], of facts: StatsFacts) {
            let classes = facts.store.classes.map { figures in
                let source = ClassFacts(figures: figures, options: facts.options)
                // `stats items` leaves out classes without items, `stats slabs` those without pages.
                let items = figures.items > 0 ? Metrics.shown(ClassStats.itemRows, source) : []
                let slabs = figures.pages > 0 ? Metrics.shown(ClassStats.slabRows, source) : []
                return (
                    id: figures.id, items: Dictionary(uniqueKeysWithValues: items),
                    slabs: Dictionary(uniqueKeysWithValues: slabs)
                )
            }
            for family in families {
                var hasHead = false
                for one in classes {
                    for line in family.lines {
                        let value: String?
                        switch line.source {
                        case .item(let name): value = one.items[name]
                        case .slab(let name): value = one.slabs[name]
                        case .slabDifference(let name, let others):
                            value = one.slabs[name].flatMap { UInt64($0) }.map {
                                String(Self.difference($0, others) { one.slabs[$0].flatMap { UInt64($0) } })
                            }
                        }
                        guard let value else { continue }
                        if !hasHead { head(family.name, family.kind, family.help) }
                        hasHead = true
                        let more = line.labels.isEmpty ? "" : "," + line.labels
                        append("\(family.name){slab=\"\(one.id)\"\(more)} \(value)")
                    }
                }
            }
        }

        mutating func appendBuild(_ server: ServerFigures) {
            head("memcached_version", .gauge, "The version that clients are told; always 1.")
            append("memcached_version{version=\"\(escaped(server.version))\"} 1")
            head("larder_build_info", .gauge, "Versions of Larder and of libevent; always 1.")
            append(
                "larder_build_info{version=\"\(escaped(server.larderVersion))\","
                    + "libevent=\"\(escaped(server.libeventVersion))\"} 1")
        }

        mutating func append(states: [(name: String, count: Int)]) {
            guard !states.isEmpty else { return }
            head("larder_connections", .gauge, "Connections by what they are doing, as in stats conns.")
            for state in states { append("larder_connections{state=\"\(state.name)\"} \(state.count)") }
        }

        mutating func append(silence: [(name: String, microseconds: UInt64)]) {
            guard !silence.isEmpty else { return }
            head("larder_thread_silence_seconds", .gauge, "Time since a thread's loop last answered.")
            for thread in silence {
                let value = StatValue.microseconds(thread.microseconds).text
                append("larder_thread_silence_seconds{thread=\"\(thread.name)\"} \(value)")
            }
        }

        mutating func append(_ latency: LatencyFigures) {
            let name = "larder_command_duration_seconds"
            head(name, .histogram, "Time to carry out what one wake-up of a connection brought; a sample.")
            var sum: UInt64 = 0
            for (bound, count) in zip(LatencyFigures.bounds, latency.counts) {
                sum &+= count
                append("\(name)_bucket{le=\"\(Double(bound) / 1e9)\"} \(sum)")
            }
            append("\(name)_bucket{le=\"+Inf\"} \(latency.samples)")
            append("\(name)_sum \(Double(latency.nanoseconds) / 1e9)")
            append("\(name)_count \(latency.samples)")
        }
    }
}
