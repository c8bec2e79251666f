// What `stats`, `/metrics` and the status page are made of: every figure of the server, collected once.
// Collecting and rendering are apart, so that all three show the same moment.
import LarderStore

/// One look at everything a server counts.
public struct StatsFacts: Sendable {
    public var store: StoreSnapshot
    public var server: ServerFigures
    public var options: StatsOptions
    /// Searches for expired items: whether they are on, whether one asked for is under way, how many were
    /// asked for (dumps are such walks too).
    public var crawlerEnabled: Bool
    public var crawlerRunning: Bool
    public var crawlsStarted: UInt64

    public init(
        store: StoreSnapshot, server: ServerFigures, options: StatsOptions, crawlerEnabled: Bool,
        crawlerRunning: Bool, crawlsStarted: UInt64
    ) {
        self.store = store
        self.server = server
        self.options = options
        self.crawlerEnabled = crawlerEnabled
        self.crawlerRunning = crawlerRunning
        self.crawlsStarted = crawlsStarted
    }

    public static func collect(
        store: StoreClient, facts: any ServerFacts, admin: AdminState, options: SessionOptions
    ) -> StatsFacts {
        StatsFacts(
            store: store.snapshot(), server: facts.serverFigures(), options: options.stats,
            crawlerEnabled: admin.crawlerEnabled, crawlerRunning: store.isCrawling || admin.dumpsRunning > 0,
            crawlsStarted: admin.crawlsStarted)
    }
}

/// A figure as it is before anybody prints it.
public enum StatValue: Sendable, Equatable {
    case number(UInt64)
    /// Printed as seconds with six digits.
    case microseconds(UInt64)
    case text(String)

    static func number(_ value: Int) -> StatValue { .number(UInt64(max(0, value))) }
    static func flag(_ value: Bool) -> StatValue { .number(value ? UInt64(1) : 0) }

    public var text: String {
        switch self {
        case .number(let value): return String(value)
        case .microseconds(let value):
            let rest = String(value % 1_000_000)
            return "\(value / 1_000_000)." + String(repeating: "0", count: 6 - rest.utf8.count) + rest
        case .text(let text): return text
        }
    }
}

/// One line of a report: its name, what it measures, when it is there.
public struct StatRow<Source: Sendable>: Sendable {
    public enum Kind: Sendable {
        /// Only grows, until `stats reset`.
        case counter
        case gauge
        /// No number.
        case text
    }
    public let name: String
    public let kind: Kind
    public let isShown: @Sendable (Source) -> Bool
    public let value: @Sendable (Source) -> StatValue

    init(
        _ name: String, _ kind: Kind = .counter,
        if isShown: @escaping @Sendable (Source) -> Bool = { _ in true },
        _ value: @escaping @Sendable (Source) -> StatValue
    ) {
        self.name = name
        self.kind = kind
        self.isShown = isShown
        self.value = value
    }
}

extension StatRow where Source == StatsFacts {
    /// A counter of the store's clients.
    init(_ name: String, _ counter: Counter) {
        self.init(name) { .number($0.store.count(counter)) }
    }
    /// A counter kept by class, added up.
    init(_ name: String, sum counter: ClassCounter) {
        self.init(name) { .number($0.store.sum(counter)) }
    }
    /// A thing memcached counts that doesn't happen here.
    init(
        never name: String, _ kind: Kind = .counter,
        if isShown: @escaping @Sendable (StatsFacts) -> Bool = { _ in true }
    ) {
        self.init(name, kind, if: isShown) { _ in .number(UInt64(0)) }
    }
}
