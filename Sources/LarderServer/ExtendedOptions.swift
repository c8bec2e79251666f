// The part of the option table behind `-o`: Larder's own words, those of memcached that mean something here,
// those that tune what only memcached has inside, and those refused by name.

extension OptionTable {
    static let extendedOptions = working + tlsWords + tuning + profiles + refusedWords

    private static let initial = Settings()

    /// Words with an effect.
    private static let working: [Option] = [
        word("maxconns_fast", rows: ["maxconns_fast"],
            help: "over -c, say so and close (the default); no_maxconns_fast: let them wait") { s, _ in
            s.maxconnsFast = true
        },
        word("no_maxconns_fast", rows: ["maxconns_fast"]) { s, _ in s.maxconnsFast = false },
        word("idle_timeout", .required("seconds"), rows: ["idle_timeout"],
            help: "close connections that were silent so long (default: 0, never)") { s, text in
            s.idleTimeout = try Value.integer(text, in: 0...Int(Int32.max))
        },
        word("max_items", .required("num"), rows: ["max_items"],
            help: "at most so many items (default: 0, as many as fit)") { s, text in
            let items = try Value.integer(text, in: 0...(1 << 32))
            s.maxItems = items == 0 ? nil : items
        },
        word("default_ttl", .required("seconds"), rows: ["default_ttl"],
            help: "what exptime 0 means (default: 0, never)") { s, text in
            s.defaultTTL = try Value.integer(text, in: 0...Int(Int32.max))
        },
        word("slab_sizes", .required("a-b-c"), rows: [],
            help: "chunk sizes, instead of -f and -n") { s, text in
            s.slabSizes = try Value.slabSizes(text)
        },
        word("slab_automove", .optional("0|1|2"), rows: ["slab_automove"],
            help: "let classes give memory to those that need it more (default: 1)") { s, text in
            s.tuning.slabAutomove = text.isEmpty ? 1 : try Value.integer(text, in: 0...2)
        },
        word("no_slab_automove", rows: ["slab_automove"]) { s, _ in s.tuning.slabAutomove = 0 },
        word("slab_reassign", rows: ["slab_reassign"],
            help: "allow that at all (default); no_slab_reassign: never") { s, _ in
            s.tuning.slabReassign = true
        },
        word("no_slab_reassign", rows: ["slab_reassign"]) { s, _ in s.tuning.slabReassign = false },
        word("lru_crawler", rows: ["lru_crawler"],
            help: "look for expired items all the time (default); no_lru_crawler: don't") { s, _ in
            s.tuning.lruCrawler = true
        },
        word("no_lru_crawler", rows: ["lru_crawler"]) { s, _ in s.tuning.lruCrawler = false },
        word("track_sizes", rows: ["track_sizes"], help: "count items by size for \"stats sizes\"") { s, _ in
            s.tracksSizes = true
        },
        word("drop_privileges", rows: ["drop_privileges"],
            help: "refuse system calls that serving doesn't need (default);\n"
                + "with no_ in front of it: don't; debuggers and sanitizers may want that") { s, _ in
            s.filtersSystemCalls = .required
        },
        word("no_drop_privileges", rows: ["drop_privileges"]) { s, _ in s.filtersSystemCalls = .never },
        word("watcher_logbuf_size", .required("KB"), rows: ["watcher_logbuf_size"],
            help: "how far a watcher may lag behind (default: 256)") { s, text in
            s.tuning.watcherBufferBytes = try Value.integer(text, in: 1...(1 << 21)) << 10
        },
        word("worker_logbuf_size", .required("KB"), rows: ["worker_logbuf_size"],
            help: "events a worker keeps until watchers get them (default: 64)") { s, text in
            s.tuning.workerBufferBytes = try Value.integer(text, in: 1...(1 << 21)) << 10
        },
    ]

    /// Words that are checked and shown as memcached does, and change nothing.
    private static let tuning: [Option] = [
        knob("hashpower", .required("num"), rows: ["hashpower_init"]) { s, text in
            s.tuning.hashpower = try Value.integer(text, in: 12...32)
        },
        knob("no_hashexpand"),
        knob("hash_algorithm", .required("name"), rows: ["hash_algorithm"]) { s, text in
            guard ["jenkins", "murmur3", "xxh3"].contains(text) else {
                throw BadValue("must be jenkins, murmur3 or xxh3")
            }
            s.tuning.hashAlgorithm = text
        },
        knob("slab_automove_ratio", .required("num"), rows: ["slab_automove_ratio"]) { s, text in
            s.tuning.slabAutomoveRatio = try Value.factor(text, above: 0, upTo: 1)
        },
        knob("slab_automove_window", .required("num"), rows: ["slab_automove_window"]) { s, text in
            s.tuning.slabAutomoveWindow = try Value.integer(text, in: 3...1800)
        },
        knob("slab_chunk_max", .required("KB"), rows: ["slab_chunk_max"]) { s, text in
            let digits = text.hasSuffix("k") ? String(text.dropLast()) : text
            s.tuning.slabChunkMax = try Value.integer(digits, in: 1...1024) << 10
        },
        knob("no_chunked_items", rows: ["slab_chunk_max"]) { s, _ in s.tuning.slabChunkMax = 1 << 20 },
        knob("lru_crawler_sleep", .required("us"), rows: ["lru_crawler_sleep"]) { s, text in
            s.tuning.lruCrawlerSleep = try Value.integer(text, in: 0...1_000_000)
        },
        knob("lru_crawler_tocrawl", .required("num"), rows: ["lru_crawler_tocrawl"]) { s, text in
            s.tuning.lruCrawlerToCrawl = try Value.integer(text, in: 0...Int(UInt32.max))
        },
        knob("lru_maintainer", rows: ["lru_maintainer_thread", "lru_segmented"]) { s, _ in
            s.tuning.lruMaintainer = true
            s.tuning.lruSegmented = true
        },
        knob("no_lru_maintainer", rows: ["lru_maintainer_thread", "lru_segmented"]) { s, _ in
            s.tuning.lruMaintainer = false
            s.tuning.lruSegmented = false
        },
        knob("hot_lru_pct", .required("num"), rows: ["hot_lru_pct"]) { s, text in
            s.tuning.hotPercent = try Value.integer(text, in: 1...79)
        },
        knob("warm_lru_pct", .required("num"), rows: ["warm_lru_pct"]) { s, text in
            s.tuning.warmPercent = try Value.integer(text, in: 1...79)
        },
        knob("hot_max_factor", .required("num"), rows: ["hot_max_factor"]) { s, text in
            s.tuning.hotFactor = try Value.factor(text, above: 0, upTo: 1e9)
        },
        knob("warm_max_factor", .required("num"), rows: ["warm_max_factor"]) { s, text in
            s.tuning.warmFactor = try Value.factor(text, above: 0, upTo: 1e9)
        },
        knob("temporary_ttl", .required("seconds"), rows: ["temporary_ttl", "temp_lru"]) { s, text in
            s.tuning.temporaryTTL = try Value.integer(text, in: 0...Int(Int32.max))
            s.tuning.temporaryLRU = true
        },
        knob("tail_repair_time", .required("seconds"), rows: ["tail_repair_time"]) { s, text in
            s.tuning.tailRepairTime = try Value.integer(text, in: 10...Int(Int32.max))
        },
        knob("read_buf_mem_limit", .required("MB"), rows: ["read_buf_mem_limit"]) { s, text in
            s.tuning.readBufferLimit = try Value.integer(text, in: 0...4095) << 20
        },
        knob("resp_obj_mem_limit", .optional("MB")),
        knob("inline_ascii_resp", rows: ["inline_ascii_response"]),
        knob("no_inline_ascii_resp", rows: ["inline_ascii_response"]),
        knob("relaxed_privileges"),
    ]

    /// Words that set several knobs at once.
    private static let profiles: [Option] = [
        knob("modern"),
        word("no_modern",
            rows: ["slab_reassign", "slab_automove", "maxconns_fast", "lru_segmented", "hash_algorithm"],
            help: "as in memcached 1.4: no_maxconns_fast, no_slab_reassign, no_lru_crawler"
        ) { s, _ in
            s.tuning.slabReassign = false
            s.tuning.slabAutomove = 0
            s.maxconnsFast = false
            s.tuning.lruSegmented = false
            s.tuning.lruCrawler = false
            s.tuning.lruMaintainer = false
            s.tuning.hashAlgorithm = "jenkins"
            s.tuning.slabChunkMax = 1 << 20
        },
    ]

    private static let refusedWords =
        refused(
            ["ext_path", "ext_page_size", "ext_wbuf_size", "ext_threads", "ext_io_depth", "ext_item_size",
                "ext_item_age", "ext_low_ttl", "ext_recache_rate", "ext_compact_under", "ext_drop_under",
                "ext_max_sleep", "ext_max_frag", "ext_drop_unread", "slab_automove_freeratio",
                "no_ext_drop_unread", "ext_direct_io"],
            "storing items on disk is not there")
        + refused(
            ["proxy_config", "proxy_arg", "proxy_uring", "proxy_memprofile"], "the proxy is not there")
        + refused(["sock_cookie_id"], "marking sockets is not there")

    // MARK: Building entries

    private static func word(
        _ name: String, _ argument: Option.Argument = .none, rows: [String] = [], help: String = "",
        _ store: @escaping Option.Store
    ) -> Option {
        Option(spelling: .extended(name), argument: argument, rows: rows, help: help, store: store)
    }

    private static func knob(
        _ name: String, _ argument: Option.Argument = .none, rows: [String] = [],
        _ store: @escaping Option.Store = { _, _ in }
    ) -> Option {
        Option(
            spelling: .extended(name), argument: argument, status: .noEffect, group: .ignored,
            rows: rows, store: store)
    }

    private static func refused(_ names: [String], _ reason: String) -> [Option] {
        names.map { Option(spelling: .extended($0), argument: .optional(""), status: .refused(reason)) }
    }
}
