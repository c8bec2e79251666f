// The last ten minutes, second by second: what the status page's graphs show. One table says which figures
// are kept; each second is the difference between two snapshots.
import LarderProtocol

/// One figure of the history.
struct StatusColumn: Sendable {
    enum Value: Sendable {
        /// A counter; what is kept is its growth in a second.
        case rate(@Sendable (StatsFacts) -> UInt64)
        case level(@Sendable (StatsFacts) -> UInt64)
        /// Nanoseconds that this share of the second's samples stays below.
        case latency(Double)
    }
    let name: String
    let value: Value

    init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }

    static let all: [StatusColumn] = [
        StatusColumn("hits", .rate { $0.store.sum(.getHits) }),
        StatusColumn("misses", .rate { $0.store.count(.getMisses) }),
        StatusColumn("sets", .rate { $0.store.sum(.cmdSet) }),
        StatusColumn("deletes", .rate { $0.store.sum(.deleteHits) &+ $0.store.count(.deleteMisses) }),
        StatusColumn("counts", .rate {
            $0.store.sum(.incrHits) &+ $0.store.count(.incrMisses) &+ $0.store.sum(.decrHits)
                &+ $0.store.count(.decrMisses)
        }),
        StatusColumn("touches", .rate { $0.store.sum(.touchHits) &+ $0.store.count(.touchMisses) }),
        StatusColumn("evictions", .rate { $0.store.count(.evictions) }),
        StatusColumn("expired", .rate {
            $0.store.count(.reclaimed) &+ $0.store.count(.crawlerReclaimed)
        }),
        StatusColumn("read", .rate { $0.store.count(.bytesRead) }),
        StatusColumn("written", .rate { $0.store.count(.bytesWritten) }),
        StatusColumn("cpu", .rate { $0.server.userMicroseconds &+ $0.server.systemMicroseconds }),
        StatusColumn("refused", .rate { $0.server.rejectedConnections }),
        StatusColumn("connections", .level { UInt64(max(0, $0.server.currentConnections)) }),
        StatusColumn("items", .level { $0.store.curItems }),
        StatusColumn("bytes", .level { $0.store.bytes }),
        StatusColumn("pages", .level { UInt64(max(0, $0.store.pagesTotal - $0.store.pagesFree)) }),
        StatusColumn("p50", .latency(0.5)),
        StatusColumn("p99", .latency(0.99)),
        StatusColumn("p999", .latency(0.999)),
    ]
}

/// A ring of seconds. Used by the HTTP thread only.
struct StatusHistory {
    static let capacity = 600

    struct Second: Sendable {
        let number: UInt64
        /// Unix time in milliseconds, at its end.
        let time: UInt64
        /// One for each column; nil where there is nothing to tell.
        let values: [UInt64?]
    }

    private(set) var seconds: [Second] = []
    private var next = 0
    private var count: UInt64 = 0
    private var last: (facts: StatsFacts, microseconds: UInt64)?

    /// The number of the newest second, 0 before there is one.
    var newest: UInt64 { count }

    /// Takes a snapshot made at `microseconds` of the monotonic clock.
    mutating func add(_ facts: StatsFacts, microseconds: UInt64, unixMilliseconds: UInt64) {
        defer { last = (facts, microseconds) }
        guard let last, microseconds > last.microseconds else { return }
        let passed = microseconds - last.microseconds
        let latency = facts.server.latency.since(last.facts.server.latency)
        let values = StatusColumn.all.map { column -> UInt64? in
            switch column.value {
            case .level(let value): return value(facts)
            case .latency(let share): return latency.quantile(share)
            case .rate(let value):
                let before = value(last.facts)
                let after = value(facts)
                // `stats reset` in between: everything is new.
                let growth = after >= before ? after - before : after
                return UInt64((Double(growth) * 1e6 / Double(passed)).rounded())
            }
        }
        count += 1
        let second = Second(number: count, time: unixMilliseconds, values: values)
        if seconds.count < Self.capacity { seconds.append(second) } else { seconds[next] = second }
        next = (next + 1) % Self.capacity
    }

    /// Those behind number `after`, oldest first.
    func since(_ after: UInt64) -> [Second] {
        guard after < count else { return [] }
        let wanted = Int(min(count - after, UInt64(seconds.count)))
        return (0..<wanted).map { index in
            let place = next - wanted + index
            return seconds[place >= 0 ? place : place + seconds.count]
        }
    }
}
