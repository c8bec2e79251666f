// The command line: every option of the table accepted or refused as it should be, defaults, the rows of
// `stats settings`, and what store and sessions are told.
import LarderStore
import Testing

@testable import LarderServer

/// Parses what a shell would split at blanks.
private func settings(_ line: String) throws -> Settings {
    try settings(line.split(separator: " ").map(String.init))
}

private func settings(_ words: [String], environment: [String: String] = [:]) throws -> Settings {
    switch try OptionParser.parse(words, environment: environment) {
    case .run(let settings): return settings
    case .print: throw StartFailure("prints instead of running", 0)
    }
}

private func printed(_ line: String) throws -> String {
    switch try OptionParser.parse(line.split(separator: " ").map(String.init), environment: [:]) {
    case .run: return ""
    case .print(let text): return text
    }
}

/// The one line with which a command line is refused; nil if it isn't.
private func refusal(_ words: [String]) -> StartFailure? {
    do {
        _ = try settings(words)
        return nil
    } catch {
        return error as? StartFailure
    }
}

private func row(_ name: String, _ settings: Settings) -> String? {
    settings.settingRows().first { $0.0 == name }?.1
}

@Suite struct CommandLineTests {
    @Test func grammarOfGetopt() throws {
        #expect(try settings("-m64 -t 2").memoryMegabytes == 64)
        #expect(try settings("--memory-limit=100").memoryMegabytes == 100)
        #expect(try settings("--memory-limit 100").memoryMegabytes == 100)
        #expect(try settings("--memory-l 100").memoryMegabytes == 100)
        #expect(try settings("-vv -v").verbosity == 3)
        #expect(try settings("--verbose --verbose").verbosity == 2)
        #expect(try settings("--verbose=2").verbosity == 2)
        #expect(try settings("-FXWA").allowsShutdown)
        #expect(try settings(["-m", " 65"]).memoryMegabytes == 65)
        #expect(try settings("-MC").evicts == false)
        #expect(try settings("-o idle_timeout=5,track_sizes -o max_items=10,").idleTimeout == 5)
        #expect(try settings("-m 10 -m 20").memoryMegabytes == 20)
    }

    @Test func everyLetterAndLongNameStoresTheSame() throws {
        let values = [
            "p": "1234", "U": "1234", "l": "10.0.0.1", "s": "/tmp/x", "a": "777", "c": "10", "b": "5",
            "R": "7",
            "B": "ascii", "m": "100", "I": "2m", "f": "1.5", "n": "64", "t": "2", "P": "/tmp/p",
            "u": "nobody", "Y": "/tmp/y",
        ]
        for option in OptionTable.all {
            guard case .letter(let letter, let long) = option.spelling, !long.isEmpty,
                option.status == .works, option.outcome == .run
            else { continue }
            let value = values[String(letter)]
            // TLS makes no sense without a certificate.
            let others = letter == "Z" ? ["-o", "ssl_chain_cert=x"] : []
            let short = try settings(["-\(letter)"] + (value.map { [$0] } ?? []) + others)
            let lengthy = try settings(["--\(long)" + (value.map { "=\($0)" } ?? "")] + others)
            let shortRows = short.settingRows().map { "\($0.0) \($0.1)" }
            #expect(shortRows == lengthy.settingRows().map { "\($0.0) \($0.1)" })
            let isShown = shortRows != Settings().settingRows().map { "\($0.0) \($0.1)" }
            #expect(isShown == !option.rows.isEmpty, "-\(letter) in stats settings")
        }
    }

    @Test func asksForText() throws {
        let help = try printed("-h")
        // memcached's test harness looks for these words to learn what the daemon can do.
        #expect(help.contains("unix-socket"))
        #expect(help.contains("enable-ssl"))
        for word in ["sasl", "ext_path", "proxy_config", "no_drop_privileges"] {
            #expect(!help.lowercased().contains(word))
        }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 110 })
        for value in ["11211", "64", "1024", "20"] { #expect(help.contains("default: \(value)")) }
        #expect(try printed("--help") == help)
        #expect(try printed("-V") == printed("--version"))
        #expect(try printed("-V").hasPrefix("larder \(Version.larder) "))
        #expect(try printed("-i").contains("libevent"))
    }

    @Test(arguments: [
        ["-l", ""], ["-l", ","], ["-l", "[::1"], ["-l", "[::1]x"], ["-l", "host:"], ["-l", "host:0"],
        ["-l", "host:65536"], ["-l", "notls:127.0.0.1"], ["-l", "mtls:127.0.0.1"],
        ["-l", "proto[binary]:127.0.0.1"],
        ["-l", "tag[]:1.2.3.4"],
        ["-m", "-1"], ["-m", "0"], ["-m", "x"], ["-m", ""], ["-m", "64m"], ["-m", "99999999999999999999"],
        ["-m", "1"],
        ["-p", "99999"], ["-p", "-2"], ["-p", "http"], ["-U", "65536"], ["-t", "0"], ["-t", "-1"],
        ["-t", "1000"],
        ["-c", "0"], ["-c", "-1"], ["-I", "1"], ["-I", "1000"], ["-I", "256m"], ["-I", "1025m", "-m", "4096"],
        ["-I", "1.5m"], ["-I", "m"], ["-I", ""], ["-I", "-5m"], ["-f", "1"], ["-f", "0.5"], ["-f", "nan"],
        ["-f", ""],
        ["-n", "0"], ["-n", "-5"], ["-R", "0"], ["-b", "0"], ["-b", "-1"], ["-B", "http"], ["-D", ""],
        ["-D", "ab"],
        ["-a", "999"], ["-a", "1000"], ["-s", ""], ["-s", String(repeating: "x", count: 108)], ["-P", ""],
        ["-u", ""], ["--verbose=9"], ["-o", ""], ["-o", ",modern"], ["-o", "modern=1"], ["-o", "hashpower"],
        ["-o", "hashpower=11"], ["-o", "hashpower=33"], ["-o", "hash_algorithm=md5"],
        ["-o", "idle_timeout=-1"],
        ["-o", "slab_automove=3"], ["-o", "slab_automove_ratio=0"], ["-o", "slab_automove_ratio=1.1"],
        ["-o", "slab_automove_window=2"], ["-o", "slab_automove_window=1801"], ["-o", "tail_repair_time=9"],
        ["-o", "lru_crawler_sleep=1000001"], ["-o", "lru_crawler_tocrawl=x"], ["-o", "hot_lru_pct=200"],
        ["-o", "hot_lru_pct=0"], ["-o", "warm_lru_pct=80"], ["-o", "hot_lru_pct=50,warm_lru_pct=40"],
        ["-o", "hot_max_factor=0"], ["-o", "warm_max_factor=x"], ["-o", "temporary_ttl=61,no_lru_maintainer"],
        ["-o", "slab_chunk_max=0"], ["-o", "slab_chunk_max=2048"], ["-o", "slab_sizes=5"],
        ["-o", "slab_sizes=100-104"], ["-o", "slab_sizes="], ["-o", "watcher_logbuf_size=0"],
        ["-o", "max_items=x"], ["-o", "default_ttl=-1"], ["-o", "read_buf_mem_limit=-1"],
        ["-Z"], ["-Z", "-o", "ssl_chain_cert=x", "-p", "0"], ["-Z", "-o", "ssl_chain_cert=x", "-s", "/x"],
        ["-l", "notls:,::1", "-Z", "-o", "ssl_chain_cert=x"], ["-o", "ssl_chain_cert"],
        ["-o", "ssl_chain_cert="],
        ["-o", "ssl_verify_mode=4"], ["-o", "ssl_verify_mode=peer"], ["-o", "ssl_keyformat=3"],
        ["-o", "ssl_min_version=0"], ["-o", "ssl_min_version=1"], ["-o", "ssl_min_version=4"],
        ["-o", "ssl_wbuf_size=0"], ["-o", "ssl_ciphers="], ["-o", "ssl_session_cache=1"],
        ["-x"], ["--nonsense"], ["--memory"], ["-m"], ["--memory-limit"], ["--help=1"], ["stray"], ["-"],
    ])
    func nonsenseIsRefusedInOneLine(_ words: [String]) {
        let failure = refusal(words)
        #expect(failure?.exitCode == 64)
        #expect(failure?.message.contains("\n") == false)
        #expect((failure?.message.utf8.count ?? 999) < 200)
        // The line names what is at fault.
        if let first = words.first, first.hasPrefix("-"), !first.hasPrefix("--"), first != "-o" {
            #expect(failure?.message.contains(first) == true)
        }
    }

    @Test func unknownSuboption() {
        #expect(refusal(["-o", "nonsense"])?.message == "Illegal suboption \"nonsense\"")
        #expect(refusal(["-o", "modern,nonsense=5"])?.message == "Illegal suboption \"nonsense=5\"")
        #expect(refusal(["-o", "a\u{1B}[2J"])?.message == "Illegal suboption \"a\\x1b[2J\"")
    }

    @Test func whatIsNotThereIsRefusedByName() {
        let refused = OptionTable.all.filter { if case .refused = $0.status { true } else { false } }
        #expect(refused.count > 20)
        for option in refused {
            let words: [String]
            switch option.spelling {
            case .letter(let letter, _):
                words = ["-\(letter)"] + (option.argument == .none ? [] : ["x"])
            case .long(let name): words = ["--\(name)"]
            case .extended(let word): words = ["-o", word + "=x"]
            }
            let failure = refusal(words)
            #expect(failure?.exitCode == 64)
            #expect(failure?.message.hasPrefix(option.name + ": ") == true)
        }
        for letter in "SeN" { #expect(refused.contains { $0.name == "-\(letter)" }) }
    }

    @Test func tuningIsAcceptedAndNamed() throws {
        let values = [
            "hashpower": "20", "hash_algorithm": "xxh3", "slab_automove_ratio": "0.5",
            "slab_automove_window": "30",
            "slab_chunk_max": "32", "lru_crawler_sleep": "5", "lru_crawler_tocrawl": "9", "hot_lru_pct": "10",
            "warm_lru_pct": "11", "hot_max_factor": "0.3", "warm_max_factor": "3", "temporary_ttl": "60",
            "tail_repair_time": "100", "read_buf_mem_limit": "2",
        ]
        for option in OptionTable.all where option.status == .noEffect {
            guard case .extended(let word) = option.spelling else { continue }
            let value = values[word]
            let parsed = try settings(["-o", word + (value.map { "=\($0)" } ?? "")])
            #expect(parsed.withoutEffect == [option.name])
            for name in option.rows { #expect(row(name, parsed) != nil) }
            if value != nil, let shown = option.rows.first {
                #expect(row(shown, parsed) != row(shown, Settings()), "\(word) in stats settings")
            }
        }
        #expect(try settings("-o relaxed_privileges -u root -s /tmp/x").unixPath == "/tmp/x")
    }

    @Test func tls() throws {
        let given = try settings(
            "-Z -o ssl_chain_cert=c,ssl_key=k,ssl_keyformat=2,ssl_verify_mode=2,ssl_ca_cert=a "
                + "-o ssl_ciphers=HIGH:TLS_AES_128_GCM_SHA256,ssl_min_version=3,ssl_session_cache "
                + "-o ssl_kernel_tls,ssl_wbuf_size=64 "
                + "-l notls:127.0.0.1:1,btls:[::1]:2,mtls:proto[ascii]:h,i")
        let expected = [
            "ssl_enabled": "yes", "ssl_chain_cert": "c", "ssl_key": "k", "ssl_verify_mode": "3",
            "ssl_keyformat": "2", "ssl_ciphers": "HIGH:TLS_AES_128_GCM_SHA256", "ssl_ca_cert": "a",
            "ssl_wbuf_size": "65536", "ssl_session_cache": "yes", "ssl_kernel_tls": "yes",
            "ssl_min_version": "tlsv1.3",
        ]
        for (name, value) in expected { #expect(row(name, given) == value, "\(name)") }
        #expect(given.listen.map(\.security) == [.none, .serverOnly, .mutual, .asConfigured])
        #expect(given.listen.map(\.host) == ["127.0.0.1", "::1", "h", "i"])
        #expect(given.warnings.isEmpty)
        let defaults = try settings("-Z -o ssl_chain_cert=c")
        #expect(row("ssl_key", defaults) == "c" && row("ssl_min_version", defaults) == "tlsv1.2")
        // Said aloud: what is not encrypted, and what can't work.
        #expect(try settings("-o ssl_chain_cert=c").warnings.count == 1)
        #expect(try settings("-Z -U 5 -o ssl_chain_cert=c,ssl_verify_mode=2").warnings.count == 2)
        #expect(row("ssl_enabled", Settings()) == nil)
    }
}

@Suite struct SettingsTests {
    @Test func defaultsAreMemcachedsWhereTheyShouldBe() {
        let expected = [
            "maxbytes": "67108864", "maxconns": "1024", "tcpport": "11211", "udpport": "0", "verbosity": "0",
            "evictions": "on", "domain_socket": "NULL", "umask": "700", "shutdown_command": "no",
            "num_threads": "4",
            "num_threads_per_udp": "4", "stat_key_prefix": ":", "detail_enabled": "no",
            "reqs_per_event": "20",
            "cas_enabled": "yes", "tcp_backlog": "1024", "binding_protocol": "auto-negotiate",
            "auth_enabled_sasl": "no", "auth_enabled_ascii": "no", "item_size_max": "1048576",
            "maxconns_fast": "yes", "hashpower_init": "0", "slab_reassign": "yes", "slab_automove": "1",
            "slab_automove_ratio": "0.80", "slab_automove_window": "10", "lru_crawler": "yes",
            "lru_crawler_sleep": "100", "lru_crawler_tocrawl": "0", "tail_repair_time": "0",
            "flush_enabled": "yes",
            "dump_enabled": "yes", "hash_algorithm": "murmur3", "lru_maintainer_thread": "yes",
            "lru_segmented": "yes", "hot_lru_pct": "20", "warm_lru_pct": "40", "hot_max_factor": "0.20",
            "warm_max_factor": "2.00", "temp_lru": "no", "temporary_ttl": "61", "idle_timeout": "0",
            "watcher_logbuf_size": "262144", "worker_logbuf_size": "65536", "read_buf_mem_limit": "0",
            "track_sizes": "no", "inline_ascii_response": "no", "num_napi_ids": "0", "memory_file": "(null)",
            "client_flags_size": "4",
        ]
        let defaults = Settings()
        for (name, value) in expected { #expect(row(name, defaults) == value, "\(name)") }
        // Where Larder differs on purpose.
        #expect(row("inter", defaults) == "127.0.0.1,::1")
    }

    @Test func rowsStandInMemcachedsOrder() {
        let names = Settings().settingRows().map(\.0)
        let order = [
            "maxbytes", "maxconns", "tcpport", "udpport", "inter", "verbosity", "oldest", "evictions",
            "domain_socket", "umask", "shutdown_command", "growth_factor", "chunk_size", "num_threads",
            "num_threads_per_udp", "stat_key_prefix", "detail_enabled", "reqs_per_event", "cas_enabled",
            "tcp_backlog", "binding_protocol", "auth_enabled_sasl", "auth_enabled_ascii", "item_size_max",
            "maxconns_fast", "hashpower_init", "slab_reassign", "slab_automove", "slab_automove_ratio",
            "slab_automove_window", "slab_chunk_max", "lru_crawler", "lru_crawler_sleep",
            "lru_crawler_tocrawl",
            "tail_repair_time", "flush_enabled", "dump_enabled", "hash_algorithm", "lru_maintainer_thread",
            "lru_segmented", "hot_lru_pct", "warm_lru_pct", "hot_max_factor", "warm_max_factor", "temp_lru",
            "temporary_ttl", "idle_timeout", "watcher_logbuf_size", "worker_logbuf_size",
            "read_buf_mem_limit",
            "track_sizes", "inline_ascii_response", "num_napi_ids", "memory_file", "client_flags_size",
        ]
        #expect(Array(names.prefix(order.count)) == order)
        let own = ["max_items", "drop_privileges", "default_ttl", "http"]
        #expect(Array(names.dropFirst(order.count)) == own)
    }

    @Test func everyRowAnOptionNamesExists() {
        var withTLS = Settings()
        withTLS.tls.isEnabled = true
        let names = Set(withTLS.settingRows().map(\.0))
        for option in OptionTable.all {
            for name in option.rows { #expect(names.contains(name), "\(option.name) -> \(name)") }
        }
    }

    @Test func noSpellingTwice() {
        let names = OptionTable.all.map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test func listenLists() throws {
        #expect(Settings().listen == [ListenAddress(host: "127.0.0.1"), ListenAddress(host: "::1")])
        #expect(try settings("-l 127.0.0.1").listen == [ListenAddress(host: "127.0.0.1")])
        #expect(
            try settings("-l 10.0.0.1:99,[::1]:100 -l ::,host,10.0.0.1:99 -l [fe80::1]").listen == [
                ListenAddress(host: "10.0.0.1", port: 99), ListenAddress(host: "::1", port: 100),
                ListenAddress(host: "::"), ListenAddress(host: "host"), ListenAddress(host: "fe80::1"),
            ])
        #expect(try settings("-l 1.2.3.4;1.2.3.5").listen.count == 2)
        #expect(try settings("-l 1.2.3.4 -l 1.2.3.5").listenText == "1.2.3.4,1.2.3.5")
        #expect(
            try settings("-l proto[ascii]:tag[one]:1.2.3.4:5,tag_two_:[::1]").listen
                == [ListenAddress(host: "1.2.3.4", port: 5), ListenAddress(host: "::1")])
        #expect(try settings("-l *").listen == [ListenAddress(host: "*")])
    }

    @Test func whatFollowsFromOthers() throws {
        #expect(try settings("-U 1234").port == 1234)
        #expect(try settings("-U 1234 -p 99").port == 99)
        #expect(try settings("-U 0").port == 11211)
        #expect(try settings("-p -1").port == -1)
        #expect(try settings("-D |").detailEnabled)
        #expect(try settings("-a 0777").unixMask == 0o777)
        #expect(try settings("-I 512k").itemSizeMax == 524_288)
        #expect(try settings("-m 4096 -I 1024m").itemSizeMax == 1 << 30)
        #expect(try settings("-m 2").itemSizeMax == 1 << 20)
        #expect(try settings("-B binary").warnings.count == 1)
        #expect(try settings(["-d", "-P", "a", "-s", "b"]).pidFile?.hasPrefix("/") == true)
        #expect(try settings(["-P", "a"]).pidFile == "a")
        let file = try settings([], environment: ["MEMCACHED_PORT_FILENAME": "/tmp/ports"]).portFile
        #expect(file == "/tmp/ports")
        let old = try settings("-o no_modern")
        #expect(!old.maxconnsFast && !old.tuning.slabReassign && old.storeOptions.automove == 0)
    }

    @Test func whatStoreAndSessionsAreTold() throws {
        let given = try settings(
            "-m 100 -M -C -I 2m -f 1.1 -n 32 -t 3 -F -X -W -A -D | -R 5 -o track_sizes,max_items=9")
        let store = given.storeOptions
        #expect(store.memoryLimit == 100 << 20 && store.itemSizeMax == 2 << 20)
        #expect(!store.evicts && !store.usesCAS && store.clients == 3 && store.maxItems == 9)
        #expect(store.growthFactor == 1.1 && store.minimumSpace == 32)
        let session = given.sessionOptions
        #expect(!session.allowsFlush && !session.allowsDumps)
        #expect(!session.allowsWatch && session.allowsShutdown)
        #expect(session.prefixDelimiter == 0x7C && session.detailEnabled && session.requestsPerTurn == 5)
        #expect(session.tracksSizes && session.itemSizeMax == 2 << 20 && !session.usesCAS)
        #expect(Settings().storeOptions.growthFactor == nil && Settings().storeOptions.maxItems == nil)
        #expect(try settings("-o slab_sizes=100-200-300").storeOptions.slabSizes == [100, 200, 300])
    }

    /// The rows of `-f`, `-n` and slab_chunk_max tell what the store really has.
    @Test func ownClassTable() throws {
        let sizes = try Store(StoreOptions()).chunkSizes
        #expect(row("chunk_size", Settings()) == "\(sizes[1] - 20)")
        #expect(row("slab_chunk_max", Settings()) == "\(sizes[sizes.count - 1])")
        #expect(try row("growth_factor", settings("-n 60")) == "1.25")
        #expect(try row("chunk_size", settings("-f 1.5")) == "48")
    }

    @Test func decimals() {
        #expect(fixed(1.25, digits: 2) == "1.25")
        #expect(fixed(0.2, digits: 2) == "0.20")
        #expect(fixed(0.005, digits: 2) == "0.01")
        #expect(fixed(12, digits: 2) == "12.00")
    }
}
