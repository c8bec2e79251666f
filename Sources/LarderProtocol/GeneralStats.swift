// The rows of `stats` without an argument, in memcached's order and with its names; where Larder is built
// otherwise, a row shows the nearest thing that is true, and 0 where nothing of the kind happens.
import LarderStore

/// The rows of plain `stats`.
public enum GeneralStats {
    public typealias Row = StatRow<StatsFacts>

    public static let rows: [Row] =
        processRows + connectionRows + commandRows + trafficRows + indexRows + slabRows + lruRows + logRows
        + tlsRows + placementRows + itemRows

    private static let processRows: [Row] = [
        Row("pid", .gauge) { .number($0.server.pid) },
        Row("uptime", .gauge) { .number($0.server.uptimeSeconds) },
        Row("time", .gauge) { .number($0.server.unixTime) },
        Row("version", .text) { .text($0.server.version) },
        Row("libevent", .text) { .text($0.server.libeventVersion) },
        Row("pointer_size", .gauge) { _ in .number(Int.bitWidth) },
        Row("rusage_user") { .microseconds($0.server.userMicroseconds) },
        Row("rusage_system") { .microseconds($0.server.systemMicroseconds) },
    ]

    private static let connectionRows: [Row] = [
        Row("max_connections", .gauge) { .number($0.server.maxConnections) },
        Row("curr_connections", .gauge) { .number($0.server.currentConnections) },
        Row("total_connections") { .number($0.server.totalConnections) },
        Row("rejected_connections", if: { $0.options.maxConnectionsFast }) {
            .number($0.server.rejectedConnections)
        },
        Row("connection_structures", .gauge) { .number($0.server.connectionStructures) },
        Row("response_obj_oom", .responseOutOfMemory),
        Row("response_obj_count", .gauge) { .number($0.server.replyBufferCount) },
        Row("response_obj_bytes", .gauge) { .number($0.server.replyBufferBytes) },
        Row("read_buf_count", .gauge) { .number($0.server.readBufferCount) },
        Row("read_buf_bytes", .gauge) { .number($0.server.readBufferBytes) },
        // A connection without unread bytes has no buffer: there is no pool of free ones.
        Row(never: "read_buf_bytes_free", .gauge),
        Row("read_buf_oom", .readBufferOutOfMemory),
        Row("reserved_fds", .gauge) { .number($0.server.reservedDescriptors) },
    ]

    private static let commandRows: [Row] = [
        // Keys asked for: gat's count here and among the touches, but not among the hits and misses of get.
        Row("cmd_get") {
            .number($0.store.sum(.getHits) &+ $0.store.count(.getMisses) &+ $0.store.count(.cmdGat))
        },
        Row("cmd_set", sum: .cmdSet),
        Row("cmd_flush", .cmdFlush),
        Row("cmd_touch", .cmdTouch),
        Row("cmd_meta", .cmdMeta),
        Row("get_hits", sum: .getHits),
        Row("get_misses", .getMisses),
        Row("get_expired", .getExpired),
        Row("get_flushed", .getFlushed),
        Row("delete_misses", .deleteMisses),
        Row("delete_hits", sum: .deleteHits),
        Row("incr_misses", .incrMisses),
        Row("incr_hits", sum: .incrHits),
        Row("decr_misses", .decrMisses),
        Row("decr_hits", sum: .decrHits),
        Row("cas_misses", .casMisses),
        Row("cas_hits", sum: .casHits),
        Row("cas_badval", sum: .casBadval),
        Row("touch_hits", sum: .touchHits),
        Row("touch_misses", .touchMisses),
        Row("store_too_large", .storeTooLarge),
        Row("store_no_memory", .storeNoMemory),
        Row("auth_cmds", .authCommands),
        Row("auth_errors", .authErrors),
    ]

    private static let trafficRows: [Row] = [
        Row("idle_kicks", if: { $0.options.idleTimeout }) { .number($0.server.idleKicks) },
        Row("bytes_read", .bytesRead),
        Row("bytes_written", .bytesWritten),
        Row("limit_maxbytes", .gauge) { .number($0.store.memoryLimit) },
        Row("accepting_conns", .gauge) { .flag($0.server.acceptingConnections) },
        Row("listen_disabled_num") { .number($0.server.listenDisabledCount) },
        Row("time_in_listen_disabled_us") { .number($0.server.listenDisabledMicroseconds) },
        Row("threads", .gauge) { .number($0.server.threads) },
        Row("conn_yields", .connYields),
    ]

    private static let indexRows: [Row] = [
        // The power of two not above the number of buckets.
        Row("hash_power_level", .gauge) {
            .number(max(0, UInt64.bitWidth - 1 - $0.store.indexBuckets.leadingZeroBitCount))
        },
        Row("hash_bytes", .gauge) { .number($0.store.indexBytes) },
        // A bucket is split by the insert that asks for it: no growth is ever under way.
        Row(never: "hash_is_expanding", .gauge),
    ]

    private static let slabRows: [Row] = [
        Row("slab_reassign_rescues", if: movesPages) { .number($0.store.pageRescues) },
        Row(never: "slab_reassign_chunk_rescues", if: movesPages),
        Row(never: "slab_reassign_inline_reclaim", if: movesPages),
        Row("slab_reassign_busy_items", if: movesPages) { .number($0.store.pageMovesBusy) },
        Row(never: "slab_reassign_busy_deletes", if: movesPages),
        Row(never: "slab_reassign_busy_nomem", if: movesPages),
        Row("slab_reassign_last_busy_status", .text, if: movesPages) { _ in .text("none") },
        Row(never: "slab_reassign_running", .gauge, if: movesPages),
        Row("slabs_moved", if: movesPages) { .number($0.store.pagesMoved) },
    ]
    private static let movesPages: @Sendable (StatsFacts) -> Bool = { $0.options.slabReassign }

    private static let lruRows: [Row] = [
        Row("lru_crawler_running", .gauge, if: { $0.crawlerEnabled }) { .flag($0.crawlerRunning) },
        Row("lru_crawler_starts", if: { $0.crawlerEnabled }) { .number($0.crawlsStarted) },
        Row("lru_maintainer_juggles", if: hasMaintainer) { .number($0.store.housekeeperRuns) },
        Row("malloc_fails") {
            .number($0.store.count(.responseOutOfMemory) &+ $0.store.count(.readBufferOutOfMemory))
        },
    ]
    private static let hasMaintainer: @Sendable (StatsFacts) -> Bool = { $0.options.maintainer }

    private static let logRows: [Row] = [
        Row("log_worker_dropped") { .number($0.server.logWorkerDropped) },
        Row("log_worker_written") { .number($0.server.logWorkerWritten) },
        Row("log_watcher_skipped") { .number($0.server.logWatcherSkipped) },
        Row("log_watcher_sent") { .number($0.server.logWatcherSent) },
        Row("log_watchers", .gauge) { .number($0.server.logWatchers) },
    ]

    private static let tlsRows: [Row] = [
        Row("ssl_new_sessions", if: { $0.options.tls && $0.options.tlsSessions }) {
            .number($0.server.tls.newSessions)
        },
        Row("ssl_handshake_errors", if: { $0.options.tls }) { .number($0.server.tls.handshakeErrors) },
        Row("ssl_proto_errors", if: { $0.options.tls }) { .number($0.server.tls.protocolErrors) },
        Row("time_since_server_cert_refresh", .gauge, if: { $0.options.tls }) {
            .number($0.server.tls.secondsSinceRefresh)
        },
    ]

    private static let placementRows: [Row] = [
        Row(never: "unexpected_napi_ids"),
        Row(never: "round_robin_fallback"),
    ]

    private static let itemRows: [Row] = [
        Row("bytes", .gauge) { .number($0.store.bytes) },
        Row("curr_items", .gauge) { .number($0.store.curItems) },
        Row("total_items", .totalItems),
        Row("slab_global_page_pool", .gauge) { .number($0.store.pagesFree) },
        Row("expired_unfetched", .expiredUnfetched),
        Row("evicted_unfetched", .evictedUnfetched),
        Row("evicted_active", if: hasMaintainer) { .number($0.store.count(.evictedActive)) },
        Row("evictions", .evictions),
        Row("reclaimed", .reclaimed),
        Row("crawler_reclaimed", .crawlerReclaimed),
        Row("crawler_items_checked", .crawlerItemsChecked),
        Row(never: "lrutail_reflocked"),
        // New items are "hot" (on probation), all others "cold": proven items move from one to the other.
        Row("moves_to_cold", if: hasMaintainer) { .number($0.store.sum(.promoted)) },
        Row(never: "moves_to_warm", if: hasMaintainer),
        Row(never: "moves_within_lru", if: hasMaintainer),
        // Who needs memory evicts for itself; nobody does it ahead.
        Row("direct_reclaims", if: hasMaintainer) { .number($0.store.count(.evictions)) },
        Row(never: "lru_bumps_dropped", if: hasMaintainer),
    ]
}

/// The rows of `stats larder`: what memcached has no name for.
public enum LarderStats {
    public typealias Row = StatRow<StatsFacts>

    public static let rows: [Row] = [
        Row("larder_version", .text) { .text($0.server.larderVersion) },
        Row("start_time", .gauge) { .number($0.server.startUnixTime) },
        Row("resident_bytes", .gauge, if: { $0.server.residentBytes != nil }) {
            .number($0.server.residentBytes ?? 0)
        },
        Row("page_size", .gauge) { .number($0.store.pageSize) },
        Row("pages_total", .gauge) { .number($0.store.pagesTotal) },
        Row("pages_free", .gauge) { .number($0.store.pagesFree) },
        Row("pages_index", .gauge) { .number($0.store.indexPages) },
        Row("class_bytes", .gauge) {
            .number($0.store.classes.reduce(0) { $0 + $1.pages } * $0.store.pageSize)
        },
        Row("index_buckets", .gauge) { .number($0.store.indexBuckets) },
        Row("index_bytes", .gauge) { .number($0.store.indexBytes) },
        Row("page_moves") { .number($0.store.pagesMoved) },
        Row("page_moves_for_index") { .number($0.store.pagesMovedForIndex) },
        Row("page_moves_busy") { .number($0.store.pageMovesBusy) },
        Row("page_move_rescues") { .number($0.store.pageRescues) },
        Row("page_move_last_from", .gauge) { .number($0.store.lastMoveFrom) },
        Row("page_move_last_to", .gauge) { .number($0.store.lastMoveTo) },
        Row("page_move_last_reason", .text) {
            .text($0.store.lastMoveReason.isEmpty ? "none" : $0.store.lastMoveReason)
        },
        Row("ghost_hits") { .number($0.store.ghostHits) },
        Row("housekeeper_runs") { .number($0.store.housekeeperRuns) },
        Row("items_on_probation", .gauge) {
            .number($0.store.classes.reduce(0) { $0 + $1.itemsOnProbation })
        },
        // A sample of what clients asked for, a wake-up at a time, in nanoseconds.
        Row("command_samples") { .number($0.server.latency.samples) },
        Row("command_p50_ns", .gauge) { .number($0.server.latency.quantile(0.5) ?? 0) },
        Row("command_p99_ns", .gauge) { .number($0.server.latency.quantile(0.99) ?? 0) },
    ]
}
