// What operators change while the server runs, shared by all workers of a server: switches other rooms obey,
// and settings that `stats settings` must show as they are now.
import LarderStore

/// One per server, made at start and lent to every worker.
public final class AdminState: Sendable {
    /// Streams of dumps under way at once, all clients together: each holds a little memory and costs a
    /// worker time.
    static let dumpsMax = 32

    /// The shared part of the event rings.
    public let log: EventLog
    let prefixes: PrefixStatistics

    private struct Values {
        /// `stats settings` rows whose value is no longer the one the server started with.
        var settings = [String: String]()
        var crawlerEnabled: Bool
        var tracksSizes: Bool
        var dumps = 0
        var crawlsStarted: UInt64 = 0
    }
    private let values: Guarded<Values>

    public init(options: SessionOptions, log: EventLog = EventLog()) {
        self.log = log
        prefixes = PrefixStatistics(delimiter: options.prefixDelimiter)
        values = Guarded(Values(crawlerEnabled: options.stats.crawler, tracksSizes: options.tracksSizes))
        setDetail(options.detailEnabled)
    }

    /// Whether `stats detail` counts prefixes now.
    var detailEnabled: Bool { log.mask & EventKind.detail.rawValue != 0 }
    func setDetail(_ on: Bool) {
        log.setMask(on ? EventKind.detail.rawValue : 0, in: EventKind.detail.rawValue)
    }

    var crawlerEnabled: Bool { values.withLock { $0.crawlerEnabled } }
    func setCrawler(enabled: Bool) { values.withLock { $0.crawlerEnabled = enabled } }

    var tracksSizes: Bool { values.withLock { $0.tracksSizes } }
    func setTracksSizes(_ on: Bool) { values.withLock { $0.tracksSizes = on } }

    /// Makes `stats settings` show `value` for `name` from now on.
    func remember(_ name: String, _ value: String) { values.withLock { $0.settings[name] = value } }
    var rememberedSettings: [String: String] { values.withLock { $0.settings } }

    /// Takes one of the `dumpsMax` places; false if there is none.
    func startDump() -> Bool {
        values.withLock {
            guard $0.dumps < Self.dumpsMax else { return false }
            $0.dumps += 1
            $0.crawlsStarted &+= 1
            return true
        }
    }
    func endDump() { values.withLock { $0.dumps -= 1 } }
    var dumpsRunning: Int { values.withLock { $0.dumps } }

    func countCrawl() { values.withLock { $0.crawlsStarted &+= 1 } }
    var crawlsStarted: UInt64 { values.withLock { $0.crawlsStarted } }
    func resetFigures() { values.withLock { $0.crawlsStarted = 0 } }
}
