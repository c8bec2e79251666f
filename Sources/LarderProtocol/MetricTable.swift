// The metrics of `/metrics`: names, types and which row of `stats` each one shows. Names that begin with
// memcached, and their labels, are those of the community's memcached exporter, which reads the same rows:
// dashboards made for it go on working. What only Larder counts begins with larder.

enum MetricTable {
    static let general =
        process + connections + traffic + commands + items + crawler + pages + larder

    private static let process: [MetricFamily] = [
        MetricFamily("memcached_up", .gauge, "The server answers; always 1.", .one),
        MetricFamily("memcached_uptime_seconds", .untyped, "Seconds since the start.", .stat("uptime")),
        MetricFamily("memcached_time_seconds", .gauge, "The server's unix time.", .stat("time")),
        MetricFamily(
            "memcached_process_user_cpu_seconds_total", .counter, "Processor time outside the kernel.",
            .stat("rusage_user")),
        MetricFamily(
            "memcached_process_system_cpu_seconds_total", .counter, "Processor time in the kernel.",
            .stat("rusage_system")),
        MetricFamily(
            "process_cpu_seconds_total", .counter, "Processor time in and outside the kernel.",
            .sum(["rusage_user", "rusage_system"])),
        MetricFamily(
            "process_start_time_seconds", .gauge, "Unix time of the start.", .larder("start_time")),
        MetricFamily(
            "process_resident_memory_bytes", .gauge, "Memory of the process that is in RAM.",
            .larder("resident_bytes")),
    ]

    private static let connections: [MetricFamily] = [
        MetricFamily(
            "memcached_current_connections", .gauge, "Client connections now.", .stat("curr_connections")),
        MetricFamily(
            "memcached_max_connections", .gauge, "Client connections allowed at a time (-c).",
            .setting("maxconns")),
        MetricFamily(
            "memcached_connections_total", .counter, "Client connections accepted.",
            .stat("total_connections")),
        MetricFamily(
            "memcached_connections_rejected_total", .counter, "Connections refused because -c was reached.",
            .stat("rejected_connections")),
        MetricFamily(
            "memcached_connections_yielded_total", .counter,
            "Times that a connection had to let others go first (-R).", .stat("conn_yields")),
        MetricFamily(
            "memcached_connections_listener_disabled_total", .counter,
            "Times that accepting connections was paused.", .stat("listen_disabled_num")),
        MetricFamily(
            "memcached_accepting_connections", .gauge, "1 while connections are accepted.",
            .stat("accepting_conns")),
    ]

    private static let traffic: [MetricFamily] = [
        MetricFamily("memcached_read_bytes_total", .counter, "Bytes from clients.", .stat("bytes_read")),
        MetricFamily("memcached_written_bytes_total", .counter, "Bytes to clients.", .stat("bytes_written")),
        MetricFamily("memcached_current_bytes", .gauge, "Bytes of all items now.", .stat("bytes")),
        MetricFamily("memcached_limit_bytes", .gauge, "Memory limit (-m).", .stat("limit_maxbytes")),
        MetricFamily(
            "memcached_malloced_bytes", .gauge, "Memory of all pages that classes own.",
            .larder("class_bytes")),
    ]

    private static let hitOrMiss = ["get", "delete", "incr", "decr", "cas", "touch"].flatMap { command in
        [("hit", "_hits"), ("miss", "_misses")].map { status, ending in
            MetricFamily.Line(
                labels: "command=\"\(command)\",status=\"\(status)\"", source: .stat(command + ending))
        }
    }
    private static let commands: [MetricFamily] = [
        MetricFamily(
            "memcached_commands_total", .counter, "Commands by kind and outcome.",
            hitOrMiss + [
                MetricFamily.Line(
                    labels: "command=\"cas\",status=\"badval\"", source: .stat("cas_badval")),
                MetricFamily.Line(labels: "command=\"flush\",status=\"hit\"", source: .stat("cmd_flush")),
                // cas counts among the sets in `stats`, and by itself here.
                MetricFamily.Line(
                    labels: "command=\"set\",status=\"hit\"",
                    source: .difference("cmd_set", ["cas_misses", "cas_hits", "cas_badval"])),
            ])
    ]

    private static let items: [MetricFamily] = [
        MetricFamily("memcached_current_items", .gauge, "Items now.", .stat("curr_items")),
        MetricFamily("memcached_items_total", .counter, "Items stored.", .stat("total_items")),
        MetricFamily(
            "memcached_items_evicted_total", .counter, "Items that had to go while still valid.",
            .stat("evictions")),
        MetricFamily(
            "memcached_items_reclaimed_total", .counter, "Items stored in the place of expired ones.",
            .stat("reclaimed")),
        MetricFamily(
            "memcached_item_too_large_total", .counter, "Values refused for their size (-I).",
            .stat("store_too_large")),
        MetricFamily(
            "memcached_item_no_memory_total", .counter, "Values refused for want of memory.",
            .stat("store_no_memory")),
        MetricFamily(
            "memcached_direct_reclaims_total", .counter, "Times that a request made room for itself.",
            .stat("direct_reclaims")),
    ]

    private static let crawler: [MetricFamily] = [
        crawlerSetting("enabled", "lru_crawler", "1 where expired items are looked for."),
        crawlerSetting("sleep", "lru_crawler_sleep", "Accepted; without effect here."),
        crawlerSetting("to_crawl", "lru_crawler_tocrawl", "Accepted; without effect here."),
        crawlerSetting("maintainer_thread", "lru_maintainer_thread", "1 where items prove themselves."),
        crawlerSetting("hot_percent", "hot_lru_pct", "Accepted; without effect here."),
        crawlerSetting("warm_percent", "warm_lru_pct", "Accepted; without effect here."),
        crawlerSetting("hot_max_factor", "hot_max_factor", "Accepted; without effect here."),
        crawlerSetting("warm_max_factor", "warm_max_factor", "Accepted; without effect here."),
        crawlerCount("starts", "lru_crawler_starts", "Searches through all items that were asked for."),
        crawlerCount("reclaimed", "crawler_reclaimed", "Expired items found and freed."),
        crawlerCount("items_checked", "crawler_items_checked", "Items looked at in search of expired ones."),
        crawlerCount("moves_to_cold", "moves_to_cold", "Items that proved themselves."),
        crawlerCount("moves_to_warm", "moves_to_warm", "Always 0: there is no such list."),
        crawlerCount("moves_within_lru", "moves_within_lru", "Always 0: there is no such list."),
    ]

    private static func crawlerSetting(_ name: String, _ row: String, _ help: String) -> MetricFamily {
        MetricFamily("memcached_lru_crawler_\(name)", .gauge, help, .setting(row))
    }
    private static func crawlerCount(_ name: String, _ row: String, _ help: String) -> MetricFamily {
        MetricFamily("memcached_lru_crawler_\(name)_total", .counter, help, .stat(row))
    }

    // MARK: Larder's own

    private static let pages: [MetricFamily] = [
        own("page_bytes", .gauge, "page_size", "Bytes of a page."),
        own("pages_limit", .gauge, "pages_total", "Pages that the memory limit allows."),
        own("pages_free", .gauge, "pages_free", "Pages that nobody owns."),
        own("pages_index", .gauge, "pages_index", "Pages of the index."),
        own("index_bytes", .gauge, "index_bytes", "Memory of the index."),
        own("index_buckets", .gauge, "index_buckets", "Buckets of the index."),
        own("page_moves_total", .counter, "page_moves", "Pages that one class gave to another."),
        own("page_moves_for_index_total", .counter, "page_moves_for_index", "Pages given to the index."),
        own("page_moves_busy_total", .counter, "page_moves_busy", "Moves given up: an item was in use."),
        own("page_move_rescues_total", .counter, "page_move_rescues", "Items saved from pages that moved."),
        own("ghost_hits_total", .counter, "ghost_hits", "Keys stored again soon after their eviction."),
        own("housekeeper_runs_total", .counter, "housekeeper_runs", "Rounds of the housekeeping thread."),
        own("items_on_probation", .gauge, "items_on_probation", "Items that have yet to prove themselves."),
    ]

    private static func own(
        _ name: String, _ kind: MetricFamily.Kind, _ row: String, _ help: String
    ) -> MetricFamily {
        MetricFamily("larder_\(name)", kind, help, .larder(row))
    }
    private static func own(
        _ name: String, _ kind: MetricFamily.Kind, stat row: String, _ help: String
    ) -> MetricFamily {
        MetricFamily("larder_\(name)", kind, help, .stat(row))
    }

    private static let larder: [MetricFamily] = [
        own("get_expired_total", .counter, stat: "get_expired", "Misses: the item had expired."),
        own("get_flushed_total", .counter, stat: "get_flushed", "Misses: the item had been flushed."),
        own("meta_commands_total", .counter, stat: "cmd_meta", "Meta commands, counted by kind as well."),
        own("items_evicted_unfetched_total", .counter, stat: "evicted_unfetched", "Evicted and never read."),
        own("items_evicted_active_total", .counter, stat: "evicted_active", "Evicted though read lately."),
        own("items_expired_unfetched_total", .counter, stat: "expired_unfetched", "Expired and never read."),
        own("auth_total", .counter, stat: "auth_cmds", "Attempts to log in."),
        own("auth_errors_total", .counter, stat: "auth_errors", "Attempts to log in that failed."),
        own("idle_kicks_total", .counter, stat: "idle_kicks", "Connections closed for their silence."),
        MetricFamily(
            "larder_accept_paused_seconds_total", .counter, "Time in which no connection was accepted.",
            .seconds("time_in_listen_disabled_us")),
        // Only with TLS.
        own("tls_handshake_errors_total", .counter, stat: "ssl_handshake_errors", "Handshakes that failed."),
        own("tls_errors_total", .counter, stat: "ssl_proto_errors", "TLS connections that broke later."),
        own("threads", .gauge, stat: "threads", "Worker threads."),
        own("watchers", .gauge, stat: "log_watchers", "Clients that watch."),
        own("watch_lost_total", .counter, stat: "log_worker_dropped", "Events no watcher got."),
    ]

    // MARK: By class

    static let classes: [ClassMetricFamily] = itemFamilies + slabFamilies

    private static func item(
        _ name: String, _ kind: MetricFamily.Kind, _ row: String, _ help: String
    ) -> ClassMetricFamily {
        ClassMetricFamily(
            name: "memcached_slab_\(name)", kind: kind, help: help, lines: [("", .item(row))])
    }
    private static func slab(_ name: String, _ row: String, _ help: String) -> ClassMetricFamily {
        ClassMetricFamily(
            name: "memcached_slab_\(name)", kind: .gauge, help: help, lines: [("", .slab(row))])
    }

    private static let itemFamilies: [ClassMetricFamily] = [
        item("current_items", .gauge, "number", "Items of the class."),
        item("items_age_seconds", .gauge, "age", "Time since the item next to go was last used."),
        item("items_crawler_reclaimed_total", .counter, "crawler_reclaimed", "Expired, found, freed."),
        item("items_evicted_total", .counter, "evicted", "Valid items that had to go."),
        item("items_evicted_nonzero_total", .counter, "evicted_nonzero", "Those with an expiry time."),
        item("items_evicted_time_seconds", .gauge, "evicted_time", "Age of what was evicted last."),
        item("items_evicted_unfetched_total", .counter, "evicted_unfetched", "Evicted and never read."),
        item("items_expired_unfetched_total", .counter, "expired_unfetched", "Expired and never read."),
        item("items_outofmemory_total", .counter, "outofmemory", "Items refused for want of memory."),
        item("items_reclaimed_total", .counter, "reclaimed", "Items stored in the place of expired ones."),
        item("items_tailrepairs_total", .counter, "tailrepairs", "Always 0: nothing needs repair."),
        item("items_moves_to_cold", .untyped, "moves_to_cold", "Items that proved themselves."),
        item("items_moves_to_warm", .untyped, "moves_to_warm", "Always 0: there is no such list."),
        item("items_moves_within_lru", .untyped, "moves_within_lru", "Always 0: there is no such list."),
        item("hot_items", .gauge, "number_hot", "Items that have yet to prove themselves."),
        item("warm_items", .gauge, "number_warm", "Always 0: there is no such list."),
        item("cold_items", .gauge, "number_cold", "Items that have proved themselves."),
        item("temporary_items", .gauge, "number_temp", "Always 0: there is no such list."),
        item("hot_age_seconds", .gauge, "age_hot", "Always 0: only one age is kept."),
        item("warm_age_seconds", .gauge, "age_warm", "Always 0: there is no such list."),
        item("mem_requested_bytes", .gauge, "mem_requested", "Bytes of the class's items."),
        ClassMetricFamily(
            name: "memcached_slab_lru_hits_total", kind: .counter, help: "Reads by list.",
            lines: [
                ("lru=\"hot\"", .item("hits_to_hot")), ("lru=\"warm\"", .item("hits_to_warm")),
                ("lru=\"cold\"", .item("hits_to_cold")), ("lru=\"temporary\"", .item("hits_to_temp")),
            ]),
    ]

    private static let slabFamilies: [ClassMetricFamily] = [
        slab("chunk_size_bytes", "chunk_size", "Bytes of a chunk."),
        slab("chunks_per_page", "chunks_per_page", "Chunks of a page."),
        slab("current_pages", "total_pages", "Pages of the class."),
        slab("current_chunks", "total_chunks", "Chunks of the class."),
        slab("chunks_used", "used_chunks", "Chunks with an item."),
        slab("chunks_free", "free_chunks", "Chunks without an item."),
        slab("chunks_free_end", "free_chunks_end", "Always 0: pages are cut up at once."),
        ClassMetricFamily(
            name: "memcached_slab_commands_total", kind: .counter,
            help: "Commands on items of the class, by kind and outcome.",
            lines: ["get", "delete", "incr", "decr", "cas", "touch"].map {
                ("command=\"\($0)\",status=\"hit\"", .slab($0 + "_hits"))
            } + [
                ("command=\"cas\",status=\"badval\"", .slab("cas_badval")),
                ("command=\"set\",status=\"hit\"", .slabDifference("cmd_set", ["cas_hits", "cas_badval"])),
            ]),
    ]
}
