// What crosses the wall between a session and the server that runs it: what the session wants done next, what
// the server is asked about itself, and what one worker lends to every session it runs.
import LarderStore
import Synchronization

/// What the server should do after `Session.receive`.
public enum Verdict: ~Copyable {
    /// All complete requests were answered. Bytes not consumed are the start of a request: keep them, read
    /// more.
    case needInput
    /// The reply buffer is full: write it, and when all of it is gone, and others have had their turn, call
    /// `receive` again with the bytes not consumed.
    case flush
    /// The session has had its share of this turn (`-R`): write what there is, serve others, call `receive`
    /// again.
    case yield
    /// Write what there is, then close.
    case close
    /// Drop the connection at once, unwritten replies included.
    case abort
    /// Write what there is, wipe the bytes consumed (they held a password), read nothing more, and call
    /// `receive` again with the bytes not consumed after so many milliseconds.
    case pause(milliseconds: Int)
    /// Only the server can do this; it appends its own answer where there is one, then goes on calling
    /// `receive`.
    case effect(Effect)
}

/// Orders to the server.
public enum Effect: Sendable {
    /// `watch`: the connection becomes a watcher of these kinds (bits of `EventKind`). The server answers
    /// `OK`, or `WATCHER_TOO_MANY log watcher limit reached`, and lets it watch from then on.
    case watch(UInt32)
    /// No answer; the connection is closed with the rest.
    case shutdown(graceful: Bool)
    /// `OK` has been appended already; the settings row `verbosity` is remembered by the session.
    case setVerbosity(Int)
    /// The server answers `OK` or the error's text.
    case refreshCertificates
    /// No answer: the bytes consumed held a password and are to be wiped.
    case wipeInput
}

/// What becomes of a try to log in.
public enum LoginAnswer: Sendable, Equatable {
    case welcome
    /// The wrong password; the client learns it after so long.
    case refused(afterMilliseconds: Int)
    /// Not looked at: too much was tried. To be asked again after so long, with `hasWaited`.
    case askAgain(afterMilliseconds: Int)
}

/// Questions to the server, asked by `stats` and the admin commands; never on the request path.
public protocol ServerFacts: AnyObject, Sendable {
    /// Name and value of every `stats settings` row, in memcached's order.
    func settingRows() -> [(String, String)]
    /// Process, connection and thread figures for `stats`.
    func serverFigures() -> ServerFigures
    /// One row per connection for `stats conns`.
    func connectionRows() -> [ConnectionRow]
    /// `cache_memlimit`; true if the limit was taken over.
    func setMemoryLimit(megabytes: Int) -> Bool
    /// `stats reset` for what the server counts.
    func resetFigures()
    /// Whether the `-Y` file has this user with this password. `descriptor` is the connection's number.
    func checkCredentials(user: Span<UInt8>, password: Span<UInt8>, descriptor: Int32, hasWaited: Bool)
        -> LoginAnswer
}

extension ServerFacts {
    /// Without a file of users nobody is let in.
    public func checkCredentials(
        user: Span<UInt8>, password: Span<UInt8>, descriptor: Int32, hasWaited: Bool
    ) -> LoginAnswer { .refused(afterMilliseconds: 0) }
}

/// What only the server knows of what `stats` says.
public struct ServerFigures: Sendable {
    public var pid = 0
    public var uptimeSeconds: UInt64 = 0
    public var unixTime: UInt64 = 0
    public var version = ""
    public var larderVersion = ""
    public var libeventVersion = ""
    public var userMicroseconds: UInt64 = 0
    public var systemMicroseconds: UInt64 = 0
    public var maxConnections = 0
    public var currentConnections = 0
    public var totalConnections: UInt64 = 0
    public var rejectedConnections: UInt64 = 0
    public var connectionStructures = 0
    public var reservedDescriptors = 0
    public var acceptingConnections = true
    public var listenDisabledCount: UInt64 = 0
    public var listenDisabledMicroseconds: UInt64 = 0
    public var threads = 0
    public var idleKicks: UInt64 = 0
    public var replyBufferCount: UInt64 = 0
    public var replyBufferBytes: UInt64 = 0
    public var readBufferCount: UInt64 = 0
    public var readBufferBytes: UInt64 = 0
    public var logWorkerDropped: UInt64 = 0
    public var logWorkerWritten: UInt64 = 0
    public var logWatcherSkipped: UInt64 = 0
    public var logWatcherSent: UInt64 = 0
    public var logWatchers = 0
    public var tls = TLSFigures()
    public var startUnixTime: UInt64 = 0
    /// Memory of the process that is in RAM; nil where the system doesn't tell.
    public var residentBytes: UInt64?
    /// How long commands took, of all workers.
    public var latency = LatencyFigures()
    /// Connections by memcached's names of what they are doing, and how long each thread has been silent;
    /// only where `/metrics` asks.
    public var connectionStates: [(name: String, count: Int)] = []
    public var threadSilence: [(name: String, microseconds: UInt64)] = []
    public init() {}
}

/// What `stats` says of TLS.
public struct TLSFigures: Sendable {
    /// Handshakes that no earlier session shortened.
    public var newSessions: UInt64
    public var handshakeErrors: UInt64
    /// After the handshake.
    public var protocolErrors: UInt64
    public var secondsSinceRefresh: UInt64
    public init(
        newSessions: UInt64 = 0, handshakeErrors: UInt64 = 0, protocolErrors: UInt64 = 0,
        secondsSinceRefresh: UInt64 = 0
    ) {
        self.newSessions = newSessions
        self.handshakeErrors = handshakeErrors
        self.protocolErrors = protocolErrors
        self.secondsSinceRefresh = secondsSinceRefresh
    }
}

/// A connection as `stats conns` shows it.
public struct ConnectionRow: Sendable {
    public var descriptor = 0
    /// memcached's spelling: `tcp:127.0.0.1:1234`, `tcp6:[::1]:1234`, `unix:/path`, `udp:...`.
    public var address = ""
    public var listenAddress = ""
    /// memcached's names: conn_listening, conn_read, conn_waiting, conn_parse_cmd, conn_swallow, conn_nread,
    /// conn_mwrite, conn_watch …
    public var state = ""
    public var secondsSinceLastCommand: UInt64 = 0
    public init() {}
}

/// Limits and switches a session obeys; read-only after start.
public struct SessionOptions: Sendable {
    /// `-R`: requests answered in one turn before others are served.
    public var requestsPerTurn = 20
    /// `-I`, bytes of a value.
    public var itemSizeMax = 1 << 20
    public var allowsFlush = true  // not -F
    public var allowsDumps = true  // not -X
    public var allowsWatch = true  // not -W
    public var allowsShutdown = false  // -A
    public var requiresAuth = false  // -Y
    public var usesCAS = true  // not -C
    /// Seconds an item lives whose exptime is 0 (`-o default_ttl`); 0: for ever.
    public var defaultTTL: UInt32 = 0
    /// `-D`: prefix delimiter of `stats detail`, and whether detail is on from the start.
    public var prefixDelimiter: UInt8 = 0x3A
    public var detailEnabled = false
    public var tracksSizes = false
    /// What decides which lines `stats` has.
    public var stats = StatsOptions()
    /// What `version` answers: a version every client can parse and takes for a modern memcached.
    public var version = "1.6.45"
    /// To convert absolute exptimes, once, on arrival.
    public let unixClock = UnixClock()
    public var unixTimeOfMomentZero: Int64 {
        get { unixClock.timeOfMomentZero }
        set { unixClock.timeOfMomentZero = newValue }
    }
    public init() {}
}

/// Switches of memcached that decide which lines `stats` and `stats items` have; defaults as memcached's.
public struct StatsOptions: Sendable {
    public var maxConnectionsFast = true  // -o maxconns_fast
    public var slabReassign = true  // -o slab_reassign
    /// At start; `lru_crawler enable` and `disable` change it while running.
    public var crawler = true  // -o lru_crawler
    public var maintainer = true  // -o lru_maintainer
    public var temporaryItems = false  // -o temporary_ttl
    public var idleTimeout = false  // -o idle_timeout
    public var tls = false  // -Z
    public var tlsSessions = false  // -o ssl_session_cache
    public init() {}
}

/// What one worker lends to each session it runs; lives as long as the worker, touched by its thread only.
public struct WorkerContext: ~Copyable {
    /// Keeps it from being passed by copy; see `Core`.
    private let addressed = Atomic<UInt8>(0)
    public let store: StoreClient
    public let options: SessionOptions
    public let facts: any ServerFacts
    /// What operators changed since start; one for all workers.
    public let admin: AdminState
    /// The connection's number in events (memcached's cfd): the server sets it before each `receive`.
    public var descriptor: Int32 = -1
    let log: EventLog
    /// This worker's events on their way to watchers; nil where nobody can watch.
    let ring: EventRing?
    /// What is to be recorded during this `receive` (`EventKind` bits); 0 nearly always.
    var observers: UInt32 = 0
    /// The flags of the meta command being executed.
    var flags = MetaFlags()
    /// Operations parsed and not yet executed; scratch of one `receive` call.
    static let batchSize = 32
    var batch = FixedArray(repeating: Operation(), count: WorkerContext.batchSize)

    public init(
        store: StoreClient, options: SessionOptions, facts: any ServerFacts, admin: AdminState,
        ring: EventRing? = nil
    ) {
        self.store = store
        self.options = options
        self.facts = facts
        self.admin = admin
        log = admin.log
        self.ring = ring
    }
}
