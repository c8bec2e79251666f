// The reports of `stats`: names, order, number and format of the lines, as memcached 1.6.45 prints them.
@testable import LarderStore
import Testing

@testable import LarderProtocol

/// What has been appended to a buffer, as text.
func text(of reply: borrowing ReplyBuffer) -> String {
    if reply.isEmpty { return "" }
    guard let bytes = reply.plain else { return "(pinned values)" }
    return String(decoding: bytes, as: UTF8.self)
}

private func facts(_ options: StatsOptions = StatsOptions()) -> StatsFacts {
    var server = ServerFigures()
    server.version = "1.6.45"
    server.libeventVersion = "2.1.12-stable"
    server.userMicroseconds = 12_000_345
    return StatsFacts(
        store: StoreSnapshot(), server: server, options: options, crawlerEnabled: options.crawler,
        crawlerRunning: false, crawlsStarted: 0)
}

private func lines(_ facts: StatsFacts) -> [String] {
    var reply = ReplyBuffer()
    StatsReport.append(GeneralStats.rows, of: facts, to: &reply)
    return text(of: reply).split(separator: "\r\n").map(String.init)
}

private func names(_ facts: StatsFacts) -> [String] {
    lines(facts).dropLast().map { String($0.split(separator: " ")[1]) }
}

@Suite struct StatsTests {
    /// The names of memcached 1.6.45 with default options, in its order.
    static let defaultNames = """
        pid uptime time version libevent pointer_size rusage_user rusage_system max_connections
        curr_connections total_connections rejected_connections connection_structures response_obj_oom
        response_obj_count response_obj_bytes read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom
        reserved_fds cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired
        get_flushed delete_misses delete_hits incr_misses incr_hits decr_misses decr_hits cas_misses
        cas_hits cas_badval touch_hits touch_misses store_too_large store_no_memory auth_cmds auth_errors
        bytes_read bytes_written limit_maxbytes accepting_conns listen_disabled_num
        time_in_listen_disabled_us threads conn_yields hash_power_level hash_bytes hash_is_expanding
        slab_reassign_rescues slab_reassign_chunk_rescues slab_reassign_inline_reclaim
        slab_reassign_busy_items slab_reassign_busy_deletes slab_reassign_busy_nomem
        slab_reassign_last_busy_status slab_reassign_running slabs_moved lru_crawler_running
        lru_crawler_starts lru_maintainer_juggles malloc_fails log_worker_dropped log_worker_written
        log_watcher_skipped log_watcher_sent log_watchers unexpected_napi_ids round_robin_fallback bytes
        curr_items total_items slab_global_page_pool expired_unfetched evicted_unfetched evicted_active
        evictions reclaimed crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold
        moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped
        """.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)

    @Test func namesAndOrderAreMemcacheds() {
        #expect(names(facts()) == Self.defaultNames)
        #expect(Self.defaultNames.count == 93)
        #expect(lines(facts()).last == "END")
    }

    @Test func switchesTakeLinesAway() {
        var options = StatsOptions()
        options.crawler = false
        options.maintainer = false
        #expect(names(facts(options)).count == 84)
        options.slabReassign = false
        #expect(names(facts(options)).count == 75)
        options.maxConnectionsFast = false
        #expect(!names(facts(options)).contains("rejected_connections"))
        options.idleTimeout = true
        #expect(names(facts(options)).contains("idle_kicks"))
    }

    @Test func formatsAreMemcacheds() {
        let lines = lines(facts())
        #expect(lines.contains("STAT rusage_user 12.000345"))
        #expect(lines.contains("STAT rusage_system 0.000000"))
        #expect(lines.contains("STAT pointer_size 64"))
        #expect(lines.contains("STAT accepting_conns 1"))
        #expect(lines.contains("STAT slab_reassign_last_busy_status none"))
    }

    @Test func countersAreAddedUp() {
        var facts = facts()
        facts.store.totals[.getHits] = 10
        facts.store.counters[.getMisses] = 7
        facts.store.counters[.cmdGat] = 1
        let lines = lines(facts)
        #expect(lines.contains("STAT get_hits 10"))
        #expect(lines.contains("STAT get_misses 7"))
        #expect(lines.contains("STAT cmd_get 18"))
    }

    private func oneClass() -> StatsFacts {
        var facts = facts()
        var figures = StoreSnapshot.SlabClassFigures()
        figures.id = 7
        figures.chunkSize = 96
        figures.chunksPerPage = 682
        figures.pages = 2
        figures.usedChunks = 3
        figures.freeChunks = 1361
        figures.items = 3
        figures.itemsOnProbation = 2
        figures.bytesRequested = 200
        facts.store.classes = [figures]
        return facts
    }

    @Test func itemsOfAClass() {
        var reply = ReplyBuffer()
        StatsReport.appendItems(of: oneClass(), to: &reply)
        let names = """
            number number_hot number_warm number_cold age_hot age_warm age mem_requested evicted
            evicted_nonzero evicted_time outofmemory tailrepairs reclaimed expired_unfetched
            evicted_unfetched evicted_active crawler_reclaimed crawler_items_checked lrutail_reflocked
            moves_to_cold moves_to_warm moves_within_lru direct_reclaims hits_to_hot hits_to_warm
            hits_to_cold hits_to_temp
            """.split(whereSeparator: { $0 == " " || $0 == "\n" })
        let lines = text(of: reply).split(separator: "\r\n")
        #expect(lines.dropLast().map { $0.split(separator: " ")[1] } == names.map { "items:7:\($0)" })
        #expect(lines.contains("STAT items:7:number_hot 2"))
        #expect(lines.contains("STAT items:7:number_cold 1"))
        #expect(lines.last == "END")
    }

    @Test func slabsOfAClass() {
        var reply = ReplyBuffer()
        StatsReport.appendSlabs(of: oneClass(), to: &reply)
        let expected = [
            "chunk_size 96", "chunks_per_page 682", "total_pages 2", "total_chunks 1364", "used_chunks 3",
            "free_chunks 1361", "free_chunks_end 0", "get_hits 0", "cmd_set 0", "delete_hits 0",
            "incr_hits 0", "decr_hits 0", "cas_hits 0", "cas_badval 0", "touch_hits 0",
        ].map { "STAT 7:\($0)\r\n" }.joined()
        #expect(text(of: reply) == expected + "STAT active_slabs 1\r\nSTAT total_malloced 131072\r\nEND\r\n")
    }

    @Test func noClasses() {
        var reply = ReplyBuffer()
        StatsReport.appendItems(of: facts(), to: &reply)
        StatsReport.appendSlabs(of: facts(), to: &reply)
        #expect(text(of: reply) == "END\r\nSTAT active_slabs 0\r\nSTAT total_malloced 0\r\nEND\r\n")
    }

    @Test func settingsShowWhatWasChanged() {
        var reply = ReplyBuffer()
        StatsReport.appendSettings(
            [("maxbytes", "67108864"), ("verbosity", "0")], changed: ["verbosity": "1", "unknown": "x"],
            to: &reply)
        #expect(text(of: reply) == "STAT maxbytes 67108864\r\nSTAT verbosity 1\r\nEND\r\n")
    }

    @Test func connections() {
        var reply = ReplyBuffer()
        var listener = ConnectionRow()
        listener.descriptor = 27
        listener.address = "tcp:127.0.0.1:21999"
        listener.state = "conn_listening"
        var client = listener
        client.descriptor = 28
        client.address = "tcp:127.0.0.1:39148"
        client.listenAddress = "tcp:127.0.0.1:21999"
        client.state = "conn_parse_cmd"
        client.secondsSinceLastCommand = 4
        StatsReport.appendConnections([listener, client], to: &reply)
        #expect(
            text(of: reply) == """
                STAT 27:addr tcp:127.0.0.1:21999\r
                STAT 27:state conn_listening\r
                STAT 27:secs_since_last_cmd 0\r
                STAT 28:addr tcp:127.0.0.1:39148\r
                STAT 28:listen_addr tcp:127.0.0.1:21999\r
                STAT 28:state conn_parse_cmd\r
                STAT 28:secs_since_last_cmd 4\r
                END\r

                """)
    }

    @Test func sizes() {
        var histogram = SizeHistogram()
        for size in [1, 32, 33, 64, 1 << 20, (1 << 20) + 1, 5 << 20] { histogram.add(size) }
        var reply = ReplyBuffer()
        histogram.append(to: &reply)
        #expect(
            text(of: reply) == """
                STAT 32 2\r
                STAT 64 2\r
                STAT 1048576 1\r
                STAT 2097152 1\r
                STAT 5242880 1\r
                END\r

                """)
    }
}

@Suite struct PrefixStatisticsTests {
    private func count(_ prefixes: PrefixStatistics, _ prefix: String, _ request: PrefixStatistics.Request) {
        let bytes = Array(prefix.utf8)
        let hash = UInt64(truncatingIfNeeded: prefix.hashValue)
        prefixes.count(bytes.span, length: bytes.count, hash: hash, request)
    }

    @Test func linesAreMemcacheds() {
        let prefixes = PrefixStatistics(delimiter: 0x3A)
        count(prefixes, "foo", .set)
        count(prefixes, "foo", .hit)
        count(prefixes, "foo", .miss)
        count(prefixes, "bar", .delete)
        var reply = ReplyBuffer()
        prefixes.appendDump(to: &reply)
        #expect(
            text(of: reply)
                == "PREFIX foo get 2 hit 1 set 1 del 0\r\nPREFIX bar get 0 hit 0 set 0 del 1\r\nEND\r\n")
        prefixes.reset()
        reply = ReplyBuffer()
        prefixes.appendDump(to: &reply)
        #expect(text(of: reply) == "END\r\n")
    }

    @Test func numberOfPrefixesIsBounded() {
        let prefixes = PrefixStatistics(delimiter: 0x3A)
        for i in 0..<PrefixStatistics.prefixesMax + 500 { count(prefixes, "p\(i)", .set) }
        count(prefixes, "p0", .set)
        var reply = ReplyBuffer()
        prefixes.appendDump(to: &reply)
        let lines = text(of: reply).split(separator: "\r\n")
        #expect(lines.count == PrefixStatistics.prefixesMax + 1)
        #expect(lines[0] == "PREFIX p0 get 0 hit 0 set 2 del 0")
    }

    @Test func bytesOfPrefixesAreBounded() {
        let prefixes = PrefixStatistics(delimiter: 0x3A)
        let padding = String(repeating: "x", count: 240)
        for i in 0..<6000 { count(prefixes, padding + String(i), .hit) }
        var reply = ReplyBuffer()
        prefixes.appendDump(to: &reply)
        let lines = text(of: reply).split(separator: "\r\n").count - 1
        #expect(lines > 4000 && lines * 240 <= PrefixStatistics.bytesMax)
    }
}
