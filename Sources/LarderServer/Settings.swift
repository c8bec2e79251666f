// What the daemon was told at its start: every option's value with its default, as one value that is handed
// to those who need it. The option table (OptionTable.swift) writes it, `stats settings` (SettingRows.swift)
// shows it.
import LarderProtocol
import LarderStore

/// One address to listen on, as `-l` names it.
public struct ListenAddress: Sendable, Equatable {
    /// A numeric address or a name to resolve; no brackets around IPv6. `*` stands for every address of both
    /// families.
    public var host: String
    /// nil: the port given by `-p` (TCP) or `-U` (UDP).
    public var port: Int?
    /// What its prefix says about TLS; means nothing without `-Z`.
    public var security = ListenerSecurity.asConfigured

    public init(host: String, port: Int? = nil) {
        self.host = host
        self.port = port
    }
}

/// Everything the command line decides. A plain `Settings()` is what `larder` without options runs on.
public struct Settings: Sendable {
    /// Where to listen when nobody said: this machine only. That ::1 does not exist is no error then.
    public static let loopback = [ListenAddress(host: "127.0.0.1"), ListenAddress(host: "::1")]

    // MARK: Network

    /// TCP and UDP addresses, in the order given.
    public var listen = Settings.loopback
    /// The `-l` arguments joined by commas; nil if there was none, and `listen` is then only tried, family by
    /// family.
    public var listenText: String?
    /// TCP port: 0 off, -1 any free one (the same for both families).
    public var port = 11211
    var portIsGiven = false
    /// UDP port: 0 off, -1 any free one.
    public var udpPort = 0
    /// A unix socket instead of the network (`-s`), and its mode.
    public var unixPath: String?
    public var unixMask = 0o700
    public var backlog = 1024
    public var maxConnections = 1024
    /// true: a connection over the limit is told so and closed; false: it waits in the listen queue.
    public var maxconnsFast = true
    /// Seconds after which a silent connection is closed; 0: never.
    public var idleTimeout = 0
    /// Where metrics and the status page are served by HTTP; nil: nowhere.
    public var http: ListenAddress?
    /// Requests of one connection answered in one turn.
    public var requestsPerTurn = 20
    public var bindingProtocol = BindingProtocol.auto
    public var tls = TLSSettings()
    /// Users and their passwords (`-Y`); nil: everybody who can connect is let in.
    public var authFile: String?

    // MARK: Memory and items

    public var memoryMegabytes = 64
    public var itemSizeMax = 1 << 20
    public var evicts = true
    public var usesCAS = true
    /// nil: Larder's own class table.
    public var growthFactor: Double?
    public var minimumSpace: Int?
    public var slabSizes: [Int]?
    /// At most this many items (`-o max_items=`); nil: as many as fit.
    public var maxItems: Int?
    /// Seconds an item lives whose exptime is 0 (`-o default_ttl=`); 0: for ever.
    public var defaultTTL = 0

    // MARK: Commands

    public var allowsFlush = true
    public var allowsDumps = true
    public var allowsWatch = true
    public var allowsShutdown = false
    public var prefixDelimiter: UInt8 = 0x3A
    public var detailEnabled = false
    public var tracksSizes = false

    // MARK: Process

    public var threads = 4
    /// How much the log says: 0 starts and faults; 1 what happens to the daemon; 2 each connection too.
    public var verbosity = 0
    public var user: String?
    public var daemonize = false
    public var pidFile: String?
    public var locksMemory = false
    public var dumpsCore = false
    public var filtersSystemCalls = Filtering.whenPossible
    /// Where to write the ports in use, for tests and supervisors (MEMCACHED_PORT_FILENAME).
    public var portFile: String?

    /// memcached's knobs for its own inside.
    public var tuning = Tuning()
    /// Options that were given, are accepted, and change nothing here; named in the log at `-v`.
    public var withoutEffect: [String] = []
    /// Things worth a line at the start whatever the verbosity.
    public var warnings: [String] = []

    public init() {}

    /// Whether system calls that serving doesn't need are refused.
    public enum Filtering: Sendable {
        case never
        /// A kernel that can't do it is no reason not to start.
        case whenPossible
        case required
    }

    public enum BindingProtocol: String, Sendable {
        case auto, ascii, binary
    }
}

extension Settings {
    /// memcached's knobs: checked, kept and shown as memcached does. Only those named in `storeOptions` and
    /// the buffer sizes of the watchers have an effect.
    public struct Tuning: Sendable {
        public var hashpower = 0
        public var hashAlgorithm = "murmur3"
        public var slabReassign = true
        public var slabAutomove = 1
        public var slabAutomoveRatio = 0.8
        public var slabAutomoveWindow = 10
        /// Bytes; nil: the largest chunk of Larder's classes.
        public var slabChunkMax: Int?
        public var lruCrawler = true
        public var lruCrawlerSleep = 100
        public var lruCrawlerToCrawl = 0
        public var lruMaintainer = true
        public var lruSegmented = true
        public var hotPercent = 20
        public var warmPercent = 40
        public var hotFactor = 0.2
        public var warmFactor = 2.0
        public var temporaryLRU = false
        public var temporaryTTL = 61
        public var tailRepairTime = 0
        /// Bytes a watcher may lag behind, and bytes of events a worker keeps until they are fetched.
        public var watcherBufferBytes = 256 << 10
        public var workerBufferBytes = 64 << 10
        /// Bytes; 0: no limit.
        public var readBufferLimit = 0
        public init() {}
    }

    /// What the store is told. `clients` counts the workers only.
    public var storeOptions: StoreOptions {
        var options = StoreOptions()
        options.memoryLimit = memoryMegabytes << 20
        options.evicts = evicts
        options.usesCAS = usesCAS
        options.itemSizeMax = itemSizeMax
        options.growthFactor = growthFactor
        options.minimumSpace = minimumSpace
        options.slabSizes = slabSizes
        options.clients = threads
        options.maxItems = maxItems
        options.automove = tuning.slabReassign ? tuning.slabAutomove : 0
        return options
    }

    /// What every session is told; the server adds the store's moment 0.
    public var sessionOptions: SessionOptions {
        var options = SessionOptions()
        options.requestsPerTurn = requestsPerTurn
        options.itemSizeMax = itemSizeMax
        options.allowsFlush = allowsFlush
        options.allowsDumps = allowsDumps
        options.allowsWatch = allowsWatch
        options.allowsShutdown = allowsShutdown
        options.requiresAuth = authFile != nil
        options.usesCAS = usesCAS
        options.defaultTTL = UInt32(defaultTTL)
        options.prefixDelimiter = prefixDelimiter
        options.detailEnabled = detailEnabled
        options.tracksSizes = tracksSizes
        options.stats.maxConnectionsFast = maxconnsFast
        options.stats.slabReassign = tuning.slabReassign
        options.stats.crawler = tuning.lruCrawler
        options.stats.maintainer = tuning.lruMaintainer
        options.stats.temporaryItems = tuning.temporaryLRU
        options.stats.idleTimeout = idleTimeout > 0
        options.stats.tls = tls.isEnabled
        options.stats.tlsSessions = tls.resumesSessions
        return options
    }
}
