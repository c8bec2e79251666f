// A daemon followed over time: its last two samples make rates, its past makes the graphs.

struct Reading: Sendable {
    enum Condition: Equatable, Sendable {
        /// Not heard of yet.
        case waiting
        case up
        case down(String)
    }

    let name: String
    private(set) var condition = Condition.waiting
    private(set) var latest: Sample?
    private(set) var previous: Sample?
    /// Oldest first; a gap is nil.
    private(set) var history = History()
    /// Larder's own version, if it is one.
    var larderVersion: String?

    init(name: String) { self.name = name }

    /// Samples closer together than this don't make a rate of their own: a change of view asks at once.
    static let shortestInterval = 0.08

    mutating func take(_ sample: Sample) {
        condition = .up
        if let last = latest, !follows(sample, last) {
            // Another process, or its counters were reset: the past is no measure for it.
            previous = nil
            latest = sample
            history.append(Rates())
            return
        }
        if let last = latest {
            if sample.time - last.time < Self.shortestInterval {
                latest = sample
                return
            }
            previous = last
        }
        latest = sample
        if previous != nil { history.append(rates) }
    }

    mutating func fail(_ reason: String) {
        condition = .down(reason)
        if latest != nil || previous != nil { history.append(Rates()) }
        latest = nil
        previous = nil
    }

    private func follows(_ new: Sample, _ old: Sample) -> Bool {
        if new.general["pid"] != old.general["pid"] { return false }
        return ["cmd_get", "cmd_set", "total_connections", "bytes_read"].allSatisfy { name in
            (new.number(name) ?? 0) >= (old.number(name) ?? 0)
        }
    }

    var isUp: Bool { condition == .up && latest != nil }

    /// What a counter grew by in a second; nil when there is nothing to compare with.
    func rate(_ names: String...) -> Double? {
        guard let latest, let previous, latest.time > previous.time else { return nil }
        var growth = 0.0
        for name in names {
            guard let now = latest.number(name), let before = previous.number(name), now >= before
            else { return nil }
            growth += now - before
        }
        return growth / (latest.time - previous.time)
    }

    /// The same for a counter of one slab class. A class that is new began at nothing.
    func rate(_ name: String, of number: Int) -> Double? {
        guard let latest, let previous, latest.time > previous.time,
            let now = latest.classes.first(where: { $0.number == number })?[name]
        else { return nil }
        let before =
            previous.classes.first { $0.number == number }?[name] ?? (previous.classes.isEmpty ? now : 0)
        return now >= before ? (now - before) / (latest.time - previous.time) : nil
    }

    var rates: Rates {
        var rates = Rates()
        rates.gets = rate("cmd_get")
        rates.sets = rate("cmd_set")
        rates.hits = rate("get_hits")
        rates.misses = rate("get_misses")
        rates.evictions = rate("evictions")
        rates.bytesIn = rate("bytes_read")
        rates.bytesOut = rate("bytes_written")
        rates.items = latest?.number("curr_items")
        rates.bytes = latest?.number("bytes")
        rates.limit = latest?.number("limit_maxbytes")
        rates.connections = latest?.number("curr_connections")
        return rates
    }

    /// Hits of all reads since the counters began.
    var hitRatioEver: Double? {
        guard let hits = latest?.number("get_hits"), let misses = latest?.number("get_misses"),
            hits + misses > 0
        else { return nil }
        return hits / (hits + misses)
    }
}

/// The figures of one daemon, or of all together. Nil: not known.
struct Rates: Sendable {
    var gets: Double?
    var sets: Double?
    var hits: Double?
    var misses: Double?
    var evictions: Double?
    var bytesIn: Double?
    var bytesOut: Double?
    var items: Double?
    var bytes: Double?
    var limit: Double?
    var connections: Double?

    var hitRatio: Double? {
        guard let hits, let misses, hits + misses > 0 else { return nil }
        return hits / (hits + misses)
    }
    var filled: Double? {
        guard let bytes, let limit, limit > 0 else { return nil }
        return bytes / limit
    }

    /// The sum of those that are known.
    static func total(_ all: [Rates]) -> Rates {
        func sum(_ field: (Rates) -> Double?) -> Double? {
            let known = all.compactMap(field)
            return known.isEmpty ? nil : known.reduce(0, +)
        }
        return Rates(
            gets: sum(\.gets), sets: sum(\.sets), hits: sum(\.hits), misses: sum(\.misses),
            evictions: sum(\.evictions), bytesIn: sum(\.bytesIn), bytesOut: sum(\.bytesOut),
            items: sum(\.items), bytes: sum(\.bytes), limit: sum(\.limit), connections: sum(\.connections))
    }
}

/// The last few hundred rates.
struct History: Sendable {
    static let longest = 512
    private(set) var all: [Rates] = []

    mutating func append(_ rates: Rates) {
        all.append(rates)
        if all.count > Self.longest { all.removeFirst(all.count - Self.longest) }
    }
}
