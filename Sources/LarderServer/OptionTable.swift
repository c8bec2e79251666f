// The one table of everything the command line can say. Each entry holds an option's spellings, its argument,
// what it is worth here, its line of help and the function that checks a value and stores it. Parsing
// (CommandLine.swift) and help (Help.swift) only walk this table; `rows` ties an entry to the rows of `stats
// settings`.

/// One option: a letter with a long name, a long name alone, or a word of `-o`.
struct Option: Sendable {
    enum Spelling: Sendable, Equatable {
        case letter(Character, long: String)
        case long(String)
        case extended(String)
    }

    enum Argument: Sendable, Equatable {
        case none
        /// With the word that stands for it in the help.
        case required(String)
        case optional(String)
    }

    enum Status: Sendable, Equatable {
        case works
        /// Checked, kept and shown, but nothing here depends on it.
        case noEffect
        /// Promises something that does not exist here; a silent yes would be a lie.
        case refused(String)
    }

    /// What parsing does after an option was stored.
    enum Outcome: Sendable, Equatable { case run, showHelp, showVersion, showLicence }

    enum Group: String, Sendable, CaseIterable {
        case network = "Network"
        case memory = "Memory and items"
        case commands = "Commands"
        case process = "Process"
        case about = "About"
        case extended = "Extended options (-o name[=value][,name...], may be repeated)"
        case tls = "Words of -o for TLS, with -Z"
        case ignored = "Accepted so that command lines written for memcached start; without effect here"
    }

    /// Throws a `BadValue`.
    typealias Store = @Sendable (inout Settings, String) throws -> Void

    let spelling: Spelling
    var argument = Argument.none
    var status = Status.works
    var group = Group.extended
    /// Rows of `stats settings` that show it.
    var rows: [String] = []
    /// Empty: not listed in the help.
    var help = ""
    var outcome = Outcome.run
    var store: Store = { _, _ in }

    /// As the user wrote it, or would have: `-m`, `-o hashpower`.
    var name: String {
        switch spelling {
        case .letter(let letter, _): "-\(letter)"
        case .long(let name): "--\(name)"
        case .extended(let word): "-o \(word)"
        }
    }
}

enum OptionTable {
    /// Every option, in the order of the help.
    static let all = network + memory + commands + process + about + extendedOptions

    /// Defaults that help lines name.
    private static let initial = Settings()

    private static let network: [Option] = [
        letter("p", "port", .required("num"), .network, ["tcpport"],
            "TCP port; 0 none, -1 any free one (default: \(initial.port))") { s, text in
            s.port = try Value.integer(text, in: -1...65535)
            s.portIsGiven = true
        },
        letter("U", "udp-port", .required("num"), .network, ["udpport"],
            "UDP port; -1 any free one (default: 0, none)") { s, text in
            s.udpPort = try Value.integer(text, in: -1...65535)
        },
        letter("l", "listen", .required("addr"), .network, ["inter"],
            "address[:port] to listen on, a comma list, may be repeated\n"
                + "(default: 127.0.0.1,::1, this machine only; 0.0.0.0,:: is everybody)") { s, text in
            try ListenList.add(text, to: &s)
        },
        letter("s", "unix-socket", .required("file"), .network, ["domain_socket"],
            "unix socket to listen on, instead of the network") { s, text in
            s.unixPath = try Value.unixPath(text)
        },
        letter("a", "unix-mask", .required("mask"), .network, ["umask"],
            "its access mode, octal (default: 700)") { s, text in
            s.unixMask = try Value.octal(text)
        },
        letter("Y", "auth-file", .required("file"), .network, ["auth_enabled_ascii"],
            "let in only who gives a password of this file, lines user:password;\n"
                + "a client gives it by: set <any key> 0 0 <bytes>, value \"user password\"") { s, text in
            s.authFile = try Value.path(text)
        },
        letter("c", "conn-limit", .required("num"), .network, ["maxconns"],
            "connections at a time (default: \(initial.maxConnections))") { s, text in
            s.maxConnections = try Value.integer(text, in: 1...10_000_000)
        },
        letter("b", "listen-backlog", .required("num"), .network, ["tcp_backlog"],
            "connections waiting to be accepted (default: \(initial.backlog))") { s, text in
            s.backlog = try Value.integer(text, in: 1...Int(Int32.max))
        },
        letter("R", "max-reqs-per-event", .required("num"), .network, ["reqs_per_event"],
            "requests of one connection answered before others are served (default: "
                + "\(initial.requestsPerTurn))") { s, text in
            s.requestsPerTurn = try Value.integer(text, in: 1...Int(Int32.max))
        },
        long("http", .required("addr"), .network, ["http"],
            "[address:]port of a status page and /metrics for Prometheus;\n"
                + "without an address this machine only; port -1 any free one (default: off)") { s, text in
            s.http = try ListenList.http(text)
        },
        letter("B", "protocol", .required("name"), .network, ["binding_protocol"],
            "auto or ascii: both serve the text protocols") { s, text in
            guard let named = Settings.BindingProtocol(rawValue: text) else {
                throw BadValue("must be auto, ascii or binary")
            }
            s.bindingProtocol = named
            if named == .binary {
                s.warnings.append("-B binary: the binary protocol is not served; text connections are")
            }
        },
        letter("Z", "enable-ssl", .none, .network, ["ssl_enabled"],
            "speak TLS on every TCP address but those that -l marks: notls: plain text,\n"
                + "mtls: a client's certificate required, btls: none asked for") { s, _ in
            s.tls.isEnabled = true
        },
    ]

    private static let memory: [Option] = [
        letter("m", "memory-limit", .required("MB"), .memory, ["maxbytes"],
            "memory for items and their index, mebibytes (default: "
                + "\(initial.memoryMegabytes))") { s, text in
            s.memoryMegabytes = try Value.integer(text, in: 1...(1 << 20))
        },
        letter("M", "disable-evictions", .none, .memory, ["evictions"],
            "when full, refuse new items instead of evicting old ones") { s, _ in
            s.evicts = false
        },
        letter("I", "max-item-size", .required("size"), .memory, ["item_size_max"],
            "largest item: bytes, or with k or m; at least 1k,\n"
                + "at most half of -m and 1024m (default: 1m)"
        ) { s, text in
            s.itemSizeMax = try Value.size(text)
        },
        letter("f", "slab-growth-factor", .required("num"), .memory, ["growth_factor"],
            "growth of chunk sizes from class to class (default: a table of its own)") { s, text in
            s.growthFactor = try Value.factor(text, above: 1, upTo: 64)
        },
        letter("n", "slab-min-size", .required("bytes"), .memory, ["chunk_size"],
            "room for key, value and flags in the smallest class") { s, text in
            s.minimumSpace = try Value.integer(text, in: 1...(1 << 20))
        },
        letter("L", "enable-largepages", .none, .memory, [],
            "ask the kernel for huge pages; Larder always does") { _, _ in },
        letter("C", "disable-cas", .none, .memory, ["cas_enabled"], "no cas numbers") { s, _ in
            s.usesCAS = false
        },
    ]

    private static let commands: [Option] = [
        letter("F", "disable-flush-all", .none, .commands, ["flush_enabled"], "refuse flush_all") { s, _ in
            s.allowsFlush = false
        },
        letter("X", "disable-dumping", .none, .commands, ["dump_enabled"],
            "refuse stats cachedump, stats detail, lru_crawler metadump and mgdump") { s, _ in
            s.allowsDumps = false
        },
        letter("W", "disable-watch", .none, .commands, [], "refuse watch") { s, _ in s.allowsWatch = false },
        letter("A", "enable-shutdown", .none, .commands, ["shutdown_command"],
            "allow the shutdown command, to everybody who can connect") { s, _ in
            s.allowsShutdown = true
        },
        letter("D", nil, .required("char"), .commands, ["stat_key_prefix", "detail_enabled"],
            "delimiter of key prefixes, and count per prefix from the start\n"
                + "(default: \":\", counting begins with \"stats detail on\")") { s, text in
            s.prefixDelimiter = try Value.byte(text)
            s.detailEnabled = true
        },
    ]

    private static let process: [Option] = [
        letter("t", "threads", .required("num"), .process, ["num_threads"],
            "worker threads (default: \(initial.threads))") { s, text in
            s.threads = try Value.integer(text, in: 1...256)
            if s.threads > 64 {
                s.warnings.append("-t \(s.threads): more threads than processors make the daemon slower")
            }
        },
        letter("d", "daemon", .none, .process, [],
            "go to the background once it serves") { s, _ in s.daemonize = true },
        letter("P", "pidfile", .required("file"), .process, [],
            "write the process id there while it serves") { s, text in
            s.pidFile = try Value.path(text)
        },
        letter("u", "user", .required("user"), .process, [],
            "run as that user; required when started by root") { s, text in
            s.user = try Value.word(text)
        },
        letter("k", "lock-memory", .none, .process, [],
            "keep all memory out of swap") { s, _ in s.locksMemory = true },
        letter("r", "enable-coredumps", .none, .process, [],
            "write a core file after a crash; it holds the cache's contents") { s, _ in s.dumpsCore = true },
        letter("v", "verbose", .optional("level"), .process, ["verbosity"],
            "log more: what happens to the daemon; -vv: each connection and request too"
        ) { s, text in
            s.verbosity = text.isEmpty ? s.verbosity + 1 : try Value.integer(text, in: 0...3)
        },
    ]

    private static let about: [Option] = [
        asking("h", "help", .showHelp, "this text"),
        asking("V", "version", .showVersion, "the version"),
        asking("i", "license", .showLicence, "the licence"),
        refused("S", "enable-sasl", .none, "SASL needs the binary protocol, which is not served"),
        refused("e", "memory-file", .required("file"), "keeping items over a restart is not there yet"),
        refused("N", "napi-ids", .required("num"), "choosing threads by NAPI id is not there"),
    ]

    // MARK: Building entries

    private static func letter(
        _ letter: Character, _ long: String?, _ argument: Option.Argument, _ group: Option.Group,
        _ rows: [String], _ help: String, _ store: @escaping Option.Store
    ) -> Option {
        Option(
            spelling: .letter(letter, long: long ?? ""), argument: argument, group: group, rows: rows,
            help: help, store: store)
    }

    private static func long(
        _ name: String, _ argument: Option.Argument, _ group: Option.Group, _ rows: [String], _ help: String,
        _ store: @escaping Option.Store
    ) -> Option {
        Option(
            spelling: .long(name), argument: argument, group: group, rows: rows, help: help, store: store)
    }

    private static func asking(
        _ letter: Character, _ long: String, _ outcome: Option.Outcome, _ help: String
    ) -> Option {
        Option(spelling: .letter(letter, long: long), group: .about, help: help, outcome: outcome)
    }

    private static func refused(
        _ letter: Character, _ long: String, _ argument: Option.Argument, _ reason: String
    ) -> Option {
        Option(
            spelling: .letter(letter, long: long), argument: argument, status: .refused(reason),
            group: .about)
    }
}
