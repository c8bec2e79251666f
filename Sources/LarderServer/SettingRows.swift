// The rows of `stats settings`: memcached's names in memcached's order, each with the setting it shows. What
// Larder adds of its own stands at the end.

extension Settings {
    /// One row: its name and how its value is read from the settings.
    struct Row: Sendable {
        let name: String
        let value: @Sendable (Settings) -> String

        init(_ name: String, _ value: @escaping @Sendable (Settings) -> String) {
            self.name = name
            self.value = value
        }
    }

    /// Name and value of every `stats settings` row, in order.
    public func settingRows() -> [(String, String)] {
        let rows = tls.isEnabled ? Settings.rows + Settings.tlsRows : Settings.rows
        return rows.map { ($0.name, $0.value(self)) }
    }

    static let rows = networkRows + itemRows + slabRows + lruRows + restRows

    private static let networkRows: [Row] = [
        Row("maxbytes") { "\($0.memoryMegabytes << 20)" },
        Row("maxconns") { "\($0.maxConnections)" },
        Row("tcpport") { "\($0.port)" },
        Row("udpport") { "\($0.udpPort)" },
        Row("inter") { $0.listenText ?? $0.listen.map(\.host).joined(separator: ",") },
        Row("verbosity") { "\($0.verbosity)" },
        Row("oldest") { _ in "0" },
        Row("evictions") { $0.evicts ? "on" : "off" },
        Row("domain_socket") { $0.unixPath ?? "NULL" },
        Row("umask") { String($0.unixMask, radix: 8) },
        Row("shutdown_command") { yesNo($0.allowsShutdown) },
    ]

    // Larder's own class table has steps of about 7 % and chunks of 32 bytes, 12 of them beside the header;
    // with -f or -n alone the other one is memcached's default. Its largest chunk is 16 KiB.
    private static let itemRows: [Row] = [
        Row("growth_factor") { fixed($0.growthFactor ?? ($0.minimumSpace == nil ? 1.07 : 1.25), digits: 2) },
        Row("chunk_size") { "\($0.minimumSpace ?? ($0.growthFactor == nil ? 12 : 48))" },
        Row("num_threads") { "\($0.threads)" },
        Row("num_threads_per_udp") { "\($0.listen.count > 1 && $0.listenText != nil ? 1 : $0.threads)" },
        Row("stat_key_prefix") { String(decoding: [$0.prefixDelimiter], as: UTF8.self) },
        Row("detail_enabled") { yesNo($0.detailEnabled) },
        Row("reqs_per_event") { "\($0.requestsPerTurn)" },
        Row("cas_enabled") { yesNo($0.usesCAS) },
        Row("tcp_backlog") { "\($0.backlog)" },
        Row("binding_protocol") { $0.bindingProtocol == .auto ? "auto-negotiate" : "ascii" },
        Row("auth_enabled_sasl") { _ in "no" },
        Row("auth_enabled_ascii") { $0.authFile ?? "no" },
        Row("item_size_max") { "\($0.itemSizeMax)" },
        Row("maxconns_fast") { yesNo($0.maxconnsFast) },
    ]

    private static let slabRows: [Row] = [
        Row("hashpower_init") { "\($0.tuning.hashpower)" },
        Row("slab_reassign") { yesNo($0.tuning.slabReassign) },
        Row("slab_automove") { "\($0.tuning.slabAutomove)" },
        Row("slab_automove_ratio") { fixed($0.tuning.slabAutomoveRatio, digits: 2) },
        Row("slab_automove_window") { "\($0.tuning.slabAutomoveWindow)" },
        Row("slab_chunk_max") { "\($0.tuning.slabChunkMax ?? 16 << 10)" },
    ]

    private static let lruRows: [Row] = [
        Row("lru_crawler") { yesNo($0.tuning.lruCrawler) },
        Row("lru_crawler_sleep") { "\($0.tuning.lruCrawlerSleep)" },
        Row("lru_crawler_tocrawl") { "\($0.tuning.lruCrawlerToCrawl)" },
        Row("tail_repair_time") { "\($0.tuning.tailRepairTime)" },
        Row("flush_enabled") { yesNo($0.allowsFlush) },
        Row("dump_enabled") { yesNo($0.allowsDumps) },
        Row("hash_algorithm") { $0.tuning.hashAlgorithm },
        Row("lru_maintainer_thread") { yesNo($0.tuning.lruMaintainer) },
        Row("lru_segmented") { yesNo($0.tuning.lruSegmented) },
        Row("hot_lru_pct") { "\($0.tuning.hotPercent)" },
        Row("warm_lru_pct") { "\($0.tuning.warmPercent)" },
        Row("hot_max_factor") { fixed($0.tuning.hotFactor, digits: 2) },
        Row("warm_max_factor") { fixed($0.tuning.warmFactor, digits: 2) },
        Row("temp_lru") { yesNo($0.tuning.temporaryLRU) },
        Row("temporary_ttl") { "\($0.tuning.temporaryTTL)" },
    ]

    private static let restRows: [Row] = [
        Row("idle_timeout") { "\($0.idleTimeout)" },
        Row("watcher_logbuf_size") { "\($0.tuning.watcherBufferBytes)" },
        Row("worker_logbuf_size") { "\($0.tuning.workerBufferBytes)" },
        Row("read_buf_mem_limit") { "\($0.tuning.readBufferLimit)" },
        Row("track_sizes") { yesNo($0.tracksSizes) },
        Row("inline_ascii_response") { _ in "no" },
        Row("num_napi_ids") { _ in "0" },
        Row("memory_file") { _ in "(null)" },
        Row("client_flags_size") { _ in "4" },
        Row("max_items") { "\($0.maxItems ?? 0)" },
        Row("drop_privileges") { yesNo($0.filtersSystemCalls != .never) },
        Row("default_ttl") { "\($0.defaultTTL)" },
        Row("http") { settings in
            settings.http.map { address in
                let host = address.host.contains(":") ? "[\(address.host)]" : address.host
                return "\(host):\(address.port ?? 0)"
            } ?? "NULL"
        },
    ]
}

private func yesNo(_ value: Bool) -> String { value ? "yes" : "no" }

/// `value` with `digits` digits after the point, rounded; for values that fit 64 bits once scaled.
func fixed(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    guard let scaled = Int64(exactly: (value * scale).rounded()) else { return "\(value)" }
    let text = String(scaled.magnitude)
    let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
    return (scaled < 0 ? "-" : "") + padded.dropLast(digits) + "." + padded.suffix(digits)
}
